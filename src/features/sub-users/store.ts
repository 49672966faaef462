/** Every statement about sub-users. */
import { and, asc, count, desc, eq, gte, inArray, isNull, lt, sql } from "drizzle-orm";
import type { Database } from "#core/context";
import type { Statement } from "#core/job";
import { users } from "#features/accounts/tables";
import { apiKeys } from "#features/api-keys/tables";
import { subUserDays, subUsers } from "./tables.ts";
import { messagesOf } from "#lib/error-messages";

const columns = {
  id: users.id,
  email: users.email,
  name: users.name,
  userStatus: users.status,
  workspaceId: subUsers.workspaceId,
  active: subUsers.active,
  permissions: subUsers.permissions,
  limits: subUsers.limits,
  createdBy: subUsers.createdBy,
  createdAt: subUsers.createdAt,
  lastActiveAt: subUsers.lastActiveAt,
};

/** Deleted people have no row of theirs any more that could be found here. */
const living = (workspaceId: string) =>
  and(eq(subUsers.workspaceId, workspaceId), inArray(users.status, ["active", "suspended"]));

const rows = (db: Database) => db.select(columns).from(subUsers).innerJoin(users, eq(users.id, subUsers.userId));

export type SubUser = NonNullable<Awaited<ReturnType<typeof findSubUser>>>;

export async function findSubUser(db: Database, workspaceId: string, id: string) {
  const [row] = await rows(db).where(and(living(workspaceId), eq(subUsers.userId, id)));
  return row ?? null;
}

export async function listSubUsers(
  db: Database,
  workspaceId: string,
  page: { before: string | null; limit: number },
): Promise<SubUser[]> {
  return rows(db)
    .where(and(living(workspaceId), page.before === null ? undefined : lt(subUsers.userId, page.before)))
    .orderBy(desc(subUsers.userId))
    .limit(page.limit);
}

const counted = (db: Database, workspaceId: string) =>
  db
    .select({ people: count() })
    .from(subUsers)
    .innerJoin(users, eq(users.id, subUsers.userId))
    .where(living(workspaceId));

export async function countSubUsers(db: Database, workspaceId: string): Promise<number> {
  const [row] = await counted(db, workspaceId);
  return row?.people ?? 0;
}

/** Rolls its batch back (`isFull`) when the workspace has `most` already, however many are made in the same moment. */
export function insertSubUser(db: Database, row: typeof subUsers.$inferInsert, most: number): Statement {
  const hasPlace = sql`${counted(db, row.workspaceId)} < ${most}`;
  return db.insert(subUsers).values({ ...row, workspaceId: sql`case when ${hasPlace} then ${row.workspaceId} end` });
}

export function updateSubUser(
  db: Database,
  id: string,
  change: Partial<Pick<typeof subUsers.$inferInsert, "active" | "updatedAt">>,
): Statement {
  return db.update(subUsers).set(change).where(eq(subUsers.userId, id));
}

/** Changes the named members only, in the row as it is then: what another request takes away in the same moment stays away. */
export function patchGrant(
  db: Database,
  id: string,
  change: { permissions?: object | undefined; limits?: object | undefined; at: number },
): Statement {
  const patched = (column: typeof subUsers.permissions | typeof subUsers.limits, members: object) =>
    sql`json_patch(${column}, ${JSON.stringify(members)})`;
  return db
    .update(subUsers)
    .set({
      ...(change.permissions ? { permissions: patched(subUsers.permissions, change.permissions) } : {}),
      ...(change.limits ? { limits: patched(subUsers.limits, change.limits) } : {}),
      updatedAt: change.at,
    })
    .where(eq(subUsers.userId, id));
}

export function renameUser(db: Database, id: string, change: { name: string; at: number }): Statement {
  return db.update(users).set({ name: change.name, updatedAt: change.at }).where(eq(users.id, id));
}

/**
 * Closes or opens the person's account; never opens one that staff closed. Rolls its batch back (`isSuspended`) when staff did so meanwhile.
 */
export function setAccountOpen(db: Database, id: string, change: { open: boolean; at: number }): Statement {
  const from = change.open ? "suspended" : "active";
  const to = change.open ? "active" : "suspended";
  return db
    .update(users)
    .set({ status: sql`case when ${users.status} = ${from} then ${to} end`, updatedAt: change.at })
    .where(eq(users.id, id));
}

function mentions(error: unknown, words: string): boolean {
  return messagesOf(error).some((message) => message.includes(words));
}

export const isSuspended = (error: unknown) => mentions(error, "NOT NULL constraint failed: users.status");
export const isFull = (error: unknown) => mentions(error, "NOT NULL constraint failed: sub_users.workspace_id");
export const isEmailTaken = (error: unknown) => mentions(error, "UNIQUE constraint failed: users.email");

export async function countKeysOf(db: Database, userIds: readonly string[]): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  // D1 takes 100 parameters a statement.
  for (let start = 0; start < userIds.length; start += 90) {
    const counted = await db
      .select({ userId: apiKeys.userId, keys: count() })
      .from(apiKeys)
      .where(and(inArray(apiKeys.userId, userIds.slice(start, start + 90)), isNull(apiKeys.deletedAt)))
      .groupBy(apiKeys.userId);
    for (const { userId, keys } of counted) found.set(userId, keys);
  }
  return found;
}

/** One row a day and sub-user, from the given day on. */
export async function listDays(db: Database, workspaceId: string, fromDay: string) {
  return db
    .select({ userId: subUserDays.userId, day: subUserDays.day, requests: subUserDays.requests })
    .from(subUserDays)
    .where(and(eq(subUserDays.workspaceId, workspaceId), gte(subUserDays.day, fromDay)))
    .orderBy(asc(subUserDays.day));
}

export interface Counted {
  userId: string;
  workspaceId: string;
  day: string;
  requests: number;
  at: number;
}

export function addRequests(db: Database, { userId, workspaceId, day, requests, at }: Counted): [Statement, Statement] {
  return [
    db
      .insert(subUserDays)
      .values({ userId, workspaceId, day, requests })
      .onConflictDoUpdate({
        target: [subUserDays.userId, subUserDays.day],
        set: { requests: sql`${subUserDays.requests} + ${requests}` },
      }),
    db.update(subUsers).set({ lastActiveAt: at }).where(eq(subUsers.userId, userId)),
  ];
}

export function forgetDays(db: Database, beforeDay: string): Statement {
  return db.delete(subUserDays).where(lt(subUserDays.day, beforeDay));
}
