/** What staff give on top of a plan: each grant counts once, by its id. The ids are written here, the book by the caller. */
import { admit, aimAt, type Book, grant, settleOpen } from "./book.ts";
import * as journal from "./journal.ts";
import type { MeteredName } from "./meters.ts";
import { assertAmount } from "./rules.ts";

interface Till {
  sql: SqlStorage;
  book: Book;
}

export interface Grant {
  id: string;
  meter: MeteredName;
  /** Negative: takes back what is left. */
  amount: number;
}

/** Returns what is left of all grants. */
export function grantOnce({ sql, book }: Till, { id, meter, amount }: Grant, write: () => void): number {
  if (!isFirst(sql, id, amount)) return book.bonus.get(meter) ?? 0;
  const left = grant(book, meter, amount);
  write();
  return left;
}

export interface Room {
  id: string;
  meter: MeteredName;
  /** What may be used from now on in the running period. */
  amount: number;
  /** The workspace's limit of the period. */
  limit: number;
  nowMs?: number;
}

/** What the period still has beyond the amount is used up, under the id of the grant. */
export function setRoomOnce({ sql, book }: Till, { id, meter, amount, limit }: Room, nowMs: number): void {
  assertAmount(amount);
  assertAmount(limit);
  if (!isFirst(sql, id, amount)) return;
  const { surplus } = aimAt(book, meter, { room: amount, limit, nowMs });
  if (surplus === 0) return;
  const asked = { reservationId: id, meters: [{ meter, amount: surplus, limit }] };
  const admission = admit(book, asked, { nowMs, ttlMs: 1_000, whenExpired: "return" });
  if (admission.ok) settleOpen(book, admission.lease, asked.meters, nowMs);
}

function isFirst(sql: SqlStorage, id: string, amount: number): boolean {
  const name = `grant:${id}`;
  if (journal.readFact(sql, name) !== null) return false;
  journal.writeFact(sql, name, String(amount));
  return true;
}
