/** The tables of one user's session store and the statements on them; no decisions. Tokens are here as SHA-256 only. */
import type { Deadlines, Lifetimes, SessionEndReason, SessionKind } from "./rules.ts";
import { maxActiveSessions, maxEndedSessions, maxRetiredTokens } from "./rules.ts";

export type TokenKind = "session" | "refresh";

export interface SessionRow {
  id: string;
  kind: SessionKind;
  createdAtMs: number;
  lastSeenAtMs: number;
  expiresAtMs: number;
  absoluteExpiresAtMs: number;
  ttlSeconds: number | null;
  refreshTtlSeconds: number | null;
  ip: string;
  userAgent: string;
  conversionCount: number;
  sealedApiKey: string | null;
  revokedAtMs: number | null;
  revokedReason: SessionEndReason | null;
}

export interface TokenRow {
  sessionId: string;
  kind: TokenKind;
  expiresAtMs: number;
  retiredAtMs: number | null;
}

export interface NewSession {
  id: string;
  kind: SessionKind;
  ip: string;
  userAgent: string;
  deviceHash: string | null;
  sealedApiKey: string | null;
  lifetimes: Lifetimes;
  deadlines: Deadlines;
  nowMs: number;
}

const sessionColumns = `id, kind, created_at AS createdAtMs, last_seen_at AS lastSeenAtMs, expires_at AS expiresAtMs,
  absolute_expires_at AS absoluteExpiresAtMs, ttl_seconds AS ttlSeconds, refresh_ttl_seconds AS refreshTtlSeconds, ip,
  user_agent AS userAgent, conversion_count AS conversionCount, sealed_api_key AS sealedApiKey, revoked_at AS revokedAtMs,
  revoked_reason AS revokedReason`;

/** The cursor's type wants an index signature, which an interface has not. */
function rows<T>(cursor: Iterable<Record<string, SqlStorageValue>>): T[] {
  return [...cursor] as unknown as T[];
}

export function hasTable(sql: SqlStorage, name: string): boolean {
  return sql.exec("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", name).toArray().length > 0;
}

export function createSessionTables(sql: SqlStorage): void {
  sql.exec(`CREATE TABLE IF NOT EXISTS sessions (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, created_at INTEGER NOT NULL, last_seen_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL, absolute_expires_at INTEGER NOT NULL, ttl_seconds INTEGER, refresh_ttl_seconds INTEGER,
    ip TEXT NOT NULL, user_agent TEXT NOT NULL, device_hash TEXT, conversion_count INTEGER NOT NULL DEFAULT 0,
    sealed_api_key TEXT, revoked_at INTEGER, revoked_reason TEXT) WITHOUT ROWID`);
  sql.exec(`CREATE TABLE IF NOT EXISTS tokens (
    hash TEXT PRIMARY KEY, session_id TEXT NOT NULL, kind TEXT NOT NULL, expires_at INTEGER NOT NULL,
    retired_at INTEGER) WITHOUT ROWID`);
  sql.exec("CREATE INDEX IF NOT EXISTS tokens_by_session ON tokens (session_id, kind, retired_at)");
  sql.exec("CREATE TABLE IF NOT EXISTS secrets (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID");
}

export function insertSession(sql: SqlStorage, session: NewSession): void {
  const { lifetimes, deadlines } = session;
  deleteSession(sql, session.id);
  sql.exec(
    `INSERT INTO sessions (id, kind, created_at, last_seen_at, expires_at, absolute_expires_at, ttl_seconds, refresh_ttl_seconds,
       ip, user_agent, device_hash, sealed_api_key) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    session.id,
    session.kind,
    session.nowMs,
    session.nowMs,
    deadlines.expiresAtMs,
    deadlines.absoluteExpiresAtMs,
    lifetimes.ttlSeconds,
    lifetimes.refreshTtlSeconds,
    session.ip,
    session.userAgent,
    session.deviceHash,
    session.sealedApiKey,
  );
}

export function findSession(sql: SqlStorage, sessionId: string): SessionRow | null {
  return rows<SessionRow>(sql.exec(`SELECT ${sessionColumns} FROM sessions WHERE id = ?`, sessionId))[0] ?? null;
}

/** Newest use first. */
export function activeSessions(sql: SqlStorage, nowMs: number): SessionRow[] {
  return rows<SessionRow>(
    sql.exec(
      `SELECT ${sessionColumns} FROM sessions WHERE revoked_at IS NULL AND expires_at > ?
       ORDER BY last_seen_at DESC, id DESC LIMIT ${maxActiveSessions}`,
      nowMs,
    ),
  );
}

/** The sessions beyond the allowed number, oldest sign-ins first to go. */
export function surplusSessionIds(sql: SqlStorage, nowMs: number): string[] {
  return rows<{ id: string }>(
    sql.exec(
      `SELECT id FROM sessions WHERE revoked_at IS NULL AND expires_at > ?
       ORDER BY created_at DESC, id DESC LIMIT ${maxActiveSessions} OFFSET ${maxActiveSessions}`,
      nowMs,
    ),
  ).map((row) => row.id);
}

export function touchSession(sql: SqlStorage, sessionId: string, times: { nowMs: number; expiresAtMs: number }): void {
  sql.exec(
    "UPDATE sessions SET last_seen_at = ?, expires_at = ? WHERE id = ?",
    times.nowMs,
    times.expiresAtMs,
    sessionId,
  );
}

export function setSealedApiKey(sql: SqlStorage, sessionId: string, sealedApiKey: string): void {
  sql.exec("UPDATE sessions SET sealed_api_key = ? WHERE id = ?", sealedApiKey, sessionId);
}

export function addConversion(sql: SqlStorage, sessionId: string): void {
  sql.exec("UPDATE sessions SET conversion_count = conversion_count + 1 WHERE id = ?", sessionId);
}

/** The attached key goes with the session: whoever reads the storage later finds nothing to open. */
export function endSession(sql: SqlStorage, sessionId: string, end: { reason: SessionEndReason; nowMs: number }): void {
  sql.exec(
    "UPDATE sessions SET revoked_at = ?, revoked_reason = ?, sealed_api_key = NULL WHERE id = ? AND revoked_at IS NULL",
    end.nowMs,
    end.reason,
    sessionId,
  );
}

/** Devices whose session was taken away (reuse, password change, staff) are strangers again. */
export function isKnownDevice(sql: SqlStorage, deviceHash: string): boolean {
  const found = sql.exec(
    `SELECT 1 FROM sessions WHERE device_hash = ? AND (revoked_at IS NULL OR revoked_reason IN ('signed-out', 'session-limit'))
     LIMIT 1`,
    deviceHash,
  );
  return found.toArray().length > 0;
}

/** A device that was here before: by what it keeps or, for clients that keep nothing, by its network address and program together. */
export function isRecognised(
  sql: SqlStorage,
  device: { deviceHash: string | null; ip: string; userAgent: string },
): boolean {
  if (device.deviceHash !== null && isKnownDevice(sql, device.deviceHash)) return true;
  const found = sql.exec("SELECT 1 FROM sessions WHERE ip = ? AND user_agent = ? LIMIT 1", device.ip, device.userAgent);
  return found.toArray().length > 0;
}

function deleteSession(sql: SqlStorage, sessionId: string): void {
  sql.exec("DELETE FROM tokens WHERE session_id = ?", sessionId);
  sql.exec("DELETE FROM sessions WHERE id = ?", sessionId);
}

export function deleteSurplusEndedSessions(sql: SqlStorage): void {
  const surplus = rows<{ id: string }>(
    sql.exec(
      `SELECT id FROM sessions WHERE revoked_at IS NOT NULL ORDER BY revoked_at DESC, id DESC LIMIT 100 OFFSET ${maxEndedSessions}`,
    ),
  );
  for (const { id } of surplus) deleteSession(sql, id);
}

export function deleteExpired(sql: SqlStorage, nowMs: number): void {
  sql.exec("DELETE FROM tokens WHERE session_id IN (SELECT id FROM sessions WHERE expires_at <= ?)", nowMs);
  sql.exec("DELETE FROM sessions WHERE expires_at <= ?", nowMs);
  // Exchanged refresh tokens stay until their session ends: a replay must still be recognised.
  sql.exec("DELETE FROM tokens WHERE kind = 'session' AND expires_at <= ?", nowMs);
}

/** null: there are no sessions at all. */
export function firstExpiryMs(sql: SqlStorage): number | null {
  return rows<{ atMs: number | null }>(sql.exec("SELECT MIN(expires_at) AS atMs FROM sessions"))[0]?.atMs ?? null;
}

export function insertToken(sql: SqlStorage, token: { hash: string } & Omit<TokenRow, "retiredAtMs">): void {
  sql.exec(
    "INSERT INTO tokens (hash, session_id, kind, expires_at) VALUES (?, ?, ?, ?)",
    token.hash,
    token.sessionId,
    token.kind,
    token.expiresAtMs,
  );
}

export function findToken(sql: SqlStorage, hash: string): TokenRow | null {
  const found = sql.exec(
    `SELECT session_id AS sessionId, kind, expires_at AS expiresAtMs, retired_at AS retiredAtMs FROM tokens WHERE hash = ?`,
    hash,
  );
  return rows<TokenRow>(found)[0] ?? null;
}

export function extendToken(sql: SqlStorage, hash: string, expiresAtMs: number): void {
  sql.exec("UPDATE tokens SET expires_at = ? WHERE hash = ?", expiresAtMs, hash);
}

/** Marks the refresh token as exchanged and forgets the oldest exchanged ones beyond the bound. */
export function retireRefreshToken(sql: SqlStorage, hash: string, at: { sessionId: string; nowMs: number }): void {
  sql.exec("UPDATE tokens SET retired_at = ? WHERE hash = ?", at.nowMs, hash);
  sql.exec(
    `DELETE FROM tokens WHERE hash IN (SELECT hash FROM tokens WHERE session_id = ? AND kind = 'refresh'
       AND retired_at IS NOT NULL ORDER BY retired_at DESC LIMIT 100 OFFSET ${maxRetiredTokens})`,
    at.sessionId,
  );
}

/** Requests under way with the old session token still pass; then only the new one does. */
export function retireSessionTokens(sql: SqlStorage, sessionId: string, lastUseMs: number): void {
  sql.exec(
    "UPDATE tokens SET expires_at = MIN(expires_at, ?) WHERE session_id = ? AND kind = 'session'",
    lastUseMs,
    sessionId,
  );
}

export function readSecret(sql: SqlStorage, name: string): Uint8Array | null {
  const found = rows<{ value: ArrayBuffer }>(sql.exec("SELECT value FROM secrets WHERE name = ?", name))[0];
  return found ? new Uint8Array(found.value) : null;
}

export function writeSecret(sql: SqlStorage, name: string, value: Uint8Array): void {
  sql.exec("INSERT INTO secrets (name, value) VALUES (?, ?)", name, value);
}
