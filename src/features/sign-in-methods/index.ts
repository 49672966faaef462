/** Ways to sign in beside the password. */
import type { Ctx } from "#core/context";
import { defineFeature } from "#core/feature";
import { defineSchedule } from "#core/schedule";
import { routes } from "./routes.ts";
import { purgeExpired } from "./store.ts";

async function purge(ctx: Ctx): Promise<void> {
  await ctx.db.batch(purgeExpired(ctx));
}

export default defineFeature({
  name: "sign-in-methods",
  summary: "Providers, devices, authenticator apps and passkeys.",
  endpoints: routes,
  schedules: [defineSchedule({ name: "sign-in-methods.purge", every: "hour", run: purge })],
});
