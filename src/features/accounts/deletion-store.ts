/** The statements that end accounts and all that belongs to the person alone. */
import { and, count, eq, inArray, isNull, ne, or, type SQL, sql } from "drizzle-orm";
import type { Database } from "#core/context";
import type { Statement } from "#core/job";
import { apiKeys } from "#features/api-keys/tables";
import { messageLogs } from "#features/message-logs/tables";
import { notifications } from "#features/notifications/tables";
import { passkeys, recoveryCodes, signInIdentities, totpFactors } from "#features/sign-in-methods/tables";
import { workspaceMembers, workspaces } from "#features/workspaces/tables";
import { messagesOf } from "#lib/error-messages";
import { deletedUsers, type UserRow, users } from "./tables.ts";

export interface Membership {
  id: string;
  name: string;
  kind: "personal" | "team";
  isOwner: boolean;
  isOnlyOwner: boolean;
  members: number;
}

/** The living workspaces that the person belongs to; with `owned`, only those of which the person is an owner. */
export async function listMemberships(
  db: Database,
  userId: string,
  options: { owned?: boolean } = {},
): Promise<Membership[]> {
  const others = db
    .select({ owners: count() })
    .from(sql`workspace_members as others`)
    .where(sql`others.workspace_id = ${workspaces.id} and others.role = 'owner' and others.user_id <> ${userId}`);
  const all = db
    .select({ members: count() })
    .from(sql`workspace_members as everybody`)
    .where(sql`everybody.workspace_id = ${workspaces.id}`);
  const rows = await db
    .select({
      id: workspaces.id,
      name: workspaces.name,
      kind: workspaces.kind,
      role: workspaceMembers.role,
      otherOwners: sql<number>`${others}`,
      members: sql<number>`${all}`,
    })
    .from(workspaceMembers)
    .innerJoin(workspaces, eq(workspaces.id, workspaceMembers.workspaceId))
    .where(
      and(
        eq(workspaceMembers.userId, userId),
        isNull(workspaces.deletedAt),
        options.owned ? eq(workspaceMembers.role, "owner") : undefined,
      ),
    )
    .limit(500);
  return rows.map(({ role, otherOwners, ...row }) => ({
    ...row,
    isOwner: role === "owner",
    isOnlyOwner: role === "owner" && otherOwners === 0,
  }));
}

type Ended = Pick<UserRow, "id" | "email" | "createdAt">;

/** The living sub-users of the given workspaces, whose accounts end with them. */
export async function listSubUsersOf(db: Database, workspaceIds: readonly string[]): Promise<Ended[]> {
  return db
    .select({ id: users.id, email: users.email, createdAt: users.createdAt })
    .from(users)
    .where(livingIn(workspaceIds));
}

/** Ids as one parameter: a statement takes no more than 100. */
const listed = (ids: readonly string[]): SQL => sql`(select value from json_each(${JSON.stringify(ids)}))`;

const livingIn = (workspaceIds: readonly string[]) =>
  and(sql`${users.parentWorkspaceId} in ${listed(workspaceIds)}`, inArray(users.status, ["active", "suspended"]));

/** What ends with a person, and what goes on with other owners, as it was read. */
export interface Estate {
  closing: readonly string[];
  kept: readonly string[];
}

/**
 * Rolls the batch back (`isOvertaken`) unless the person still is there and owns the same: what is kept has another owner, what is closed has
 * nobody else, and the product keeps a superadmin. Each of it was read before, and somebody may have left, joined or deleted in between.
 */
export function requireSameEstate(db: Database, userId: string, { closing, kept }: Estate): Statement {
  const owner = sql`o.role = 'owner' and o.user_id <> ${userId}`;
  const holds = and(
    ne(users.status, "deleted"),
    sql`not exists (select 1 from workspace_members m join workspaces w on w.id = m.workspace_id
      where m.user_id = ${userId} and m.role = 'owner' and w.deleted_at is null
        and w.id not in ${listed([...closing, ...kept])})`,
    sql`not exists (select 1 from workspaces w where w.id in ${listed(kept)} and w.deleted_at is null
      and not exists (select 1 from workspace_members o where o.workspace_id = w.id and ${owner}))`,
    sql`not exists (select 1 from workspaces w join workspace_members o on o.workspace_id = w.id
      where w.id in ${listed(closing)} and w.deleted_at is null and w.kind = 'team' and o.user_id <> ${userId})`,
    sql`(${users.role} <> 'superadmin' or ${otherSuperadmins(userId)})`,
  );
  return db
    .update(users)
    .set({ status: sql`case when ${holds} then ${users.status} end` })
    .where(eq(users.id, userId));
}

const otherSuperadmins = (userId: string): SQL =>
  sql`exists (select 1 from users other where other.role = 'superadmin' and other.status = 'active' and other.id <> ${userId})`;

/** Is there an active superadmin beside this one? */
export async function hasOtherSuperadmin(db: Database, userId: string): Promise<boolean> {
  const [row] = await db
    .select({ one: sql`1` })
    .from(users)
    .where(and(eq(users.id, userId), otherSuperadmins(userId)));
  return row !== undefined;
}

/** What was read is not so any more: nothing was changed, and it has to be read again. */
export function isOvertaken(error: unknown): boolean {
  return messagesOf(error).some((message) => message.includes("NOT NULL constraint failed: users.status"));
}

export interface Archived {
  id: string;
  addressHash: string;
  createdAt: number;
}

/**
 * Ends these people. Their rows stay for what points at them, emptied of everything that tells who it was; addresses and user names are free.
 * Rolls the batch back (`isOvertaken`) when a workspace of `closing` has a living sub-user that is not among them.
 */
export function endPeople(
  db: Database,
  people: readonly Archived[],
  end: { by: string; reason: string; at: number; closing: readonly string[] },
): Statement[] {
  const { by, reason, at, closing } = end;
  const ids = listed(people.map(({ id }) => id));
  const archive = sql`select value ->> 'id', ${reason}, ${by}, value ->> 'addressHash', value ->> 'createdAt', ${at}
    from json_each(${JSON.stringify(people)}) where true`;
  return [
    db.insert(deletedUsers).select(archive).onConflictDoNothing(),
    db.delete(totpFactors).where(sql`${totpFactors.userId} in ${ids}`),
    db.delete(recoveryCodes).where(sql`${recoveryCodes.userId} in ${ids}`),
    db.delete(signInIdentities).where(sql`${signInIdentities.userId} in ${ids}`),
    db.delete(passkeys).where(sql`${passkeys.userId} in ${ids}`),
    db.delete(notifications).where(sql`${notifications.userId} in ${ids}`),
    db.delete(messageLogs).where(sql`${messageLogs.userId} in ${ids}`),
    db.delete(workspaceMembers).where(sql`${workspaceMembers.userId} in ${ids}`),
    db
      .update(apiKeys)
      .set({ deletedAt: at, enabled: false })
      .where(and(sql`${apiKeys.userId} in ${ids}`, isNull(apiKeys.deletedAt))),
    db
      .update(users)
      .set({ ...emptied(at), status: sql`case when ${users.id} in ${ids} then 'deleted' end` })
      .where(or(sql`${users.id} in ${ids}`, livingIn(closing))),
  ];
}

const emptied = (at: number) => ({
  email: sql`'deleted+' || ${users.id} || '@invalid'`,
  username: null,
  usernameKey: null,
  name: "",
  passwordPhc: "",
  role: "user" as const,
  supportLevel: null,
  aboutMe: "",
  hobbies: "",
  preferences: {},
  staffNotes: "",
  defaultKeyId: null,
  emailVerifiedAt: null,
  lastLoginAt: null,
  updatedAt: at,
});
