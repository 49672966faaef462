/** Keeps the one mailed code of a store, and judges guesses at it. It never sees a code, only keyed hashes. */
import { timingSafeEqual } from "node:crypto";
import {
  codeEndsAtMs,
  type CodeLimits,
  type CodeRecord,
  type GuessOutcome,
  isLiving,
  issued,
  type IssueOutcome,
  mayIssue,
  noCode,
  used,
} from "./code-rules.ts";

export interface IssueRequest {
  hash: string;
  expiresAtMs: number;
  detail?: string | null;
  limits: CodeLimits;
  nowMs?: number;
}

export function createCodeTable(sql: SqlStorage): void {
  sql.exec(`CREATE TABLE IF NOT EXISTS code (
    id INTEGER PRIMARY KEY CHECK (id = 1), record TEXT NOT NULL, ends_at INTEGER NOT NULL)`);
}

function read(sql: SqlStorage): CodeRecord {
  const row = sql.exec<{ record: string }>("SELECT record FROM code WHERE id = 1").toArray()[0];
  return row ? (JSON.parse(row.record) as CodeRecord) : noCode;
}

function write(sql: SqlStorage, record: CodeRecord): void {
  // JSON has no infinity: who never sent may send at once.
  const kept = { ...record, lastSentAtMs: Math.max(0, record.lastSentAtMs) };
  sql.exec(
    "INSERT OR REPLACE INTO code (id, record, ends_at) VALUES (1, ?, ?)",
    JSON.stringify(kept),
    codeEndsAtMs(record),
  );
}

export function issueCode(sql: SqlStorage, request: IssueRequest, nowMs: number): IssueOutcome {
  const record = read(sql);
  const outcome = mayIssue(record, request.limits, nowMs);
  if (!outcome.ok) return outcome;
  const { hash, expiresAtMs, detail = null } = request;
  write(sql, issued(record, { hash, expiresAtMs, detail }, nowMs));
  return outcome;
}

/** Calls run one after the other and this one never waits, so at most five guesses of a code are compared, however many arrive. */
export function guessCode(sql: SqlStorage, hash: string, nowMs: number): GuessOutcome {
  const record = read(sql);
  if (record.hash === null || !isLiving(record, nowMs)) return { ok: false, wasSent: record.hash !== null };
  if (!isSame(record.hash, hash)) {
    write(sql, { ...record, tries: record.tries + 1 });
    return { ok: false, wasSent: true };
  }
  write(sql, used(record));
  return { ok: true, detail: record.detail };
}

function isSame(one: string, other: string): boolean {
  const [left, right] = [Buffer.from(one), Buffer.from(other)];
  return left.length === right.length && timingSafeEqual(left, right);
}

export function deleteEndedCode(sql: SqlStorage, nowMs: number): void {
  sql.exec("DELETE FROM code WHERE ends_at <= ?", nowMs);
}

/** null: there is no record. */
export function codeExpiryMs(sql: SqlStorage): number | null {
  return sql.exec<{ endsAtMs: number }>("SELECT ends_at AS endsAtMs FROM code").toArray()[0]?.endsAtMs ?? null;
}
