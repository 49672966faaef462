/**
 * Reserves, settles and returns amounts of a workspace's meters. Admission happens in memory and waits for the disk only where the mark that
 * the disk promises has to rise; settling waits for a write that it shares with all others of the same moment. docs/decisions says why.
 */
import type { Book, Lease } from "./book.ts";
import * as book from "./book.ts";
import { type Grant, grantOnce, type Room, setRoomOnce } from "./grants.ts";
import * as journal from "./journal.ts";
import { closeMarks, raiseMarks, recover, settleUnknown } from "./marks.ts";
import { type OutsideHolds, outsideHolds } from "./outside-holds.ts";
import { statesNow, statesOf, statesOfScope } from "./readings.ts";
import { type StorageLevel, tellStorage } from "./storage-notices.ts";
import { maxUses } from "./uses.ts";
import type {
  Asking,
  Block,
  BlockRequest,
  MeterState,
  Outgoing,
  Releasing,
  Reserved,
  ReserveRequest,
  ScopeKind,
  Settled,
} from "./meters.ts";
import { metered } from "./meters.ts";
import { blockMost } from "./rules.ts";

/** Writes closer together than this are made in one. */
const shareMs = 100;
/** A reservation that no write has taken along yet is written after this time. */
const journalMs = 250;
/** After this long without an admission the marks are closed. */
const quietMs = 1_000;
const maxTtlMs = 3_600_000;
const blockTtlMs = 120_000;
const maxIdLength = 200;
const maxLines = 16;
const outgoingAfterMs = 1_000;
const forgetEveryMs = 3_600_000;
const keptMs = { leases: 48 * 3_600_000, counters: 62 * 24 * 3_600_000 };

export interface Metering {
  reserve(request: ReserveRequest): Reserved;
  /** Reserves and settles in one: admitted only when it fits. */
  charge(request: Asking): Promise<Reserved>;
  settle(request: Asking): Promise<Settled>;
  release(request: Releasing): Promise<boolean>;
  exchange(request: BlockRequest): Block;
  grant(request: Grant): number;
  setRoom(request: Room): number | null;
  read(request: { nowMs?: number }): MeterState[];
  readScope(request: { scope: ScopeKind; scopeId?: string; nowMs?: number }): MeterState[];
  setAnchor(anchorMs: number | null): void;
  /** What a meter kept elsewhere (storage) came to, for its notices. */
  tell(level: StorageLevel): void;
  /** Reservations that are settled by whoever asked for them, see outside-holds.ts. */
  outside: OutsideHolds;
  outgoing(limit: number): Outgoing[];
  delivered(throughSeq: number): void;
  /** Ends what has lapsed and writes; returns when to be called again, or null. */
  sweep(nowMs: number): number | null;
  nextDueMs(): number | null;
  flush(): void;
}

interface Host {
  storage: DurableObjectStorage;
  /** Called after a write: something may be due earlier than before. */
  onWritten(): void;
}

interface State extends Host {
  sql: SqlStorage;
  book: Book;
  nextExpiryMs: number | null;
  outgoingDueMs: number | null;
  lastWriteMs: number;
  lastAdmissionMs: number;
  timer: { atMs: number; handle: ReturnType<typeof setTimeout> } | null;
  waiting: PromiseWithResolvers<void> | null;
  longestTtlMs: number;
  lastForgetMs: number;
}

export function openMetering(host: Host): Metering {
  const { sql } = host.storage;
  journal.createTables(sql);
  const state: State = {
    ...host,
    sql,
    book: journal.loadBook(sql),
    nextExpiryMs: null,
    outgoingDueMs: journal.hasOutgoing(sql) ? Date.now() + outgoingAfterMs : null,
    lastWriteMs: 0,
    lastAdmissionMs: 0,
    timer: null,
    waiting: null,
    longestTtlMs: Number(journal.readFact(sql, "longest-ttl") ?? 0),
    lastForgetMs: 0,
  };
  const nowMs = Date.now();
  // Without reservations, nothing but what was used can be missing, and nobody was told of that.
  if (state.longestTtlMs > 0) recover(state.book, { id: String(nowMs), nowMs, ttlMs: state.longestTtlMs });
  refreshExpiry(state);
  return {
    reserve: (request) => reserve(state, request),
    charge: (request) => charge(state, request),
    settle: (request) => settle(state, request),
    release: (request) => release(state, request),
    exchange: (request) => exchange(state, request),
    grant: (request) => grantOnce(state, request, () => flush(state)),
    setRoom: (request) => changeRoom(state, request),
    read({ nowMs: at = Date.now() }) {
      begin(state, "read", at);
      return statesNow(state.book, at);
    },
    readScope({ nowMs: at = Date.now(), ...request }) {
      begin(state, "read", at);
      return statesOfScope(state.book, { ...request, nowMs: at });
    },
    setAnchor(anchorMs) {
      state.book.anchorMs = anchorMs;
      journal.writeFact(sql, "anchor", anchorMs === null ? "" : String(anchorMs));
    },
    tell(level) {
      if (tellStorage(state, level)) flush(state);
    },
    outside: outsideHolds({
      book: state.book,
      find: (id, at) => begin(state, id, at),
      reserve: (request) => reserve(state, request),
      written: () => written(state),
    }),
    outgoing: (limit) => journal.readOutbox(sql, limit),
    delivered(throughSeq) {
      journal.deleteOutgoing(sql, throughSeq);
      if (!journal.hasOutgoing(sql)) state.outgoingDueMs = null;
    },
    sweep: (at) => sweep(state, at),
    nextDueMs: () => earliest(state.nextExpiryMs, state.outgoingDueMs),
    flush: () => flush(state),
  };
}

function begin(state: State, id: string, nowMs: number): Lease | null {
  if (id.length === 0 || id.length > maxIdLength || id.startsWith("recovered:"))
    throw new RangeError("an id has 1 to 200 characters");
  if (state.nextExpiryMs !== null && nowMs >= state.nextExpiryMs) state.nextExpiryMs = book.expire(state.book, nowMs);
  return state.book.open.get(id) ?? state.book.changed.leases.get(id) ?? journal.findLease(state.sql, id);
}

function assertLines(asked: Asking): void {
  const { meters, budgets = [], uses = [] } = asked;
  if (uses.length > maxUses) throw new RangeError("at most 64 uses");
  if (meters.length === 0 || meters.length > maxLines || budgets.length > maxLines)
    throw new RangeError("1 to 16 meters and at most 16 budgets");
  if (new Set(meters.map(({ meter }) => meter)).size < meters.length) throw new RangeError("each meter once");
  for (const { meter, amount, limit } of meters) {
    if (!(meter in metered)) throw new RangeError("no such meter");
    assertCount(amount);
    if (limit !== null) assertCount(limit);
  }
  for (const { limit } of budgets) assertCount(limit);
}

function assertCount(value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError("an amount is a whole number, not negative");
}

function reserve(state: State, request: ReserveRequest): Reserved {
  const nowMs = request.nowMs ?? Date.now();
  assertLines(request);
  if (!(request.ttlMs > 0) || request.ttlMs > maxTtlMs) throw new RangeError("a reservation lives up to an hour");
  const known = begin(state, request.reservationId, nowMs);
  if (known && (known.state === "open" || known.state === "settled")) {
    return { ok: true, state: known.state, expiresAtMs: known.expiresAtMs, meters: statesOf(state.book, known) };
  }
  const admission = admit(state, request, { nowMs, ttlMs: request.ttlMs, whenExpired: "return" });
  if (!admission.ok) return admission;
  const { lease } = admission;
  return { ok: true, state: "open", expiresAtMs: lease.expiresAtMs, meters: statesOf(state.book, lease) };
}

type Terms = Parameters<typeof book.admit>[2];

/** In memory; the disk is written first only where its promise does not reach so far. The output gate then holds the answer back. */
function admit(state: State, asked: Asking, terms: Terms) {
  const admission = book.admit(state.book, asked, terms);
  if (!admission.ok) return admission;
  state.lastAdmissionMs = Date.now();
  state.nextExpiryMs = earliest(state.nextExpiryMs, admission.lease.expiresAtMs);
  // What a restart has to wait for grows rarely, and only upwards.
  const hasLonger = terms.ttlMs > state.longestTtlMs;
  if (hasLonger) {
    state.longestTtlMs = terms.ttlMs;
    journal.writeFact(state.sql, "longest-ttl", String(terms.ttlMs));
  }
  if (admission.mustWrite) flush(state);
  // After a write, too: what it promised ahead is closed once it is quiet.
  writeWithin(state, admission.mustWrite ? quietMs : journalMs);
  return admission;
}

/** The reservation in between never leaves this turn, so only what was used has to reach the disk. */
async function charge(state: State, asked: Asking): Promise<Reserved> {
  const nowMs = asked.nowMs ?? Date.now();
  assertLines(asked);
  const known = begin(state, asked.reservationId, nowMs);
  let lease = known?.state === "open" ? known : null;
  if (!lease && known?.state !== "settled") {
    const admission = book.admit(state.book, asked, { nowMs, ttlMs: maxTtlMs, whenExpired: "return" });
    if (!admission.ok) return admission;
    state.lastAdmissionMs = Date.now();
    lease = admission.lease;
  }
  if (lease) {
    book.settleOpen(state.book, lease, asked.meters, nowMs);
    book.record(state.book, lease, { uses: asked.uses, nowMs });
  }
  await written(state);
  const ended = lease ?? known;
  return { ok: true, state: "settled", expiresAtMs: nowMs, meters: ended ? statesOf(state.book, ended) : [] };
}

async function settle(state: State, asked: Asking): Promise<Settled> {
  const nowMs = asked.nowMs ?? Date.now();
  assertLines(asked);
  const known = begin(state, asked.reservationId, nowMs);
  if (known?.state === "released") return { ok: false, reason: "released" };
  const repeated = known?.state === "settled";
  if (!repeated) settleKnown(state, { ...asked, nowMs }, known);
  await written(state);
  const ended = begin(state, asked.reservationId, nowMs);
  return { ok: true, repeated, meters: ended ? statesOf(state.book, ended) : [] };
}

function settleKnown({ book: current }: State, asked: Asking & { nowMs: number }, known: Lease | null): void {
  const { reservationId: id, meters, scopes = {}, uses, nowMs } = asked;
  if (known?.state === "open") book.settleOpen(current, known, meters, nowMs);
  else if (known?.state === "charged") book.correct(current, known, meters, nowMs);
  else settleUnknown(current, asked, { nowMs, wasLost: known === null });
  book.record(current, { id, scopes }, { uses, nowMs });
}

async function release(state: State, request: Releasing): Promise<boolean> {
  const nowMs = request.nowMs ?? Date.now();
  const known = begin(state, request.reservationId, nowMs);
  if (known?.state !== "open") return false;
  book.releaseOpen(state.book, known, "released");
  // It may be reserved again under its id.
  book.record(state.book, known, { uses: request.uses, nowMs, suffix: `@${known.atMs}` });
  await written(state);
  return true;
}

/**
 * A block is charged whole unless its isolate reports in time what it used, because an isolate may vanish with calls that it let through.
 * Nothing here waits for the disk: a report that a crash loses leaves the block charged.
 */
function exchange(state: State, request: BlockRequest): Block {
  const nowMs = request.nowMs ?? Date.now();
  const { previous, id, limit, scopes } = request;
  assertCount(request.want);
  if (previous) report(state, { ...previous, limit, scopes, nowMs });
  if (request.want === 0) return { granted: 0, validForMs: 0, short: null };
  const room = book.roomFor(state.book, "apiCalls", { limit, nowMs });
  const amount = Math.max(Math.min(request.want, blockMost(room)), 1);
  const asked = { reservationId: id, meters: [{ meter: "apiCalls" as const, amount, limit }], scopes };
  const admission = admit(state, asked, { nowMs, ttlMs: blockTtlMs, whenExpired: "charge" });
  if (!admission.ok) return { granted: 0, validForMs: 0, short: admission.short[0] ?? null };
  // There is nothing to report of a single call: it is used.
  if (amount === 1) book.settleOpen(state.book, admission.lease, asked.meters, nowMs);
  const [counter] = statesOf(state.book, admission.lease);
  const leftMs = (counter?.endMs ?? Number.POSITIVE_INFINITY) - nowMs;
  return { granted: amount, validForMs: Math.min(blockTtlMs / 2, leftMs), short: null };
}

/** What an isolate used of its last block. */
function report(
  state: State,
  block: { id: string; used: number; nowMs: number } & Pick<BlockRequest, "limit" | "scopes">,
) {
  const { id, used, limit, scopes, nowMs } = block;
  assertCount(used);
  const known = begin(state, id, nowMs);
  const actual = [{ meter: "apiCalls" as const, amount: used, limit }];
  if (known?.state === "open") book.settleOpen(state.book, known, actual, nowMs);
  else if (known?.state === "charged") book.correct(state.book, known, actual, nowMs);
  else if (!known) settleUnknown(state.book, { reservationId: id, meters: actual, scopes }, { nowMs, wasLost: true });
  writeWithin(state, journalMs);
}

function changeRoom(state: State, request: Room): number | null {
  const nowMs = request.nowMs ?? Date.now();
  begin(state, request.id, nowMs);
  setRoomOnce(state, request, nowMs);
  flush(state);
  return book.roomFor(state.book, request.meter, { limit: request.limit, nowMs });
}

function sweep(state: State, nowMs: number): number | null {
  state.nextExpiryMs = book.expire(state.book, nowMs);
  flush(state);
  if (nowMs - state.lastForgetMs > forgetEveryMs) forget(state, nowMs);
  if (journal.hasOutgoing(state.sql)) state.outgoingDueMs = Math.max(state.outgoingDueMs ?? 0, nowMs + 30_000);
  else state.outgoingDueMs = null;
  return earliest(state.nextExpiryMs, state.outgoingDueMs);
}

function forget(state: State, nowMs: number): void {
  state.lastForgetMs = nowMs;
  const countersMs = nowMs - keptMs.counters;
  journal.forgetOld(state.sql, { leasesMs: nowMs - keptMs.leases, countersMs });
  for (const { key, endMs } of state.book.counters.values())
    if (endMs !== null && endMs < countersMs) state.book.counters.delete(key);
}

function refreshExpiry(state: State): void {
  for (const { expiresAtMs } of state.book.open.values())
    state.nextExpiryMs = earliest(state.nextExpiryMs, expiresAtMs);
}

function earliest(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b);
}

/** Resolves once the disk has everything that memory has now. The first call after a pause writes at once, the next ones share a write. */
function written(state: State): Promise<void> {
  const sinceMs = Date.now() - state.lastWriteMs;
  if (sinceMs >= shareMs) {
    flush(state);
    return Promise.resolve();
  }
  state.waiting ??= Promise.withResolvers<void>();
  writeWithin(state, shareMs - sinceMs);
  return state.waiting.promise;
}

/** A waiting timer also keeps the object in memory until the write. */
function writeWithin(state: State, delayMs: number): void {
  const atMs = Date.now() + delayMs;
  if (state.timer && state.timer.atMs <= atMs) return;
  if (state.timer) clearTimeout(state.timer.handle);
  state.timer = { atMs, handle: setTimeout(() => onTimer(state), delayMs) };
}

function onTimer(state: State): void {
  state.timer = null;
  const quietForMs = Date.now() - state.lastAdmissionMs;
  if (quietForMs >= quietMs) closeMarks(state.book);
  flush(state);
  // One more look after the last admission, to close the marks.
  if (quietForMs < quietMs) writeWithin(state, quietMs);
}

function flush(state: State): void {
  const { book: current, waiting } = state;
  state.waiting = null;
  try {
    if (book.hasChanges(current)) {
      fitMarks(state);
      const sends = current.events.length + current.uses.length + current.notices.length > 0;
      state.storage.transactionSync(() => journal.writeChanges(state.sql, current));
      current.changed.counters.clear();
      current.changed.leases.clear();
      current.changed.bonus.clear();
      current.events.length = 0;
      current.uses.length = 0;
      current.notices.length = 0;
      state.lastWriteMs = Date.now();
      if (sends) state.outgoingDueMs ??= state.lastWriteMs + outgoingAfterMs;
      state.onWritten();
    }
    waiting?.resolve();
  } catch (error) {
    waiting?.reject(error);
    throw error;
  }
}

/** In a quiet while nothing is promised ahead: a restart would hold it back from everybody, for as long as a reservation may last. */
function fitMarks(state: State): void {
  if (Date.now() - state.lastAdmissionMs < quietMs) raiseMarks(state.book);
  else closeMarks(state.book);
}
