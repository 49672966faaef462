/** Outgoing webhooks: endpoints, signed deliveries, their log. */
import type { Ctx } from "#core/context";
import { defineFeature } from "#core/feature";
import { defineSchedule } from "#core/schedule";
import { deliverJob } from "./jobs/deliver.ts";
import { fanOutJob } from "./jobs/fan-out.ts";
import { routes } from "./routes.ts";
import { rewrapped } from "./secret.ts";
import { listStale, purgeDeliveries, replaceWrapping } from "./store.ts";

const dayMs = 86_400_000;
const maxRewrapsPerTick = 500;

/** Secrets under an older master key come under the current one. One that cannot be opened stays as it is, and the next go on. */
export async function rewrapSecrets(ctx: Ctx): Promise<void> {
  for (const row of await listStale(ctx.db, ctx.settings.masterKeys[0].version, maxRewrapsPerTick)) {
    try {
      const change = await rewrapped(ctx, row);
      if (change) await ctx.db.batch([replaceWrapping(ctx.db, row, change)]);
    } catch (error) {
      ctx.log("error", "webhook.secret-not-rewrapped", { webhookId: row.id, error });
    }
  }
}

async function purge(ctx: Ctx): Promise<void> {
  await ctx.db.batch(purgeDeliveries(ctx.db, ctx.now() - ctx.settings.retentionDays.logs * dayMs));
}

export default defineFeature({
  name: "webhooks",
  summary: "Outgoing webhooks: endpoints, signed deliveries, their log.",
  endpoints: routes,
  jobs: [fanOutJob, deliverJob],
  schedules: [
    defineSchedule({ name: "webhooks.rewrap", every: "hour", run: rewrapSecrets }),
    defineSchedule({ name: "webhooks.purge", every: "day", run: purge }),
  ],
});
