/** What happened: the audit trail with old and new values, security events, and the system's own warnings and errors. */
import { purgeAudit } from "#core/audit";
import type { Ctx } from "#core/context";
import { defineFeature } from "#core/feature";
import { defineSchedule } from "#core/schedule";
import { routes } from "./routes.ts";
import { purgeLogs } from "./store.ts";

const dayMs = 24 * 3_600_000;

/** Forgets what was kept as long as the settings say. */
export async function purge(ctx: Ctx): Promise<void> {
  const { audit, logs } = ctx.settings.retentionDays;
  await ctx.db.batch([purgeAudit(ctx, ctx.now() - audit * dayMs), purgeLogs(ctx, ctx.now() - logs * dayMs)]);
}

export default defineFeature({
  name: "audit-log",
  summary: "The audit trail, security events and the system's log.",
  endpoints: routes,
  schedules: [defineSchedule({ name: "audit-log.purge", every: "day", run: purge })],
});
