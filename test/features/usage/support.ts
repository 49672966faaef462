/** A person as the service sees one, and the clean-up that tests of usage wait for. */
import type { WorkspaceCtx } from "#core/context";
import type { LimitOverrides, PlanName } from "#core/plans";
import { deliverUsage } from "#features/usage/service";
import { bindings, type Person, systemContext } from "#test/support/harness";

interface Acting {
  plan?: PlanName;
  overrides?: LimitOverrides;
  /** Moves the clock. */
  nowMs?: number;
}

export function actingAs(person: Person, { plan = "free", overrides = {}, nowMs }: Acting = {}): WorkspaceCtx {
  const { userId, workspaceId } = person;
  const ctx = systemContext();
  const actor = { kind: "user", userId, sessionId: "ses_none", role: "owner" } as const;
  const now = nowMs === undefined ? ctx.now : () => nowMs;
  return { ...ctx, now, actor, userId, workspaceId, plan, overrides };
}

export async function deliver(person: Person): Promise<void> {
  await deliverUsage(systemContext(), person.workspaceId);
}

export async function rows<Row>(sql: string, ...values: unknown[]): Promise<Row[]> {
  const { results } = await bindings.DB.prepare(sql)
    .bind(...values)
    .all<Row>();
  return results;
}

export async function makeStaff(person: Person, role: "admin" | "superadmin"): Promise<void> {
  await bindings.DB.prepare("update users set role = ? where id = ?").bind(role, person.userId).run();
}
