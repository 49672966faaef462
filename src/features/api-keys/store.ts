/** Every statement about API keys. */
import { and, asc, count, desc, eq, gt, gte, isNotNull, isNull, lt, or, sql } from "drizzle-orm";
import type { Database, WorkspaceCtx } from "#core/context";
import type { Statement } from "#core/job";
import { workspaceLogLevel } from "#core/message-log";
import { users } from "#features/accounts/tables";
import { subUsers } from "#features/sub-users/tables";
import { workspaceMembers, workspaces } from "#features/workspaces/tables";
import type { Outcome } from "./rules.ts";
import { apiKeys, type ApiKeyRow, keyUses, retiredSecrets } from "./tables.ts";
import { messagesOf } from "#lib/error-messages";

const checkedColumns = {
  id: apiKeys.id,
  name: apiKeys.name,
  hash: apiKeys.hash,
  retiredUntil: retiredSecrets.until,
  userId: apiKeys.userId,
  workspaceId: apiKeys.workspaceId,
  sessionId: apiKeys.sessionId,
  mode: apiKeys.mode,
  scopes: apiKeys.scopes,
  enabled: apiKeys.enabled,
  expiresAt: apiKeys.expiresAt,
  limits: apiKeys.limits,
  budgets: apiKeys.budgets,
  allowedAddresses: apiKeys.allowedAddresses,
  allowedModels: apiKeys.allowedModels,
  lastUsedAt: apiKeys.lastUsedAt,
  plan: workspaces.plan,
  overrides: workspaces.limitOverrides,
  messageLog: sql<string | null>`${workspaces.settings} ->> 'messageLog'`,
  role: workspaceMembers.role,
  granted: subUsers.permissions,
  grantedLimits: subUsers.limits,
  emailVerifiedAt: users.emailVerifiedAt,
};

/**
 * What a check of a key needs, in one read: the key, its workspace and its maker's role there. `id` null: a key of an older system, found
 * by its hash, or by what its hash was before a rotation. `retiredUntil` is null unless the hash is that of a secret before a rotation.
 */
export async function findForCheck(db: Database, named: { id: string | null; hash: string }, nowMs: number) {
  const { id, hash } = named;
  // The words of the partial index have to stand here as they stand there.
  const byHash = sql`${apiKeys.id} in (
    select id from api_keys where hash = ${hash} and kind = 'imported' and deleted_at is null
    union all select key_id from api_key_retired_secrets where hash = ${hash} and until > ${nowMs})`;
  const [row] = await db
    .select(checkedColumns)
    .from(apiKeys)
    .innerJoin(workspaces, eq(workspaces.id, apiKeys.workspaceId))
    .innerJoin(users, eq(users.id, apiKeys.userId))
    .leftJoin(
      retiredSecrets,
      and(eq(retiredSecrets.keyId, apiKeys.id), eq(retiredSecrets.hash, hash), gt(retiredSecrets.until, nowMs)),
    )
    .leftJoin(
      workspaceMembers,
      and(
        eq(workspaceMembers.workspaceId, apiKeys.workspaceId),
        eq(workspaceMembers.userId, apiKeys.userId),
        isNull(users.parentWorkspaceId),
      ),
    )
    .leftJoin(
      subUsers,
      and(
        eq(subUsers.userId, apiKeys.userId),
        eq(subUsers.workspaceId, apiKeys.workspaceId),
        eq(subUsers.workspaceId, users.parentWorkspaceId),
        eq(subUsers.active, true),
      ),
    )
    .where(
      and(
        id === null ? byHash : eq(apiKeys.id, id),
        isNull(apiKeys.deletedAt),
        isNull(workspaces.deletedAt),
        eq(users.status, "active"),
        or(isNotNull(workspaceMembers.role), isNotNull(subUsers.userId)),
      ),
    );
  if (!row) return null;
  const { granted, grantedLimits, messageLog, ...key } = row;
  return {
    ...key,
    messageLog: workspaceLogLevel(messageLog),
    subUser: granted && grantedLimits ? { permissions: granted, limits: grantedLimits } : null,
  };
}

export type CheckedKey = NonNullable<Awaited<ReturnType<typeof findForCheck>>>;

export function touchKey(db: Database, id: string, at: number): Statement {
  return db.update(apiKeys).set({ lastUsedAt: at }).where(eq(apiKeys.id, id));
}

/** An id can only be there already when an interrupted request made it: that secret reached nobody, so the new one takes its place. */
export function insertKey(ctx: { db: Database }, row: typeof apiKeys.$inferInsert): Statement {
  const { hash, start } = row;
  return ctx.db.insert(apiKeys).values(row).onConflictDoUpdate({ target: apiKeys.id, set: { hash, start } });
}

/** A sub-user sees and counts its own keys only; keys of a session are in no list. */
const living = (ctx: WorkspaceCtx) =>
  and(
    eq(apiKeys.workspaceId, ctx.workspaceId),
    isNull(apiKeys.deletedAt),
    isNull(apiKeys.sessionId),
    ctx.subUser ? eq(apiKeys.userId, ctx.userId) : undefined,
  );

export async function findKey(ctx: WorkspaceCtx, id: string): Promise<ApiKeyRow | null> {
  const [row] = await ctx.db
    .select()
    .from(apiKeys)
    .where(and(eq(apiKeys.id, id), living(ctx)));
  return row ?? null;
}

export async function countKeys(ctx: WorkspaceCtx): Promise<number> {
  const [row] = await ctx.db.select({ keys: count() }).from(apiKeys).where(living(ctx));
  return row?.keys ?? 0;
}

export async function listKeys(ctx: WorkspaceCtx, before: string | null, limit: number): Promise<ApiKeyRow[]> {
  return ctx.db
    .select()
    .from(apiKeys)
    .where(and(living(ctx), before ? lt(apiKeys.id, before) : undefined))
    .orderBy(desc(apiKeys.id))
    .limit(limit);
}

export function updateKey(
  ctx: WorkspaceCtx,
  id: string,
  change: Partial<Omit<ApiKeyRow, "id" | "workspaceId" | "userId" | "sessionId" | "mode" | "createdAt">>,
): Statement {
  return ctx.db
    .update(apiKeys)
    .set(change)
    .where(and(eq(apiKeys.id, id), living(ctx)));
}

export function deleteEndedSessionKeys(ctx: { db: Database }, before: number): Statement {
  return ctx.db.delete(apiKeys).where(and(isNotNull(apiKeys.sessionId), lt(apiKeys.expiresAt, before)));
}

/** Keys of a person who is gone: none of them works again. */
export function deleteKeysOfUser(ctx: { db: Database }, userId: string, at: number): Statement {
  return ctx.db
    .update(apiKeys)
    .set({ deletedAt: at, enabled: false })
    .where(and(eq(apiKeys.userId, userId), isNull(apiKeys.deletedAt)));
}

/** The secret that a rotation replaces goes on until a time. Nothing for one that ends at once. */
export function retireSecret(db: Database, secret: { hash: string; keyId: string; until: number }): Statement {
  return db.insert(retiredSecrets).values(secret).onConflictDoNothing();
}

/** Only while the secret is still the one that was read: of two rotations at once the first wins. */
export function replaceSecret(
  ctx: WorkspaceCtx,
  before: ApiKeyRow,
  change: Pick<ApiKeyRow, "hash" | "start" | "kind" | "rotatedAt">,
): Statement {
  // A hash that is null breaks the column's rule, and with it the whole batch.
  const hash = sql`case when ${apiKeys.hash} = ${before.hash} then ${change.hash} end`;
  return ctx.db
    .update(apiKeys)
    .set({ ...change, hash })
    .where(and(eq(apiKeys.id, before.id), living(ctx)));
}

export function isStaleSecret(error: unknown): boolean {
  return messagesOf(error).some((message) => message.includes("NOT NULL constraint failed: api_keys.hash"));
}

/** Another living key was imported with the same text. */
export function isImportTaken(error: unknown): boolean {
  return messagesOf(error).some((message) => message.includes("UNIQUE constraint failed: api_keys.hash"));
}

export function purgeRetired(db: Database, before: number): Statement {
  return db.delete(retiredSecrets).where(lt(retiredSecrets.until, before));
}

export interface KeyUse {
  keyId: string;
  day: string;
  outcome: Outcome;
  uses: number;
}

const usesTogether = 20;

export function addUses(db: Database, uses: readonly KeyUse[]): Statement[] {
  const statements: Statement[] = [];
  for (let from = 0; from < uses.length; from += usesTogether)
    statements.push(
      db
        .insert(keyUses)
        .values(uses.slice(from, from + usesTogether))
        .onConflictDoUpdate({
          target: [keyUses.keyId, keyUses.day, keyUses.outcome],
          set: { uses: sql`${keyUses.uses} + excluded.uses` },
        }),
    );
  return statements;
}

/** From a day on, oldest first; a key has at most one row for each day and outcome. */
export async function listUses(db: Database, keyId: string, fromDay: string): Promise<KeyUse[]> {
  return db
    .select()
    .from(keyUses)
    .where(and(eq(keyUses.keyId, keyId), gte(keyUses.day, fromDay)))
    .orderBy(asc(keyUses.day))
    .limit(1_000);
}

export function purgeUses(db: Database, beforeDay: string): Statement {
  return db.delete(keyUses).where(lt(keyUses.day, beforeDay));
}

/** Which models the key may use by now, also one that has ended since; null: there never was one. */
export async function readKeyModels(ctx: { db: Database }, id: string): Promise<string[] | null> {
  const [row] = await ctx.db.select({ models: apiKeys.allowedModels }).from(apiKeys).where(eq(apiKeys.id, id));
  return row?.models ?? null;
}

export async function readMetadata(db: Database, id: string): Promise<Record<string, unknown> | null> {
  const [row] = await db.select({ metadata: apiKeys.metadata }).from(apiKeys).where(eq(apiKeys.id, id));
  return row?.metadata ?? null;
}
