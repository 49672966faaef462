/** Work that a cron tick starts: it finds what is due and enqueues it, and does nothing else. */
import type { Ctx } from "./context.ts";

/** The ticks of wrangler.toml; a repo test holds both lists together. */
export const crons = { minute: "* * * * *", hour: "17 * * * *", day: "10 2 * * *" } as const;

export interface Schedule {
  name: string;
  every: keyof typeof crons;
  run(ctx: Ctx): Promise<void>;
}

export function defineSchedule(schedule: Schedule): Schedule {
  return schedule;
}
