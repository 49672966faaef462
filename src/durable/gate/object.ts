/**
 * Lets at most so many calls of one provider run at a time for one workspace. A place is a lease that lapses by itself, because an isolate that dies
 * gives nothing back; who finds no place is told when to come back, and is let in before those who came later. No call is held open, and all of it
 * lies in storage: an object that is removed in mid-call forgets nobody.
 */
import { DurableObject } from "cloudflare:workers";
import { averageMs, firstGuessMs, longestLeaseMs, mostPlaces, mostWaiters, waiterGraceMs, waitMs } from "./rules.ts";

export interface Entry {
  /** Who holds the place; the same holder again has the same place, for longer. */
  holder: string;
  /** Places there are, 1 to 100. The newest request decides. */
  most: number;
  /** After so long the place is free again, at most 15 minutes. */
  leaseMs: number;
  nowMs?: number;
}

export type Entered = { ok: true; lapsesInMs: number } | { ok: false; retryAfterMs: number };

type Row = Record<string, SqlStorageValue>;

export class Gate extends DurableObject {
  #callMs = firstGuessMs;
  #hasTables: boolean;

  constructor(ctx: DurableObjectState, env: Cloudflare.Env) {
    super(ctx, env);
    const { sql } = ctx.storage;
    this.#hasTables = sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'places'").toArray().length > 0;
  }

  /** Throws `RangeError` for senseless numbers. `nowMs` is for tests, here and below. */
  async enter({ holder, most, leaseMs, nowMs = Date.now() }: Entry): Promise<Entered> {
    assertWithin(most, mostPlaces);
    assertWithin(leaseMs, longestLeaseMs);
    this.#makeTables();
    this.#forgetLapsed(nowMs);
    const { sql } = this.ctx.storage;
    const isInside = this.#count("SELECT COUNT(*) AS n FROM places WHERE holder = ?", holder) > 0;
    const free = most - this.#count("SELECT COUNT(*) AS n FROM places");
    const since = sql.exec<{ since_ms: number }>("SELECT since_ms FROM waiters WHERE holder = ?", holder).toArray()[0];
    const sinceMs = since?.since_ms ?? nowMs;
    const ahead = this.#count("SELECT COUNT(*) AS n FROM waiters WHERE holder <> ? AND since_ms <= ?", holder, sinceMs);
    if (!isInside && free <= ahead)
      return this.#queue({ holder, sinceMs, nowMs, most, ahead: ahead - Math.max(free, 0) });
    sql.exec("DELETE FROM waiters WHERE holder = ?", holder);
    sql.exec(
      `INSERT INTO places (holder, entered_at_ms, lapses_at_ms) VALUES (?, ?, ?)
       ON CONFLICT (holder) DO UPDATE SET lapses_at_ms = excluded.lapses_at_ms`,
      holder,
      nowMs,
      nowMs + leaseMs,
    );
    await this.#wakeAt(nowMs + leaseMs);
    return { ok: true, lapsesInMs: leaseMs };
  }

  /** Gives the place back, or the one in the queue. False: it had lapsed, or there was none. */
  leave({ holder, nowMs = Date.now() }: { holder: string; nowMs?: number }): boolean {
    if (!this.#hasTables) return false;
    const { sql } = this.ctx.storage;
    sql.exec("DELETE FROM waiters WHERE holder = ?", holder);
    const left = sql
      .exec<{
        entered_at_ms: number;
        lapses_at_ms: number;
      }>("DELETE FROM places WHERE holder = ? RETURNING entered_at_ms, lapses_at_ms", holder)
      .toArray()[0];
    if (!left) return false;
    this.#callMs = averageMs(this.#callMs, Math.max(nowMs - left.entered_at_ms, 0));
    return left.lapses_at_ms > nowMs;
  }

  /** When nobody is left, the storage too, and the object ceases to exist. `nowMs` is for tests: the platform passes something else, or nothing. */
  override async alarm(about?: AlarmInvocationInfo & { nowMs?: number }): Promise<void> {
    if (this.#hasTables) {
      this.#forgetLapsed(about?.nowMs ?? Date.now());
      const last = this.ctx.storage.sql
        .exec<{ at_ms: number | null }>(
          "SELECT MAX(at_ms) AS at_ms FROM (SELECT lapses_at_ms AS at_ms FROM places UNION ALL SELECT due_at_ms FROM waiters)",
        )
        .one().at_ms;
      if (last !== null) return this.ctx.storage.setAlarm(last + waiterGraceMs);
    }
    this.#hasTables = false;
    await this.ctx.storage.deleteAll();
  }

  async #queue(waiter: {
    holder: string;
    sinceMs: number;
    nowMs: number;
    most: number;
    ahead: number;
  }): Promise<Entered> {
    const { holder, sinceMs, nowMs, most, ahead } = waiter;
    const retryAfterMs = waitMs({ ahead, most, callMs: this.#callMs });
    if (this.#count("SELECT COUNT(*) AS n FROM waiters") < mostWaiters || sinceMs < nowMs) {
      this.ctx.storage.sql.exec(
        `INSERT INTO waiters (holder, since_ms, due_at_ms) VALUES (?, ?, ?)
         ON CONFLICT (holder) DO UPDATE SET due_at_ms = excluded.due_at_ms`,
        holder,
        sinceMs,
        nowMs + retryAfterMs,
      );
      await this.#wakeAt(nowMs + retryAfterMs + waiterGraceMs);
    }
    return { ok: false, retryAfterMs };
  }

  #makeTables(): void {
    if (this.#hasTables) return;
    const { sql } = this.ctx.storage;
    sql.exec(`CREATE TABLE places (
      holder TEXT PRIMARY KEY, entered_at_ms INTEGER NOT NULL, lapses_at_ms INTEGER NOT NULL) WITHOUT ROWID`);
    sql.exec(`CREATE TABLE waiters (
      holder TEXT PRIMARY KEY, since_ms INTEGER NOT NULL, due_at_ms INTEGER NOT NULL) WITHOUT ROWID`);
    this.#hasTables = true;
  }

  #forgetLapsed(nowMs: number): void {
    const { sql } = this.ctx.storage;
    sql.exec("DELETE FROM places WHERE lapses_at_ms <= ?", nowMs);
    sql.exec("DELETE FROM waiters WHERE due_at_ms + ? <= ?", waiterGraceMs, nowMs);
  }

  async #wakeAt(atMs: number): Promise<void> {
    if ((await this.ctx.storage.getAlarm()) === null) await this.ctx.storage.setAlarm(atMs);
  }

  #count(query: string, ...values: (string | number)[]): number {
    return Number(this.ctx.storage.sql.exec<Row>(query, ...values).one()["n"]);
  }
}

function assertWithin(value: number, most: number): void {
  if (!Number.isSafeInteger(value) || value < 1 || value > most)
    throw new RangeError(`not a whole number from 1 to ${most}`);
}
