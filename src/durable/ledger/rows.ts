/** The holdings of one workspace in SQL and the statements on them; no decisions. */
import type { Holding, MeterName, Totals } from "./rules.ts";

export interface HoldingRow extends Holding {
  id: string;
  /** Of a reservation; null once settled. */
  expiresAtMs: number | null;
  settledAtMs: number | null;
}

/** The ids after `afterId` up to and including `throughId`, in byte order; null: no bound on that side. */
export interface IdRange {
  afterId: string | null;
  throughId: string | null;
}

const columns = "id, state, amount, expires_at AS expiresAtMs, settled_at AS settledAtMs";

export function createTables(sql: SqlStorage): void {
  sql.exec(`CREATE TABLE IF NOT EXISTS holdings (
    meter TEXT NOT NULL, id TEXT NOT NULL, state TEXT NOT NULL, amount INTEGER NOT NULL, expires_at INTEGER, settled_at INTEGER,
    PRIMARY KEY (meter, id)) WITHOUT ROWID`);
  sql.exec("CREATE INDEX IF NOT EXISTS holdings_by_expiry ON holdings (expires_at) WHERE expires_at IS NOT NULL");
}

export function sumTotals(sql: SqlStorage, meter: MeterName): Totals {
  const row = sql
    .exec<{ used: number; reserved: number }>(
      `SELECT COALESCE(SUM(CASE WHEN state = 'settled' THEN amount END), 0) AS used,
         COALESCE(SUM(CASE WHEN state = 'reserved' THEN amount END), 0) AS reserved FROM holdings WHERE meter = ?`,
      meter,
    )
    .one();
  return { used: row.used, reserved: row.reserved };
}

export function findHolding(sql: SqlStorage, meter: MeterName, id: string): HoldingRow | null {
  return rows(sql.exec(`SELECT ${columns} FROM holdings WHERE meter = ? AND id = ?`, meter, id))[0] ?? null;
}

export function putHolding(sql: SqlStorage, meter: MeterName, holding: HoldingRow): void {
  sql.exec(
    "INSERT OR REPLACE INTO holdings (meter, id, state, amount, expires_at, settled_at) VALUES (?, ?, ?, ?, ?, ?)",
    meter,
    holding.id,
    holding.state,
    holding.amount,
    holding.expiresAtMs,
    holding.settledAtMs,
  );
}

export function deleteHolding(sql: SqlStorage, meter: MeterName, id: string): void {
  sql.exec("DELETE FROM holdings WHERE meter = ? AND id = ?", meter, id);
}

/** null: no reservation is open. */
export function firstExpiryMs(sql: SqlStorage): number | null {
  return (
    sql.exec<{ atMs: number | null }>("SELECT MIN(expires_at) AS atMs FROM holdings WHERE expires_at IS NOT NULL").one()
      .atMs ?? null
  );
}

export function deleteExpired(sql: SqlStorage, nowMs: number): void {
  sql.exec("DELETE FROM holdings WHERE expires_at IS NOT NULL AND expires_at <= ?", nowMs);
}

/** Settled holdings of a range of ids that were settled before a moment. At most `limit`, in order of id. */
export function settledBefore(
  sql: SqlStorage,
  meter: MeterName,
  within: IdRange & { beforeMs: number; limit: number },
): HoldingRow[] {
  return rows(
    sql.exec(
      `SELECT ${columns} FROM holdings WHERE meter = ?1 AND state = 'settled' AND settled_at < ?2
         AND id > ?3 AND (?4 IS NULL OR id <= ?4) ORDER BY id LIMIT ?5`,
      meter,
      within.beforeMs,
      within.afterId ?? "",
      within.throughId,
      within.limit,
    ),
  );
}

/** The cursor's type wants an index signature, which an interface has not. */
function rows(cursor: Iterable<Record<string, SqlStorageValue>>): HoldingRow[] {
  return [...cursor] as unknown as HoldingRow[];
}
