/** The metering of one workspace on disk and the statements on it; no decisions. Kept in one transaction with what it tells the database. */
import type { Book, Counter, Lease, LeaseState } from "./book.ts";
import { emptyBook } from "./book.ts";
import type { MeteredName, Outgoing, QuotaNotice, ScopeKind, UsageEvent, UsesEvent } from "./meters.ts";

export function createTables(sql: SqlStorage): void {
  sql.exec(`CREATE TABLE IF NOT EXISTS meter_counters (
    key TEXT PRIMARY KEY, meter TEXT NOT NULL, scope TEXT NOT NULL, scope_id TEXT NOT NULL, start_ms INTEGER NOT NULL, end_ms INTEGER,
    used INTEGER NOT NULL, quota INTEGER, mark INTEGER NOT NULL, noticed INTEGER NOT NULL) WITHOUT ROWID`);
  sql.exec(`CREATE TABLE IF NOT EXISTS meter_leases (
    id TEXT PRIMARY KEY, state TEXT NOT NULL, at_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, detail TEXT NOT NULL) WITHOUT ROWID`);
  sql.exec("CREATE INDEX IF NOT EXISTS meter_leases_open ON meter_leases (expires_ms) WHERE state = 'open'");
  sql.exec("CREATE TABLE IF NOT EXISTS meter_bonus (meter TEXT PRIMARY KEY, amount INTEGER NOT NULL) WITHOUT ROWID");
  sql.exec(`CREATE TABLE IF NOT EXISTS meter_outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, item TEXT NOT NULL)`);
  sql.exec("CREATE TABLE IF NOT EXISTS meter_facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID");
}

interface CounterRow extends Record<string, SqlStorageValue> {
  key: string;
  meter: string;
  scope: string;
  scope_id: string;
  start_ms: number;
  end_ms: number | null;
  used: number;
  quota: number | null;
  mark: number;
  noticed: number;
}

interface LeaseRow extends Record<string, SqlStorageValue> {
  id: string;
  state: string;
  at_ms: number;
  expires_ms: number;
  detail: string;
}

/** Counters with the reservations that the disk knows of; what was promised beyond them is for marks.ts. */
export function loadBook(sql: SqlStorage): Book {
  const book = emptyBook();
  const anchor = readFact(sql, "anchor");
  book.anchorMs = anchor === null || anchor === "" ? null : Number(anchor);
  for (const row of sql.exec<CounterRow>("SELECT * FROM meter_counters")) book.counters.set(row.key, toCounter(row));
  for (const row of sql.exec<LeaseRow>("SELECT * FROM meter_leases WHERE state = 'open'")) {
    const lease = toLease(row);
    book.open.set(lease.id, lease);
    for (const part of lease.parts) {
      for (const key of part.counters) {
        const counter = book.counters.get(key);
        if (counter) counter.reserved += part.amount;
      }
    }
  }
  for (const row of sql.exec<{ meter: string; amount: number }>("SELECT * FROM meter_bonus"))
    book.bonus.set(row.meter as MeteredName, row.amount);
  return book;
}

function toCounter(row: CounterRow): Counter {
  return {
    key: row.key,
    meter: row.meter as MeteredName,
    scope: row.scope as ScopeKind,
    scopeId: row.scope_id,
    startMs: row.start_ms,
    endMs: row.end_ms,
    used: row.used,
    reserved: 0,
    limit: row.quota,
    mark: row.mark,
    noticed: row.noticed,
  };
}

function toLease(row: LeaseRow): Lease {
  const detail = JSON.parse(row.detail) as Pick<Lease, "whenExpired" | "scopes" | "parts">;
  return { ...detail, id: row.id, state: row.state as LeaseState, atMs: row.at_ms, expiresAtMs: row.expires_ms };
}

export function findLease(sql: SqlStorage, id: string): Lease | null {
  const [row] = sql.exec<LeaseRow>("SELECT * FROM meter_leases WHERE id = ?", id).toArray();
  return row ? toLease(row) : null;
}

/** Writes everything that the disk has not, and puts what the database has to learn into the outbox. Call it within a transaction. */
export function writeChanges(sql: SqlStorage, book: Book): void {
  for (const key of book.changed.counters) {
    const counter = book.counters.get(key);
    if (counter) writeCounter(sql, counter);
  }
  for (const lease of book.changed.leases.values()) writeLease(sql, lease);
  for (const meter of book.changed.bonus) {
    sql.exec("INSERT OR REPLACE INTO meter_bonus (meter, amount) VALUES (?, ?)", meter, book.bonus.get(meter) ?? 0);
  }
  for (const event of book.events) send(sql, event.id, { kind: "event", event });
  for (const event of book.uses) send(sql, event.id, { kind: "uses", event });
  for (const notice of book.notices) {
    send(sql, `${notice.meter}|${notice.startMs}|${notice.level}`, { kind: "notice", notice });
  }
}

function writeCounter(sql: SqlStorage, counter: Counter): void {
  sql.exec(
    "INSERT OR REPLACE INTO meter_counters VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    counter.key,
    counter.meter,
    counter.scope,
    counter.scopeId,
    counter.startMs,
    counter.endMs,
    counter.used,
    counter.limit,
    counter.mark,
    counter.noticed,
  );
}

function writeLease(sql: SqlStorage, lease: Lease): void {
  const { id, state, atMs, expiresAtMs, whenExpired, scopes, parts } = lease;
  const detail = JSON.stringify({ whenExpired, scopes, parts });
  sql.exec("INSERT OR REPLACE INTO meter_leases VALUES (?, ?, ?, ?, ?)", id, state, atMs, expiresAtMs, detail);
}

type Item =
  | { kind: "event"; event: UsageEvent }
  | { kind: "uses"; event: UsesEvent }
  | { kind: "notice"; notice: QuotaNotice };

function send(sql: SqlStorage, id: string, item: Item): void {
  sql.exec("INSERT OR IGNORE INTO meter_outbox (id, item) VALUES (?, ?)", id, JSON.stringify(item));
}

export function readOutbox(sql: SqlStorage, limit: number): Outgoing[] {
  const rows = sql.exec<{ seq: number; item: string }>(
    "SELECT seq, item FROM meter_outbox ORDER BY seq LIMIT ?",
    limit,
  );
  return [...rows].map(({ seq, item }) => ({ seq, ...(JSON.parse(item) as Item) }));
}

export function hasOutgoing(sql: SqlStorage): boolean {
  return sql.exec("SELECT 1 FROM meter_outbox LIMIT 1").toArray().length > 0;
}

export function deleteOutgoing(sql: SqlStorage, throughSeq: number): void {
  sql.exec("DELETE FROM meter_outbox WHERE seq <= ?", throughSeq);
}

export function readFact(sql: SqlStorage, name: string): string | null {
  return sql.exec<{ value: string }>("SELECT value FROM meter_facts WHERE name = ?", name).toArray()[0]?.value ?? null;
}

export function writeFact(sql: SqlStorage, name: string, value: string): void {
  sql.exec("INSERT OR REPLACE INTO meter_facts (name, value) VALUES (?, ?)", name, value);
}

/** Forgets ended reservations and counters of periods long over. Nobody settles, repeats or shows them any more. */
export function forgetOld(sql: SqlStorage, before: { leasesMs: number; countersMs: number }): void {
  sql.exec("DELETE FROM meter_leases WHERE state <> 'open' AND at_ms < ?", before.leasesMs);
  sql.exec("DELETE FROM meter_counters WHERE end_ms IS NOT NULL AND end_ms < ?", before.countersMs);
}
