/**
 * Conditions that a whole batch hangs on. Each is a statement that breaks a NOT NULL of the workspace's row when its condition does not
 * hold (any more), which rolls back everything beside it: D1 has no transaction that one could look around in.
 */
import { and, count, eq, inArray, ne, type SQL, sql } from "drizzle-orm";
import type { WorkspaceRole } from "#core/access";
import type { Database } from "#core/context";
import type { Statement } from "#core/job";
import { workspaceInvitations, workspaceMembers, workspaces } from "./tables.ts";
import { messagesOf } from "#lib/error-messages";

type Rule = "other-owner" | "actor" | "target" | "place";

/** One column a rule, so that the database's message tells which one broke. */
const columns = { "other-owner": "kind", actor: "plan", target: "size", place: "name" } as const;

function guard(db: Database, workspaceId: string, rule: Rule, condition: SQL): Statement {
  const column = workspaces[columns[rule]];
  return db
    .update(workspaces)
    .set({ [columns[rule]]: sql`case when ${condition} then ${column} end` })
    .where(eq(workspaces.id, workspaceId));
}

const memberWhere = (workspaceId: string, condition: SQL | undefined) =>
  and(eq(workspaceMembers.workspaceId, workspaceId), condition);

const exists = (db: Database, workspaceId: string, condition: SQL | undefined): SQL =>
  sql`exists ${db
    .select({ one: sql`1` })
    .from(workspaceMembers)
    .where(memberWhere(workspaceId, condition))}`;

/** Somebody else owns the workspace, too. */
export function requireOtherOwner(db: Database, workspaceId: string, userId: string): Statement {
  const other = and(eq(workspaceMembers.role, "owner"), ne(workspaceMembers.userId, userId));
  return guard(db, workspaceId, "other-owner", exists(db, workspaceId, other));
}

/** The person has one of these roles: `actor` for who asks, `target` for who is changed. */
export function requireRole(
  db: Database,
  workspaceId: string,
  person: { rule: "actor" | "target"; userId: string; roles: WorkspaceRole[] },
): Statement {
  const held = and(eq(workspaceMembers.userId, person.userId), inArray(workspaceMembers.role, person.roles));
  return guard(db, workspaceId, person.rule, exists(db, workspaceId, held));
}

/** Fewer members than `limit`. */
export function requirePlace(db: Database, workspaceId: string, limit: number): Statement {
  const members = db.select({ members: count() }).from(workspaceMembers).where(memberWhere(workspaceId, undefined));
  return guard(db, workspaceId, "place", sql`${members} < ${limit}`);
}

/** Takes the invitation, or rolls the batch back when it was taken or withdrawn, or is over. */
export function takeInvitation(db: Database, taken: { id: string; tokenHash: string; at: number }): Statement {
  const { id, tokenHash, at } = taken;
  const table = workspaceInvitations;
  const waits = sql`${table.acceptedAt} is null and ${table.revokedAt} is null and ${table.expiresAt} > ${at} and ${table.tokenHash} = ${tokenHash}`;
  return db
    .update(table)
    .set({ tokenHash: sql`case when ${waits} then ${table.tokenHash} end`, acceptedAt: at })
    .where(eq(table.id, id));
}

const breaches = {
  "workspaces.kind": "other-owner",
  "workspaces.plan": "actor",
  "workspaces.size": "target",
  "workspaces.name": "place",
  "workspace_invitations.token_hash": "invitation",
} as const;

/** Which condition rolled a batch back; null: it was something else. */
export function breachOf(error: unknown): (typeof breaches)[keyof typeof breaches] | null {
  for (const message of messagesOf(error)) {
    const [, column] = /NOT NULL constraint failed: ([\w.]+)/.exec(message) ?? [];
    if (column !== undefined && column in breaches) return breaches[column as keyof typeof breaches];
  }
  return null;
}

/** A row of that key or value is there already: `what` is the table's column as the database names it. */
export function isTaken(error: unknown, what: string): boolean {
  return messagesOf(error).some((message) => message.includes("UNIQUE constraint failed") && message.includes(what));
}
