/** Finds the workspaces that need looking after and enqueues the work; it does none of it itself. */
import type { Ctx } from "#core/context";
import { commitWithJobs, type Enqueued } from "#core/job";
import { defineSchedule } from "#core/schedule";
import { purgeFileJob } from "./jobs/purge-file.ts";
import { reconcileStorageJob } from "./jobs/reconcile-storage.ts";
import { sweepUploadsJob } from "./jobs/sweep-uploads.ts";
import { deletedKeptMs } from "./rules.ts";
import { listUnpurged, workspacesToSweep, workspacesWithChanges } from "./store.ts";

const pageSize = 100;
/** 800 workspaces a tick: D1 allows 1,000 statements an invocation. */
const maxPages = 8;
const maxOverdue = 500;
const dayMs = 24 * 3_600_000;
/** Ticks come late; a change that two runs look at is harmless, one that none looks at is not. */
const slackMs = 3 * 3_600_000;

type Find = (after: string, limit: number) => Promise<string[]>;

/** One job for each workspace found, committed page by page. */
async function enqueueEach(ctx: Ctx, find: Find, row: (workspaceId: string) => Enqueued): Promise<void> {
  let after = "";
  for (let page = 0; page < maxPages; page += 1) {
    const found = await find(after, pageSize);
    await commitWithJobs(ctx, [], found.map(row));
    after = found.at(-1) ?? after;
    if (found.length < pageSize) return;
  }
  ctx.log("warn", "media.schedule-capped", { workspaces: maxPages * pageSize });
}

async function sweepUploads(ctx: Ctx): Promise<void> {
  const find: Find = (after, limit) => workspacesToSweep(ctx, after, limit);
  await enqueueEach(ctx, find, (workspaceId) => sweepUploadsJob.row({ ...ctx, workspaceId }, {}));
}

async function reconcileStorage(ctx: Ctx): Promise<void> {
  const since = ctx.now() - dayMs - slackMs;
  const find: Find = (after, limit) => workspacesWithChanges(ctx, since, after, limit);
  await enqueueEach(ctx, find, (workspaceId) => reconcileStorageJob.row({ ...ctx, workspaceId }, {}));
}

/**
 * Files whose purge was cancelled or failed for good, and files that a job deleted, which enqueues none: they are purged a day late.
 */
async function purgeOverdue(ctx: Ctx): Promise<void> {
  const overdue = await listUnpurged(ctx, ctx.now() - deletedKeptMs - dayMs, maxOverdue);
  for (let start = 0; start < overdue.length; start += pageSize) {
    const page = overdue.slice(start, start + pageSize);
    await commitWithJobs(
      ctx,
      [],
      page.map(({ id, workspaceId }) => purgeFileJob.row({ ...ctx, workspaceId }, { fileId: id })),
    );
  }
}

export const schedules = [
  defineSchedule({ name: "media.sweep-uploads", every: "hour", run: sweepUploads }),
  defineSchedule({ name: "media.reconcile-storage", every: "day", run: reconcileStorage }),
  defineSchedule({ name: "media.purge-overdue", every: "day", run: purgeOverdue }),
];
