/**
 * The spans over which usage is counted: days and months of UTC, and months that begin on another day (a subscription's). Pure
 * arithmetic on milliseconds; it knows no plan and no clock.
 */

export interface Period {
  startMs: number;
  /** The first moment that is no longer in it. */
  endMs: number;
}

const dayMs = 24 * 3_600_000;

export function dayOf(nowMs: number): Period {
  const startMs = Math.floor(nowMs / dayMs) * dayMs;
  return { startMs, endMs: startMs + dayMs };
}

/** `2026-11-21`. */
export function dayName(nowMs: number): string {
  return new Date(nowMs).toISOString().slice(0, 10);
}

/** A calendar month of UTC or, with an anchor, the month that begins on the anchor's day and time of day. */
export function monthOf(nowMs: number, anchorMs: number | null = null): Period {
  const now = new Date(nowMs);
  const month = now.getUTCFullYear() * 12 + now.getUTCMonth();
  const startMs = monthStart(month, anchorMs);
  return startMs <= nowMs
    ? { startMs, endMs: monthStart(month + 1, anchorMs) }
    : { startMs: monthStart(month - 1, anchorMs), endMs: startMs };
}

/** In a month that is too short the period begins on its last day, as Stripe's periods do. */
function monthStart(month: number, anchorMs: number | null): number {
  const year = Math.floor(month / 12);
  if (anchorMs === null) return Date.UTC(year, month % 12, 1);
  const anchor = new Date(anchorMs);
  const lastDay = new Date(Date.UTC(year, (month % 12) + 1, 0)).getUTCDate();
  return Date.UTC(year, month % 12, Math.min(anchor.getUTCDate(), lastDay)) + (anchorMs - dayOf(anchorMs).startMs);
}
