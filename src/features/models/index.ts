/** Models, their providers and prices: the catalogue and what superadmins set. */
import type { Ctx } from "#core/context";
import { defineFeature } from "#core/feature";
import { defineSchedule } from "#core/schedule";
import { openSecret, sealSecret } from "#core/sealed-secret";
import { adminRoutes } from "./admin-routes.ts";
import { dayOf } from "./health.ts";
import { secretNameOf } from "./overrides.ts";
import { routes } from "./routes.ts";
import { listStaleProviders, purgeProviderDays, replaceProviderWrapping } from "./store.ts";

const dayMs = 86_400_000;
const keptDays = 100;

/** Keys under an older master key come under the current one. One that cannot be opened stays as it is, and the next go on. */
export async function rewrapModelProviders(ctx: Ctx): Promise<void> {
  for (const row of await listStaleProviders(ctx.db, ctx.settings.masterKeys[0].version)) {
    const { name, wrappedSecret, masterVersion } = row;
    if (wrappedSecret === null || masterVersion === null) continue;
    try {
      const text = await openSecret(ctx, secretNameOf(name), { wrappedSecret, masterVersion });
      const sealed = await sealSecret(ctx, secretNameOf(name), text);
      await ctx.db.batch([replaceProviderWrapping(ctx.db, row, sealed)]);
    } catch (error) {
      ctx.log("error", "model-provider.key-not-rewrapped", { provider: name, error });
    }
  }
}

async function purge(ctx: Ctx): Promise<void> {
  await ctx.db.batch([purgeProviderDays(ctx.db, dayOf(ctx.now() - keptDays * dayMs))]);
}

export default defineFeature({
  name: "models",
  summary: "Models, their providers and prices.",
  endpoints: [...routes, ...adminRoutes],
  schedules: [
    defineSchedule({ name: "models.rewrap", every: "hour", run: rewrapModelProviders }),
    defineSchedule({ name: "models.purge", every: "day", run: purge }),
  ],
});
