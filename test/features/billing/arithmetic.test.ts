/** Money and months as plain numbers: what of a payment is unused, and that usage months are the subscription's own. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { unusedCents } from "#adapters/payments/stripe/unused";
import { usageAnchor } from "#features/billing/rules";
import { periodAfter } from "#sandbox/stripe/subscriptions";
import { monthOf } from "#lib/usage-period";

const at = (text: string) => Date.parse(text);
const dayMs = 86_400_000;

describe("what is unused of a payment", () => {
  const period = { periodStartsAt: at("2026-11-01T00:00:00Z"), periodEndsAt: at("2026-12-01T00:00:00Z") };
  const paid = (paidCents: number, createdAt = period.periodStartsAt) => ({ paidCents, createdAt });

  it.each([
    ["2026-10-30T00:00:00Z", 2_999],
    ["2026-11-01T00:00:00Z", 2_999],
    ["2026-11-16T00:00:00Z", 1_499],
    ["2026-11-30T23:59:59Z", 0],
    ["2026-12-01T00:00:00Z", 0],
    ["2027-01-01T00:00:00Z", 0],
  ])("from %s on is %i of 2999 cents for November", (from, cents) => {
    expect(unusedCents(period, paid(2_999), at(from))).toBe(cents);
  });

  it("of an upgrade is counted from its day, and of an earlier period it is nothing", () => {
    const upgraded = paid(3_500, at("2026-11-21T00:00:00Z"));
    expect(unusedCents(period, upgraded, at("2026-11-26T00:00:00Z"))).toBe(1_750);
    expect(unusedCents(period, paid(2_999, at("2026-10-01T00:00:00Z")), at("2026-11-02T00:00:00Z"))).toBe(0);
    expect(unusedCents(period, paid(2_999, at("2026-12-01T00:00:00Z")), at("2026-11-02T00:00:00Z"))).toBe(0);
  });

  it("is whole, never more than was paid, and shrinks with time", () => {
    const moments = fc.integer({ min: period.periodStartsAt - dayMs, max: period.periodEndsAt + dayMs });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100_000_000 }), moments, moments, (cents, one, other) => {
        const [early, late] = [Math.min(one, other), Math.max(one, other)];
        const [more, less] = [early, late].map((from) => unusedCents(period, paid(cents), from));
        expect(Number.isSafeInteger(more) && Number.isSafeInteger(less)).toBe(true);
        expect(more).toBeLessThanOrEqual(cents);
        expect(less).toBeGreaterThanOrEqual(0);
        expect(less).toBeLessThanOrEqual(more ?? 0);
      }),
    );
  });
});

describe("usage months of a subscription", () => {
  const granted = (periodStartsAt: number | null, periodEndsAt: number | null) =>
    usageAnchor({ grantedPlan: "pro", periodStartsAt, periodEndsAt });

  it.each(["2026-01-28", "2026-01-29", "2026-01-30", "2026-01-31", "2028-02-29", "2026-11-21"])(
    "that began on %s are its periods, month after month",
    (begun) => {
      const anchor = at(`${begun}T15:30:00Z`) / 1_000;
      let start = anchor;
      for (let month = 0; month < 60; month += 1) {
        const end = periodAfter(start, "month", anchor);
        const usage = granted(start * 1_000, end * 1_000);
        for (let moment = start * 1_000; moment < end * 1_000; moment += dayMs)
          expect(monthOf(moment, usage)).toEqual({ startMs: start * 1_000, endMs: end * 1_000 });
        start = end;
      }
    },
  );

  it("of a year begin on its day, each lasts a month, and the last ends with the year", () => {
    for (const begun of ["2026-01-31", "2027-02-28", "2028-02-29"]) {
      const start = at(`${begun}T08:00:00Z`);
      const end = periodAfter(start / 1_000, "year") * 1_000;
      const usage = granted(start, end);
      expect(monthOf(start, usage).startMs).toBe(start);
      expect(monthOf(end - 1, usage).endMs - end).toBeLessThanOrEqual(dayMs);
    }
  });

  it("of a trial begin with it, and without a plan with the calendar", () => {
    const [start, end] = [at("2026-11-01T10:00:00Z"), at("2026-11-15T10:00:00Z")];
    expect(monthOf(start, granted(start, end)).startMs).toBe(start);
    expect(granted(null, null)).toBeNull();
    expect(usageAnchor({ grantedPlan: "free", periodStartsAt: start, periodEndsAt: end })).toBeNull();
    expect(granted(start, null)).toBe(start);
  });
});
