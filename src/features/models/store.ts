/** Every statement about overrides, prices and the days of providers. */
import { and, asc, count, desc, eq, gte, isNotNull, lt, lte, ne, sql } from "drizzle-orm";
import type { Database } from "#core/context";
import type { SealedSecret } from "#core/sealed-secret";
import type { Statement } from "#core/work";
import {
  modelOverrides,
  type ModelOverrideRow,
  modelPrices,
  type ModelPriceRow,
  modelProviderDays,
  modelProviders,
  type ModelProviderRow,
  type ProviderDayRow,
} from "./tables.ts";

export const maxProviders = 100;
export const maxOverrides = 500;
/** Of one pair of provider and model the price in force and those to come count here. */
export const maxPrices = 2_000;

/** All that routing needs, in one batch: the price in force until `soon`, and those that begin before it. */
export async function readOverrides(db: Database, at: { nowMs: number; soonMs: number }) {
  // A price that begins while this is remembered has to be known beforehand.
  const inForce = sql`${modelPrices.effectiveAt} >= coalesce((select max(earlier.effective_at) from model_prices earlier
    where earlier.provider = ${modelPrices.provider} and earlier.model = ${modelPrices.model}
    and earlier.effective_at <= ${at.nowMs}), 0)`;
  const [providers, models, prices] = await db.batch([
    db.select().from(modelProviders).orderBy(asc(modelProviders.name)).limit(maxProviders),
    db.select().from(modelOverrides).orderBy(asc(modelOverrides.id)).limit(maxOverrides),
    db
      .select()
      .from(modelPrices)
      .where(and(lte(modelPrices.effectiveAt, at.soonMs), inForce))
      .limit(maxPrices),
  ]);
  return { providers, models, prices };
}

/** Of a provider that is there only `change` is written: two changes of different members at once both hold. */
export function upsertProvider(db: Database, row: ModelProviderRow, change: Partial<ModelProviderRow>): Statement {
  return db.insert(modelProviders).values(row).onConflictDoUpdate({ target: modelProviders.name, set: change });
}

export async function findProvider(db: Database, name: string): Promise<ModelProviderRow | null> {
  const [row] = await db.select().from(modelProviders).where(eq(modelProviders.name, name));
  return row ?? null;
}

export async function countProviders(db: Database): Promise<number> {
  const [row] = await db.select({ rows: count() }).from(modelProviders);
  return row?.rows ?? 0;
}

/** For the rotation of the master key. */
export async function listStaleProviders(db: Database, version: number): Promise<ModelProviderRow[]> {
  return db
    .select()
    .from(modelProviders)
    .where(and(isNotNull(modelProviders.wrappedSecret), ne(modelProviders.masterVersion, version)))
    .limit(maxProviders);
}

/** Only while the envelope is still the one that was read: a change in between wins. */
export function replaceProviderWrapping(db: Database, before: ModelProviderRow, sealed: SealedSecret): Statement {
  return db
    .update(modelProviders)
    .set(sealed)
    .where(and(eq(modelProviders.name, before.name), eq(modelProviders.wrappedSecret, before.wrappedSecret ?? "")));
}

export function upsertOverride(db: Database, row: ModelOverrideRow): Statement {
  const { id: _, createdAt: __, ...set } = row;
  return db.insert(modelOverrides).values(row).onConflictDoUpdate({ target: modelOverrides.id, set });
}

export function deleteOverride(db: Database, id: string): Statement {
  return db.delete(modelOverrides).where(eq(modelOverrides.id, id));
}

export async function listOverrides(db: Database): Promise<ModelOverrideRow[]> {
  return db.select().from(modelOverrides).orderBy(asc(modelOverrides.id)).limit(maxOverrides);
}

/** One that is still to come takes the place of one that was to begin at the very same time. */
export function insertPrice(db: Database, row: ModelPriceRow): Statement {
  const { inputMicroUsdPerMillion, cachedInputMicroUsdPerMillion, outputMicroUsdPerMillion, createdBy } = row;
  return db
    .insert(modelPrices)
    .values(row)
    .onConflictDoUpdate({
      target: [modelPrices.provider, modelPrices.model, modelPrices.effectiveAt],
      set: { inputMicroUsdPerMillion, cachedInputMicroUsdPerMillion, outputMicroUsdPerMillion, createdBy },
    });
}

/** The price that is, or will be, in force at a time. */
export async function findPrice(
  db: Database,
  of: { provider: string; model: string; atMs: number },
): Promise<ModelPriceRow | null> {
  const [row] = await db
    .select()
    .from(modelPrices)
    .where(
      and(
        eq(modelPrices.provider, of.provider),
        eq(modelPrices.model, of.model),
        lte(modelPrices.effectiveAt, of.atMs),
      ),
    )
    .orderBy(desc(modelPrices.effectiveAt))
    .limit(1);
  return row ?? null;
}

export async function countPricedModels(db: Database): Promise<number> {
  const pairs = db
    .selectDistinct({ provider: modelPrices.provider, model: modelPrices.model })
    .from(modelPrices)
    .as("pairs");
  const [row] = await db.select({ rows: count() }).from(pairs);
  return row?.rows ?? 0;
}

/** The history, newest first. */
export async function listPrices(
  db: Database,
  filter: { provider: string | null; model: string | null; before: string | null; limit: number },
): Promise<ModelPriceRow[]> {
  return db
    .select()
    .from(modelPrices)
    .where(
      and(
        filter.provider === null ? undefined : eq(modelPrices.provider, filter.provider),
        filter.model === null ? undefined : eq(modelPrices.model, filter.model),
        filter.before === null ? undefined : lt(modelPrices.id, filter.before),
      ),
    )
    .orderBy(desc(modelPrices.id))
    .limit(filter.limit);
}

export function addProviderDays(db: Database, rows: readonly ProviderDayRow[]): Statement[] {
  const added = (column: string) => sql.raw(`${column} + excluded.${column}`);
  const latest = (column: string) => sql.raw(`max(coalesce(${column}, 0), coalesce(excluded.${column}, 0))`);
  return rows.map((row) =>
    db
      .insert(modelProviderDays)
      .values(row)
      .onConflictDoUpdate({
        target: [modelProviderDays.provider, modelProviderDays.day],
        set: {
          calls: added("calls"),
          failures: added("failures"),
          durationMs: added("duration_ms"),
          lastSuccessAt: sql`nullif(${latest("last_success_at")}, 0)`,
          lastFailureAt: sql`nullif(${latest("last_failure_at")}, 0)`,
        },
      }),
  );
}

export async function listProviderDays(db: Database, fromDay: string): Promise<ProviderDayRow[]> {
  return db.select().from(modelProviderDays).where(gte(modelProviderDays.day, fromDay)).limit(1_000);
}

export function purgeProviderDays(db: Database, beforeDay: string): Statement {
  return db.delete(modelProviderDays).where(lt(modelProviderDays.day, beforeDay));
}
