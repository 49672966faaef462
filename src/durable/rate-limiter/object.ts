/**
 * Counts the named limits of one principal. What it leases out in a window never passes the quota, whatever isolates do with it.
 *
 * Both kinds of window survive eviction. Windows over a minute are written with every lease. Shorter ones are written at most two
 * seconds after a lease, behind the answer: a write in front of it would hold back each answer until the disk has confirmed.
 * Memory alone would not do even for a minute: the platform may remove an object that was idle for 10 s, and a caller who pauses
 * so long would start with a full quota. The waiting timer keeps the object in memory until the write. What remains is a crash
 * or a deployment within those two seconds, which forgets what was leased in them.
 */
import { DurableObject } from "cloudflare:workers";
import type { Limit } from "#core/limits";
import { openSlots } from "./slots.ts";
import { grantSize, isOpen, leaseMs, windowAt, type Window } from "./rules.ts";

export interface LeaseRequest {
  limit: Limit;
  /** What the request in hand costs; it is granted whole or not at all. */
  want: number;
  /** Left over from the isolate's last lease, and the window it was for; ignored when that window is over. */
  unused: number;
  windowStartMs: number | null;
  /** Grant no block on top: another request of the same isolate is fetching one. */
  exact: boolean;
}

/** Spans, not moments: the isolate's clock and this object's may differ. */
export interface LeaseGrant {
  granted: number;
  /** Left in the window for everyone. */
  remaining: number;
  windowStartMs: number;
  resetInMs: number;
  validForMs: number;
}

const longWindowMs = 60_000;
const saveDelayMs = 2_000;
/** More names than any principal has limits; ended windows are dropped beyond it. */
const manyWindows = 32;
const maxLeases = 16;

export class RateLimiter extends DurableObject {
  readonly #windows = new Map<string, Window>();
  readonly #unsaved = new Set<string>();
  readonly #slots = openSlots();
  #hasTable: boolean;
  #isSaveSet = false;

  constructor(ctx: DurableObjectState, env: Cloudflare.Env) {
    super(ctx, env);
    const { sql } = ctx.storage;
    this.#hasTable = sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'windows'").toArray().length > 0;
    if (!this.#hasTable) return;
    const rows = sql.exec<{ name: string } & Record<"start_ms" | "window_ms" | "used", number>>(
      "SELECT * FROM windows",
    );
    for (const row of rows) {
      this.#windows.set(row.name, {
        startMs: row.start_ms,
        windowMs: row.window_ms,
        used: row.used,
      });
    }
  }

  /** Answers in the order of the requests. Throws `RangeError` for senseless numbers. `nowMs` is for tests. */
  async lease(request: { leases: LeaseRequest[]; nowMs?: number }): Promise<LeaseGrant[]> {
    const nowMs = request.nowMs ?? Date.now();
    if (request.leases.length > maxLeases) throw new RangeError("too many limits in one request");
    const grants = request.leases.map((lease) => this.#grant(lease, nowMs));
    if (this.#windows.size > manyWindows) this.#dropEnded(nowMs);
    if (request.leases.some(({ limit }) => limit.windowSeconds * 1_000 > longWindowMs)) await this.save();
    else if (this.#unsaved.size > 0 && !this.#isSaveSet) this.#saveSoon();
    return grants;
  }

  /** Writes what memory has and the disk has not. The timer calls it; calling it more often is harmless. */
  /** A place among the requests that the principal may have under way; false: all are taken. Give it back by `leave`. */
  enter(request: { id: string; most: number; nowMs: number }): boolean {
    return this.#slots.enter(request);
  }

  leave(id: string): void {
    this.#slots.leave(id);
  }

  async save(): Promise<void> {
    if (this.#unsaved.size === 0) return;
    const { sql } = this.ctx.storage;
    if (!this.#hasTable) {
      sql.exec(`CREATE TABLE windows (
        name TEXT PRIMARY KEY, start_ms INTEGER NOT NULL, window_ms INTEGER NOT NULL, used INTEGER NOT NULL) WITHOUT ROWID`);
      this.#hasTable = true;
    }
    let lastEndMs = 0;
    for (const name of this.#unsaved) {
      const window = this.#windows.get(name);
      if (!window) continue;
      const { startMs, windowMs, used } = window;
      sql.exec(
        "INSERT OR REPLACE INTO windows (name, start_ms, window_ms, used) VALUES (?, ?, ?, ?)",
        name,
        startMs,
        windowMs,
        used,
      );
      lastEndMs = Math.max(lastEndMs, startMs + windowMs);
    }
    this.#unsaved.clear();
    if ((await this.ctx.storage.getAlarm()) === null) await this.ctx.storage.setAlarm(lastEndMs);
  }

  /** Forgets windows that are over; when none is left, the storage too, and the object ceases to exist. */
  override async alarm(): Promise<void> {
    const nowMs = Date.now();
    this.#dropEnded(nowMs);
    const ends = [...this.#windows.values()].map((window) => window.startMs + window.windowMs);
    if (ends.length > 0) {
      if (this.#hasTable) this.ctx.storage.sql.exec("DELETE FROM windows WHERE start_ms + window_ms <= ?", nowMs);
      await this.ctx.storage.setAlarm(Math.max(...ends));
      return;
    }
    this.#hasTable = false;
    await this.ctx.storage.deleteAll();
  }

  #grant(lease: LeaseRequest, nowMs: number): LeaseGrant {
    const { limit, want, unused, exact } = lease;
    assertCount(limit.quota, 0);
    assertCount(want, 1);
    assertCount(unused, 0);
    if (!(limit.windowSeconds > 0)) throw new RangeError("a window must be longer than nothing");
    const window = windowAt(this.#windows.get(limit.name), limit, nowMs);
    const returned = lease.windowStartMs === window.startMs ? Math.min(unused, window.used) : 0;
    window.used -= returned;
    const granted = grantSize({
      quota: limit.quota,
      remaining: limit.quota - window.used,
      want,
      exact,
    });
    window.used += granted;
    this.#windows.set(limit.name, window);
    if (granted > 0 || returned > 0) this.#unsaved.add(limit.name);
    const resetInMs = window.startMs + window.windowMs - nowMs;
    return {
      granted,
      remaining: Math.max(limit.quota - window.used, 0),
      windowStartMs: window.startMs,
      resetInMs,
      validForMs: Math.min(leaseMs, resetInMs),
    };
  }

  #saveSoon(): void {
    this.#isSaveSet = true;
    setTimeout(() => {
      this.#isSaveSet = false;
      this.ctx.waitUntil(this.save());
    }, saveDelayMs);
  }

  #dropEnded(nowMs: number): void {
    for (const [name, window] of this.#windows) {
      if (isOpen(window, nowMs)) continue;
      this.#windows.delete(name);
      this.#unsaved.delete(name);
    }
  }
}

function assertCount(value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) throw new RangeError("not a count");
}
