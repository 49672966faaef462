/** Every statement about workspaces and their members. */
import { and, asc, count, desc, eq, gt, gte, inArray, isNotNull, isNull, lt, notInArray, or, sql } from "drizzle-orm";
import type { WorkspaceRole } from "#core/access";
import type { Database } from "#core/context";
import { personalWorkspaceId } from "#core/ids";
import type { Statement } from "#core/job";
import { type LogLevel, workspaceLogLevel } from "#core/message-log";
import { auditLog, jobs } from "#core/tables";
import type { LimitOverrides, PlanName } from "#core/plans";
import type { SubUserGrant } from "#core/sub-user";
import { users } from "#features/accounts/tables";
import { apiKeys } from "#features/api-keys/tables";
import { workspaceInvitations, workspaceMembers, type WorkspaceRow, workspaces } from "./tables.ts";

export interface Membership {
  /** Not the one that was asked for when a sub-user asked for a personal workspace: it has none and acts in its parent's. */
  workspaceId: string;
  /** Null for sub-users. */
  role: WorkspaceRole | null;
  plan: PlanName;
  overrides: LimitOverrides;
  subUser: SubUserGrant | null;
  /** When the person proved the address (milliseconds); null: not yet. */
  emailVerifiedAt: number | null;
  messageLog: LogLevel;
}

interface MembershipRow extends Pick<Membership, "workspaceId" | "role" | "plan" | "emailVerifiedAt"> {
  overrides: string;
  permissions: string | null;
  limits: string | null;
  messageLog: string | null;
}

/**
 * What an active person has in a living workspace; null for everybody and everything else. A sub-user has its parent workspace only.
 * Every request that memory cannot answer asks this, and having the text built of the tables each time was a quarter of the whole check.
 */
export async function findMembership(db: Database, userId: string, workspaceId: string): Promise<Membership | null> {
  const isPersonal = workspaceId === personalWorkspaceId(userId);
  const wanted = isPersonal ? sql`coalesce(u.parent_workspace_id, ${workspaceId})` : sql`${workspaceId}`;
  const [row] = await db.all<MembershipRow>(sql`
    select w.id workspaceId, m.role, w.plan, w.limit_overrides overrides, u.email_verified_at emailVerifiedAt,
      s.permissions, s.limits, w.settings ->> 'messageLog' messageLog
    from users u
    join workspaces w on w.id = ${wanted}
    left join workspace_members m on m.workspace_id = w.id and m.user_id = u.id and u.parent_workspace_id is null
    left join sub_users s on s.user_id = u.id and s.workspace_id = u.parent_workspace_id and s.active = 1
    where u.id = ${userId} and u.status = 'active' and w.deleted_at is null
      and (m.role is not null or s.workspace_id = w.id)`);
  if (!row) return null;
  const { permissions, limits, overrides, messageLog, ...membership } = row;
  return {
    ...membership,
    messageLog: workspaceLogLevel(messageLog),
    overrides: JSON.parse(overrides) as LimitOverrides,
    subUser:
      permissions !== null && limits !== null
        ? {
            permissions: JSON.parse(permissions) as SubUserGrant["permissions"],
            limits: JSON.parse(limits) as SubUserGrant["limits"],
          }
        : null,
  };
}

export function insertPersonalWorkspace(
  db: Database,
  workspace: { id: string; name: string; userId: string; createdAt: number },
): Statement[] {
  const { id, name, userId, createdAt } = workspace;
  return [
    db.insert(workspaces).values({ id, name, kind: "personal", ownerUserId: userId, createdAt }),
    db.insert(workspaceMembers).values({ workspaceId: id, userId, role: "owner", createdAt }),
  ];
}

export function updatePlan(db: Database, workspaceId: string, plan: PlanName): Statement {
  return db.update(workspaces).set({ plan }).where(eq(workspaces.id, workspaceId));
}

export function insertWorkspace(db: Database, row: typeof workspaces.$inferInsert): Statement[] {
  const { id, ownerUserId, createdAt } = row;
  return [
    db.insert(workspaces).values(row),
    db.insert(workspaceMembers).values({ workspaceId: id, userId: ownerUserId, role: "owner", createdAt }),
  ];
}

export async function findWorkspace(db: Database, id: string): Promise<WorkspaceRow | null> {
  const [row] = await db
    .select()
    .from(workspaces)
    .where(and(eq(workspaces.id, id), isNull(workspaces.deletedAt)));
  return row ?? null;
}

export async function isSlugTaken(db: Database, slug: string): Promise<boolean> {
  const [row] = await db.select({ id: workspaces.id }).from(workspaces).where(eq(workspaces.slug, slug));
  return row !== undefined;
}

export interface OwnWorkspace {
  workspace: WorkspaceRow;
  role: WorkspaceRole | null;
}

/** The living workspaces of a person, newest first; with `only`, at most that one. */
export async function listOwnWorkspaces(
  db: Database,
  userId: string,
  page: { before: string | null; only: string | null; limit: number },
): Promise<OwnWorkspace[]> {
  return db
    .select({ workspace: workspaces, role: workspaceMembers.role })
    .from(workspaceMembers)
    .innerJoin(workspaces, eq(workspaces.id, workspaceMembers.workspaceId))
    .where(
      and(
        eq(workspaceMembers.userId, userId),
        isNull(workspaces.deletedAt),
        page.before === null ? undefined : lt(workspaces.id, page.before),
        page.only === null ? undefined : eq(workspaces.id, page.only),
      ),
    )
    .orderBy(desc(workspaces.id))
    .limit(page.limit);
}

/** Living team workspaces that the person owns. */
export async function countTeamsOf(db: Database, userId: string): Promise<number> {
  const [row] = await db
    .select({ teams: count() })
    .from(workspaceMembers)
    .innerJoin(workspaces, eq(workspaces.id, workspaceMembers.workspaceId))
    .where(
      and(
        eq(workspaceMembers.userId, userId),
        eq(workspaceMembers.role, "owner"),
        eq(workspaces.kind, "team"),
        isNull(workspaces.deletedAt),
      ),
    );
  return row?.teams ?? 0;
}

export function updateWorkspace(db: Database, id: string, change: Partial<WorkspaceRow>): Statement {
  return db.update(workspaces).set(change).where(eq(workspaces.id, id));
}

/** Work under way is told to stop; mails, webhooks and purges (lane `delivery`) go on. */
export function cancelWork(db: Database, workspaceId: string, at: number): Statement {
  return db
    .update(jobs)
    .set({
      cancelRequestedAt: at,
      updatedAt: at,
      state: sql`case when ${jobs.state} = 'running' then 'running' else 'queued' end`,
      runAt: sql`case when ${jobs.state} = 'running' then ${jobs.runAt} else ${at} end`,
      offeredAt: null,
    })
    .where(and(eq(jobs.workspaceId, workspaceId), isNull(jobs.endedAt), notInArray(jobs.lane, ["delivery"])));
}

const memberColumns = {
  userId: workspaceMembers.userId,
  role: workspaceMembers.role,
  joinedAt: workspaceMembers.createdAt,
  email: users.email,
  name: users.name,
  username: users.username,
};

const memberRows = (db: Database) =>
  db.select(memberColumns).from(workspaceMembers).innerJoin(users, eq(users.id, workspaceMembers.userId));

export type MemberRow = Awaited<ReturnType<typeof listMembers>>[number];

export async function listMembers(db: Database, workspaceId: string, page: { after: string | null; limit: number }) {
  return memberRows(db)
    .where(
      and(
        eq(workspaceMembers.workspaceId, workspaceId),
        page.after === null ? undefined : gt(workspaceMembers.userId, page.after),
      ),
    )
    .orderBy(asc(workspaceMembers.userId))
    .limit(page.limit);
}

export async function findMember(db: Database, workspaceId: string, userId: string): Promise<MemberRow | null> {
  const [row] = await memberRows(db).where(
    and(eq(workspaceMembers.workspaceId, workspaceId), eq(workspaceMembers.userId, userId)),
  );
  return row ?? null;
}

/** Member or sub-user of the workspace with this address. */
export async function belongs(db: Database, workspaceId: string, email: string): Promise<boolean> {
  const [row] = await db
    .select({ id: users.id })
    .from(users)
    .leftJoin(
      workspaceMembers,
      and(eq(workspaceMembers.userId, users.id), eq(workspaceMembers.workspaceId, workspaceId)),
    )
    .where(
      and(
        eq(users.email, email),
        inArray(users.status, ["active", "suspended"]),
        or(isNotNull(workspaceMembers.userId), eq(users.parentWorkspaceId, workspaceId)),
      ),
    );
  return row !== undefined;
}

export async function countMembers(db: Database, workspaceId: string): Promise<number> {
  const [row] = await db
    .select({ members: count() })
    .from(workspaceMembers)
    .where(eq(workspaceMembers.workspaceId, workspaceId));
  return row?.members ?? 0;
}

export function insertMember(db: Database, row: typeof workspaceMembers.$inferInsert): Statement {
  return db.insert(workspaceMembers).values(row);
}

const oneMember = (workspaceId: string, userId: string) =>
  and(eq(workspaceMembers.workspaceId, workspaceId), eq(workspaceMembers.userId, userId));

export function updateRole(
  db: Database,
  workspaceId: string,
  change: { userId: string; role: WorkspaceRole },
): Statement {
  return db.update(workspaceMembers).set({ role: change.role }).where(oneMember(workspaceId, change.userId));
}

export function deleteMember(db: Database, workspaceId: string, userId: string): Statement {
  return db.delete(workspaceMembers).where(oneMember(workspaceId, userId));
}

/** The workspace's first owner is another one when the present one is none any more. */
export function settleOwner(db: Database, workspaceId: string): Statement {
  const owners = db
    .select({ userId: workspaceMembers.userId })
    .from(workspaceMembers)
    .where(and(eq(workspaceMembers.workspaceId, workspaceId), eq(workspaceMembers.role, "owner")))
    .orderBy(asc(workspaceMembers.createdAt), asc(workspaceMembers.userId));
  return db
    .update(workspaces)
    .set({ ownerUserId: sql`coalesce(${owners.limit(1)}, ${workspaces.ownerUserId})` })
    .where(and(eq(workspaces.id, workspaceId), isOwnerGone(db, workspaceId)));
}

function isOwnerGone(db: Database, workspaceId: string) {
  const owner = db
    .select({ userId: workspaceMembers.userId })
    .from(workspaceMembers)
    .where(
      and(
        eq(workspaceMembers.workspaceId, workspaceId),
        eq(workspaceMembers.userId, workspaces.ownerUserId),
        eq(workspaceMembers.role, "owner"),
      ),
    );
  return sql`not exists ${owner}`;
}

export async function countForStats(db: Database, workspaceId: string, since: number) {
  const [members, keys, acts] = await db.batch([
    db.select({ rows: count() }).from(workspaceMembers).where(eq(workspaceMembers.workspaceId, workspaceId)),
    db
      .select({ rows: count() })
      .from(apiKeys)
      .where(and(eq(apiKeys.workspaceId, workspaceId), isNull(apiKeys.deletedAt))),
    db
      .select({ rows: count() })
      .from(auditLog)
      .where(and(eq(auditLog.workspaceId, workspaceId), gte(auditLog.createdAt, since))),
  ]);
  const rowsOf = (result: { rows: number }[]) => result[0]?.rows ?? 0;
  return { members: rowsOf(members), apiKeys: rowsOf(keys), acts: rowsOf(acts) };
}

/** Withdraws all that wait. */
export function revokeAllInvitations(db: Database, workspaceId: string, at: number): Statement {
  return db
    .update(workspaceInvitations)
    .set({ revokedAt: at })
    .where(
      and(
        eq(workspaceInvitations.workspaceId, workspaceId),
        isNull(workspaceInvitations.acceptedAt),
        isNull(workspaceInvitations.revokedAt),
      ),
    );
}

/** Workspaces that were deleted before the given time and still have files. */
export async function listUnpurged(db: Database, before: number, limit: number): Promise<string[]> {
  const rows = await db
    .select({ id: workspaces.id })
    .from(workspaces)
    .where(and(lt(workspaces.deletedAt, before), isNull(workspaces.purgedAt)))
    .orderBy(asc(workspaces.deletedAt))
    .limit(limit);
  return rows.map(({ id }) => id);
}

/** Also of a deleted one, for the jobs that clean up after it. */
export async function findAnyWorkspace(db: Database, id: string): Promise<WorkspaceRow | null> {
  const [row] = await db.select().from(workspaces).where(eq(workspaces.id, id));
  return row ?? null;
}
