/** Keys for model providers that workspaces bring. */
import type { Ctx } from "#core/context";
import { defineFeature } from "#core/feature";
import { defineSchedule } from "#core/schedule";
import { routes } from "./routes.ts";
import { openKey, sealKey } from "./secret.ts";
import { listStale, purgeDays, replaceWrapping } from "./store.ts";
import { dayOf } from "./usage.ts";

const dayMs = 86_400_000;
const keptDays = 100;
const maxRewrapsPerTick = 500;

/** Keys under an older master key come under the current one. One that cannot be opened stays as it is, and the next go on. */
export async function rewrapProviderKeys(ctx: Ctx): Promise<void> {
  for (const row of await listStale(ctx.db, ctx.settings.masterKeys[0].version, maxRewrapsPerTick)) {
    try {
      const sealed = await sealKey(ctx, row, await openKey(ctx, row));
      await ctx.db.batch([replaceWrapping(ctx.db, row, sealed)]);
    } catch (error) {
      ctx.log("error", "provider-key.not-rewrapped", { providerKeyId: row.id, error });
    }
  }
}

async function purge(ctx: Ctx): Promise<void> {
  await ctx.db.batch([purgeDays(ctx.db, dayOf(ctx.now() - keptDays * dayMs))]);
}

export default defineFeature({
  name: "provider-keys",
  summary: "Keys for model providers that workspaces bring.",
  endpoints: routes,
  schedules: [
    defineSchedule({ name: "provider-keys.rewrap", every: "hour", run: rewrapProviderKeys }),
    defineSchedule({ name: "provider-keys.purge", every: "day", run: purge }),
  ],
});
