/** Keeps the one lockout record of a store. The record outlives eviction: a lock that sleep forgets is no lock. */
import { lockoutEndsAtMs, noLockout, type Lockout } from "./lockout-rules.ts";

export function createLockoutTable(sql: SqlStorage): void {
  sql.exec(`CREATE TABLE IF NOT EXISTS lockout (
    id INTEGER PRIMARY KEY CHECK (id = 1), failures TEXT NOT NULL, locked_until INTEGER, ends_at INTEGER NOT NULL)`);
}

export function readLockout(sql: SqlStorage): Lockout {
  const row = sql
    .exec<{ failures: string; lockedUntilMs: number | null }>(
      "SELECT failures, locked_until AS lockedUntilMs FROM lockout WHERE id = 1",
    )
    .toArray()[0];
  if (!row) return noLockout;
  return { failuresAtMs: JSON.parse(row.failures) as number[], lockedUntilMs: row.lockedUntilMs };
}

export function writeLockout(sql: SqlStorage, lockout: Lockout): void {
  const endsAtMs = lockoutEndsAtMs(lockout);
  if (endsAtMs === null) {
    sql.exec("DELETE FROM lockout");
    return;
  }
  sql.exec(
    "INSERT OR REPLACE INTO lockout (id, failures, locked_until, ends_at) VALUES (1, ?, ?, ?)",
    JSON.stringify(lockout.failuresAtMs),
    lockout.lockedUntilMs,
    endsAtMs,
  );
}

export function deleteEndedLockout(sql: SqlStorage, nowMs: number): void {
  sql.exec("DELETE FROM lockout WHERE ends_at <= ?", nowMs);
}

/** null: there is no record. */
export function lockoutExpiryMs(sql: SqlStorage): number | null {
  return sql.exec<{ endsAtMs: number }>("SELECT ends_at AS endsAtMs FROM lockout").toArray()[0]?.endsAtMs ?? null;
}
