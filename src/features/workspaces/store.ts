/** Every statement about workspaces and their members. */
import { and, eq, isNotNull, isNull, or, sql } from "drizzle-orm";
import type { WorkspaceRole } from "#core/access";
import type { Database } from "#core/context";
import { personalWorkspaceId } from "#core/ids";
import type { Statement } from "#core/job";
import type { LimitOverrides, PlanName } from "#core/plans";
import type { SubUserGrant } from "#core/sub-user";
import { users } from "#features/accounts/tables";
import { subUsers } from "#features/sub-users/tables";
import { workspaceMembers, workspaces } from "./tables.ts";

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
}

/** What an active person has in a living workspace; null for everybody and everything else. A sub-user has its parent workspace only. */
export async function findMembership(db: Database, userId: string, workspaceId: string): Promise<Membership | null> {
  const wanted =
    workspaceId === personalWorkspaceId(userId)
      ? sql`coalesce(${users.parentWorkspaceId}, ${workspaceId})`
      : workspaceId;
  const [row] = await db
    .select({
      workspaceId: workspaces.id,
      role: workspaceMembers.role,
      plan: workspaces.plan,
      overrides: workspaces.limitOverrides,
      emailVerifiedAt: users.emailVerifiedAt,
      permissions: subUsers.permissions,
      limits: subUsers.limits,
    })
    .from(users)
    .innerJoin(workspaces, eq(workspaces.id, wanted))
    .leftJoin(
      workspaceMembers,
      and(
        eq(workspaceMembers.workspaceId, workspaces.id),
        eq(workspaceMembers.userId, users.id),
        isNull(users.parentWorkspaceId),
      ),
    )
    .leftJoin(
      subUsers,
      and(eq(subUsers.userId, users.id), eq(subUsers.workspaceId, users.parentWorkspaceId), eq(subUsers.active, true)),
    )
    .where(
      and(
        eq(users.id, userId),
        eq(users.status, "active"),
        isNull(workspaces.deletedAt),
        or(isNotNull(workspaceMembers.role), eq(subUsers.workspaceId, workspaces.id)),
      ),
    );
  if (!row) return null;
  const { permissions, limits, ...membership } = row;
  return { ...membership, subUser: permissions && limits ? { permissions, limits } : null };
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
