/** What the gateway asks about models: where to send a request, what a use costs, which models there are. */
import { catalogue, catalogueDate, factsOfName, unknownFacts } from "#adapters/llm/catalogue";
import type { Capability, ModelFacts, Price, Target, TokenUsage } from "#adapters/llm/contract";
import type { WorkspaceCtx } from "#core/context";
import { Problem } from "#core/problem";
import { type Overrides, priceKey } from "./overrides.ts";
import { notAllowed, notFound, openRouter, type Reached, reachedPlaces, type Router } from "./routing.ts";
import { costOf, overrideOf, priceAt } from "./rules.ts";

export { noteProviderCall } from "./health.ts";
export { forgetOverrides } from "./overrides.ts";
export { providerStates } from "./provider-states.ts";

export interface TargetsAbout {
  capability: Capability;
  metadata?: Record<string, unknown>;
  sizeBytes: number;
  /** What a route that sticks goes by; else what its override says. */
  stickTo?: string;
}

/** No provider's name of a model is longer; it stands in problems and in memory. */
const maxIdLength = 300;

/** It stands in headers of the answer, which take nothing else. */
function isId(id: string): boolean {
  return id.length <= maxIdLength && /^[\x20-\x7e]+$/.test(id);
}

/**
 * All targets of a model id in the order in which they are tried. Throws `model-not-found`, `model-not-allowed`,
 * `model-provider-not-configured`, `model-capability-missing`. Reads nothing while what superadmins set is remembered.
 */
export async function targetsOf(ctx: WorkspaceCtx, modelId: string, about: TargetsAbout): Promise<Target[]> {
  if (!isId(modelId)) throw notFound(modelId);
  const router = await openRouter(ctx);
  requireFrom(router, modelId);
  const { metadata = {}, sizeBytes, stickTo = null, capability } = about;
  const places = await reachedPlaces(router, modelId, { model: modelId, metadata, sizeBytes, stickTo });
  const targets = places.map((place) => targetOf(router.overrides, place, ctx.now()));
  const able = targets.filter(({ facts }) => facts.capabilities.includes(capability));
  if (able.length > 0) return able;
  throw new Problem("model-capability-missing", {
    detail: `${modelId} is not a model for ${capability}.`,
    members: { param: "model", capabilities: targets[0]?.facts.capabilities },
  });
}

/** Throws `model-not-allowed` for a model that the caller's limits name not, whether or not there is one of that id. */
export async function requireModel(ctx: WorkspaceCtx, id: string): Promise<void> {
  requireFrom(await openRouter(ctx), id);
}

function requireFrom({ mayUse }: Router, id: string): void {
  if (!mayUse(id)) throw notAllowed(id);
}

function targetOf(overrides: Overrides, place: Reached, nowMs: number): Target {
  const { reach, publicModel, weight, model } = place;
  return { ...reach, model, publicModel, weight, facts: factsOf(overrides, place, nowMs) };
}

/** What is known of a model at a provider: the price set for it there, what an override says of its id, and else the catalogue. */
function factsOf(overrides: Overrides, place: Omit<Reached, "reach">, nowMs: number): ModelFacts {
  const { publicModel, provider, model } = place;
  const base = factsOfName(model) ?? factsOfName(publicModel) ?? unknownFacts(publicModel);
  const set = overrideOf(overrides.models, publicModel) ?? nothingSet;
  return {
    id: publicModel,
    displayName: set.displayName ?? base.displayName,
    contextTokens: set.contextTokens ?? base.contextTokens,
    maxOutputTokens: set.maxOutputTokens ?? base.maxOutputTokens,
    capabilities: set.capabilities ?? base.capabilities,
    price: priceOf(overrides, { provider, model }, nowMs)?.price ?? base.price,
  };
}

const nothingSet = { displayName: null, contextTokens: null, maxOutputTokens: null, capabilities: null };

/** A price that a superadmin set and that is in force. */
export function priceOf(
  overrides: Overrides,
  { provider, model }: { provider: string; model: string },
  nowMs: number,
): { price: Price; effectiveAt: number } | null {
  const row = priceAt(overrides.prices.get(priceKey(provider, model)) ?? [], nowMs);
  if (!row) return null;
  const { inputMicroUsdPerMillion, cachedInputMicroUsdPerMillion, outputMicroUsdPerMillion, effectiveAt } = row;
  return {
    price: { inputMicroUsdPerMillion, cachedInputMicroUsdPerMillion, outputMicroUsdPerMillion },
    effectiveAt,
  };
}

/** Money of a use, rounded up to a whole micro-USD; 0 with an own key. */
export function costMicroUsd(target: Target, usage: TokenUsage): number {
  return target.ownKeyId === null ? costOf(target.facts.price, usage) : 0;
}

/** What the use would cost at the list price, whoever pays: for the figures of own keys. */
export function listCostMicroUsd(target: Target, usage: TokenUsage): number {
  return costOf(target.facts.price, usage);
}

export interface ListedModel {
  facts: ModelFacts;
  /** The one that is asked first. */
  provider: string;
  ownedBy: string;
  createdAtMs: number;
}

/** The models that the caller can use now: those of the catalogue and of overrides whose provider is reached, by their ids. */
export async function listModels(ctx: WorkspaceCtx): Promise<ListedModel[]> {
  const router = await openRouter(ctx);
  const ids = [...new Set([...catalogue.keys(), ...router.overrides.models.keys()])].filter((id) => !id.includes("*"));
  const listed: ListedModel[] = [];
  for (const id of ids.toSorted()) {
    const model = router.mayUse(id) ? await listedModel(router, id) : null;
    if (model) listed.push(model);
  }
  return listed;
}

/** One model that the caller can use; throws what `targetsOf` throws, for any capability. */
export async function findModel(ctx: WorkspaceCtx, id: string): Promise<ListedModel> {
  if (!isId(id)) throw notFound(id);
  const router = await openRouter(ctx);
  requireFrom(router, id);
  return toListed(router, id);
}

async function listedModel(router: Router, id: string): Promise<ListedModel | null> {
  try {
    return await toListed(router, id);
  } catch (error) {
    if (error instanceof Problem) return null;
    throw error;
  }
}

async function toListed(router: Router, id: string): Promise<ListedModel> {
  const asked = { model: id, metadata: {}, sizeBytes: 0, stickTo: "" };
  const [first] = await reachedPlaces(router, id, asked);
  if (!first) throw notFound(id);
  const override = router.overrides.models.get(id);
  return {
    facts: factsOf(router.overrides, first, router.ctx.now()),
    provider: first.reach.provider,
    ownedBy: factsOfName(first.model)?.ownedBy ?? first.reach.provider,
    createdAtMs: override?.createdAt ?? Date.parse(catalogueDate),
  };
}
