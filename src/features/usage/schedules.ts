/** Finds the months that ended without a report and enqueues the work, and forgets what has been kept long enough. */
import type { Ctx } from "#core/context";
import { commitWithJobs } from "#core/job";
import { defineSchedule } from "#core/schedule";
import { dayName, dayOf, monthOf } from "#lib/usage-period";
import { makeReportJob } from "./jobs/make-report.ts";
import { measureStorageJob } from "./jobs/measure-storage.ts";
import { purgeModelUses } from "./model-use-store.ts";
import { purgeEvents, purgeStorageDays, workspacesToReport } from "./store.ts";

const pageSize = 100;
/** 800 workspaces a tick: D1 allows 1,000 statements an invocation. Whoever is left is found the next day. */
const maxPages = 8;
/** Longer than the ledger sends anything again. */
const eventsKeptMs = 40 * 24 * 3_600_000;

export async function reportLastMonth(ctx: Ctx): Promise<void> {
  const { startMs, endMs } = monthOf(monthOf(ctx.now()).startMs - 1);
  const month = { startMs, from: dayName(startMs), to: dayName(endMs - 1) };
  let after = "";
  for (let page = 0; page < maxPages; page += 1) {
    const found = await workspacesToReport(ctx, month, { after, limit: pageSize });
    const rows = found.map((workspaceId) => makeReportJob.row({ ...ctx, workspaceId }, { atMs: startMs }));
    await commitWithJobs(ctx, [], rows);
    after = found.at(-1) ?? after;
    if (found.length < pageSize) return;
  }
  ctx.log("warn", "usage.reports-capped", { workspaces: maxPages * pageSize });
}

/** Work for the deployment itself belongs to no workspace of a person. */
const systemWorkspaceId = "system";

/** The first tick of a day notes how the day before it ended. */
export async function measureStorage(ctx: Ctx): Promise<void> {
  const day = dayName(dayOf(ctx.now()).startMs - 1);
  const row = measureStorageJob.row({ ...ctx, workspaceId: systemWorkspaceId }, { day });
  await commitWithJobs(ctx, [], [row]);
}

const storageDaysKeptMs = 400 * 24 * 3_600_000;

async function purge(ctx: Ctx): Promise<void> {
  const at = ctx.now();
  const [events, storage] = [at - eventsKeptMs, dayName(at - storageDaysKeptMs)];
  await ctx.db.batch([purgeEvents(ctx, events), purgeModelUses(ctx, events), purgeStorageDays(ctx, storage)]);
}

export const schedules = [
  defineSchedule({ name: "usage.report-last-month", every: "day", run: reportLastMonth }),
  defineSchedule({ name: "usage.measure-storage", every: "day", run: measureStorage }),
  defineSchedule({ name: "usage.purge-events", every: "day", run: purge }),
];
