/** Who may act in which workspace, remembered by the isolate for at most ten seconds. */
import type { WorkspaceRole } from "#core/access";
import type { Ctx, Database } from "#core/context";
import type { Statement } from "#core/job";
import type { PlanName } from "#core/plans";
import { BoundedMap } from "#lib/bounded-map";
import { findMembership, type Membership, updatePlan } from "./store.ts";

export { insertPersonalWorkspace } from "./store.ts";
export type { Membership } from "./store.ts";

interface Remembered {
  membership: Membership | null;
  readAt: number;
}

/** Values, never promises: a promise of one request may not be awaited by another in this runtime. */
const remembered = new BoundedMap<string, Remembered>(5_000);

/** The remembered answer, or undefined when it has to be read. */
export function rememberedMembership(
  userId: string,
  workspaceId: string,
  nowMs: number,
  maxAgeMs: number,
): Membership | null | undefined {
  const known = remembered.get(`${userId} ${workspaceId}`);
  return known && nowMs - known.readAt < maxAgeMs ? known.membership : undefined;
}

/** Forgets all memberships that this isolate remembers. */
export function forgetAllMemberships(): number {
  return remembered.clear();
}

export async function readMembership(
  db: Database,
  userId: string,
  workspaceId: string,
  nowMs: number,
): Promise<Membership | null> {
  const membership = await findMembership(db, userId, workspaceId);
  remembered.set(`${userId} ${workspaceId}`, { membership, readAt: nowMs });
  return membership;
}

/** After a change made here: this isolate knows at once, others within ten seconds, operations that ask for a fresh check at once. */
export function forgetMemberships(of: { workspaceId: string; userId?: string }): void {
  remembered.deleteWhere(({ membership }, key) => {
    const [userId, workspaceId] = key.split(" ");
    const isThere = workspaceId === of.workspaceId || membership?.workspaceId === of.workspaceId;
    return of.userId === undefined ? isThere : userId === of.userId;
  });
}

/** The person's role in the workspace as it is now; null for sub-users and for everybody who does not belong to it. */
export async function roleIn(ctx: Ctx, workspaceId: string, userId: string): Promise<WorkspaceRole | null> {
  return (await readMembership(ctx.db, userId, workspaceId, ctx.now()))?.role ?? null;
}

/** The statements that give a workspace another plan; `at` is when it counts from. */
export function setPlan(db: Database, workspaceId: string, change: { plan: PlanName; at: number }): Statement[] {
  return [updatePlan(db, workspaceId, change.plan)];
}
