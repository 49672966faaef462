/**
 * The metering of one workspace as plain values: counters, open reservations, and what of them is not written yet. Every change here is
 * synchronous, so parallel requests are decided one after the other. No storage, no clock.
 */
import { dayOf, monthOf } from "#lib/usage-period";
import type {
  Asking,
  Budget,
  Line,
  MeteredName,
  MeterState,
  ModelUse,
  QuotaNotice,
  ScopeKind,
  Scopes,
  Shortage,
  SpanKind,
  UsageEvent,
  UsesEvent,
} from "./meters.ts";
import { metered } from "./meters.ts";

export interface Counter {
  key: string;
  meter: MeteredName;
  scope: ScopeKind;
  scopeId: string;
  startMs: number;
  endMs: number | null;
  used: number;
  reserved: number;
  limit: number | null;
  /**
   * Written ahead: `used + reserved` never passes it before the disk knows of a higher one. What lies between is, after a crash, taken for
   * reservations that were lost (see journal.ts).
   */
  mark: number;
  /** The highest share in percent that was told of. */
  noticed: number;
}

/** An amount and the counters in which it stands. */
export interface Part {
  meter: MeteredName;
  amount: number;
  counters: string[];
}

/** `charged`: a block that nobody reported on in time counts as used up, until it is reported after all. */
export type LeaseState = "open" | "settled" | "released" | "expired" | "charged";

export interface Lease {
  id: string;
  state: LeaseState;
  atMs: number;
  expiresAtMs: number;
  whenExpired: "return" | "charge";
  scopes: Scopes;
  parts: Part[];
}

export interface Book {
  /** Where the usage months begin; null: calendar months. */
  anchorMs: number | null;
  counters: Map<string, Counter>;
  open: Map<string, Lease>;
  bonus: Map<MeteredName, number>;
  /** What the disk has not. */
  changed: { counters: Set<string>; leases: Map<string, Lease>; bonus: Set<MeteredName> };
  events: UsageEvent[];
  uses: UsesEvent[];
  notices: QuotaNotice[];
}

export function emptyBook(): Book {
  return {
    anchorMs: null,
    counters: new Map(),
    open: new Map(),
    bonus: new Map(),
    changed: { counters: new Set(), leases: new Map(), bonus: new Set() },
    events: [],
    uses: [],
    notices: [],
  };
}

export function hasChanges(book: Book): boolean {
  const { counters, leases, bonus } = book.changed;
  return counters.size + leases.size + bonus.size + book.events.length + book.uses.length + book.notices.length > 0;
}

const noticeLevels = [80, 100] as const;

function spanOf(book: Book, kind: SpanKind, nowMs: number): { startMs: number; endMs: number | null } {
  if (kind === "total") return { startMs: 0, endMs: null };
  return kind === "day" ? dayOf(nowMs) : monthOf(nowMs, book.anchorMs);
}

interface Place {
  meter: MeteredName;
  scope: ScopeKind;
  scopeId: string;
  span: SpanKind;
}

/** The counter of a place now; made when it is first asked for. */
export function counterAt(book: Book, { meter, scope, scopeId, span }: Place, nowMs: number): Counter {
  const { startMs, endMs } = spanOf(book, span, nowMs);
  const key = `${meter}|${scope}|${scopeId}|${span}|${startMs}`;
  const known = book.counters.get(key);
  if (known) return known;
  const made: Counter = {
    key,
    meter,
    scope,
    scopeId,
    startMs,
    endMs,
    used: 0,
    reserved: 0,
    limit: null,
    mark: 0,
    noticed: 0,
  };
  book.counters.set(key, made);
  return made;
}

const scopeMembers = { user: "userId", key: "keyId", model: "model" } as const;
const scopeKinds = ["user", "key", "model"] as const;

/** Where an amount counts, each with the limit there. */
export function placesOf(book: Book, line: Line, about: { scopes: Scopes; budgets: readonly Budget[]; nowMs: number }) {
  const { meter } = line;
  const { scopes, budgets, nowMs } = about;
  const span = metered[meter].period;
  const places = new Map<string, { counter: Counter; limit: number | null }>();
  const add = (place: Place, limit: number | null) => {
    const counter = counterAt(book, place, nowMs);
    const before = places.get(counter.key)?.limit ?? null;
    places.set(counter.key, { counter, limit: limit === null ? before : Math.min(limit, before ?? limit) });
  };
  add({ meter, scope: "workspace", scopeId: "", span }, line.limit);
  for (const scope of scopeKinds) {
    const scopeId = scopes[scopeMembers[scope]];
    if (scopeId === undefined) continue;
    add({ meter, scope, scopeId, span }, null);
    for (const budget of budgets)
      if (budget.meter === meter && budget.scope === scope)
        add({ meter, scope, scopeId, span: budget.period }, budget.limit);
  }
  return [...places.values()];
}

/** What a grant still has for this counter: its reservations of other days may come to use some of it. */
function bonusFor(book: Book, counter: Counter): number {
  const bonus = counter.scope === "workspace" ? (book.bonus.get(counter.meter) ?? 0) : 0;
  return bonus === 0 ? 0 : Math.max(bonus - promisedElsewhere(book, counter), 0);
}

function promisedElsewhere(book: Book, counter: Counter): number {
  let promised = 0;
  for (const other of book.counters.values()) {
    if (other.key === counter.key || other.meter !== counter.meter || other.scope !== "workspace") continue;
    promised += overflow(other, other.used + other.reserved) - overflow(other, other.used);
  }
  return promised;
}

function overflow({ limit }: Counter, used: number): number {
  return limit === null ? 0 : Math.max(used - limit, 0);
}

/** The most that `used + reserved` may come to; null: no limit. */
export function ceilingOf(book: Book, counter: Counter, limit: number | null): number | null {
  if (limit === null) return null;
  const bonus = bonusFor(book, counter);
  return bonus === 0 ? limit : Math.max(limit, counter.used) + bonus;
}

export function stateOf(book: Book, counter: Counter): MeterState {
  const { meter, scope, scopeId, used, reserved, limit, startMs, endMs } = counter;
  return { meter, scope, scopeId, used, reserved, limit, bonus: bonusFor(book, counter), startMs, endMs };
}

export type Admission = { ok: true; lease: Lease; mustWrite: boolean } | { ok: false; short: Shortage[] };

interface Terms {
  nowMs: number;
  ttlMs: number;
  whenExpired: Lease["whenExpired"];
}

/** Holds all amounts or none. `mustWrite`: the disk has to know of a higher mark before anybody may hear of the admission. */
export function admit(book: Book, asked: Asking, { nowMs, ttlMs, whenExpired }: Terms): Admission {
  const about = { scopes: asked.scopes ?? {}, budgets: asked.budgets ?? [], nowMs };
  const lines = asked.meters.map((line) => ({ line, places: placesOf(book, line, about) }));
  const short = lines.flatMap(({ line, places }) =>
    places.flatMap(({ counter, limit }) => shortageOf(book, counter, { limit, needed: line.amount }) ?? []),
  );
  if (short.length > 0) return { ok: false, short };
  let mustWrite = false;
  for (const { line, places } of lines) {
    for (const { counter, limit } of places) {
      counter.reserved += line.amount;
      counter.limit = limit ?? (counter.scope === "workspace" ? null : counter.limit);
      book.changed.counters.add(counter.key);
      if (limit !== null && counter.used + counter.reserved > counter.mark) mustWrite = true;
    }
  }
  const lease: Lease = {
    id: asked.reservationId,
    state: "open",
    atMs: nowMs,
    expiresAtMs: nowMs + ttlMs,
    whenExpired,
    scopes: about.scopes,
    parts: lines.map(({ line, places }) => ({
      meter: line.meter,
      amount: line.amount,
      counters: places.map(({ counter }) => counter.key),
    })),
  };
  book.open.set(lease.id, lease);
  book.changed.leases.set(lease.id, lease);
  return { ok: true, lease, mustWrite };
}

function shortageOf(
  book: Book,
  counter: Counter,
  { limit, needed }: { limit: number | null; needed: number },
): Shortage | null {
  const ceiling = ceilingOf(book, counter, limit);
  if (limit === null || ceiling === null || needed === 0) return null;
  const available = Math.max(ceiling - counter.used - counter.reserved, 0);
  return needed <= available ? null : { ...stateOf(book, counter), limit, needed, available };
}

/** How much of one meter would be admitted now; null: any amount. */
export function roomFor(book: Book, meter: MeteredName, about: { limit: number | null; nowMs: number }): number | null {
  const place = { meter, scope: "workspace", scopeId: "", span: metered[meter].period } as const;
  const counter = counterAt(book, place, about.nowMs);
  const ceiling = ceilingOf(book, counter, about.limit);
  return ceiling === null ? null : Math.max(ceiling - counter.used - counter.reserved, 0);
}

/** Ends an open reservation with what it came to; meters that are not named used nothing. */
export function settleOpen(book: Book, lease: Lease, actual: readonly Pick<Line, "meter" | "amount">[], nowMs: number) {
  const parts = lease.parts.map((part) => {
    const amount = actual.find(({ meter }) => meter === part.meter)?.amount ?? 0;
    for (const key of part.counters) hold(book, key, -part.amount);
    use(book, { ...part, amount }, { lease, nowMs, suffix: "" });
    return { ...part, amount };
  });
  end(book, { ...lease, parts }, "settled");
}

/** A block that was charged whole because nobody reported on it turns out to have been used less. */
export function correct(book: Book, lease: Lease, actual: readonly Pick<Line, "meter" | "amount">[], nowMs: number) {
  const parts = lease.parts.map((part) => {
    const amount = Math.min(actual.find(({ meter }) => meter === part.meter)?.amount ?? 0, part.amount);
    use(book, { ...part, amount: amount - part.amount }, { lease, nowMs, suffix: "/corrected" });
    return { ...part, amount };
  });
  end(book, { ...lease, parts }, "settled");
}

export function releaseOpen(book: Book, lease: Lease, state: "released" | "expired"): void {
  for (const part of lease.parts) for (const key of part.counters) hold(book, key, -part.amount);
  end(book, lease, state);
}

/** Ends what has lapsed; returns when the next one does, or null. */
export function expire(book: Book, nowMs: number): number | null {
  let nextMs: number | null = null;
  for (const lease of book.open.values()) {
    if (lease.expiresAtMs > nowMs) {
      nextMs = Math.min(nextMs ?? lease.expiresAtMs, lease.expiresAtMs);
      continue;
    }
    if (lease.whenExpired === "return") {
      releaseOpen(book, lease, "expired");
      continue;
    }
    settleOpen(book, lease, lease.parts, lease.expiresAtMs);
    const charged = book.changed.leases.get(lease.id);
    if (charged) book.changed.leases.set(lease.id, { ...charged, state: "charged" });
  }
  return nextMs;
}

/** Raises what a meter may use beyond its limits, or takes back what is left of that. */
export function grant(book: Book, meter: MeteredName, amount: number): number {
  const left = Math.max((book.bonus.get(meter) ?? 0) + amount, 0);
  book.bonus.set(meter, left);
  book.changed.bonus.add(meter);
  return left;
}

/** Grants (or takes back) so much that exactly `room` may be used now; returns what the period itself still has beyond that. */
export function aimAt(
  book: Book,
  meter: MeteredName,
  wanted: { room: number; limit: number; nowMs: number },
): { surplus: number } {
  const place = { meter, scope: "workspace", scopeId: "", span: metered[meter].period } as const;
  const counter = counterAt(book, place, wanted.nowMs);
  const { used, reserved } = counter;
  const needed = wanted.room + used + reserved - Math.max(wanted.limit, used);
  grant(book, meter, Math.max(needed, 0) + promisedElsewhere(book, counter) - (book.bonus.get(meter) ?? 0));
  return { surplus: Math.max(-needed, 0) };
}

export function hold(book: Book, key: string, by: number): void {
  const counter = book.counters.get(key);
  if (!counter) return;
  counter.reserved = Math.max(counter.reserved + by, 0);
  book.changed.counters.add(key);
}

export function use(book: Book, part: Part, about: { lease: Lease; nowMs: number; suffix: string }): void {
  if (part.amount === 0) return;
  for (const key of part.counters) {
    const counter = book.counters.get(key);
    if (!counter) continue;
    const before = overflow(counter, counter.used);
    counter.used = Math.max(counter.used + part.amount, 0);
    book.changed.counters.add(key);
    if (counter.scope !== "workspace") continue;
    const beyond = overflow(counter, counter.used) - before;
    if (beyond > 0 && book.bonus.has(counter.meter)) grant(book, counter.meter, -beyond);
    noticeOf(book, counter, about.nowMs);
  }
  const { id, scopes } = about.lease;
  book.events.push({
    id: `${id}/${part.meter}${about.suffix}`,
    atMs: about.nowMs,
    meter: part.meter,
    amount: part.amount,
    userId: scopes.userId ?? "",
    keyId: scopes.keyId ?? "",
    model: scopes.model ?? "",
  });
}

/** Notes what a reservation's end came to. One that was given back may be made again under its id: its end is told apart by its time. */
export function record(
  book: Book,
  lease: Pick<Lease, "id" | "scopes">,
  about: { uses: ModelUse[] | undefined; nowMs: number; suffix?: string },
): void {
  const { uses = [], nowMs, suffix = "" } = about;
  if (uses.length === 0) return;
  const { userId = "", keyId = "", model = "" } = lease.scopes;
  book.uses.push({ id: `${lease.id}/uses${suffix}`, atMs: nowMs, userId, keyId, model, uses });
}

/** Each level once in a period, by the very step that reaches it. */
function noticeOf(book: Book, counter: Counter, nowMs: number): void {
  const { meter, used, limit, startMs, endMs } = counter;
  if (limit === null || limit === 0) return;
  for (const level of noticeLevels) {
    if (counter.noticed >= level || used * 100 < limit * level) continue;
    counter.noticed = level;
    book.notices.push({ meter, level, used, limit, startMs, endMs, atMs: nowMs });
  }
}

export function end(book: Book, lease: Lease, state: LeaseState): void {
  book.open.delete(lease.id);
  book.changed.leases.set(lease.id, { ...lease, state });
}
