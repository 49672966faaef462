/** Models, providers and prices as callers see them. Shows no address and no key of anybody. */
import { catalogue, defaultPrice, factsOfName } from "#adapters/llm/catalogue";
import type { WorkspaceCtx } from "#core/context";
import { Problem } from "#core/problem";
import { isTestMode } from "#core/test-mode";
import { healthByProvider, type ProviderHealth } from "./health.ts";
import { overridesOf } from "./overrides.ts";
import { providerNamesOf, providerOf } from "./providers.ts";
import { openRouter, operatorReach, type Router } from "./routing.ts";
import { findModel, type ListedModel, listModels, priceOf } from "./service.ts";

const iso = (at: number | null) => (at === null ? null : new Date(at).toISOString());

export function toModel({ facts, provider, ownedBy, createdAtMs }: ListedModel) {
  return {
    id: facts.id,
    object: "model" as const,
    created: Math.floor(createdAtMs / 1_000),
    owned_by: ownedBy,
    name: facts.displayName,
    provider,
    context_length: facts.contextTokens,
    max_output_tokens: facts.maxOutputTokens,
    capabilities: [...facts.capabilities],
    pricing: { currency: "usd" as const, ...facts.price },
  };
}

export async function modelList(ctx: WorkspaceCtx) {
  return { object: "list" as const, data: (await listModels(ctx)).map(toModel) };
}

export async function oneModel(ctx: WorkspaceCtx, id: string) {
  return toModel(await findModel(ctx, id));
}

async function toProvider(router: Router, name: string) {
  const { displayName, dialect, prefix, enabled } = providerOf(router.ctx, router.overrides, name);
  const reach = await router.reachOf(name);
  const models = [...catalogue.values()].filter((model) => (model.providers as readonly string[]).includes(name));
  return {
    name,
    displayName,
    dialect,
    prefix,
    enabled,
    configured: reach !== null,
    source: sourceOf(reach),
    models: models.map(({ id }) => id).filter(router.mayUse),
  };
}

function sourceOf(reach: Awaited<ReturnType<Router["reachOf"]>>): "operator" | "own-key" | "sandbox" | null {
  if (reach === null) return null;
  if (reach.ownKeyId !== null) return "own-key";
  return reach.provider === "sandbox" ? "sandbox" : "operator";
}

export async function providerList(ctx: WorkspaceCtx) {
  const router = await openRouter(ctx);
  const names = providerNamesOf(ctx, router.overrides);
  return { mode: modeOf(ctx), providers: await Promise.all(names.map((name) => toProvider(router, name))) };
}

function modeOf(ctx: WorkspaceCtx): "live" | "test" {
  return isTestMode(ctx) ? "test" : "live";
}

const unknownHealth: ProviderHealth = {
  state: "unknown",
  calls: 0,
  failures: 0,
  averageMs: null,
  lastSuccessAt: null,
  lastFailureAt: null,
};

/** Of the operator's providers; nobody outside is called. */
export async function modelHealth(ctx: WorkspaceCtx) {
  const [overrides, seen] = await Promise.all([overridesOf(ctx), healthByProvider(ctx)]);
  const listed = providerNamesOf(ctx, overrides).map((name) => {
    const isConfigured = operatorReach(ctx, overrides, name) !== null;
    const { lastSuccessAt, lastFailureAt, ...health } = seen.get(name) ?? unknownHealth;
    return {
      name,
      ...health,
      state: isConfigured ? health.state : ("not-configured" as const),
      lastSuccessAt: iso(lastSuccessAt),
      lastFailureAt: iso(lastFailureAt),
    };
  });
  return { status: overall(listed.map(({ state }) => state)), checkedAt: iso(ctx.now()) ?? "", providers: listed };
}

/** Unhealthy when every configured provider that was asked lately fails. */
function overall(states: readonly string[]): "healthy" | "degraded" | "unhealthy" {
  const known = states.filter((state) => state === "healthy" || state === "degraded" || state === "failing");
  if (known.every((state) => state === "healthy")) return "healthy";
  return known.every((state) => state === "failing") ? "unhealthy" : "degraded";
}

/** The price that is charged for a model at a provider now, by the provider's name of the model. */
export async function pricingOf(ctx: WorkspaceCtx, asked: { provider: string; model: string }) {
  const overrides = await overridesOf(ctx);
  const { provider, model } = asked;
  if (provider !== "sandbox" && !providerNamesOf(ctx, overrides).includes(provider))
    throw new Problem("model-provider-not-found", { detail: `There is no provider ${JSON.stringify(provider)} here.` });
  const set = priceOf(overrides, asked, ctx.now());
  const known = factsOfName(model);
  const price = set?.price ?? known?.price ?? defaultPrice;
  const source = set ? ("override" as const) : known ? ("catalogue" as const) : ("default" as const);
  return {
    provider,
    model,
    currency: "usd" as const,
    ...price,
    input_cost_per_1k: price.inputMicroUsdPerMillion / 1e9,
    output_cost_per_1k: price.outputMicroUsdPerMillion / 1e9,
    source,
    effectiveAt: iso(set?.effectiveAt ?? null),
  };
}
