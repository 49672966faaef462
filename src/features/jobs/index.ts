/** Background work as clients see it, and the sweeper that makes a lost queue message harmless. */
import type { Ctx } from "#core/context";
import { defineFeature } from "#core/feature";
import type { Lane } from "#core/job";
import { keptMs, purgeKeys } from "#core/idempotency-store";
import { purgeDeliveries, purgeEvents, takeDueJobs } from "#core/job-store";
import { defineSchedule } from "#core/schedule";
import { routes } from "./routes.ts";

const sweepPage = 100;
const maxSweepPages = 20;
const dayMs = 24 * 3_600_000;
const purgePage = 1_000;
const maxPurgePages = 50;

/** Offers again what was lost: hints never sent, runs that died, work whose time has come. */
export async function sweep(ctx: Ctx): Promise<void> {
  for (let page = 0; page < maxSweepPages; page += 1) {
    const due = await takeDueJobs(ctx, sweepPage);
    for (const job of due) await ctx.offer({ jobId: job.id, lane: job.lane as Lane });
    if (due.length < sweepPage) return;
  }
}

/** Forgets what has been kept long enough. */
export async function purge(ctx: Ctx): Promise<void> {
  const at = ctx.now();
  const before = at - ctx.settings.retentionDays.logs * dayMs;
  await ctx.db.batch([purgeKeys(ctx, at - keptMs), purgeEvents(ctx, before)]);
  for (let page = 0; page < maxPurgePages; page += 1)
    if ((await purgeDeliveries(ctx, before, purgePage)) < purgePage) return;
}

export default defineFeature({
  name: "jobs",
  summary: "Background work: progress, cancel, retry.",
  endpoints: routes,
  schedules: [
    defineSchedule({ name: "jobs.sweep", every: "minute", run: sweep }),
    defineSchedule({ name: "jobs.purge", every: "day", run: purge }),
  ],
});
