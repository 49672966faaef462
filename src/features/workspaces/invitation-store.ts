/** Every statement about invitations. */
import { and, count, desc, eq, gt, isNull, lt, sql } from "drizzle-orm";
import type { Database } from "#core/context";
import type { Statement } from "#core/job";
import { type InvitationRow, workspaceInvitations } from "./tables.ts";

const waiting = and(isNull(workspaceInvitations.acceptedAt), isNull(workspaceInvitations.revokedAt));

/** Somebody who was asked already gets a new token and a new end; the row and its id stay. */
export function insertInvitation(db: Database, row: InvitationRow): Statement {
  const { tokenHash, role, grant, invitedBy, createdAt, expiresAt } = row;
  return db
    .insert(workspaceInvitations)
    .values(row)
    .onConflictDoUpdate({
      target: [workspaceInvitations.workspaceId, workspaceInvitations.kind, workspaceInvitations.email],
      targetWhere: sql`accepted_at is null and revoked_at is null`,
      set: { tokenHash, role, grant, invitedBy, createdAt, expiresAt },
    });
}

export async function findWaiting(
  db: Database,
  workspaceId: string,
  asked: { kind: InvitationRow["kind"]; email: string },
): Promise<InvitationRow | null> {
  const { kind, email } = asked;
  const [row] = await db
    .select()
    .from(workspaceInvitations)
    .where(
      and(
        eq(workspaceInvitations.workspaceId, workspaceId),
        eq(workspaceInvitations.kind, kind),
        eq(workspaceInvitations.email, email),
        waiting,
      ),
    );
  return row ?? null;
}

export async function findInvitation(db: Database, workspaceId: string, id: string): Promise<InvitationRow | null> {
  const [row] = await db
    .select()
    .from(workspaceInvitations)
    .where(and(eq(workspaceInvitations.id, id), eq(workspaceInvitations.workspaceId, workspaceId)));
  return row ?? null;
}

/** For whoever holds the token, which is all that such a person shows. */
export async function findByToken(db: Database, tokenHash: string): Promise<InvitationRow | null> {
  const [row] = await db.select().from(workspaceInvitations).where(eq(workspaceInvitations.tokenHash, tokenHash));
  return row ?? null;
}

export async function countWaiting(db: Database, workspaceId: string): Promise<number> {
  const [row] = await db
    .select({ rows: count() })
    .from(workspaceInvitations)
    .where(and(eq(workspaceInvitations.workspaceId, workspaceId), waiting));
  return row?.rows ?? 0;
}

export async function listInvitations(
  db: Database,
  workspaceId: string,
  page: { before: string | null; limit: number },
): Promise<InvitationRow[]> {
  return db
    .select()
    .from(workspaceInvitations)
    .where(
      and(
        eq(workspaceInvitations.workspaceId, workspaceId),
        page.before === null ? undefined : lt(workspaceInvitations.id, page.before),
      ),
    )
    .orderBy(desc(workspaceInvitations.id))
    .limit(page.limit);
}

export function revokeInvitation(db: Database, workspaceId: string, change: { id: string; at: number }): Statement {
  return db
    .update(workspaceInvitations)
    .set({ revokedAt: change.at })
    .where(and(eq(workspaceInvitations.id, change.id), eq(workspaceInvitations.workspaceId, workspaceId), waiting));
}

/** Those of one kind that can still be accepted. */
export async function countWaitingOf(
  db: Database,
  workspaceId: string,
  of: { kind: InvitationRow["kind"]; at: number },
): Promise<number> {
  const [row] = await db
    .select({ rows: count() })
    .from(workspaceInvitations)
    .where(
      and(
        eq(workspaceInvitations.workspaceId, workspaceId),
        eq(workspaceInvitations.kind, of.kind),
        gt(workspaceInvitations.expiresAt, of.at),
        waiting,
      ),
    );
  return row?.rows ?? 0;
}
