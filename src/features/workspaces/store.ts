/** Every statement about workspaces and their members. */
import { and, eq, isNull } from "drizzle-orm";
import type { WorkspaceRole } from "#core/access";
import type { Database } from "#core/context";
import type { Statement } from "#core/job";
import type { LimitOverrides, PlanName } from "#core/plans";
import { users } from "#features/accounts/tables";
import { workspaceMembers, workspaces } from "./tables.ts";

export interface Membership {
  role: WorkspaceRole;
  plan: PlanName;
  overrides: LimitOverrides;
}

/** The role of an active person in a living workspace; null for everybody and everything else. */
export async function findMembership(db: Database, userId: string, workspaceId: string): Promise<Membership | null> {
  const [row] = await db
    .select({ role: workspaceMembers.role, plan: workspaces.plan, overrides: workspaces.limitOverrides })
    .from(workspaceMembers)
    .innerJoin(workspaces, eq(workspaces.id, workspaceMembers.workspaceId))
    .innerJoin(users, eq(users.id, workspaceMembers.userId))
    .where(
      and(
        eq(workspaceMembers.workspaceId, workspaceId),
        eq(workspaceMembers.userId, userId),
        isNull(workspaces.deletedAt),
        eq(users.status, "active"),
      ),
    );
  return row ?? null;
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
