/** What of a payment is for time that nobody uses any more. Whole cents, rounded down; no money is made of fractions. */

interface Period {
  periodStartsAt: number;
  periodEndsAt: number;
}

/**
 * An invoice pays from its day (the first of the period, or that of an upgrade) to the end of the period. One of an earlier period is
 * used up.
 */
export function unusedCents(
  { periodStartsAt, periodEndsAt }: Period,
  { paidCents, createdAt }: { paidCents: number; createdAt: number },
  fromMs: number,
): number {
  if (createdAt < periodStartsAt || createdAt >= periodEndsAt) return 0;
  const seconds = (ms: number) => Math.floor(ms / 1_000);
  const whole = seconds(periodEndsAt) - seconds(createdAt);
  const left = Math.min(Math.max(seconds(periodEndsAt) - seconds(fromMs), 0), whole);
  return Math.floor((paidCents * left) / whole);
}
