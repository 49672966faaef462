/** How the rest of the Worker opens, checks, renews and ends sessions, and counts failed sign-ins. Callers never see object names. */
import { objectNamed, type Placement } from "../stub.ts";
import {
  createSessionCache,
  forget,
  forgetAll,
  maxCacheAgeMs,
  recall,
  remember,
  type SessionCache,
  type SessionName,
} from "./cache.ts";
import type { GuessOutcome, IssueOutcome } from "./code-rules.ts";
import type { IssueRequest } from "./code-rows.ts";
import type { SessionStore } from "./object.ts";
import type { InactiveReason, SessionEndReason } from "./rules.ts";
import type { LockoutState, OpenRequest, SessionCheck, SessionSummary } from "./shapes.ts";
import { formatSessionToken } from "./token.ts";

export { absoluteTtlSeconds as absoluteSessionSeconds, type SessionEndReason as SessionEnd } from "./rules.ts";

type Store = DurableObjectNamespace<SessionStore>;

export interface SessionOptions extends Placement {
  /** The cache to use instead of this isolate's own. */
  cache?: SessionCache;
}

export interface CheckOptions extends SessionOptions {
  nowMs: number;
  /** How old a remembered answer may be, at most 10 s (the default); 0 asks the object. */
  maxAgeMs?: number;
  /** Where a renewal behind the answer may run. Without it, answers are used until they are too old. */
  waitUntil?: (work: Promise<unknown>) => void;
}

/** Times in milliseconds; tokens are null where the kind of session has none. */
export interface OpenedSession {
  sessionId: string;
  token: string | null;
  tokenExpiresAtMs: number | null;
  refreshToken: string | null;
  refreshExpiresAtMs: number | null;
  expiresAtMs: number;
  /** Sessions that had to go because the user had 100 already. */
  endedSessionIds: string[];
  /** The device, or its address and program together, had a session before. */
  isRecognised: boolean;
}

export type RefreshedSession =
  | {
      ok: true;
      /** false: a parallel refresh came first, and these are its tokens. */
      rotated: boolean;
      refreshToken: string;
      refreshExpiresAtMs: number;
      token: string | null;
      tokenExpiresAtMs: number | null;
    }
  | { ok: false; reason: InactiveReason | "reused" };

const isolateCache = createSessionCache();

/** Throws `RangeError` for lifetimes that do not fit the kind, `TypeError` for ids of another form. */
export async function openSession(
  sessions: Store,
  request: { userId: string } & OpenRequest,
  options: SessionOptions = {},
): Promise<OpenedSession> {
  const { userId, ...rest } = request;
  const { sessionId } = request;
  const opened = await objectNamed(sessions, userId, options).open(rest);
  for (const ended of opened.endedSessionIds) forgetSession(ended, options);
  const { tokenSecret, refreshSecret } = opened;
  return {
    sessionId,
    token: tokenSecret && formatSessionToken({ kind: "session", userId, sessionId, secret: tokenSecret }),
    tokenExpiresAtMs: opened.tokenExpiresAtMs,
    refreshToken: refreshSecret && formatSessionToken({ kind: "refresh", userId, sessionId, secret: refreshSecret }),
    refreshExpiresAtMs: opened.refreshExpiresAtMs,
    expiresAtMs: opened.expiresAtMs,
    endedSessionIds: opened.endedSessionIds,
    isRecognised: opened.isRecognised,
  };
}

/** For a session named by an access token whose signature the caller has verified. */
export async function checkSession(
  sessions: Store,
  request: { userId: string; sessionId: string },
  options: CheckOptions,
): Promise<SessionCheck> {
  const { userId, sessionId } = request;
  return await check(sessions, { userId, sessionId }, options);
}

/** For a parsed opaque token: judges its secret, too. */
export async function checkOpaqueSession(
  sessions: Store,
  request: { userId: string; sessionId: string; secret: string },
  options: CheckOptions,
): Promise<SessionCheck> {
  return await check(sessions, request, options);
}

/** Drops a session from this isolate's memory at once. */
export function forgetSession(sessionId: string, options: SessionOptions = {}): void {
  forget(options.cache ?? isolateCache, sessionId);
}

/** Drops all sessions from this isolate's memory and tells how many there were. */
export function forgetSessions(): number {
  return forgetAll(isolateCache);
}

/** Exchanges a parsed refresh token. `reused`: the token was replayed and the whole session has been ended. */
export async function refreshSession(
  sessions: Store,
  request: { userId: string; sessionId: string; secret: string; nowMs?: number },
  options: SessionOptions = {},
): Promise<RefreshedSession> {
  const { userId, ...rest } = request;
  const { sessionId } = request;
  const outcome = await objectNamed(sessions, userId, options).refresh(rest);
  if (!outcome.ok) {
    if (outcome.reason === "reused") forgetSession(sessionId, options);
    return outcome;
  }
  const { tokenSecret, refreshSecret } = outcome;
  return {
    ok: true,
    rotated: outcome.rotated,
    refreshToken: formatSessionToken({ kind: "refresh", userId, sessionId, secret: refreshSecret }),
    refreshExpiresAtMs: outcome.refreshExpiresAtMs,
    token: tokenSecret && formatSessionToken({ kind: "session", userId, sessionId, secret: tokenSecret }),
    tokenExpiresAtMs: outcome.tokenExpiresAtMs,
  };
}

/** Ends one session; false when it was not active. */
export async function revokeSession(
  sessions: Store,
  request: { userId: string; sessionId: string; reason: SessionEndReason; nowMs?: number },
  options: SessionOptions = {},
): Promise<boolean> {
  const { userId, ...rest } = request;
  const { revoked } = await objectNamed(sessions, userId, options).revoke(rest);
  forgetSession(request.sessionId, options);
  return revoked;
}

/** Ends all of a user's sessions, except one if given; returns the ids of those it ended. */
export async function revokeAllSessions(
  sessions: Store,
  request: { userId: string; exceptSessionId?: string; reason: SessionEndReason; nowMs?: number },
  options: SessionOptions = {},
): Promise<string[]> {
  const { userId, ...rest } = request;
  const { sessionIds } = await objectNamed(sessions, userId, options).revokeAll(rest);
  for (const sessionId of sessionIds) forgetSession(sessionId, options);
  return sessionIds;
}

/** The active sessions, last used first, at most 100. */
export async function listSessions(
  sessions: Store,
  request: { userId: string; nowMs?: number },
  options: Placement = {},
): Promise<SessionSummary[]> {
  const { userId, ...rest } = request;
  return await objectNamed(sessions, userId, options).list(rest);
}

export async function countConversion(
  sessions: Store,
  request: { userId: string; sessionId: string },
  options: Placement = {},
): Promise<void> {
  await objectNamed(sessions, request.userId, options).countConversion({
    sessionId: request.sessionId,
  });
}

/** The encrypted key given at `openSession`; null when there is none or the session is over. */
export async function readSealedApiKey(
  sessions: Store,
  request: { userId: string; sessionId: string; nowMs?: number },
  options: Placement = {},
): Promise<string | null> {
  const { userId, ...rest } = request;
  return await objectNamed(sessions, userId, options).sealedApiKey(rest);
}

/** Gives a living session its encrypted key and returns the one that it has now; null: the session is over. */
export async function attachApiKey(
  sessions: Store,
  request: { userId: string; sessionId: string; sealedApiKey: string; nowMs?: number },
  options: Placement = {},
): Promise<string | null> {
  const { userId, ...rest } = request;
  return await objectNamed(sessions, userId, options).attachApiKey(rest);
}

/** `name`: a keyed hash of purpose and person or address, whether or not anyone has it, so that both act alike. */
export async function issueCode(
  sessions: Store,
  request: { name: string } & IssueRequest,
  options: Placement = {},
): Promise<IssueOutcome> {
  const { name, ...rest } = request;
  return await objectNamed(sessions, `code:${name}`, options).issueCode(rest);
}

/** At most five guesses of one code are compared, however many come at once; a right one uses the code up. */
export async function guessCode(
  sessions: Store,
  request: { name: string; hash: string; nowMs?: number },
  options: Placement = {},
): Promise<GuessOutcome> {
  const { name, ...rest } = request;
  return await objectNamed(sessions, `code:${name}`, options).guessCode(rest);
}

/** True for a device that signed in before and was not shut out. */
export async function knowsDevice(
  sessions: Store,
  request: { userId: string; deviceId: string },
  options: Placement = {},
): Promise<boolean> {
  return await objectNamed(sessions, request.userId, options).knowsDevice({
    deviceId: request.deviceId,
  });
}

/** `addressHash`: a keyed hash of the normalised e-mail address, whether or not anyone has it, so that both act alike. */
export interface LockoutName {
  addressHash: string;
  nowMs?: number;
}

/** Failures that count now, and until when password sign-in is locked. */
export async function signInState(sessions: Store, name: LockoutName, options: Placement = {}): Promise<LockoutState> {
  return await lockObject(sessions, name, options).signInState(timeOf(name));
}

/** Counts a failure. Where guesses can come in parallel, use `beginSignIn` instead. */
export async function signInFailed(sessions: Store, name: LockoutName, options: Placement = {}): Promise<LockoutState> {
  return await lockObject(sessions, name, options).signInFailed(timeOf(name));
}

/**
 * Asks and counts in one step: at most five passwords are compared in an hour, however many arrive at once. Afterwards call
 * `signInSucceeded`, or `signInAbandoned` when no password was compared (hasher busy), or nothing when it was wrong.
 */
export async function beginSignIn(
  sessions: Store,
  name: LockoutName,
  options: Placement = {},
): Promise<LockoutState & { allowed: boolean }> {
  return await lockObject(sessions, name, options).beginSignIn(timeOf(name));
}

export async function signInAbandoned(
  sessions: Store,
  name: LockoutName,
  options: Placement = {},
): Promise<LockoutState> {
  return await lockObject(sessions, name, options).signInAbandoned(timeOf(name));
}

/** Clears the failures and the lock. */
export async function signInSucceeded(sessions: Store, name: LockoutName, options: Placement = {}): Promise<void> {
  await lockObject(sessions, name, options).signInSucceeded();
}

async function check(sessions: Store, request: SessionName, options: CheckOptions): Promise<SessionCheck> {
  const { nowMs, maxAgeMs = maxCacheAgeMs, cache = isolateCache } = options;
  const known = recall(cache, request, { nowMs, maxAgeMs });
  if (!known) return await ask(sessions, request, options);
  // A failed renewal leaves the answer to grow too old; then the request itself asks and sees the error.
  if (known.renew) options.waitUntil?.(ask(sessions, request, options).catch(() => undefined));
  return known.check;
}

async function ask(sessions: Store, request: SessionName, options: CheckOptions): Promise<SessionCheck> {
  const { nowMs, cache = isolateCache } = options;
  const { generation } = cache;
  const object = objectNamed(sessions, request.userId, options);
  const { sessionId, secret } = request;
  const answer =
    secret === undefined
      ? await object.check({ sessionId, nowMs })
      : await object.checkOpaque({ sessionId, secret, nowMs });
  remember(cache, request, { check: answer, askedAtMs: nowMs, generation });
  return answer;
}

function lockObject(sessions: Store, name: LockoutName, options: Placement): DurableObjectStub<SessionStore> {
  return objectNamed(sessions, `lock:${name.addressHash}`, options);
}

function timeOf(name: LockoutName): { nowMs?: number } {
  return name.nowMs === undefined ? {} : { nowMs: name.nowMs };
}
