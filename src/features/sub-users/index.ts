/** People who belong to one workspace and work there within what its admins allow. */
import type { Ctx } from "#core/context";
import { defineFeature } from "#core/feature";
import { defineSchedule } from "#core/schedule";
import { dayOf } from "./check.ts";
import { routes } from "./routes.ts";
import { forgetDays } from "./store.ts";

/** Trends look back 90 days. */
const keptMs = 100 * 24 * 3_600_000;

async function forgetOldDays(ctx: Ctx): Promise<void> {
  await ctx.db.batch([forgetDays(ctx.db, dayOf(ctx.now() - keptMs))]);
}

export default defineFeature({
  name: "sub-users",
  summary: "People within a workspace: permissions, limits and usage of their own.",
  endpoints: routes,
  schedules: [defineSchedule({ name: "sub-users.forget-days", every: "day", run: forgetOldDays })],
});
