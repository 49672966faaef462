/** The spans of usage: they touch without gap or overlap, and begin when a subscription's do. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dayName, dayOf, monthOf } from "#lib/usage-period";

const at = (text: string) => Date.parse(text);
const shown = (period: { startMs: number; endMs: number }) =>
  [period.startMs, period.endMs].map((moment) => new Date(moment).toISOString());

describe("a month of usage", () => {
  it("is the calendar month without an anchor", () => {
    expect(shown(monthOf(at("2026-12-31T23:59:59.999Z")))).toEqual([
      "2026-12-01T00:00:00.000Z",
      "2027-01-01T00:00:00.000Z",
    ]);
    expect(shown(monthOf(at("2028-02-29T12:00:00Z")))).toEqual([
      "2028-02-01T00:00:00.000Z",
      "2028-03-01T00:00:00.000Z",
    ]);
  });

  it("begins at the anchor's day and time, and on the last day of a month that is too short", () => {
    const anchor = at("2026-01-31T15:30:00Z");
    expect(shown(monthOf(at("2026-02-10T00:00:00Z"), anchor))).toEqual([
      "2026-01-31T15:30:00.000Z",
      "2026-02-28T15:30:00.000Z",
    ]);
    expect(shown(monthOf(at("2026-02-28T15:30:00Z"), anchor))).toEqual([
      "2026-02-28T15:30:00.000Z",
      "2026-03-31T15:30:00.000Z",
    ]);
    expect(shown(monthOf(at("2026-03-31T15:29:59Z"), anchor))[1]).toBe("2026-03-31T15:30:00.000Z");
  });

  it("holds every moment in exactly one period, and periods touch", () => {
    const moments = fc.integer({ min: at("2000-01-01"), max: at("2100-01-01") });
    fc.assert(
      fc.property(moments, fc.option(moments), (now, anchor) => {
        const period = monthOf(now, anchor);
        expect(period.startMs).toBeLessThanOrEqual(now);
        expect(period.endMs).toBeGreaterThan(now);
        expect(monthOf(period.endMs, anchor).startMs).toBe(period.endMs);
        expect(monthOf(period.startMs - 1, anchor).endMs).toBe(period.startMs);
      }),
    );
  });
});

describe("a day of usage", () => {
  it("is a day of UTC", () => {
    expect(shown(dayOf(at("2026-11-21T23:59:59Z")))).toEqual(["2026-11-21T00:00:00.000Z", "2026-11-22T00:00:00.000Z"]);
    expect(dayName(at("2026-11-21T23:59:59Z"))).toBe("2026-11-21");
  });
});
