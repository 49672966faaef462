/** Keeps the report of a month that has ended. It may run again: the first report stays. */
import * as z from "zod";
import { defineJob, done } from "#core/job";
import { deliverUsage } from "../deliver.ts";
import { makeReport } from "../reports.ts";
import { findLimits, insertReport } from "../store.ts";

export const makeReportJob = defineJob({
  name: "usage.make-report",
  lane: "delivery",
  payload: () => z.object({ atMs: z.number().int() }),
  attempts: 5,
  async run(ctx, { atMs }) {
    const workspace = await findLimits(ctx, ctx.workspaceId);
    if (!workspace) return done({ skipped: true });
    // What the ledger has not told yet belongs to the month too.
    await deliverUsage(ctx, ctx.workspaceId);
    const report = await makeReport({ ...ctx, plan: workspace.plan, overrides: workspace.overrides }, "monthly", atMs);
    return done({ reportId: report.id }, [insertReport(ctx, report)]);
  },
});
