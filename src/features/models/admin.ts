/** What superadmins set about providers, models and prices. Keys go in and never come out; every act is on record with old and new values. */
import { auditEntry } from "#core/audit";
import type { Ctx, WorkspaceCtx } from "#core/context";
import { readCursor, toPage } from "#core/page";
import { Problem } from "#core/problem";
import { maskedSecret, sealSecret } from "#core/sealed-secret";
import type { ChangeModel, ChangePrice, ChangeProvider, PriceQuery } from "./admin-shapes.ts";
import { forgetOverrides, type Overrides, overridesOf, secretNameOf } from "./overrides.ts";
import { providerNamesOf, providerOf } from "./providers.ts";
import { isRoutable, operatorReach } from "./routing.ts";
import { cycleFrom } from "./rules.ts";
import * as store from "./store.ts";
import type { ModelOverrideRow, ModelPriceRow, ModelProviderRow } from "./tables.ts";

const iso = (at: number) => new Date(at).toISOString();

/** The trail of the product, not of the superadmin's own workspace. */
function asStaff(ctx: WorkspaceCtx): Ctx {
  const { workspaceId: _, ...rest } = ctx;
  return rest;
}

/** What is set now, not what the isolate remembers. */
function readAnew(ctx: WorkspaceCtx): Promise<Overrides> {
  forgetOverrides();
  return overridesOf(ctx);
}

function toProvider(ctx: WorkspaceCtx, overrides: Overrides, name: string) {
  const { secret: _, isNamedUrl: __, needsKey: ___, ...provider } = providerOf(ctx, overrides, name);
  const stored = overrides.providers.get(name) ?? null;
  return {
    ...provider,
    configured: operatorReach(ctx, overrides, name) !== null,
    keyPreview: stored?.preview ?? null,
    updatedBy: stored?.updatedBy ?? null,
    updatedAt: stored && iso(stored.updatedAt),
  };
}

export async function listProviders(ctx: WorkspaceCtx) {
  const overrides = await readAnew(ctx);
  return { items: providerNamesOf(ctx, overrides).map((name) => toProvider(ctx, overrides, name)) };
}

/** Members that are not named stay as they are; null takes a value back to the built-in one. */
export async function changeProvider(ctx: WorkspaceCtx, given: ChangeProvider) {
  const before = await store.findProvider(ctx.db, given.name);
  if (!before && (await store.countProviders(ctx.db)) >= store.maxProviders) throw limitReached(store.maxProviders);
  const change = await changeOf(ctx, given);
  const row: ModelProviderRow = { ...(before ?? newProvider(ctx, given.name)), ...change };
  requireAddress(ctx, row);
  await ctx.db.batch([
    store.upsertProvider(ctx.db, row, change),
    auditEntry(asStaff(ctx), "staff.model-provider-changed", {
      target: row.name,
      ...(before ? { before: recorded(before) } : {}),
      after: recorded(row),
    }),
  ]);
  return toProvider(ctx, await readAnew(ctx), row.name);
}

function limitReached(most: number): Problem {
  return new Problem("model-limit-reached", { detail: `At most ${most} of them.` });
}

function newProvider(ctx: WorkspaceCtx, name: string): ModelProviderRow {
  const nothing = { displayName: null, dialect: null, baseUrl: null };
  return {
    name,
    enabled: true,
    ...nothing,
    ...noKey,
    updatedBy: ctx.userId,
    createdAt: ctx.now(),
    updatedAt: ctx.now(),
  };
}

/** The columns of the members that were named. */
async function changeOf(ctx: WorkspaceCtx, given: ChangeProvider): Promise<Partial<ModelProviderRow>> {
  const { name, key, ...named } = given;
  const columns = Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined));
  return {
    ...(columns as Partial<ModelProviderRow>),
    ...(key === undefined ? {} : await newKey(ctx, name, key)),
    updatedBy: ctx.userId,
    updatedAt: ctx.now(),
  };
}

type KeyColumns = Pick<ModelProviderRow, "wrappedSecret" | "masterVersion" | "preview">;
const noKey: KeyColumns = { wrappedSecret: null, masterVersion: null, preview: null };

async function newKey(ctx: WorkspaceCtx, name: string, key: string | null): Promise<KeyColumns> {
  if (key === null) return noKey;
  return { ...(await sealSecret(ctx, secretNameOf(name), key)), preview: maskedSecret(key) };
}

/** A provider that nobody else knows has to be given its address, and so has each one that gets a key. */
function requireAddress(ctx: WorkspaceCtx, row: ModelProviderRow): void {
  const stored = new Map([[row.name, { ...row, secret: null }]]);
  const { baseUrl, isBuiltIn } = providerOf(ctx, { providers: stored }, row.name);
  if (baseUrl === null && (!isBuiltIn || row.wrappedSecret !== null))
    throw new Problem("model-provider-incomplete", { detail: `${row.name} has no address of its own: name baseUrl.` });
}

function recorded({ enabled, displayName, dialect, baseUrl, preview }: ModelProviderRow) {
  return { enabled, displayName, dialect, baseUrl, preview };
}

function toOverride(row: ModelOverrideRow) {
  const { createdAt, updatedAt, ...rest } = row;
  return { ...rest, createdAt: iso(createdAt), updatedAt: iso(updatedAt) };
}

export async function listOverrides(ctx: WorkspaceCtx) {
  return { items: (await store.listOverrides(ctx.db)).map(toOverride) };
}

/** The override as a whole: what is not named is as without one. `reset` takes it away. */
export async function changeModel(ctx: WorkspaceCtx, given: ChangeModel) {
  const overrides = await readAnew(ctx);
  const before = overrides.models.get(given.id) ?? null;
  if (given.reset) return resetModel(ctx, given.id, before);
  if (!before && overrides.models.size >= store.maxOverrides) throw limitReached(store.maxOverrides);
  const row = nextOverride(ctx, given, before);
  requireFollowable(ctx, overrides, row);
  await ctx.db.batch([
    store.upsertOverride(ctx.db, row),
    auditEntry(asStaff(ctx), "staff.model-changed", {
      target: row.id,
      ...(before ? { before: recordedModel(before) } : {}),
      after: recordedModel(row),
    }),
  ]);
  forgetOverrides();
  return { id: row.id, override: toOverride(row) };
}

async function resetModel(ctx: WorkspaceCtx, id: string, before: ModelOverrideRow | null) {
  if (!before) throw new Problem("model-not-found", { detail: "There is no override of this id." });
  await ctx.db.batch([
    store.deleteOverride(ctx.db, id),
    auditEntry(asStaff(ctx), "staff.model-changed", { target: id, before: recordedModel(before) }),
  ]);
  forgetOverrides();
  return { id, override: null };
}

function nextOverride(ctx: WorkspaceCtx, given: ChangeModel, before: ModelOverrideRow | null): ModelOverrideRow {
  const at = ctx.now();
  return {
    id: given.id,
    enabled: given.enabled,
    displayName: given.displayName ?? null,
    contextTokens: given.contextTokens ?? null,
    maxOutputTokens: given.maxOutputTokens ?? null,
    capabilities: given.capabilities ?? null,
    routes: given.routes,
    fallbacks: [...new Set(given.fallbacks)],
    stickBy: given.stickBy ?? null,
    updatedBy: ctx.userId,
    createdAt: before?.createdAt ?? at,
    updatedAt: at,
  };
}

/** Named without the words that the trail takes for secrets (`tokens`). */
function recordedModel(row: ModelOverrideRow) {
  const { enabled, displayName, capabilities, routes, fallbacks, stickBy } = row;
  const sizes = { context: row.contextTokens, maxOutput: row.maxOutputTokens };
  return { enabled, displayName, capabilities, routes, fallbacks, stickBy, ...sizes };
}

/** Every provider of a route exists, every fallback leads somewhere, and none leads back. */
function requireFollowable(ctx: WorkspaceCtx, overrides: Overrides, row: ModelOverrideRow): void {
  const known = providerNamesOf(ctx, overrides);
  const strange = row.routes.flatMap(({ targets }) => targets).find(({ provider }) => !known.includes(provider));
  if (strange) throw new Problem("model-route-invalid", { detail: `There is no provider ${strange.provider}.` });
  const models = new Map([...overrides.models, [row.id, row]]);
  const lost = row.fallbacks.find((id) => !isRoutable(models, id));
  if (lost) throw new Problem("model-route-invalid", { detail: `Nothing is known of the model ${lost}.` });
  const cycle = cycleFrom(row.id, (id) => models.get(id)?.fallbacks ?? []);
  if (cycle) throw new Problem("model-fallback-cyclic", { detail: `${cycle.join(" -> ")}.`, members: { cycle } });
}

function toPrice(row: ModelPriceRow) {
  const { effectiveAt, createdAt, ...rest } = row;
  return { ...rest, effectiveAt: iso(effectiveAt), createdAt: iso(createdAt) };
}

export async function listPricePage(ctx: WorkspaceCtx, query: PriceQuery) {
  const { provider = null, model = null, limit } = query;
  const rows = await store.listPrices(ctx.db, { provider, model, before: readCursor(query), limit: limit + 1 });
  return toPage(rows, limit, toPrice);
}

/** Clocks differ a little: what was to hold from "now" on is not refused for it. */
const clockSkewMs = 60_000;

/** Adds to the history; what was charged before stays what it was. */
export async function changePrice(ctx: WorkspaceCtx, given: ChangePrice) {
  const { provider, model } = given;
  const at = ctx.now();
  const asked = given.effectiveAt === undefined ? at : Date.parse(given.effectiveAt);
  if (asked < at - clockSkewMs) throw new Problem("price-in-the-past");
  const effectiveAt = Math.max(asked, at);
  const overrides = await readAnew(ctx);
  if (!providerNamesOf(ctx, overrides).includes(provider))
    throw new Problem("model-provider-not-found", { detail: `There is no provider ${provider}.` });
  const before = await store.findPrice(ctx.db, { provider, model, atMs: effectiveAt });
  if (!before && (await store.countPricedModels(ctx.db)) >= store.maxPrices / 2)
    throw limitReached(store.maxPrices / 2);
  const row: ModelPriceRow = {
    id: ctx.newId("price"),
    provider,
    model,
    inputMicroUsdPerMillion: given.inputMicroUsdPerMillion,
    cachedInputMicroUsdPerMillion: given.cachedInputMicroUsdPerMillion ?? given.inputMicroUsdPerMillion,
    outputMicroUsdPerMillion: given.outputMicroUsdPerMillion,
    effectiveAt,
    createdBy: ctx.userId,
    createdAt: at,
  };
  await ctx.db.batch([
    store.insertPrice(ctx.db, row),
    auditEntry(asStaff(ctx), "staff.model-price-changed", {
      target: `${provider}/${model}`.slice(0, 300),
      ...(before ? { before: recordedPrice(before) } : {}),
      after: recordedPrice(row),
    }),
  ]);
  forgetOverrides();
  return toPrice((await store.findPrice(ctx.db, { provider, model, atMs: effectiveAt })) ?? row);
}

function recordedPrice(row: ModelPriceRow) {
  const { inputMicroUsdPerMillion, cachedInputMicroUsdPerMillion, outputMicroUsdPerMillion, effectiveAt } = row;
  return {
    inputMicroUsdPerMillion,
    cachedInputMicroUsdPerMillion,
    outputMicroUsdPerMillion,
    effectiveAt: iso(effectiveAt),
  };
}
