/** One act on many sub-users: each for itself, with its own result. */
import type { WorkspaceCtx } from "#core/context";
import { Problem } from "#core/problem";
import { changeGrant, changeSubUser, deleteSubUser } from "./service.ts";
import type { Bulk } from "./shapes.ts";

function actOn(ctx: WorkspaceCtx, bulk: Bulk, id: string): Promise<unknown> {
  switch (bulk.action) {
    case "activate":
      return changeSubUser(ctx, id, { active: true });
    case "deactivate":
      return changeSubUser(ctx, id, { active: false });
    case "delete":
      return deleteSubUser(ctx, id);
    case "update_limits":
      return changeGrant(ctx, id, { limits: bulk.limits });
    case "update_permissions":
      return changeGrant(ctx, id, { permissions: bulk.permissions });
  }
}

export async function runBulk(ctx: WorkspaceCtx, bulk: Bulk) {
  const results = [];
  for (const id of new Set(bulk.ids)) {
    try {
      await actOn(ctx, bulk, id);
      results.push({ id, ok: true, problem: null });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      results.push({ id, ok: false, problem: { code: error.code, detail: error.message } });
    }
  }
  const succeeded = results.filter(({ ok }) => ok).length;
  return { results, succeeded, failed: results.length - succeeded };
}
