/** Every statement about the keys that workspaces bring. A key of another workspace is found by none of them. */
import { and, asc, count, desc, eq, gte, inArray, isNull, lt, ne, sql } from "drizzle-orm";
import type { Database } from "#core/context";
import type { SealedSecret } from "#core/sealed-secret";
import type { Statement } from "#core/work";
import { messagesOf } from "#lib/error-messages";
import { type KeyDayRow, providerKeyDays, type ProviderKeyRow, providerKeys } from "./tables.ts";

export type StoreCtx = { db: Database; workspaceId: string };
export type KeyMode = ProviderKeyRow["mode"];

/** Of one workspace, in either mode. */
export const maxKeys = 50;

const living = (ctx: StoreCtx) => and(eq(providerKeys.workspaceId, ctx.workspaceId), isNull(providerKeys.deletedAt));

export function insertKey(db: Database, row: ProviderKeyRow): Statement {
  return db.insert(providerKeys).values(row);
}

export function updateKey(ctx: StoreCtx, id: string, change: Partial<ProviderKeyRow>): Statement {
  return ctx.db
    .update(providerKeys)
    .set(change)
    .where(and(eq(providerKeys.id, id), living(ctx)));
}

export async function findById(ctx: StoreCtx, id: string): Promise<ProviderKeyRow | null> {
  const [row] = await ctx.db
    .select()
    .from(providerKeys)
    .where(and(eq(providerKeys.id, id), living(ctx)));
  return row ?? null;
}

/** Of one provider, those named `default` first, then the newest. */
export async function listOfProvider(ctx: StoreCtx, mode: KeyMode, provider: string): Promise<ProviderKeyRow[]> {
  return ctx.db
    .select()
    .from(providerKeys)
    .where(and(living(ctx), eq(providerKeys.mode, mode), eq(providerKeys.provider, provider)))
    .orderBy(desc(eq(providerKeys.name, "default")), desc(providerKeys.id))
    .limit(maxKeys);
}

/** Those that may be used, in the order in which one of a provider is chosen. */
export async function listUsable(ctx: StoreCtx, mode: KeyMode): Promise<ProviderKeyRow[]> {
  return ctx.db
    .select()
    .from(providerKeys)
    .where(and(living(ctx), eq(providerKeys.mode, mode), eq(providerKeys.enabled, true)))
    .orderBy(desc(eq(providerKeys.name, "default")), desc(providerKeys.id))
    .limit(maxKeys);
}

export async function listKeys(
  ctx: StoreCtx,
  filter: { mode: KeyMode; provider: string | null; before: string | null; limit: number },
): Promise<ProviderKeyRow[]> {
  return ctx.db
    .select()
    .from(providerKeys)
    .where(
      and(
        living(ctx),
        eq(providerKeys.mode, filter.mode),
        filter.provider === null ? undefined : eq(providerKeys.provider, filter.provider),
        filter.before === null ? undefined : lt(providerKeys.id, filter.before),
      ),
    )
    .orderBy(desc(providerKeys.id))
    .limit(filter.limit);
}

export async function countKeys(ctx: StoreCtx): Promise<number> {
  const [row] = await ctx.db.select({ keys: count() }).from(providerKeys).where(living(ctx));
  return row?.keys ?? 0;
}

/** The key of the same secret, which may have been hashed under an older master key. */
export async function findByHash(
  ctx: StoreCtx,
  of: { mode: KeyMode; provider: string; hashes: string[] },
): Promise<ProviderKeyRow | null> {
  const { mode, provider, hashes } = of;
  const [row] = await ctx.db
    .select()
    .from(providerKeys)
    .where(
      and(
        living(ctx),
        eq(providerKeys.mode, mode),
        eq(providerKeys.provider, provider),
        inArray(providerKeys.hash, hashes),
      ),
    )
    .limit(1);
  return row ?? null;
}

export const isTaken = (error: unknown) =>
  messagesOf(error).some((message) => message.includes("UNIQUE constraint failed: provider_keys."));

/** Of all workspaces, for the rotation of the master key. */
export async function listStale(db: Database, version: number, limit: number): Promise<ProviderKeyRow[]> {
  return db
    .select()
    .from(providerKeys)
    .where(and(isNull(providerKeys.deletedAt), ne(providerKeys.masterVersion, version)))
    .orderBy(asc(providerKeys.id))
    .limit(limit);
}

/** Only while the envelope is still the one that was read: a change in between wins. */
export function replaceWrapping(
  db: Database,
  before: ProviderKeyRow,
  change: SealedSecret & { hash: string },
): Statement {
  return db
    .update(providerKeys)
    .set(change)
    .where(and(eq(providerKeys.id, before.id), eq(providerKeys.wrappedSecret, before.wrappedSecret)));
}

/** Nothing of the secrets of a workspace is left; for its purge. */
export function eraseAllKeys(ctx: StoreCtx, at: number): Statement {
  return ctx.db
    .update(providerKeys)
    .set({ ...erased, deletedAt: sql`coalesce(${providerKeys.deletedAt}, ${at})` })
    .where(eq(providerKeys.workspaceId, ctx.workspaceId));
}

/** What is left of a deleted key: that there was one. */
export const erased = { wrappedSecret: "", hash: "", preview: "", enabled: false } as const;

/** A use of a key by one endpoint on one day, with the workspace that the key has to be of. */
export type KeyUse = KeyDayRow & { workspaceId: string };

export function addUses(db: Database, uses: readonly KeyUse[]): Statement[] {
  return uses.flatMap((use) => {
    const { workspaceId, ...day } = use;
    const added = (column: string) => sql.raw(`${column} + excluded.${column}`);
    const isKeys = and(eq(providerKeys.id, use.keyId), eq(providerKeys.workspaceId, workspaceId));
    return [
      db
        .insert(providerKeyDays)
        .values(day)
        .onConflictDoUpdate({
          target: [providerKeyDays.keyId, providerKeyDays.day, providerKeyDays.endpoint],
          set: {
            calls: added("calls"),
            errors: added("errors"),
            tokens: added("tokens"),
            costMicroUsd: added("cost_micro_usd"),
            durationMs: added("duration_ms"),
            lastStatus: day.lastStatus,
            lastError: sql`coalesce(excluded.last_error, last_error)`,
            lastUsedAt: sql`max(last_used_at, excluded.last_used_at)`,
          },
        }),
      db
        .update(providerKeys)
        .set({
          calls: sql`${providerKeys.calls} + ${use.calls}`,
          errors: sql`${providerKeys.errors} + ${use.errors}`,
          tokens: sql`${providerKeys.tokens} + ${use.tokens}`,
          costMicroUsd: sql`${providerKeys.costMicroUsd} + ${use.costMicroUsd}`,
          lastUsedAt: sql`max(coalesce(${providerKeys.lastUsedAt}, 0), ${use.lastUsedAt})`,
        })
        .where(isKeys),
    ];
  });
}

/** From a day on. The caller has seen that the key is the workspace's. */
export async function listDays(db: Database, keyId: string, fromDay: string): Promise<KeyDayRow[]> {
  return db
    .select()
    .from(providerKeyDays)
    .where(and(eq(providerKeyDays.keyId, keyId), gte(providerKeyDays.day, fromDay)))
    .orderBy(asc(providerKeyDays.day), asc(providerKeyDays.endpoint))
    .limit(2_000);
}

export function purgeDays(db: Database, beforeDay: string): Statement {
  return db.delete(providerKeyDays).where(lt(providerKeyDays.day, beforeDay));
}
