/** What accounts do by the clock. */
import { defineSchedule } from "#core/schedule";
import { purgeSessionKeys } from "#features/api-keys/service";

export const schedules = [
  defineSchedule({
    name: "accounts.purge-session-keys",
    every: "day",
    run: async (ctx) => {
      await ctx.db.batch([purgeSessionKeys(ctx)]);
    },
  }),
];
