/** Finds deleted workspaces whose files were kept long enough and enqueues their purge. */
import type { Ctx } from "#core/context";
import { commitWithJobs } from "#core/job";
import { defineSchedule } from "#core/schedule";
import { purgeWorkspaceJob } from "./jobs/purge-workspace.ts";
import { listUnpurged } from "./store.ts";

const dayMs = 24 * 3_600_000;
const maxEach = 50;

export async function purgeDeleted(ctx: Ctx): Promise<void> {
  const before = ctx.now() - ctx.settings.retentionDays.deleted * dayMs;
  const due = await listUnpurged(ctx.db, before, maxEach);
  await commitWithJobs(
    ctx,
    [],
    due.map((workspaceId) => purgeWorkspaceJob.row({ ...ctx, workspaceId }, {})),
  );
}

export const schedules = [defineSchedule({ name: "workspaces.purge-deleted", every: "day", run: purgeDeleted })];
