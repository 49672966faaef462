/** When a mailed code may be sent again and when a guess counts. Pure; the same for known and unknown addresses. */

const dayMs = 86_400_000;
/** Wrong guesses after which a code is over. */
export const maxTries = 5;

export interface CodeRecord {
  /** Keyed hash of the living code; null: there is none. */
  hash: string | null;
  expiresAtMs: number;
  tries: number;
  /** What the code is for beyond its purpose, such as the new address of a change. */
  detail: string | null;
  /** The day (since 1970, UTC) that `sends` counts. */
  day: number;
  sends: number;
  lastSentAtMs: number;
}

export interface CodeLimits {
  sendsPerDay: number;
  coolDownMs: number;
}

export type IssueOutcome = { ok: true } | { ok: false; reason: "cool-down" | "day-limit"; retryAtMs: number };
/** `wasSent`: there is a code that the guess was about, living or ended. For the trail alone: no answer may depend on it. */
export type GuessOutcome = { ok: true; detail: string | null } | { ok: false; wasSent: boolean };

export const noCode: CodeRecord = {
  hash: null,
  expiresAtMs: 0,
  tries: 0,
  detail: null,
  day: 0,
  sends: 0,
  lastSentAtMs: Number.NEGATIVE_INFINITY,
};

/** Wrong guesses of somebody else may not make the owner wait for the pause: only the day's number bounds them then. */
export function mayIssue(record: CodeRecord, limits: CodeLimits, nowMs: number): IssueOutcome {
  const today = Math.floor(nowMs / dayMs);
  if (record.day === today && record.sends >= limits.sendsPerDay)
    return { ok: false, reason: "day-limit", retryAtMs: (today + 1) * dayMs };
  if (record.hash !== null && record.tries >= maxTries) return { ok: true };
  const retryAtMs = record.lastSentAtMs + limits.coolDownMs;
  return nowMs < retryAtMs ? { ok: false, reason: "cool-down", retryAtMs } : { ok: true };
}

/** The new code ends the old one and its tries; the sends of the day go on counting. */
export function issued(
  record: CodeRecord,
  code: { hash: string; expiresAtMs: number; detail: string | null },
  nowMs: number,
): CodeRecord {
  const day = Math.floor(nowMs / dayMs);
  return { ...code, tries: 0, day, sends: record.day === day ? record.sends + 1 : 1, lastSentAtMs: nowMs };
}

export function isLiving(record: CodeRecord, nowMs: number): boolean {
  return record.hash !== null && record.tries < maxTries && nowMs < record.expiresAtMs;
}

/** Who used a code did not send it in vain: it counts neither for the day nor for the pause. */
export function used(record: CodeRecord): CodeRecord {
  return { ...noCode, day: record.day, sends: Math.max(0, record.sends - 1) };
}

/** From when on nothing of it counts. */
export function codeEndsAtMs(record: CodeRecord): number {
  return Math.max(record.expiresAtMs, (record.day + 1) * dayMs);
}
