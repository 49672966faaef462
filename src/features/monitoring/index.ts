/** Health and status. */
import { defineFeature } from "#core/feature";
import { defineSchedule, type Schedule } from "#core/schedule";
import { routes } from "./routes.ts";
import { recordTick } from "./store.ts";

const tick = (every: Schedule["every"]) =>
  defineSchedule({
    name: `monitoring.tick-${every}`,
    every,
    run: async (ctx) => {
      await ctx.db.batch([recordTick(ctx, every)]);
    },
  });

export default defineFeature({
  name: "monitoring",
  summary: "Health and status.",
  endpoints: routes,
  schedules: [tick("minute"), tick("hour"), tick("day")],
});
