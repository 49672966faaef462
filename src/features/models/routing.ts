/**
 * From the id of a model to the places where it can be asked, in their order: an override first, then a named provider, the catalogue, system
 * C's popular names, OpenRouter. In test mode every place is the simulator, and a live request never reaches it.
 */
import { catalogue, factsOfName, isProviderName, type ProviderFacts, providers } from "#adapters/llm/catalogue";
import type { Dialect } from "#adapters/llm/contract";
import type { WorkspaceCtx } from "#core/context";
import { Problem } from "#core/problem";
import { sandboxBase, sandboxSecrets } from "#core/sandbox-secrets";
import { matchesAny } from "#core/sub-user";
import { isTestMode } from "#core/test-mode";
import { type OwnKey, ownKey } from "#features/provider-keys/service";
import { policyOf } from "#features/guardrails/service";
import { type Overrides, overridesOf } from "./overrides.ts";
import { providerOf } from "./providers.ts";
import { type Asked, inOrder, overrideOf, rollOf, routeOf } from "./rules.ts";
import type { ModelOverrideRow } from "./tables.ts";

/** How a provider is reached by this workspace. */
export interface Reach {
  provider: string;
  dialect: Dialect;
  baseUrl: string;
  secret: string;
  ownKeyId: string | null;
  isTenantUrl: boolean;
}

/** One place of a model, before it is known whether its provider can be reached. */
export interface Place {
  provider: string;
  /** The name at the provider. */
  model: string;
  weight: number;
}

/** A place of a model of the chain, `publicModel`. */
export interface Reached extends Place {
  publicModel: string;
  reach: Reach;
}

export interface RouteAbout extends Asked {
  /** What a route that sticks goes by, when the caller says so itself. */
  stickTo: string | null;
}

const maxPlaces = 12;
const popularNames = /gpt|claude|gemini|sonnet|haiku|opus/i;
/** Whose names are no vendor's in an id such as `openai/gpt-4o`, which is how OpenRouter and A4F call that model. */
const namedByPrefix = ["ollama", "workers-ai", "wapi", "groq"];

export type Router = Awaited<ReturnType<typeof openRouter>>;

/** Finds each provider's reach once for a request. Reads nothing while what superadmins and the workspace set is remembered. */
export async function openRouter(ctx: WorkspaceCtx) {
  const [overrides, policy] = await Promise.all([overridesOf(ctx), policyOf(ctx)]);
  // Of the workspace, of the person, of the key: what one of them leaves out is refused.
  const lists = [policy?.allowedModels, ctx.subUser?.permissions.allowed_models, ctx.keyModels];
  const found = new Map<string, Promise<Reach | null>>();
  const findReach = isTestMode(ctx) ? sandboxReach : liveReach;
  return {
    ctx,
    overrides,
    mayUse: (id: string): boolean => lists.every((list) => list === undefined || matchesAny(list, id)),
    reachOf(provider: string): Promise<Reach | null> {
      const known = found.get(provider) ?? findReach(ctx, overrides, provider);
      found.set(provider, known);
      return known;
    },
  };
}

async function sandboxReach(ctx: WorkspaceCtx, overrides: Overrides, provider: string): Promise<Reach | null> {
  if (!ctx.settings.sandbox || overrides.providers.get(provider)?.enabled === false) return null;
  const own = await ownKey(ctx, provider);
  return {
    provider: "sandbox",
    dialect: "openai",
    baseUrl: `${sandboxBase(ctx.settings, "llm")}/v1`,
    secret: own?.secret ?? sandboxSecrets(ctx.settings, "llm").secretKey,
    ownKeyId: own?.id ?? null,
    isTenantUrl: false,
  };
}

async function liveReach(ctx: WorkspaceCtx, overrides: Overrides, provider: string): Promise<Reach | null> {
  if (provider === "sandbox" || overrides.providers.get(provider)?.enabled === false) return null;
  const own = await ownKey(ctx, provider);
  return own ? ownReach(provider, own) : operatorReach(ctx, overrides, provider);
}

/** By a key of the workspace's own the vendor itself is reached, whatever way the operator takes. */
function ownReach(provider: string, { id, secret, baseUrl: named }: OwnKey): Reach | null {
  const facts: ProviderFacts | null = isProviderName(provider) ? providers[provider] : null;
  const baseUrl = named ?? facts?.baseUrl ?? null;
  if (baseUrl === null) return null;
  return {
    provider,
    dialect: facts?.dialect ?? "openai",
    baseUrl,
    secret,
    ownKeyId: id,
    isTenantUrl: named !== null,
  };
}

/** As the deployment or a superadmin configured it; null: not at all. */
export function operatorReach(ctx: Pick<WorkspaceCtx, "settings">, overrides: Overrides, name: string): Reach | null {
  const { dialect, baseUrl, secret, enabled, isNamedUrl, needsKey } = providerOf(ctx, overrides, name);
  if (baseUrl === null || !enabled) return null;
  // Whoever names an address may name one that asks for no key; the vendors' own ask for one.
  if (secret === null && (!isNamedUrl || needsKey)) return null;
  return { provider: name, dialect, baseUrl, secret: secret ?? "", ownKeyId: null, isTenantUrl: false };
}

/** System C's `or/vendor/model`; null: no such prefix. */
function byPrefix(id: string): Place | null {
  for (const [provider, { prefix }] of Object.entries<ProviderFacts>(providers))
    if (prefix !== null && id.startsWith(prefix) && id.length > prefix.length)
      return { provider, model: id.slice(prefix.length), weight: 1 };
  return null;
}

/** `provider/model` of a workspace's own provider, or of one that has no namesake among vendors. */
async function byName(router: Router, id: string): Promise<Place | null> {
  const [provider = "", ...rest] = id.split("/");
  if (rest.length === 0 || rest.join("") === "") return null;
  const reach = await router.reachOf(provider);
  const isMeant = reach?.ownKeyId != null || !isProviderName(provider) || namedByPrefix.includes(provider);
  return reach && isMeant ? { provider, model: rest.join("/"), weight: 1 } : null;
}

/** Vendors serve the dated names of their models, too. */
function inCatalogue(id: string) {
  return catalogue.get(id) ?? (id.includes("/") ? null : factsOfName(id));
}

/** Where a model without a route is asked. Throws `model-not-found` or `model-provider-not-configured`. */
async function defaultPlace(router: Router, id: string): Promise<Place> {
  const prefixed = byPrefix(id);
  if (prefixed) return prefixed;
  const isTest = isTestMode(router.ctx);
  const place =
    (await atItsOwn(router, id)) ?? (isTest ? null : await byName(router, id)) ?? (await byHabit(router, id));
  if (place) return place;
  throw inCatalogue(id) || popularNames.test(id) ? notConfigured(id) : notFound(id);
}

/** The first provider of the catalogue's that is reached. In test mode all are; the one that the workspace has a key for is tried by it. */
async function atItsOwn(router: Router, id: string): Promise<Place | null> {
  for (const provider of inCatalogue(id)?.providers ?? []) {
    const reach = await router.reachOf(provider);
    if (reach && (!isTestMode(router.ctx) || reach.ownKeyId !== null)) return { provider, model: id, weight: 1 };
  }
  return null;
}

/** System C's: popular names at A4F, all others at OpenRouter. In test mode everything at the simulator. */
async function byHabit(router: Router, id: string): Promise<Place | null> {
  if (isTestMode(router.ctx)) return { provider: "sandbox", model: id, weight: 1 };
  if (popularNames.test(id) && (await router.reachOf("a4f"))) return { provider: "a4f", model: id, weight: 1 };
  return (await router.reachOf("openrouter")) ? { provider: "openrouter", model: id, weight: 1 } : null;
}

export function notFound(id: string): Problem {
  return new Problem("model-not-found", {
    detail: `There is no model ${JSON.stringify(id.slice(0, 200))} here, or it is switched off.`,
    members: { param: "model" },
  });
}

function notConfigured(id: string): Problem {
  return new Problem("model-provider-not-configured", {
    detail: `No provider of ${JSON.stringify(id.slice(0, 200))} is configured and switched on.`,
    members: { param: "model" },
  });
}

export function notAllowed(id: string): Problem {
  return new Problem("model-not-allowed", {
    detail: `${JSON.stringify(id)} is not among the models that you may use.`,
    members: { param: "model" },
  });
}

/**
 * May a route lead there? What it calls by the name of another model that the catalogue knows has to be allowed as that model. Names that only
 * a provider knows are what the operator says they are.
 */
function mayLead(router: Router, id: string, { model }: Place): boolean {
  const facts = factsOfName(model);
  const isSame = model === id || facts === null || facts.id === factsOfName(id)?.id;
  return isSame || router.mayUse(model) || router.mayUse(facts.id);
}

/** The places of one model in their order, whether or not they can be reached. */
async function placesOf(router: Router, id: string, about: RouteAbout): Promise<Place[]> {
  const override = overrideOf(router.overrides.models, id);
  if (override?.enabled === false) throw notFound(id);
  const route = override ? routeOf(override.routes, { ...about, model: id }) : null;
  if (!override || !route) return [await defaultPlace(router, id)];
  const places = route.targets
    .map(({ provider, model = id, weight }) => ({ provider, model, weight }))
    .filter((place) => mayLead(router, id, place));
  if (places.length === 0) throw notAllowed(id);
  return inOrder(places, rollsOf(router.ctx, places, stickOf(router.ctx, override, about)));
}

function stickOf(ctx: WorkspaceCtx, { stickBy }: ModelOverrideRow, { stickTo, metadata }: RouteAbout): string | null {
  if (stickTo !== null || stickBy === null) return stickTo;
  if (stickBy === "user") return ctx.userId;
  const value = metadata[stickBy.slice(stickBy.indexOf(":") + 1)];
  return typeof value === "string" || typeof value === "number" ? String(value) : null;
}

function rollsOf(ctx: WorkspaceCtx, places: readonly Place[], stick: string | null): number[] {
  if (stick !== null)
    return places.map(({ provider, model }) => rollOf(`${ctx.workspaceId} ${stick} ${provider} ${model}`));
  const chance = new DataView(ctx.random(4 * places.length).buffer);
  return places.map((_, index) => (chance.getUint32(4 * index) + 0.5) / 2 ** 32);
}

/**
 * All places of a model and of its fallbacks that can be reached. Throws what was wrong with the first model when there is none; one that is
 * switched off takes its fallbacks with it.
 */
export async function reachedPlaces(router: Router, id: string, about: RouteAbout): Promise<Reached[]> {
  const reached: Reached[] = [];
  let refused: Problem | null = null;
  for (const model of chainOf(router, id)) {
    const found = await reachedOf(router, model, about).catch(problemOf);
    if (!(found instanceof Problem)) reached.push(...found);
    else if (model === id && found.code === "model-not-found") throw found;
    else refused ??= found;
    if (reached.length >= maxPlaces) break;
  }
  if (reached.length === 0) throw refused ?? notConfigured(id);
  return reached.slice(0, maxPlaces);
}

function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  throw error;
}

/** The model, its fallbacks, theirs in turn. A ring, which two changes at the same moment can make, ends where it began. */
function chainOf({ overrides, mayUse }: Router, id: string): string[] {
  const chain = [id];
  for (let at = 0; at < chain.length && chain.length < maxPlaces; at += 1) {
    const fallbacks = overrideOf(overrides.models, chain[at] ?? id)?.fallbacks ?? [];
    chain.push(...fallbacks.filter((next) => !chain.includes(next) && mayUse(next)));
  }
  return chain;
}

async function reachedOf(router: Router, publicModel: string, about: RouteAbout): Promise<Reached[]> {
  const places = await placesOf(router, publicModel, about);
  const all = await Promise.all(
    places.map(async (place) => ({ ...place, publicModel, reach: await router.reachOf(place.provider) })),
  );
  return all.flatMap(({ reach, ...place }) => (reach ? [{ ...place, reach }] : []));
}

/** Does the id mean anything to the catalogue, an override or a prefix? Whether its provider is configured may change at any time. */
export function isRoutable(models: ReadonlyMap<string, ModelOverrideRow>, id: string): boolean {
  return overrideOf(models, id) !== null || byPrefix(id) !== null || inCatalogue(id) !== null || popularNames.test(id);
}
