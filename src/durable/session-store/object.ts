/**
 * One user's sessions, or (under a `lock:` name) the sign-in failures of one address, or (under a `code:` name) one mailed code.
 * Everything here survives eviction. An object that is only asked about, as with a forged token, writes nothing and so leaves nothing
 * behind.
 */
import { DurableObject } from "cloudflare:workers";
import type { GuessOutcome, IssueOutcome } from "./code-rules.ts";
import * as codes from "./code-rows.ts";
import * as lockouts from "./lockout-rows.ts";
import { currentLockout, noLockout, withFailure, withoutNewestFailure, type Lockout } from "./lockout-rules.ts";
import * as store from "./rows.ts";
import {
  absoluteTtlSeconds,
  firstDeadlines,
  graceMs,
  inactiveReason,
  isTouchDue,
  renewedDeadlines,
  type Deadlines,
  type Lifetimes,
  type SessionEndReason,
} from "./rules.ts";
import { hashOf, newSecret, successorKey, successorsOf } from "./secrets.ts";
import type { At, LockoutState, Opened, OpenRequest, Refreshed, SessionCheck, SessionSummary } from "./shapes.ts";

const minSweepDelayMs = 3_600_000;
const maxTextLength = 512;
const maxSealedLength = 4_096;

export class SessionStore extends DurableObject {
  #hasSessions: boolean;
  #hasLockout: boolean;
  #hasCode: boolean;
  #successorKey: Uint8Array | null = null;

  constructor(ctx: DurableObjectState, env: Cloudflare.Env) {
    super(ctx, env);
    this.#hasSessions = store.hasTable(this.#sql, "sessions");
    this.#hasLockout = store.hasTable(this.#sql, "lockout");
    this.#hasCode = store.hasTable(this.#sql, "code");
  }

  get #sql(): SqlStorage {
    return this.ctx.storage.sql;
  }

  /** Opening an id again replaces it, so that a repeated call is harmless. Throws for lifetimes that do not fit the kind. */
  async open(request: OpenRequest): Promise<Opened> {
    const nowMs = request.nowMs ?? Date.now();
    const lifetimes = lifetimesOf(request);
    const deadlines = firstDeadlines(lifetimes, nowMs);
    const tokenSecret = deadlines.tokenExpiresAtMs === null ? null : newSecret();
    const refreshSecret = deadlines.refreshExpiresAtMs === null ? null : newSecret();
    this.#createSessionTables();
    const deviceHash = request.deviceId ? hashOf(request.deviceId) : null;
    const isRecognised = store.isRecognised(this.#sql, { deviceHash, ip: request.ip, userAgent: request.userAgent });
    const endedSessionIds = this.ctx.storage.transactionSync(() => {
      store.insertSession(this.#sql, {
        id: request.sessionId,
        kind: request.kind,
        ip: request.ip.slice(0, maxTextLength),
        userAgent: request.userAgent.slice(0, maxTextLength),
        deviceHash,
        sealedApiKey: request.sealedApiKey ?? null,
        lifetimes,
        deadlines,
        nowMs,
      });
      this.#insertTokens(request.sessionId, { tokenSecret, refreshSecret, deadlines });
      const surplus = store.surplusSessionIds(this.#sql, nowMs);
      for (const id of surplus) store.endSession(this.#sql, id, { reason: "session-limit", nowMs });
      store.deleteSurplusEndedSessions(this.#sql);
      return surplus;
    });
    await this.#sweepAt(deadlines.expiresAtMs);
    const { expiresAtMs, tokenExpiresAtMs, refreshExpiresAtMs } = deadlines;
    return {
      expiresAtMs,
      tokenSecret,
      tokenExpiresAtMs,
      refreshSecret,
      refreshExpiresAtMs,
      endedSessionIds,
      isRecognised,
    };
  }

  /** For access tokens, whose signature the caller has verified. */
  check(request: { sessionId: string } & At): SessionCheck {
    const nowMs = request.nowMs ?? Date.now();
    const session = this.#find(request.sessionId);
    const reason = inactiveReason(session, nowMs);
    if (!session || reason) return { active: false, reason: reason ?? "unknown" };
    if (isTouchDue(session.lastSeenAtMs, nowMs)) {
      store.touchSession(this.#sql, session.id, { nowMs, expiresAtMs: session.expiresAtMs });
    }
    return activeCheck(session, session.expiresAtMs);
  }

  /** For opaque session tokens; a token without a refresh token beside it lives on with use, up to the session's absolute end. */
  checkOpaque(request: { sessionId: string; secret: string } & At): SessionCheck {
    const nowMs = request.nowMs ?? Date.now();
    const session = this.#find(request.sessionId);
    const hash = hashOf(request.secret);
    const token = session && this.#findToken(hash, { sessionId: session.id, kind: "session" });
    // A wrong secret must not learn whether the session exists or how it ended.
    if (!session || !token) return { active: false, reason: "unknown" };
    const reason = inactiveReason(session, nowMs);
    if (reason) return { active: false, reason };
    if (nowMs >= token.expiresAtMs) return { active: false, reason: "expired" };
    if (!isTouchDue(session.lastSeenAtMs, nowMs)) return activeCheck(session, token.expiresAtMs);
    return activeCheck(session, this.#slide(session, { hash, expiresAtMs: token.expiresAtMs, nowMs }));
  }

  /**
   * Exchanges a refresh token. Calls run one after the other, so parallel ones see the first one's exchange and get its successor.
   * A token exchanged longer ago than the grace time was stolen or its successor was: the whole session ends.
   */
  refresh(request: { sessionId: string; secret: string } & At): Refreshed {
    const nowMs = request.nowMs ?? Date.now();
    const session = this.#find(request.sessionId);
    const hash = hashOf(request.secret);
    const token = session && this.#findToken(hash, { sessionId: session.id, kind: "refresh" });
    if (!session || !token) return { ok: false, reason: "unknown" };
    const reason = inactiveReason(session, nowMs);
    if (reason) return { ok: false, reason };
    if (token.retiredAtMs !== null && nowMs - token.retiredAtMs > graceMs) {
      store.endSession(this.#sql, session.id, { reason: "reused", nowMs });
      return { ok: false, reason: "reused" };
    }
    if (token.retiredAtMs !== null) return this.#sameSuccessor(session, request.secret);
    if (nowMs >= token.expiresAtMs) return { ok: false, reason: "expired" };
    return this.#rotate(session, { secret: request.secret, hash, nowMs });
  }

  /** `revoked` is false when there was no active session of that id. */
  revoke(request: { sessionId: string; reason: SessionEndReason } & At): { revoked: boolean } {
    const nowMs = request.nowMs ?? Date.now();
    if (inactiveReason(this.#find(request.sessionId), nowMs)) return { revoked: false };
    store.endSession(this.#sql, request.sessionId, { reason: request.reason, nowMs });
    return { revoked: true };
  }

  /** Ends every active session, except one if given, and names them. */
  revokeAll(request: { exceptSessionId?: string; reason: SessionEndReason } & At): {
    sessionIds: string[];
  } {
    const nowMs = request.nowMs ?? Date.now();
    const ending = this.#active(nowMs).filter((session) => session.id !== request.exceptSessionId);
    this.ctx.storage.transactionSync(() => {
      for (const session of ending) store.endSession(this.#sql, session.id, { reason: request.reason, nowMs });
    });
    return { sessionIds: ending.map((session) => session.id) };
  }

  /** The active sessions, last used first; at most 100, which is also the most a user can have. */
  list(request: At = {}): SessionSummary[] {
    return this.#active(request.nowMs ?? Date.now()).map((session) => ({
      sessionId: session.id,
      kind: session.kind,
      createdAtMs: session.createdAtMs,
      lastSeenAtMs: session.lastSeenAtMs,
      expiresAtMs: session.expiresAtMs,
      ip: session.ip,
      userAgent: session.userAgent,
      conversionCount: session.conversionCount,
    }));
  }

  countConversion(request: { sessionId: string }): void {
    if (this.#hasSessions) store.addConversion(this.#sql, request.sessionId);
  }

  /** The encrypted key given at `open`; null when there is none or the session is over. */
  sealedApiKey(request: { sessionId: string } & At): string | null {
    const session = this.#find(request.sessionId);
    return session && !inactiveReason(session, request.nowMs ?? Date.now()) ? session.sealedApiKey : null;
  }

  /** Gives a living session its key; the one that it has already stays and is returned. */
  attachApiKey(request: { sessionId: string; sealedApiKey: string } & At): string | null {
    const session = this.#find(request.sessionId);
    if (!session || inactiveReason(session, request.nowMs ?? Date.now())) return null;
    if (request.sealedApiKey.length > maxSealedLength) throw new RangeError("the sealed key is too long");
    if (session.sealedApiKey === null) store.setSealedApiKey(this.#sql, session.id, request.sealedApiKey);
    return session.sealedApiKey ?? request.sealedApiKey;
  }

  /** True for a device that signed in before and was not shut out; such a device may sign in through a lockout. */
  knowsDevice(request: { deviceId: string }): boolean {
    return this.#hasSessions && store.isKnownDevice(this.#sql, hashOf(request.deviceId));
  }

  signInState(request: At = {}): LockoutState {
    return stateOf(this.#lockout(request.nowMs ?? Date.now()));
  }

  async signInFailed(request: At = {}): Promise<LockoutState> {
    const nowMs = request.nowMs ?? Date.now();
    return await this.#writeLockout(withFailure(this.#lockout(nowMs), nowMs));
  }

  /**
   * Counts the attempt as a failure before the password is looked at. Asking first and counting afterwards would let a burst of
   * parallel guesses through before the first of them has failed. Follow with `signInSucceeded` or, if nothing was compared,
   * `signInAbandoned`; never with `signInFailed`.
   */
  async beginSignIn(request: At = {}): Promise<LockoutState & { allowed: boolean }> {
    const nowMs = request.nowMs ?? Date.now();
    const current = this.#lockout(nowMs);
    if (current.lockedUntilMs !== null) return { ...stateOf(current), allowed: false };
    return { ...(await this.#writeLockout(withFailure(current, nowMs))), allowed: true };
  }

  async signInAbandoned(request: At = {}): Promise<LockoutState> {
    if (!this.#hasLockout) return stateOf(noLockout);
    const nowMs = request.nowMs ?? Date.now();
    return await this.#writeLockout(withoutNewestFailure(this.#lockout(nowMs), nowMs));
  }

  signInSucceeded(): void {
    if (this.#hasLockout) lockouts.writeLockout(this.#sql, noLockout);
  }

  /** Puts a mailed code in place of the one before, within the limits on sending. */
  async issueCode(request: codes.IssueRequest): Promise<IssueOutcome> {
    if (!this.#hasCode) codes.createCodeTable(this.#sql);
    this.#hasCode = true;
    const outcome = codes.issueCode(this.#sql, request, request.nowMs ?? Date.now());
    const endsAtMs = codes.codeExpiryMs(this.#sql);
    if (endsAtMs !== null) await this.#sweepAt(endsAtMs);
    return outcome;
  }

  /** A right guess uses the code up; the fifth wrong one ends it. */
  guessCode(request: { hash: string } & At): GuessOutcome {
    if (!this.#hasCode) return { ok: false, wasSent: false };
    return codes.guessCode(this.#sql, request.hash, request.nowMs ?? Date.now());
  }

  override async alarm(): Promise<void> {
    await this.sweep();
  }

  /** Deletes what is over; when nothing is left, the storage too, and the object ceases to exist. */
  async sweep(request: At = {}): Promise<void> {
    const nowMs = request.nowMs ?? Date.now();
    if (this.#hasSessions) store.deleteExpired(this.#sql, nowMs);
    if (this.#hasLockout) lockouts.deleteEndedLockout(this.#sql, nowMs);
    if (this.#hasCode) codes.deleteEndedCode(this.#sql, nowMs);
    const nextMs = this.#firstExpiryMs();
    if (nextMs !== null) {
      await this.ctx.storage.setAlarm(Math.max(nextMs, nowMs + minSweepDelayMs));
      return;
    }
    this.#hasSessions = false;
    this.#hasLockout = false;
    this.#hasCode = false;
    this.#successorKey = null;
    await this.ctx.storage.deleteAll();
  }

  #createSessionTables(): void {
    if (this.#hasSessions) return;
    store.createSessionTables(this.#sql);
    this.#hasSessions = true;
  }

  #find(sessionId: string): store.SessionRow | null {
    return this.#hasSessions ? store.findSession(this.#sql, sessionId) : null;
  }

  #findToken(hash: string, owner: { sessionId: string; kind: store.TokenKind }): store.TokenRow | null {
    const token = store.findToken(this.#sql, hash);
    return token?.sessionId === owner.sessionId && token.kind === owner.kind ? token : null;
  }

  #active(nowMs: number): store.SessionRow[] {
    return this.#hasSessions ? store.activeSessions(this.#sql, nowMs) : [];
  }

  #insertTokens(
    sessionId: string,
    tokens: { tokenSecret: string | null; refreshSecret: string | null; deadlines: Deadlines },
  ): void {
    const { tokenSecret, refreshSecret, deadlines } = tokens;
    const insert = (kind: store.TokenKind, secret: string | null, expiresAtMs: number | null) => {
      if (secret === null || expiresAtMs === null) return;
      store.insertToken(this.#sql, { hash: hashOf(secret), sessionId, kind, expiresAtMs });
    };
    insert("session", tokenSecret, deadlines.tokenExpiresAtMs);
    insert("refresh", refreshSecret, deadlines.refreshExpiresAtMs);
  }

  #slide(session: store.SessionRow, token: { hash: string; expiresAtMs: number; nowMs: number }): number {
    const { hash, nowMs } = token;
    if (session.refreshTtlSeconds !== null) {
      store.touchSession(this.#sql, session.id, { nowMs, expiresAtMs: session.expiresAtMs });
      return token.expiresAtMs;
    }
    const { absoluteExpiresAtMs } = session;
    const { expiresAtMs } = renewedDeadlines(session, { nowMs, absoluteExpiresAtMs });
    this.ctx.storage.transactionSync(() => {
      store.extendToken(this.#sql, hash, expiresAtMs);
      store.touchSession(this.#sql, session.id, { nowMs, expiresAtMs });
    });
    return expiresAtMs;
  }

  #rotate(session: store.SessionRow, token: { secret: string; hash: string; nowMs: number }): Refreshed {
    const { secret, hash, nowMs } = token;
    const { absoluteExpiresAtMs } = session;
    const deadlines = renewedDeadlines(session, { nowMs, absoluteExpiresAtMs });
    const successors = this.#successors(session, secret);
    this.ctx.storage.transactionSync(() => {
      store.retireRefreshToken(this.#sql, hash, { sessionId: session.id, nowMs });
      store.retireSessionTokens(this.#sql, session.id, nowMs + graceMs);
      this.#insertTokens(session.id, { ...successors, deadlines });
      store.touchSession(this.#sql, session.id, { nowMs, expiresAtMs: deadlines.expiresAtMs });
    });
    return { ...this.#sameSuccessor(session, secret), rotated: true };
  }

  #sameSuccessor(session: store.SessionRow, secret: string): Extract<Refreshed, { ok: true }> {
    const { tokenSecret, refreshSecret } = this.#successors(session, secret);
    const expiryOf = (successor: string) => store.findToken(this.#sql, hashOf(successor))?.expiresAtMs;
    return {
      ok: true,
      rotated: false,
      refreshSecret,
      refreshExpiresAtMs: expiryOf(refreshSecret) ?? session.expiresAtMs,
      tokenSecret,
      tokenExpiresAtMs: tokenSecret === null ? null : (expiryOf(tokenSecret) ?? session.expiresAtMs),
    };
  }

  #successors(session: store.SessionRow, secret: string): { tokenSecret: string | null; refreshSecret: string } {
    this.#successorKey ??= successorKey(this.#sql);
    return successorsOf(secret, session, this.#successorKey);
  }

  #lockout(nowMs: number): Lockout {
    return this.#hasLockout ? currentLockout(lockouts.readLockout(this.#sql), nowMs) : noLockout;
  }

  async #writeLockout(lockout: Lockout): Promise<LockoutState> {
    if (!this.#hasLockout) lockouts.createLockoutTable(this.#sql);
    this.#hasLockout = true;
    lockouts.writeLockout(this.#sql, lockout);
    const endsAtMs = lockouts.lockoutExpiryMs(this.#sql);
    if (endsAtMs !== null) await this.#sweepAt(endsAtMs);
    return stateOf(lockout);
  }

  #firstExpiryMs(): number | null {
    const expiries = [
      this.#hasSessions ? store.firstExpiryMs(this.#sql) : null,
      this.#hasLockout ? lockouts.lockoutExpiryMs(this.#sql) : null,
      this.#hasCode ? codes.codeExpiryMs(this.#sql) : null,
    ].filter((atMs) => atMs !== null);
    return expiries.length === 0 ? null : Math.min(...expiries);
  }

  /** Only brings the alarm forward; a sweep that comes early sets the next one itself. */
  async #sweepAt(atMs: number): Promise<void> {
    const setForMs = await this.ctx.storage.getAlarm();
    if (setForMs === null || setForMs > atMs) await this.ctx.storage.setAlarm(atMs);
  }
}

/** Throws `RangeError` for what the caller must not send. */
function lifetimesOf(request: OpenRequest): Lifetimes {
  const ttlSeconds = request.ttlSeconds ?? null;
  const refreshTtlSeconds = request.refreshTtlSeconds ?? null;
  if (request.kind === "opaque" && ttlSeconds === null) throw new RangeError("an opaque session needs ttlSeconds");
  if (request.kind === "access-refresh" && (refreshTtlSeconds === null || ttlSeconds !== null)) {
    throw new RangeError("an access-refresh session needs refreshTtlSeconds only");
  }
  if ((request.sealedApiKey?.length ?? 0) > maxSealedLength) throw new RangeError("the sealed key is too long");
  return {
    ttlSeconds,
    refreshTtlSeconds,
    absoluteTtlSeconds: request.absoluteTtlSeconds ?? absoluteTtlSeconds,
  };
}

function activeCheck(session: store.SessionRow, expiresAtMs: number): SessionCheck {
  const { kind, createdAtMs, lastSeenAtMs } = session;
  return { active: true, kind, createdAtMs, lastSeenAtMs, expiresAtMs };
}

function stateOf(lockout: Lockout): LockoutState {
  return { failures: lockout.failuresAtMs.length, lockedUntilMs: lockout.lockedUntilMs };
}
