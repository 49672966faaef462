/** Credentials of programs: scoped, shown once, refused without a read when forged. */
import type { Ctx } from "#core/context";
import { defineFeature } from "#core/feature";
import { defineSchedule } from "#core/schedule";
import { routes } from "./routes.ts";
import { dayOf } from "./rules.ts";
import { purgeRetired, purgeUses } from "./store.ts";

/** As long as the usage of a key is shown, and a little more. */
const usesKeptMs = 100 * 86_400_000;

async function purge(ctx: Ctx): Promise<void> {
  const at = ctx.now();
  await ctx.db.batch([purgeRetired(ctx.db, at), purgeUses(ctx.db, dayOf(at - usesKeptMs))]);
}

export default defineFeature({
  name: "api-keys",
  summary: "Credentials of programs.",
  endpoints: routes,
  schedules: [defineSchedule({ name: "api-keys.purge", every: "day", run: purge })],
});
