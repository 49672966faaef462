/** Fires the cron triggers of a local server: `wrangler dev` never does so by itself. At every full minute (UTC), what is due then. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Cron } from "croner";
import { projectRoot } from "./local-wrangler.ts";

const everyMinute = "* * * * *";
const minuteMs = 60_000;

/** The patterns of wrangler.toml. */
export function configuredCrons(toml = readFileSync(join(projectRoot, "wrangler.toml"), "utf8")): string[] {
  const [, list] = /^crons\s*=\s*(\[[^\]]*\])/m.exec(toml) ?? [];
  if (list === undefined) throw new Error("wrangler.toml has no line `crons = [...]`.");
  return JSON.parse(list) as string[];
}

/** Those of `patterns` that are due in the minute that begins at `minuteStartMs`. */
export function dueCrons(patterns: readonly string[], minuteStartMs: number): string[] {
  const at = new Date(minuteStartMs);
  return patterns.filter((pattern) => new Cron(pattern, { timezone: "UTC", paused: true }).match(at));
}

export interface Ticker {
  stop(): void;
}

/** Calls `fire` for each due pattern: the minute's at once (what a crash left is then picked up), and all of them at full minutes. */
export function startTicker(fire: (cron: string, atMs: number) => Promise<void>): Ticker {
  const patterns = configuredCrons();
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
      void fireAll(dueCrons(patterns, next), next);
    }, next - Date.now());
    timer.unref();
  };
  waitForMinute();
  void fireAll(patterns.includes(everyMinute) ? [everyMinute] : [], Date.now());
  return {
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
