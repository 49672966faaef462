/** The statements that end an account and all that belongs to the person alone. */
import { and, count, eq, isNull, ne, sql } from "drizzle-orm";
import type { Database } from "#core/context";
import type { Statement } from "#core/job";
import { notifications } from "#features/notifications/tables";
import { passkeys, recoveryCodes, signInIdentities, totpFactors } from "#features/sign-in-methods/tables";
import { workspaceMembers, workspaces } from "#features/workspaces/tables";
import { deletedUsers, users } from "./tables.ts";

export interface Membership {
  id: string;
  name: string;
  kind: "personal" | "team";
  isOwner: boolean;
  isOnlyOwner: boolean;
  members: number;
}

/** The living workspaces that the person belongs to. */
export async function listMemberships(db: Database, userId: string): Promise<Membership[]> {
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
    .where(and(eq(workspaceMembers.userId, userId), isNull(workspaces.deletedAt)))
    .limit(500);
  return rows.map(({ role, otherOwners, ...row }) => ({
    ...row,
    isOwner: role === "owner",
    isOnlyOwner: role === "owner" && otherOwners === 0,
  }));
}

/** The row stays for what points at it, emptied of everything that tells who it was; address and user name are free. */
export function emptyUser(db: Database, userId: string, at: number): Statement {
  return db
    .update(users)
    .set({
      status: "deleted",
      email: sql`'deleted+' || ${users.id} || '@invalid'`,
      username: null,
      usernameKey: null,
      name: "",
      passwordPhc: "",
      role: "user",
      supportLevel: null,
      aboutMe: "",
      hobbies: "",
      preferences: {},
      staffNotes: "",
      defaultKeyId: null,
      emailVerifiedAt: null,
      lastLoginAt: null,
      updatedAt: at,
    })
    .where(and(eq(users.id, userId), ne(users.status, "deleted")));
}

export function archiveUser(db: Database, row: typeof deletedUsers.$inferInsert): Statement {
  return db.insert(deletedUsers).values(row).onConflictDoNothing();
}

export function forgetPerson(db: Database, userId: string): Statement[] {
  return [
    db.delete(totpFactors).where(eq(totpFactors.userId, userId)),
    db.delete(recoveryCodes).where(eq(recoveryCodes.userId, userId)),
    db.delete(signInIdentities).where(eq(signInIdentities.userId, userId)),
    db.delete(passkeys).where(eq(passkeys.userId, userId)),
    db.delete(notifications).where(eq(notifications.userId, userId)),
    db.delete(workspaceMembers).where(eq(workspaceMembers.userId, userId)),
  ];
}
