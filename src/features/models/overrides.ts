/** What superadmins set, as routing uses it: read in one batch, remembered by the isolate for at most ten seconds. */
import type { Ctx } from "#core/context";
import { openSecret, type SecretName } from "#core/sealed-secret";
import { shortMemory } from "#lib/short-memory";
import { readOverrides } from "./store.ts";
import type { ModelOverrideRow, ModelPriceRow, ModelProviderRow } from "./tables.ts";

const rememberMs = 10_000;

/** With its key in clear, for as long as the isolate remembers it. */
export type StoredProvider = ModelProviderRow & { secret: string | null };

export interface Overrides {
  providers: ReadonlyMap<string, StoredProvider>;
  models: ReadonlyMap<string, ModelOverrideRow>;
  /** By `provider model`: the price in force and those that begin soon. */
  prices: ReadonlyMap<string, readonly ModelPriceRow[]>;
}

const memory = shortMemory<Overrides>({ capacity: 1, maxAgeMs: rememberMs });
const only = "overrides";

export type OverridesCtx = Pick<Ctx, "db" | "settings" | "now" | "later" | "log">;

export function overridesOf(ctx: OverridesCtx): Promise<Overrides> {
  return memory.get(only, { nowMs: ctx.now(), read: () => read(ctx), later: ctx.later });
}

/** After a change; other isolates learn of it within ten seconds. */
export function forgetOverrides(): number {
  return memory.clear();
}

export function secretNameOf(provider: string): SecretName {
  return { purpose: "model provider key", name: provider };
}

export function priceKey(provider: string, model: string): string {
  return `${provider} ${model}`;
}

async function read(ctx: OverridesCtx): Promise<Overrides> {
  const nowMs = ctx.now();
  const rows = await readOverrides(ctx.db, { nowMs, soonMs: nowMs + rememberMs });
  const providers = await Promise.all(rows.providers.map((row) => opened(ctx, row)));
  return {
    providers: new Map(providers.map((row) => [row.name, row])),
    models: new Map(rows.models.map((row) => [row.id, row])),
    prices: Map.groupBy(rows.prices, ({ provider, model }) => priceKey(provider, model)),
  };
}

/** A key that does not open is as good as none: one damaged row must not take all providers away. */
async function opened(ctx: OverridesCtx, row: ModelProviderRow): Promise<StoredProvider> {
  const { wrappedSecret, masterVersion } = row;
  if (wrappedSecret === null || masterVersion === null) return { ...row, secret: null };
  try {
    return { ...row, secret: await openSecret(ctx, secretNameOf(row.name), { wrappedSecret, masterVersion }) };
  } catch (error) {
    ctx.log("error", "model-provider.key-not-opened", { provider: row.name, error });
    return { ...row, secret: null };
  }
}
