/** What every act of staff begins with: who of staff acts, and a trail that belongs to the product instead of the staff's own workspace. */
import type { Staff } from "#core/access";
import type { Ctx, WorkspaceCtx } from "#core/context";
import { Problem } from "#core/problem";

/** The composition reads role and level anew for each operation of staff; without them nothing of staff may run. */
export function staffOf(ctx: Ctx): Staff {
  if (ctx.actor.kind === "user" && ctx.actor.staff) return ctx.actor.staff;
  throw new Problem("staff-only");
}

/** The context under which acts of staff are recorded: no workspace sees what staff noted about its people. */
export function asStaff(ctx: WorkspaceCtx): Ctx {
  const { workspaceId: _, ...rest } = ctx;
  return rest;
}
