/** Which cron triggers the development server fires, and when. */
import { describe, expect, it, vi } from "vitest";
import { configuredCrons, dueCrons, startTicker } from "../../../src/cli/cron-ticker.ts";

const patterns = ["* * * * *", "17 * * * *", "10 2 * * *"];

describe("due triggers", () => {
  it.each([
    ["02:10", ["* * * * *", "10 2 * * *"]],
    ["02:11", ["* * * * *"]],
    ["14:10", ["* * * * *"]],
    ["23:17", ["* * * * *", "17 * * * *"]],
  ])("at %s UTC", (time, due) => {
    expect(dueCrons(patterns, Date.parse(`2026-11-21T${time}:00Z`))).toEqual(due);
  });

  it("are those of wrangler.toml, one of them every minute", () => {
    expect(configuredCrons()).toContain("* * * * *");
    expect(() => configuredCrons('name = "none"')).toThrow("crons");
  });
});

describe("the ticker", () => {
  it("fires the minute's trigger at once, then what is due at full minutes, until it is stopped", async () => {
    vi.useFakeTimers({ now: Date.parse("2026-11-21T02:08:30Z") });
    try {
      const fired: string[] = [];
      const ticker = startTicker(
        async (cron, atMs) => void fired.push(`${new Date(atMs).toISOString().slice(11, 19)} ${cron}`),
      );
      await vi.advanceTimersByTimeAsync(100_000);
      ticker.stop();
      await vi.advanceTimersByTimeAsync(600_000);
      expect(fired).toEqual(["02:08:30 * * * * *", "02:09:00 * * * * *", "02:10:00 * * * * *", "02:10:00 10 2 * * *"]);
    } finally {
      vi.useRealTimers();
    }
  });
});
