/** Opening, renewing, listing and ending sessions. Tokens of all three kinds are sessions in the person's own object. */
import { type GlobalRole, staffSession } from "#core/access";
import { auditEntry } from "#core/audit";
import type { Ctx, WorkspaceCtx } from "#core/context";
import { personalWorkspaceId } from "#core/ids";
import { Problem } from "#core/problem";
import {
  checkOpaqueSession,
  listSessions,
  openSession,
  refreshSession,
  revokeAllSessions,
  revokeSession,
  type SessionEnd,
} from "#durable/session-store/client";
import { parseSessionToken } from "#durable/session-store/token";
import { accessTokenSeconds, issueAccessToken } from "./access-token.ts";
import { deviceName } from "./device.ts";
import type { TokenShape } from "./shapes.ts";

const daySeconds = 86_400;
const refreshTtlSeconds = 7 * daySeconds;
const opaqueTtlSeconds = 7 * daySeconds;
const sessionTokenTtlSeconds = daySeconds;
const longRefreshTtlSeconds = 30 * daySeconds;

/**
 * `access-token`: a signed token of 30 minutes and a refresh token. `opaque`: one token of seven sliding days. `session-token`: an opaque
 * token of a day and a refresh token of thirty.
 */
export type SessionChoice = "access-token" | "opaque" | "session-token";

interface Opening {
  userId: string;
  sessionId: string;
  kind: SessionChoice;
  deviceId?: string | null;
  sealedApiKey?: string | null;
  /** Of the person; sessions of staff end early. */
  role?: GlobalRole;
}

const lifetimes = {
  "access-token": { kind: "access-refresh", refreshTtlSeconds },
  opaque: { kind: "opaque", ttlSeconds: opaqueTtlSeconds },
  "session-token": {
    kind: "opaque",
    ttlSeconds: sessionTokenTtlSeconds,
    refreshTtlSeconds: longRefreshTtlSeconds,
  },
} as const;

function staffLifetimes(kind: SessionChoice, role: GlobalRole) {
  const staff = staffSession(role);
  if (!staff) return {};
  if (kind !== "session-token") return { absoluteTtlSeconds: staff.seconds };
  const { seconds, renewableSeconds } = staff;
  return { ttlSeconds: seconds, refreshTtlSeconds: renewableSeconds, absoluteTtlSeconds: renewableSeconds };
}

/** `isRecognised`: the device, or its address and program together, had a session before. */
export async function openTokens(ctx: Ctx, opening: Opening): Promise<{ tokens: TokenShape; isRecognised: boolean }> {
  const { kind, role, ...given } = opening;
  const opened = await openSession(ctx.objects.SESSION_STORE, {
    ...given,
    ...lifetimes[kind],
    ...staffLifetimes(kind, role ?? "user"),
    ip: ctx.origin.address,
    userAgent: ctx.origin.userAgent,
    nowMs: ctx.now(),
  });
  const { isRecognised } = opened;
  if (kind === "access-token") {
    const tokens = await pair(ctx, { ...given, refreshToken: opened.refreshToken ?? "" });
    return { tokens, isRecognised };
  }
  if (kind === "opaque")
    return { tokens: { token: opened.token ?? "", expires_at: iso(opened.expiresAtMs) }, isRecognised };
  return { tokens: sessionTokens(opened), isRecognised };
}

export async function startSession(ctx: Ctx, userId: string, kind: SessionChoice): Promise<TokenShape> {
  return (await openTokens(ctx, { userId, sessionId: ctx.newId("session"), kind })).tokens;
}

const iso = (atMs: number | null) => new Date(atMs ?? 0).toISOString();

function sessionTokens(opened: {
  token: string | null;
  tokenExpiresAtMs: number | null;
  refreshToken: string | null;
  refreshExpiresAtMs: number | null;
}): TokenShape {
  return {
    session_token: opened.token ?? "",
    refresh_token: opened.refreshToken ?? "",
    expires_at: iso(opened.tokenExpiresAtMs),
    refresh_expires_at: iso(opened.refreshExpiresAtMs),
  };
}

async function pair(
  ctx: Ctx,
  session: { userId: string; sessionId: string; refreshToken: string },
): Promise<TokenShape> {
  const { userId, sessionId, refreshToken } = session;
  return {
    access_token: await issueAccessToken(ctx.settings, { userId, sessionId, nowMs: ctx.now() }),
    refresh_token: refreshToken,
    token_type: "bearer",
    expires_in: accessTokenSeconds,
  };
}

/** With a refresh token: its successor and a new token. Without one: the opaque session of the request is extended. */
export async function refresh(
  ctx: Ctx,
  given: { refreshToken: string | undefined; credential: string | null },
): Promise<TokenShape> {
  if (given.refreshToken === undefined) return extendOpaque(ctx, given.credential);
  const token = parseSessionToken(given.refreshToken);
  if (token?.kind !== "refresh") throw new Problem("refresh-token-invalid");
  const { userId, sessionId } = token;
  const refreshed = await refreshSession(ctx.objects.SESSION_STORE, { ...token, nowMs: ctx.now() });
  if (refreshed.ok)
    return refreshed.token === null
      ? pair(ctx, { userId, sessionId, refreshToken: refreshed.refreshToken })
      : sessionTokens(refreshed);
  if (refreshed.reason !== "reused") throw new Problem("refresh-token-invalid");
  ctx.log("warn", "session.refresh-reused", { userId, sessionId });
  await ctx.db.batch([
    auditEntry({ ...ctx, workspaceId: personalWorkspaceId(userId) }, "session.refresh-reused", { target: sessionId }),
  ]);
  throw new Problem("refresh-token-reused");
}

async function extendOpaque(ctx: Ctx, credential: string | null): Promise<TokenShape> {
  const token = credential === null ? null : parseSessionToken(credential);
  if (credential === null || token?.kind !== "session")
    throw new Problem("refresh-token-invalid", {
      detail: "Send refresh_token, or an opaque session token in the Authorization header.",
    });
  const check = await checkOpaqueSession(ctx.objects.SESSION_STORE, token, { nowMs: ctx.now(), maxAgeMs: 0 });
  if (!check.active) throw new Problem("refresh-token-invalid");
  return { token: credential, expires_at: iso(check.expiresAtMs) };
}

/** Ends the session that asks. */
export async function signOut(ctx: WorkspaceCtx): Promise<void> {
  const { userId } = ctx;
  const sessionId = currentSession(ctx);
  await revokeSession(ctx.objects.SESSION_STORE, { userId, sessionId, reason: "signed-out", nowMs: ctx.now() });
  await ctx.db.batch([auditEntry(ctx, "account.signed-out", { target: userId })]);
}

export function currentSession(ctx: WorkspaceCtx): string {
  if (ctx.actor.kind !== "user") throw new Problem("session-required");
  return ctx.actor.sessionId;
}

/** The living sessions of the person who asks, last used first: at most 100, which is also the most that one can have. */
export async function listOwnSessions(ctx: WorkspaceCtx) {
  const current = ctx.actor.kind === "user" ? ctx.actor.sessionId : null;
  const sessions = await listSessions(ctx.objects.SESSION_STORE, { userId: ctx.userId, nowMs: ctx.now() });
  return {
    items: sessions.map((session) => ({
      id: session.sessionId,
      device: deviceName(session.userAgent),
      address: session.ip,
      userAgent: session.userAgent,
      current: session.sessionId === current,
      conversionCount: session.conversionCount,
      createdAt: iso(session.createdAtMs),
      lastActivityAt: iso(session.lastSeenAtMs),
      expiresAt: iso(session.expiresAtMs),
    })),
    nextCursor: null,
  };
}

/** Ends one of the person's own sessions; another person's and an unknown one get the same answer. */
export async function endOwnSession(ctx: WorkspaceCtx, sessionId: string): Promise<void> {
  const ended = await revokeSession(ctx.objects.SESSION_STORE, {
    userId: ctx.userId,
    sessionId,
    reason: "signed-out",
    nowMs: ctx.now(),
  });
  if (!ended) throw new Problem("session-not-found");
  await ctx.db.batch([auditEntry(ctx, "session.ended", { target: sessionId })]);
}

/** Ends all sessions of the person but the one that asks. */
export async function endOtherSessions(ctx: WorkspaceCtx): Promise<{ ended: number }> {
  const ended = await revokeAllSessions(ctx.objects.SESSION_STORE, {
    userId: ctx.userId,
    exceptSessionId: currentSession(ctx),
    reason: "signed-out-everywhere",
    nowMs: ctx.now(),
  });
  await ctx.db.batch([
    auditEntry(ctx, "session.others-ended", { target: ctx.userId, details: { ended: ended.length } }),
  ]);
  return { ended: ended.length };
}

/** Ends every session of a person, for whatever reason; keys of those sessions end with them. */
export async function endAllSessions(
  ctx: Ctx,
  userId: string,
  options: { reason?: SessionEnd; exceptSessionId?: string } = {},
): Promise<number> {
  const { reason = "signed-out-everywhere", exceptSessionId } = options;
  const except = exceptSessionId === undefined ? {} : { exceptSessionId };
  const ended = await revokeAllSessions(ctx.objects.SESSION_STORE, { userId, ...except, reason, nowMs: ctx.now() });
  return ended.length;
}
