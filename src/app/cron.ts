/** Which schedules run at a tick. One that fails does not stop the next. */
import type { Bindings } from "#core/env";
import { crons } from "#core/schedule";
import { makeContext } from "./context.ts";
import { features } from "./features.ts";

export async function tick(controller: ScheduledController, env: Bindings, execution: ExecutionContext): Promise<void> {
  const schedules = features
    .flatMap((feature) => feature.schedules ?? [])
    .filter((schedule) => crons[schedule.every] === controller.cron);
  for (const schedule of schedules) {
    const ctx = makeContext(env, execution);
    try {
      await schedule.run(ctx);
    } catch (error) {
      ctx.log("error", "schedule.failed", { schedule: schedule.name, error });
    }
  }
}
