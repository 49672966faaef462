/**
 * What makes a crash harmless: how much the disk promises ahead of the reservations in memory, what a restart concludes from that, and
 * how work is charged whose reservation nobody remembers.
 */
import { type Book, ceilingOf, end, hold, type Lease, type Part, placesOf, use } from "./book.ts";
import type { Asking } from "./meters.ts";

/** The share of what is left that is promised on disk at once. */
const markShare = 8;

/** Raises what the disk promises where little of it is left. */
export function raiseMarks(book: Book): void {
  for (const key of book.changed.counters) {
    const counter = book.counters.get(key);
    const ceiling = counter ? ceilingOf(book, counter, counter.limit) : null;
    if (!counter || ceiling === null) continue;
    const sum = counter.used + counter.reserved;
    const block = Math.max(Math.floor((ceiling - sum) / markShare), 1);
    if (counter.mark - sum < block / 2) counter.mark = Math.max(Math.min(sum + block, ceiling), sum);
  }
}

/** After a quiet while: what the disk knows is exact again, so that nothing is held back after the object was away. */
export function closeMarks(book: Book): void {
  for (const counter of book.counters.values()) {
    const sum = counter.used + counter.reserved;
    if (counter.mark === sum) continue;
    counter.mark = sum;
    book.changed.counters.add(counter.key);
  }
}

/** Reservations that were lost: one for each counter, in one lease. Ids of callers never begin like this. */
export const recoveredPrefix = "recovered:";

/**
 * After a restart, between what the disk knows and what it promised there may have been reservations. They are held as if they had been made
 * now, so that nobody else gets what somebody may still be using.
 */
export function recover(book: Book, about: { id: string; nowMs: number; ttlMs: number }): void {
  const parts: Part[] = [];
  for (const counter of book.counters.values()) {
    const lost = counter.limit === null ? 0 : counter.mark - counter.used - counter.reserved;
    if (lost <= 0) continue;
    counter.reserved += lost;
    parts.push({ meter: counter.meter, amount: lost, counters: [counter.key] });
  }
  if (parts.length === 0) return;
  const { nowMs, ttlMs } = about;
  const lease: Lease = {
    id: `${recoveredPrefix}${about.id}`,
    state: "open",
    atMs: nowMs,
    expiresAtMs: nowMs + ttlMs,
    whenExpired: "return",
    scopes: {},
    parts,
  };
  book.open.set(lease.id, lease);
  book.changed.leases.set(lease.id, lease);
}

function takeFromRecovered(book: Book, key: string, amount: number): void {
  let left = amount;
  for (const lease of book.open.values()) {
    if (!lease.id.startsWith(recoveredPrefix)) continue;
    for (const part of lease.parts) {
      if (part.counters[0] !== key || left === 0) continue;
      const taken = Math.min(part.amount, left);
      part.amount -= taken;
      left -= taken;
      hold(book, key, -taken);
      book.changed.leases.set(lease.id, lease);
    }
  }
}

/** Charges work whose reservation lapsed or was lost with a crash: it was done. */
export function settleUnknown(book: Book, asked: Asking, about: { nowMs: number; wasLost: boolean }): void {
  const { nowMs, wasLost } = about;
  const scopes = asked.scopes ?? {};
  const lease: Lease = {
    id: asked.reservationId,
    state: "open",
    atMs: nowMs,
    expiresAtMs: nowMs,
    whenExpired: "return",
    scopes,
    parts: [],
  };
  const parts = asked.meters.map((line) => {
    const places = placesOf(book, line, { scopes, budgets: asked.budgets ?? [], nowMs });
    const part = { meter: line.meter, amount: line.amount, counters: places.map(({ counter }) => counter.key) };
    for (const { counter, limit } of places) if (limit !== null) counter.limit = limit;
    if (wasLost) for (const key of part.counters) takeFromRecovered(book, key, line.amount);
    use(book, part, { lease, nowMs, suffix: "" });
    return part;
  });
  end(book, { ...lease, parts }, "settled");
}
