/** Fires the cron triggers of a local server: `wrangler dev` never does so by itself. At every full minute (UTC), what is due then. */
import { Cron } from "croner";
import { crons } from "#core/schedule";

const patterns = Object.values(crons);
const minuteMs = 60_000;

/** The patterns that are due in the minute that begins at `minuteStartMs`. */
export function dueCrons(minuteStartMs: number): string[] {
  const at = new Date(minuteStartMs);
  return patterns.filter((pattern) => new Cron(pattern, { timezone: "UTC", paused: true }).match(at));
}

export interface Ticker {
  stop(): void;
}

/** Calls `fire` for each due pattern, at once for the minute tick (what a crash left is then picked up) and at each full minute. */
export function startTicker(fire: (cron: string, atMs: number) => Promise<void>): Ticker {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const fireAll = async (due: readonly string[], atMs: number) => {
    for (const cron of due) if (!stopped) await fire(cron, atMs);
  };
  const waitForMinute = () => {
    const next = (Math.floor(Date.now() / minuteMs) + 1) * minuteMs;
    timer = setTimeout(() => {
      if (stopped) return;
      waitForMinute();
      void fireAll(dueCrons(next), next);
    }, next - Date.now());
    timer.unref();
  };
  waitForMinute();
  void fireAll([crons.minute], Date.now());
  return {
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
