/** Mails, and what people are told inside the product. */
import type { Ctx } from "#core/context";
import { defineFeature } from "#core/feature";
import { defineSchedule } from "#core/schedule";
import { sendMailJob } from "./jobs/send-mail.ts";
import { routes } from "./routes.ts";
import { purgeNotifications, purgeOutboxMails } from "./store.ts";

const dayMs = 24 * 3_600_000;

/** Forgets what has been kept long enough. */
export async function purge(ctx: Ctx): Promise<void> {
  const before = ctx.now() - ctx.settings.retentionDays.logs * dayMs;
  await ctx.db.batch([purgeOutboxMails(ctx, before), purgeNotifications(ctx, before)]);
}

export default defineFeature({
  name: "notifications",
  summary: "Notices inside the product and by mail, and what a person wants of them.",
  endpoints: routes,
  jobs: [sendMailJob],
  schedules: [defineSchedule({ name: "notifications.purge", every: "day", run: purge })],
});
