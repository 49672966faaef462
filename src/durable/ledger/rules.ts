/** What the ledger measures and when a holding fits. A further meter is one more entry of `meters`. No storage and no clock. */

export interface Meter {
  unit: string;
  /** A holding that the database does not list may be newer than the list; younger ones than this are left alone. */
  reconcileGraceSeconds: number;
}

export const meters = {
  storage: { unit: "bytes", reconcileGraceSeconds: 3_600 },
} as const satisfies Record<string, Meter>;

export type MeterName = keyof typeof meters;

/** `used` is settled, `reserved` is promised and not yet settled. Neither is ever negative. */
export interface Totals {
  used: number;
  reserved: number;
}

export interface Holding {
  state: "reserved" | "settled";
  amount: number;
}

/** What a meter would hold with one holding changed; null stands for a holding that is not there. */
export function totalsWith(totals: Totals, before: Holding | null, after: Holding | null): Totals {
  const part = (holding: Holding | null, state: Holding["state"]) => (holding?.state === state ? holding.amount : 0);
  return {
    used: Math.max(totals.used - part(before, "settled") + part(after, "settled"), 0),
    reserved: Math.max(totals.reserved - part(before, "reserved") + part(after, "reserved"), 0),
  };
}

/** A change that does not grow always fits: after a downgrade what is over stays, and nothing is added. */
export function fits(before: Totals, after: Totals, limit: number | null): boolean {
  const sumAfter = after.used + after.reserved;
  return limit === null || sumAfter <= limit || sumAfter <= before.used + before.reserved;
}

/** Throws `RangeError`: an amount that is not a whole number could make the sum drift. */
export function assertAmount(amount: number): void {
  if (!Number.isSafeInteger(amount) || amount < 0) throw new RangeError("an amount is a whole number, not negative");
}

const block = { usual: 64, most: 1_024, share: 1_024 };

/**
 * API calls that an isolate may be lent at once: an eighth of what is left, so that others find some, and not more than it may take along when it
 * vanishes. That is next to nothing of a large quota.
 * @param room null: no limit.
 */
export function blockMost(room: number | null): number {
  if (room === null) return block.most;
  const largest = Math.min(Math.max(Math.floor(room / block.share), block.usual), block.most);
  return Math.min(Math.floor(room / 8), largest);
}
