/** Every statement about API keys. */
import { and, count, desc, eq, isNotNull, isNull, lt, or } from "drizzle-orm";
import type { Database, WorkspaceCtx } from "#core/context";
import type { Statement } from "#core/job";
import { users } from "#features/accounts/tables";
import { subUsers } from "#features/sub-users/tables";
import { workspaceMembers, workspaces } from "#features/workspaces/tables";
import { apiKeys, type ApiKeyRow } from "./tables.ts";

/** What a check of a key needs, in one read: the key, its workspace and its maker's role there. */
export async function findForCheck(db: Database, id: string) {
  const [row] = await db
    .select({
      hash: apiKeys.hash,
      userId: apiKeys.userId,
      workspaceId: apiKeys.workspaceId,
      sessionId: apiKeys.sessionId,
      mode: apiKeys.mode,
      scopes: apiKeys.scopes,
      enabled: apiKeys.enabled,
      expiresAt: apiKeys.expiresAt,
      lastUsedAt: apiKeys.lastUsedAt,
      plan: workspaces.plan,
      overrides: workspaces.limitOverrides,
      role: workspaceMembers.role,
      permissions: subUsers.permissions,
      limits: subUsers.limits,
      emailVerifiedAt: users.emailVerifiedAt,
    })
    .from(apiKeys)
    .innerJoin(workspaces, eq(workspaces.id, apiKeys.workspaceId))
    .innerJoin(users, eq(users.id, apiKeys.userId))
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
        eq(apiKeys.id, id),
        isNull(apiKeys.deletedAt),
        isNull(workspaces.deletedAt),
        eq(users.status, "active"),
        or(isNotNull(workspaceMembers.role), isNotNull(subUsers.userId)),
      ),
    );
  if (!row) return null;
  const { permissions, limits, ...key } = row;
  return { ...key, subUser: permissions && limits ? { permissions, limits } : null };
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
  change: Partial<Pick<ApiKeyRow, "name" | "scopes" | "enabled" | "expiresAt" | "deletedAt">>,
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
