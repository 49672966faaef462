/**
 * What one workspace holds of its limited goods. Every decision happens in one turn without waiting, so parallel calls cannot overspend.
 * It counts; the limits come with each call. Of storage the database stays the truth about what exists; of what is metered
 * (metering.ts) this object is the truth, and tells the database what was used.
 */
import { DurableObject } from "cloudflare:workers";
import type { Grant, Room } from "./grants.ts";
import { type Metering, openMetering } from "./metering.ts";
import type {
  Asking,
  At,
  Block,
  BlockRequest,
  Consumed,
  Consuming,
  GivenBack,
  Held,
  MeterState,
  Outgoing,
  OutsideHold,
  Releasing,
  Reserved,
  ReserveRequest,
  ScopeKind,
  Settled,
  Standing,
} from "./meters.ts";
import * as store from "./rows.ts";
import { assertAmount, fits, meters, totalsWith, type Holding, type MeterName, type Totals } from "./rules.ts";

/** `limit: null` means no limit. Amounts are in the meter's unit. */
export interface HoldRequest extends At {
  meter: MeterName;
  /** The thing that is held for, such as the upload or file. One id is one holding, however often it is sent. */
  id: string;
  amount: number;
  limit: number | null;
}

export type HoldOutcome =
  | ({ ok: true; limit: number | null } & Totals)
  | ({ ok: false; reason: "over-quota"; limit: number | null } & Totals);

/** One page of what the database lists, in byte order of the ids, and the range of ids that the page covers. */
export interface ReconcileRequest extends At, store.IdRange {
  meter: MeterName;
  holdings: Array<{ id: string; amount: number }>;
}

/** `hasMore`: so much was stale that the same page should be sent once more. */
export type Reconciled = {
  added: number;
  corrected: number;
  dropped: number;
  hasMore: boolean;
} & Totals;

const maxIdLength = 200;
const maxPage = 1_000;

interface LedgerEnv {
  DELIVERY_QUEUE: Queue<{ v: 1; ledger: string }>;
}

export class Ledger extends DurableObject<LedgerEnv> {
  readonly #totals = new Map<MeterName, Totals>();
  readonly #metering: Metering;
  #firstExpiryMs: number | null;
  /** When the alarm is set for; undefined: not known since the object woke. */
  #alarmMs: number | null | undefined;

  constructor(ctx: DurableObjectState, env: LedgerEnv) {
    super(ctx, env);
    store.createTables(this.#sql);
    this.#firstExpiryMs = store.firstExpiryMs(this.#sql);
    this.#metering = openMetering({ storage: ctx.storage, onWritten: () => ctx.waitUntil(this.#arm()) });
  }

  get #sql(): SqlStorage {
    return this.ctx.storage.sql;
  }

  /**
   * Sets an amount aside until `expiresAtMs`. The same id again renews it and may change the amount; a settled id stays settled.
   * `over-quota` changes nothing.
   */
  async reserve(request: HoldRequest & { expiresAtMs: number }): Promise<HoldOutcome> {
    const { meter, id, amount, limit, expiresAtMs } = request;
    const known = this.#begin(request);
    if (known?.state === "settled") return this.#accepted(meter, limit);
    const outcome = this.#apply(request, known, {
      id,
      state: "reserved",
      amount,
      expiresAtMs,
      settledAtMs: null,
    });
    if (outcome.ok) await this.#expireAt(expiresAtMs);
    return outcome;
  }

  /**
   * Turns a reservation into a holding that stays until it is released. The amount may differ from the reserved one, and only growth
   * is checked against the limit. Without a reservation (it expired) the whole amount is checked. `over-quota` changes nothing.
   */
  settle(request: HoldRequest): HoldOutcome {
    const { id, amount } = request;
    const known = this.#begin(request);
    const nowMs = request.nowMs ?? Date.now();
    const outcome = this.#apply(request, known, {
      id,
      state: "settled",
      amount,
      expiresAtMs: null,
      settledAtMs: known?.settledAtMs ?? nowMs,
    });
    if (outcome.ok) this.#metering.tell({ used: outcome.used, limit: outcome.limit, nowMs });
    return outcome;
  }

  /**
   * Gives back what an id holds; harmless when it holds nothing. With `onlyReserved` a settled holding stays: for clean-up that may
   * run late, after the thing was finished after all.
   */
  release(request: { meter: MeterName; id: string; onlyReserved?: boolean } & At): { released: number } & Totals {
    const { meter, id } = request;
    const known = this.#begin({ ...request, amount: 0 });
    const keeps = known?.state === "settled" && request.onlyReserved === true;
    if (!known || keeps) return { released: 0, ...this.#totalsOf(meter) };
    const totals = totalsWith(this.#totalsOf(meter), known, null);
    store.deleteHolding(this.#sql, meter, id);
    this.#totals.set(meter, totals);
    return { released: known.amount, ...totals };
  }

  /** Keeps a reservation longer. `unknown`: it expired or was released; settled holdings need no renewal. */
  async renew(
    request: { meter: MeterName; id: string; expiresAtMs: number } & At,
  ): Promise<{ ok: true } | { ok: false; reason: "unknown" }> {
    const { meter, expiresAtMs } = request;
    const known = this.#begin({ ...request, amount: 0 });
    if (!known) return { ok: false, reason: "unknown" };
    if (known.state === "settled") return { ok: true };
    store.putHolding(this.#sql, meter, { ...known, expiresAtMs });
    await this.#expireAt(expiresAtMs);
    return { ok: true };
  }

  read(request: { meter: MeterName } & At): Totals {
    this.#expire(request.nowMs ?? Date.now());
    return this.#totalsOf(request.meter);
  }

  /**
   * Compares a range of ids with what the database lists there: what is listed is settled with the listed amount (the limit is not
   * asked, the thing exists), what is settled here and not listed goes if it is older than the meter's grace. Each page stands alone
   * and may be sent again, so nothing is lost when a run stops half way.
   */
  reconcile(request: ReconcileRequest): Reconciled {
    const { meter, afterId, throughId, holdings } = request;
    if (holdings.length > maxPage) throw new RangeError("a page has at most 1,000 holdings");
    const nowMs = request.nowMs ?? Date.now();
    this.#expire(nowMs);
    const counts = { added: 0, corrected: 0, dropped: 0 };
    const listed = new Set(holdings.map((holding) => holding.id));
    const beforeMs = nowMs - meters[meter].reconcileGraceSeconds * 1_000;
    const limit = maxPage * 2;
    const settled = store.settledBefore(this.#sql, meter, { afterId, throughId, beforeMs, limit });
    const stale = settled.filter((holding) => !listed.has(holding.id));
    this.ctx.storage.transactionSync(() => {
      for (const holding of holdings) {
        const change = this.#adopt(meter, holding, nowMs);
        if (change) counts[change] += 1;
      }
      for (const { id } of stale) store.deleteHolding(this.#sql, meter, id);
      counts.dropped = stale.length;
    });
    // After so many changes the sum is taken anew: this is also what heals totals that drifted.
    this.#totals.delete(meter);
    return {
      ...counts,
      hasMore: settled.length === limit && stale.length > 0,
      ...this.#totalsOf(meter),
    };
  }

  reserveMeters(request: ReserveRequest): Reserved {
    return this.#metering.reserve(request);
  }

  chargeMeters(request: Asking): Promise<Reserved> {
    return this.#metering.charge(request);
  }

  settleMeters(request: Asking): Promise<Settled> {
    return this.#metering.settle(request);
  }

  releaseMeters(request: Releasing): Promise<boolean> {
    return this.#metering.release(request);
  }

  holdOutside(request: OutsideHold): Promise<Held> {
    return this.#metering.outside.hold(request);
  }

  consumeOutside(request: Consuming): Promise<Consumed> {
    return this.#metering.outside.consume(request);
  }

  giveBackOutside(request: Omit<Consuming, "amount" | "meter">): Promise<GivenBack> {
    return this.#metering.outside.giveBack(request);
  }

  readStanding(request: Omit<Asking, "reservationId">): Standing[] {
    return this.#metering.outside.standing(request);
  }

  exchangeBlock(request: BlockRequest): Block {
    return this.#metering.exchange(request);
  }

  grantBonus(request: Grant): number {
    return this.#metering.grant(request);
  }

  setRoom(request: Room): number | null {
    return this.#metering.setRoom(request);
  }

  readMeters(request: At): { meters: MeterState[]; storage: Totals } {
    return { meters: this.#metering.read(request), storage: this.read({ meter: "storage", ...request }) };
  }

  readScope(request: { scope: ScopeKind; scopeId?: string } & At): MeterState[] {
    return this.#metering.readScope(request);
  }

  /** Where the workspace's usage months begin from now on; null: with the calendar's. */
  setUsageAnchor(request: { anchorMs: number | null }): void {
    this.#metering.setAnchor(request.anchorMs);
  }

  /** What the database has to learn, oldest first. Confirm it with `delivered`, else it is handed out again. */
  outgoing(request: { limit: number }): Outgoing[] {
    this.#metering.flush();
    return this.#metering.outgoing(Math.min(request.limit, maxPage));
  }

  delivered(request: { throughSeq: number }): void {
    this.#metering.delivered(request.throughSeq);
  }

  /**
   * Reservations also expire with the next call, so an alarm that is late or lost only delays the write. What the database has to learn is
   * announced by a message; until somebody fetched it, the alarm announces it again.
   */
  override async alarm(): Promise<void> {
    const nowMs = Date.now();
    this.#alarmMs = null;
    this.#expire(nowMs);
    this.#metering.sweep(nowMs);
    const { name } = this.ctx.id;
    if (name !== undefined && this.#metering.outgoing(1).length > 0) {
      // A message that cannot be sent now is sent by the next alarm.
      await this.env.DELIVERY_QUEUE.send({ v: 1, ledger: name }).catch(() => undefined);
    }
    await this.#arm();
  }

  #begin(request: { meter: MeterName; id: string; amount: number } & At): store.HoldingRow | null {
    const { meter, id, amount } = request;
    assertAmount(amount);
    if (!(meter in meters)) throw new RangeError("no such meter");
    if (id.length === 0 || id.length > maxIdLength) throw new RangeError("an id has 1 to 200 characters");
    this.#expire(request.nowMs ?? Date.now());
    return store.findHolding(this.#sql, meter, id);
  }

  #apply(request: HoldRequest, before: Holding | null, after: store.HoldingRow): HoldOutcome {
    const { meter, limit } = request;
    const now = this.#totalsOf(meter);
    const then = totalsWith(now, before, after);
    if (!fits(now, then, limit)) return { ok: false, reason: "over-quota", limit, ...now };
    store.putHolding(this.#sql, meter, after);
    this.#totals.set(meter, then);
    return this.#accepted(meter, limit);
  }

  #accepted(meter: MeterName, limit: number | null): HoldOutcome {
    return { ok: true, limit, ...this.#totalsOf(meter) };
  }

  #adopt(meter: MeterName, listed: { id: string; amount: number }, nowMs: number): "added" | "corrected" | null {
    assertAmount(listed.amount);
    const known = store.findHolding(this.#sql, meter, listed.id);
    if (known?.state === "settled" && known.amount === listed.amount) return null;
    const settledAtMs = known?.settledAtMs ?? nowMs;
    store.putHolding(this.#sql, meter, {
      ...listed,
      state: "settled",
      expiresAtMs: null,
      settledAtMs,
    });
    return known ? "corrected" : "added";
  }

  /** Kept in memory and summed up from the rows after the object was away. */
  #totalsOf(meter: MeterName): Totals {
    const known = this.#totals.get(meter);
    if (known) return known;
    const totals = store.sumTotals(this.#sql, meter);
    this.#totals.set(meter, totals);
    return totals;
  }

  #expire(nowMs: number): void {
    if (this.#firstExpiryMs === null || nowMs < this.#firstExpiryMs) return;
    store.deleteExpired(this.#sql, nowMs);
    this.#firstExpiryMs = store.firstExpiryMs(this.#sql);
    this.#totals.clear();
  }

  async #expireAt(expiresAtMs: number): Promise<void> {
    this.#firstExpiryMs = Math.min(this.#firstExpiryMs ?? expiresAtMs, expiresAtMs);
    await this.#arm();
  }

  /** Sets the alarm for whatever is due first, unless it rings earlier anyway. */
  async #arm(): Promise<void> {
    const due = [this.#firstExpiryMs, this.#metering.nextDueMs()].filter((at) => at !== null);
    if (due.length === 0) return;
    const atMs = Math.min(...due);
    if (this.#alarmMs === undefined) this.#alarmMs = await this.ctx.storage.getAlarm();
    if (this.#alarmMs !== null && this.#alarmMs !== undefined && this.#alarmMs <= atMs) return;
    this.#alarmMs = atMs;
    await this.ctx.storage.setAlarm(atMs);
  }
}
