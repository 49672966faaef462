/**
 * Reservations for many requests at once: an isolate sets aside more than the first of them needs and serves the following ones out of it, without
 * a call. What was spent is told a quarter of a second later, in one settlement. The sum of what all isolates hold never passes a limit, because each holds
 * a reservation of the ledger like any other. An isolate that vanishes gives its purse back when that lapses, and the last moment of its spending.
 */
import type { Asking, Line, MeteredName, MeterState, ModelUse, Reserved, Shortage } from "./meters.ts";
import { addUse } from "./uses.ts";

export type Amounts = Partial<Record<MeteredName, number>>;

/** What the ledger is asked by; `durable/ledger/client` has both. */
export interface LedgerCalls {
  reserve(request: Asking & { workspaceId: string; ttlMs: number; nowMs: number }): Promise<Reserved>;
  settle(request: Asking & { workspaceId: string; nowMs: number }): Promise<unknown>;
}

/** One request's share: what it may cost at most, and for whom it is counted. */
export interface Claim extends Omit<Asking, "reservationId" | "nowMs" | "uses"> {
  workspaceId: string;
}

interface Purse {
  purses: Purses;
  key: string;
  claim: Claim;
  firstId: string;
  reservationId: string;
  renewals: number;
  free: Amounts;
  held: Amounts;
  spent: Amounts;
  uses: ModelUse[];
  /** Requests that hold some of it. */
  open: number;
  /** Requests that ever did. */
  served: number;
  /** What was left beside it when it was filled; null: no limit. */
  roomBeside: Partial<Record<MeteredName, number | null>>;
  filledAtMs: number;
  lapsesAtMs: number;
  /** Nothing more is taken out of it. */
  isClosed: boolean;
  /** A settlement is waiting for its time. */
  isClosing: boolean;
  /** Settlements of one purse wait for each other: two at once would both renew, or settle one reservation twice. */
  turn: Promise<void>;
}

export interface Ticket {
  purse: Purse;
  held: Amounts;
  isBack: boolean;
}

/** What a request came to, and how it is recorded. */
export interface Spent {
  amounts: Amounts;
  use?: ModelUse;
}

export interface Purses {
  byKey: Map<string, Purse>;
  /** Of the last purse of a key: how many requests it was meant for. */
  sizes: Map<string, { times: number; atMs: number }>;
}

export function createPurses(): Purses {
  return { byKey: new Map(), sizes: new Map() };
}

const isolatePurses = createPurses();
/** Of this isolate; with the first purse's random id before it, no two are alike. */
let successors = 0;
const maxPurses = 2_000;
const maxTries = 4;
const retryMs = 200;
const lifeMs = 250;
/** Longer than the longest stream, and the settlement after it. */
const ttlMs = 1_200_000;
/** A caller who is back this soon gets a larger purse. */
const hurryMs = 5_000;
const growth = 4;
const mostTimes = 512;
/** A purse that served so many in its short life gets a successor before it closes, so that nobody waits for one. */
const busy = 8;
/** So much of what is left, at most, lies in one isolate's purse beyond what a request needs. */
const share = 8;

interface Options {
  nowMs: number;
  newId(): string;
  state?: Purses;
}

export type Taken = { ok: true; ticket: Ticket } | { ok: false; short: Shortage[] };

function keyOf({ workspaceId, meters, scopes = {}, budgets = [] }: Claim): string {
  const limits = meters.map(({ meter, limit }) => `${meter}:${limit}`).join(" ");
  const within = budgets.map(({ meter, scope, limit, period }) => `${meter} ${scope} ${limit} ${period}`).join(" ");
  return `${workspaceId} ${scopes.userId} ${scopes.keyId} ${scopes.model} ${limits} ${within}`;
}

/** Holds all amounts of the claim, or none. Synchronous work only, as long as this isolate's purse has enough. */
export async function takeFromPurse(ledger: LedgerCalls, claim: Claim, options: Options): Promise<Taken> {
  const { nowMs, state = isolatePurses } = options;
  const key = keyOf(claim);
  const known = state.byKey.get(key);
  const held = Object.fromEntries(claim.meters.map(({ meter, amount }) => [meter, amount])) as Amounts;
  if (known && !known.isClosed && nowMs < known.lapsesAtMs && covers(known.free, held))
    return { ok: true, ticket: takeOut(known, held) };
  const filled = await fill(ledger, claim, { ...options, state, key });
  return filled.ok ? { ok: true, ticket: takeOut(filled.purse, held) } : filled;
}

function covers(free: Amounts, held: Amounts): boolean {
  return (Object.entries(held) as [MeteredName, number][]).every(([meter, amount]) => (free[meter] ?? 0) >= amount);
}

function takeOut(purse: Purse, held: Amounts): Ticket {
  change(purse.free, held, -1);
  change(purse.held, held, 1);
  purse.open += 1;
  purse.served += 1;
  return { purse, held, isBack: false };
}

function change(amounts: Amounts, by: Amounts, sign: 1 | -1): void {
  for (const [meter, amount] of Object.entries(by) as [MeteredName, number][])
    amounts[meter] = (amounts[meter] ?? 0) + sign * amount;
}

type Filled = { ok: true; purse: Purse } | { ok: false; short: Shortage[] };

async function fill(
  ledger: LedgerCalls,
  claim: Claim,
  { nowMs, newId, state, key }: Required<Options> & { key: string },
): Promise<Filled> {
  const last = state.byKey.get(key);
  const size = state.sizes.get(key);
  const inHurry = size !== undefined && nowMs - size.atMs < hurryMs;
  const times = inHurry ? Math.min(size.times * growth, mostTimes) : 1;
  const reservationId = `purse:${newId()}`;
  const ask = (meters: Line[]) => ledger.reserve({ ...claim, meters, reservationId, ttlMs, nowMs });
  const wished = claim.meters.map((line) => ({ ...line, amount: wish(line, times, last) }));
  let meters = wished;
  let reserved = await ask(wished);
  // Near the end of a budget: only what this request needs.
  const isMore = wished.some(({ amount }, index) => amount > (claim.meters[index]?.amount ?? 0));
  if (!reserved.ok && isMore) {
    meters = claim.meters;
    reserved = await ask(meters);
  }
  if (!reserved.ok) return reserved;
  const purse: Purse = {
    purses: state,
    key,
    claim,
    firstId: reservationId,
    reservationId,
    renewals: 0,
    held: {},
    free: Object.fromEntries(meters.map(({ meter, amount }) => [meter, amount])),
    spent: {},
    uses: [],
    open: 0,
    served: 0,
    roomBeside: roomOf(meters, reserved.meters),
    filledAtMs: nowMs,
    lapsesAtMs: reserved.expiresAtMs - ttlMs / 2,
    isClosed: false,
    isClosing: false,
    turn: Promise.resolve(),
  };
  remember(state, purse, times);
  return { ok: true, purse };
}

/** Not more than its share of what the last purse saw beside it: others want some, too. */
function wish({ meter, amount }: Line, times: number, last: Purse | undefined): number {
  const room = last?.roomBeside[meter] ?? null;
  const most = room === null ? amount * times : Math.max(Math.floor(room / share), amount);
  return Math.min(amount * times, most);
}

function roomOf(meters: readonly Line[], states: readonly MeterState[]): Purse["roomBeside"] {
  const room = (meter: MeteredName): number | null => {
    const limited = states.filter((state) => state.meter === meter && state.limit !== null);
    if (limited.length === 0) return null;
    return Math.max(
      Math.min(...limited.map(({ limit, bonus, used, reserved }) => (limit ?? 0) + bonus - used - reserved)),
      0,
    );
  };
  return Object.fromEntries(meters.map(({ meter }) => [meter, room(meter)]));
}

/** Two requests filled at once: both purses are used up, and only one of them is found again. */
function remember(state: Purses, purse: Purse, times: number): void {
  const before = state.byKey.get(purse.key);
  if (before) before.isClosed = true;
  state.byKey.delete(purse.key);
  state.byKey.set(purse.key, purse);
  state.sizes.delete(purse.key);
  state.sizes.set(purse.key, { times, atMs: purse.filledAtMs });
  for (const map of [state.byKey, state.sizes]) {
    const [oldest] = map.size > maxPurses ? map.keys() : [];
    if (oldest !== undefined) map.delete(oldest);
  }
}

/** What is left for the workspace beside this request's own share, as this isolate knows it; null: no limit. */
export function leftBeside({ purse }: Ticket, meter: MeteredName): number | null {
  const room = purse.roomBeside[meter] ?? null;
  return room === null ? null : room + Math.max(purse.free[meter] ?? 0, 0);
}

/**
 * Ends a request's share with what it came to; the rest is free for the next. Only the first call for a ticket counts. Returns what has to run behind
 * the answer: mostly nothing, else the settlement a moment later.
 */
export function putBack(ledger: LedgerCalls, ticket: Ticket, spent: Spent): Promise<void> | null {
  if (ticket.isBack) return null;
  ticket.isBack = true;
  const { purse, held } = ticket;
  change(purse.free, held, 1);
  change(purse.held, held, -1);
  change(purse.free, spent.amounts, -1);
  change(purse.spent, spent.amounts, 1);
  if (spent.use) addUse(purse.uses, spent.use);
  purse.open -= 1;
  if (purse.isClosing) return null;
  purse.isClosing = true;
  return settleLater(ledger, purse);
}

async function settleLater(ledger: LedgerCalls, purse: Purse): Promise<void> {
  await pause(lifeMs);
  const successor = purse.served >= busy && !purse.isClosed ? await succeed(ledger, purse) : null;
  await settleSoFar(ledger, purse, Date.now());
  if (!successor) return;
  await pause(lifeMs);
  // Whoever took from it settles it. All in one chain would outlive the request behind whose answer this runs.
  if (successor.served === 0 && !successor.isClosed) await settleSoFar(ledger, successor, Date.now());
}

/** Null: there is no room for both at once, or the ledger cannot be asked now. */
async function succeed(ledger: LedgerCalls, { claim, key, purses, firstId }: Purse): Promise<Purse | null> {
  const newId = () => `${firstId.slice("purse:".length).split("+", 1)[0]}+${(successors += 1)}`;
  const filled = await fill(ledger, claim, { nowMs: Date.now(), newId, state: purses, key }).catch(() => null);
  return filled?.ok ? filled.purse : null;
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

function settleSoFar(ledger: LedgerCalls, purse: Purse, nowMs: number): Promise<void> {
  const settled = purse.turn.then(() => settleInTurn(ledger, purse, nowMs));
  purse.turn = settled.catch(() => undefined);
  return settled;
}

/**
 * Settles what was spent. What a long stream still holds is reserved anew before that, so that its share is never without a reservation; where
 * there is no room for both at once, all waits until the stream has ended.
 */
async function settleInTurn(ledger: LedgerCalls, purse: Purse, nowMs: number): Promise<void> {
  purse.isClosed = true;
  purse.isClosing = false;
  const { claim, reservationId } = purse;
  const linesOf = (amounts: Amounts) => claim.meters.map((line) => ({ ...line, amount: amounts[line.meter] ?? 0 }));
  if (purse.open > 0) {
    purse.renewals += 1;
    const renewedId = `${purse.firstId}:${purse.renewals}`;
    const renewal = { ...claim, meters: linesOf(purse.held), reservationId: renewedId, ttlMs, nowMs };
    if (!(await ledger.reserve(renewal)).ok) return;
    purse.reservationId = renewedId;
    purse.free = {};
  }
  const { spent, uses } = purse;
  purse.spent = {};
  purse.uses = [];
  try {
    await settleSurely(() => ledger.settle({ ...claim, meters: linesOf(spent), uses, reservationId, nowMs }));
  } catch (error) {
    change(purse.spent, spent, 1);
    for (const use of uses) addUse(purse.uses, use);
    throw error;
  }
  // It ended while it was reserved anew.
  if (purse.open === 0 && purse.reservationId !== reservationId && !purse.isClosing)
    await settleInTurn(ledger, purse, nowMs);
}

/** A settlement is charged once, however often it is sent. */
async function settleSurely(settle: () => Promise<unknown>): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await settle();
      return;
    } catch (error) {
      if (tries === maxTries) throw error;
      await pause(tries * retryMs);
    }
  }
}

/** Settles what this isolate spent of a workspace, so that the counters are exact for somebody who looks. */
export async function settlePurses(
  ledger: LedgerCalls,
  { workspaceId, nowMs }: { workspaceId: string; nowMs: number },
  state: Purses = isolatePurses,
): Promise<void> {
  const own = [...state.byKey.values()].filter(({ claim }) => claim.workspaceId === workspaceId);
  for (const purse of own) state.byKey.delete(purse.key);
  await Promise.all(own.filter(({ isClosed }) => !isClosed).map((purse) => settleSoFar(ledger, purse, nowMs)));
}
