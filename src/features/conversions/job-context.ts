/** What a job knows of the person it works for. Their plan is read when it matters: a job may wait for hours. */
import type { WorkspaceCtx } from "#core/context";
import type { JobCtx } from "#core/job";
import { Problem } from "#core/problem";
import { readMembership } from "#features/workspaces/service";
import { type Conversion, findConversion } from "./store.ts";
import type { ConversionRow } from "./tables.ts";

/** Throws `workspace-not-found` when the person has left the workspace. */
export async function actFor(ctx: JobCtx, userId: string): Promise<WorkspaceCtx> {
  const membership = await readMembership(ctx.db, userId, ctx.workspaceId, ctx.now());
  if (!membership) throw new Problem("workspace-not-found");
  return { ...ctx, userId, plan: membership.plan, overrides: membership.overrides };
}

/** Throws `conversion-not-found` for a deleted one. */
export async function requireRow(ctx: JobCtx, conversionId: string): Promise<ConversionRow> {
  const found: Conversion | null = await findConversion(ctx, conversionId);
  if (!found) throw new Problem("conversion-not-found");
  return found.row;
}
