/** The pure decisions about sessions: how long they last, when they count as ended. No storage and no clock. */

/** `access-refresh`: signed access tokens, renewed with a refresh token. `opaque`: a session token, with or without a refresh token. */
export type SessionKind = "access-refresh" | "opaque";

export type SessionEndReason =
  | "signed-out"
  | "signed-out-everywhere"
  | "password-changed"
  | "account-closed"
  | "ended-by-staff"
  | "session-limit"
  | "reused";

export type InactiveReason = "unknown" | "revoked" | "expired";

/** How long parallel refreshes and lost answers may still present a token that was already exchanged. */
export const graceMs = 30_000;
export const absoluteTtlSeconds = 30 * 86_400;
export const maxActiveSessions = 100;
/** Ended sessions stay listed as ended until they would have expired, but never more than this many. */
export const maxEndedSessions = 200;
/** A refresh every half hour for 30 days makes 1,440. Older ones are refused as unknown instead of as reused. */
export const maxRetiredTokens = 2_000;
/** A session that is used all the time writes once a minute, not once a request. */
const touchIntervalMs = 60_000;

export interface Lifetimes {
  ttlSeconds: number | null;
  refreshTtlSeconds: number | null;
  absoluteTtlSeconds: number;
}

export interface Deadlines {
  /** When the session as a whole is over: nothing can renew it any more. */
  expiresAtMs: number;
  tokenExpiresAtMs: number | null;
  refreshExpiresAtMs: number | null;
  absoluteExpiresAtMs: number;
}

export interface SessionTimes {
  expiresAtMs: number;
  revokedAtMs: number | null;
}

/** Throws `RangeError` for a lifetime that is not a positive number, and for a session that could never be used. */
export function firstDeadlines(lifetimes: Lifetimes, nowMs: number): Deadlines {
  const absoluteExpiresAtMs = nowMs + positiveMs(lifetimes.absoluteTtlSeconds);
  return renewedDeadlines(lifetimes, { nowMs, absoluteExpiresAtMs });
}

/** The deadlines of new tokens; never past the absolute end of the session. */
export function renewedDeadlines(
  lifetimes: Pick<Lifetimes, "ttlSeconds" | "refreshTtlSeconds">,
  at: { nowMs: number; absoluteExpiresAtMs: number },
): Deadlines {
  const deadline = (ttlSeconds: number | null) =>
    ttlSeconds === null ? null : Math.min(at.nowMs + positiveMs(ttlSeconds), at.absoluteExpiresAtMs);
  const tokenExpiresAtMs = deadline(lifetimes.ttlSeconds);
  const refreshExpiresAtMs = deadline(lifetimes.refreshTtlSeconds);
  if (tokenExpiresAtMs === null && refreshExpiresAtMs === null) throw new RangeError("a session needs a token");
  return {
    expiresAtMs: Math.max(tokenExpiresAtMs ?? 0, refreshExpiresAtMs ?? 0),
    tokenExpiresAtMs,
    refreshExpiresAtMs,
    absoluteExpiresAtMs: at.absoluteExpiresAtMs,
  };
}

/** null: the session is active. */
export function inactiveReason(session: SessionTimes | null, nowMs: number): InactiveReason | null {
  if (!session) return "unknown";
  if (session.revokedAtMs !== null) return "revoked";
  return nowMs < session.expiresAtMs ? null : "expired";
}

export function isTouchDue(lastSeenAtMs: number, nowMs: number): boolean {
  return nowMs - lastSeenAtMs >= touchIntervalMs;
}

function positiveMs(seconds: number): number {
  if (!(seconds > 0) || !Number.isFinite(seconds)) throw new RangeError("a lifetime must be positive");
  return seconds * 1_000;
}
