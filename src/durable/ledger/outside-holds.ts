/**
 * Reservations whose owner works elsewhere and comes back with what was used. They differ from the product's own: the disk knows them before
 * the owner does, one that lapsed is not charged after all, and nothing beyond a limit ever is.
 */
import {
  type Book,
  ceilingOf,
  type Lease,
  type Part,
  placesOf,
  record,
  releaseOpen,
  settleOpen,
  stateOf,
} from "./book.ts";
import type {
  Asking,
  Consumed,
  Consuming,
  GivenBack,
  Held,
  NotOpen,
  OutsideHold,
  Reserved,
  ReserveRequest,
  Standing,
} from "./meters.ts";
import { statesOf } from "./readings.ts";
import { assertAmount } from "./rules.ts";

/** What of the metering is needed here. */
interface Desk {
  book: Book;
  find(id: string, nowMs: number): Lease | null;
  reserve(request: ReserveRequest): Reserved;
  written(): Promise<void>;
}

export interface OutsideHolds {
  hold(request: OutsideHold): Promise<Held>;
  consume(request: Consuming): Promise<Consumed>;
  giveBack(request: Omit<Consuming, "amount" | "meter">): Promise<GivenBack>;
  standing(request: Omit<Asking, "reservationId">): Standing[];
}

export function outsideHolds(desk: Desk): OutsideHolds {
  return {
    hold: (request) => hold(desk, request),
    consume: (request) => consume(desk, request),
    giveBack: (request) => giveBack(desk, request),
    standing: (request) => standing(desk, request),
  };
}

async function hold(desk: Desk, { openMax, ...request }: OutsideHold): Promise<Held> {
  const { reservationId, nowMs = Date.now() } = request;
  const kind = reservationId.slice(0, reservationId.indexOf(":") + 1);
  const known = desk.find(reservationId, nowMs);
  const isNew = known?.state !== "open" && known?.state !== "settled";
  if (isNew && countOpen(desk.book, kind) >= openMax) return { ok: false, reason: "too-many" };
  const reserved = desk.reserve(request);
  if (reserved.ok) await desk.written();
  return reserved;
}

function countOpen({ open }: Book, kind: string): number {
  let count = 0;
  for (const id of open.keys()) if (id.startsWith(kind)) count += 1;
  return count;
}

async function consume(desk: Desk, request: Consuming): Promise<Consumed> {
  const { reservationId, meter, amount, uses, nowMs = Date.now() } = request;
  assertAmount(amount);
  const lease = ownLease(desk, request, nowMs);
  const part = lease?.parts.find((one) => one.meter === meter);
  if (!lease || !part) return { ok: false, reason: "unknown" };
  if (lease.state === "settled") {
    await desk.written();
    return { ok: true, repeated: true, charged: part.amount, meters: statesOf(desk.book, lease) };
  }
  if (lease.state !== "open") return notOpen(lease);
  const charged = Math.min(amount, part.amount + roomBeside(desk.book, part));
  settleOpen(desk.book, lease, [{ meter, amount: charged }], nowMs);
  record(desk.book, lease, { uses: uses?.map((use) => ({ ...use, tokens: charged })), nowMs });
  await desk.written();
  const ended = desk.find(reservationId, nowMs) ?? lease;
  return { ok: true, repeated: false, charged, meters: statesOf(desk.book, ended) };
}

async function giveBack(desk: Desk, request: Omit<Consuming, "amount" | "meter">): Promise<GivenBack> {
  const nowMs = request.nowMs ?? Date.now();
  const lease = ownLease(desk, request, nowMs);
  if (!lease) return { ok: false, reason: "unknown" };
  const isOpen = lease.state === "open";
  if (!isOpen && lease.state !== "released") return notOpen(lease);
  if (isOpen) releaseOpen(desk.book, lease, "released");
  await desk.written();
  const returned = lease.parts[0]?.amount ?? 0;
  return { ok: true, repeated: !isOpen, returned, meters: statesOf(desk.book, lease) };
}

function ownLease(desk: Desk, { reservationId, userId }: Pick<Consuming, "reservationId" | "userId">, nowMs: number) {
  const lease = desk.find(reservationId, nowMs);
  return lease?.scopes.userId === userId ? lease : null;
}

function notOpen({ state }: Lease): NotOpen {
  if (state === "expired" || state === "released" || state === "settled") return { ok: false, reason: state };
  return { ok: false, reason: "unknown" };
}

/** What could be reserved beside it, in all counters where it stands. */
function roomBeside(book: Book, part: Part): number {
  let room = Number.POSITIVE_INFINITY;
  for (const key of part.counters) {
    const counter = book.counters.get(key);
    const ceiling = counter ? ceilingOf(book, counter, counter.limit) : null;
    if (counter && ceiling !== null) room = Math.min(room, Math.max(ceiling - counter.used - counter.reserved, 0));
  }
  return room;
}

/** All limits that a reservation of these meters would meet now, those without one among them. Changes nothing. */
function standing(desk: Desk, request: Omit<Asking, "reservationId">): Standing[] {
  const { meters, scopes = {}, budgets = [], nowMs = Date.now() } = request;
  desk.find("standing", nowMs);
  return meters.flatMap((line) =>
    placesOf(desk.book, line, { scopes, budgets, nowMs }).map(({ counter, limit }) => {
      const ceiling = ceilingOf(desk.book, counter, limit);
      const available = ceiling === null ? null : Math.max(ceiling - counter.used - counter.reserved, 0);
      return { ...stateOf(desk.book, counter), limit, available };
    }),
  );
}
