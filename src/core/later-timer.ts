/** Starts a piece of work some seconds after the first of many causes, once for all of them, behind an answer. */
import type { Ctx } from "./context.ts";

export interface LaterTimer {
  /** Unless it is under way already, `work` runs after `KEY_USAGE_FLUSH_SECONDS`; never where that is 0. */
  start(ctx: Pick<Ctx, "settings" | "now" | "later">, work: () => Promise<void>): void;
  /** The work has begun: the next cause starts the timer anew. */
  clear(): void;
}

/** After this long, work that was under way is taken for lost with its request. */
const patienceMs = 60_000;

export function laterTimer(): LaterTimer {
  let sinceMs: number | null = null;
  return {
    start(ctx, work) {
      const nowMs = ctx.now();
      const waitMs = ctx.settings.keyUsageFlushSeconds * 1_000;
      if (waitMs === 0 || (sinceMs !== null && nowMs - sinceMs < patienceMs)) return;
      sinceMs = nowMs;
      ctx.later(scheduler.wait(waitMs).then(work));
    },
    clear() {
      sinceMs = null;
    },
  };
}
