/**
 * Signing in and out, and refreshing. Known and unknown addresses take the same steps, cost the same hash and get the same answers,
 * so that nobody learns here who has an account.
 */
import { auditEntry, recordFailure } from "#core/audit";
import type { Ctx, WorkspaceCtx } from "#core/context";
import { personalWorkspaceId } from "#core/ids";
import type { PlanName } from "#core/plans";
import { Problem } from "#core/problem";
import { hashPassword, verifyAgainstNothing, verifyPassword } from "#durable/hasher/client";
import {
  beginSignIn,
  checkOpaqueSession,
  openSession,
  refreshSession,
  revokeSession,
  signInAbandoned,
  signInSucceeded,
} from "#durable/session-store/client";
import { parseSessionToken } from "#durable/session-store/token";
import {
  passSecondFactor,
  readSecondFactorTicket,
  requireSamePassword,
  requireSecondFactor,
  type SecondFactor,
} from "#features/sign-in-methods/check";
import { readMembership } from "#features/workspaces/service";
import { accessTokenSeconds, issueAccessToken } from "./access-token.ts";
import { busy, hasherChoice } from "./hashing.ts";
import { addressHash } from "./rules.ts";
import { inPlace } from "./sign-in-places.ts";
import type { TokenShape } from "./shapes.ts";
import { findByEmail, findById, findByUsername, isStalePassword, replacePassword, updateUser } from "./store.ts";
import type { UserRow } from "./tables.ts";

const refreshTtlSeconds = 7 * 86_400;
const opaqueTtlSeconds = 7 * 86_400;

export type SessionChoice = "access-token" | "opaque";

interface Attempt extends SecondFactor {
  email?: string | undefined;
  username?: string | undefined;
  password?: string | undefined;
  /** Of a sign-in whose password was right and whose second factor is outstanding. */
  ticket?: string | undefined;
  sessionKind: SessionChoice;
}

export interface SignedInUser {
  user: UserRow;
  plan: PlanName;
  tokens: TokenShape;
}

/** The place comes before the limit: what waits has cost next to nothing yet. */
export function signIn(ctx: Ctx, given: Attempt): Promise<SignedInUser> {
  return inPlace(ctx, async () => {
    await ctx.takeOpenLimit("sign-in");
    return given.ticket === undefined
      ? attemptSignIn(ctx, given)
      : finishSignIn(ctx, { ...given, ticket: given.ticket });
  });
}

async function attemptSignIn(ctx: Ctx, given: Attempt): Promise<SignedInUser> {
  const name = (given.email ?? given.username ?? "").toLowerCase();
  const lock = { addressHash: addressHash(ctx.settings.masterKeys[0], name), nowMs: ctx.now() };
  const [attempt, user] = await Promise.all([
    beginSignIn(ctx.objects.SESSION_STORE, lock),
    name.includes("@") ? findByEmail(ctx.db, name) : findByUsername(ctx.db, name),
  ]);
  if (!attempt.allowed) {
    signInFailed(ctx, user, "account_locked");
    throw locked(ctx, attempt.lockedUntilMs ?? ctx.now());
  }
  const { needsUpgrade } = await comparePassword(ctx, { user, password: given.password ?? "", lock });
  if (!user) throw new Problem("sign-in-failed");
  await signInSucceeded(ctx.objects.SESSION_STORE, lock);
  if (needsUpgrade) ctx.later(upgradeHash(ctx, user, given.password ?? ""));
  await requireSecondFactor(ctx, user);
  return enter(ctx, user, { sessionKind: given.sessionKind, method: "password" });
}

/** The second half of a sign-in that was asked for its second factor. */
async function finishSignIn(ctx: Ctx, given: Attempt & { ticket: string }): Promise<SignedInUser> {
  const ticket = readSecondFactorTicket(ctx, given.ticket);
  const user = await findById(ctx.db, ticket.userId);
  if (user?.status !== "active") throw new Problem("sign-in-ticket-invalid");
  requireSamePassword(ctx, ticket, user);
  await passSecondFactor(ctx, user.id, given);
  return enter(ctx, user, { sessionKind: given.sessionKind, method: "second-factor" });
}

/** The last step of every way to sign in: all that had to be proven was proven. `method` goes into the audit entry. */
export async function enter(
  ctx: Ctx,
  user: UserRow,
  how: { sessionKind: SessionChoice; method: string },
): Promise<SignedInUser> {
  const workspaceId = personalWorkspaceId(user.id);
  const [tokens, membership] = await Promise.all([
    startSession(ctx, user.id, how.sessionKind),
    readMembership(ctx.db, user.id, workspaceId, ctx.now()),
    ctx.db.batch([
      updateUser(ctx.db, user.id, { lastLoginAt: ctx.now() }),
      auditEntry({ ...ctx, workspaceId }, "account.signed-in", { target: user.id, details: { method: how.method } }),
    ]),
  ]);
  return { user, plan: membership?.plan ?? "free", tokens };
}

/** Throws unless the password is the user's. No user costs what a user costs. */
async function comparePassword(
  ctx: Ctx,
  attempt: { user: UserRow | null; password: string; lock: { addressHash: string; nowMs: number } },
): Promise<{ needsUpgrade: boolean }> {
  const { user, password } = attempt;
  const verified = user
    ? await verifyPassword(ctx.objects.HASHER, { password, phc: user.passwordPhc }, hasherChoice(ctx))
    : await verifyAgainstNothing(ctx.objects.HASHER, password, hasherChoice(ctx));
  if (verified.ok && verified.matches && user?.status === "active") return verified;
  if (!verified.ok && verified.reason === "busy") {
    // Nothing was compared, so the try does not count.
    await signInAbandoned(ctx.objects.SESSION_STORE, attempt.lock);
    throw busy();
  }
  const inactive = user && user.status !== "active" ? "account_inactive" : "invalid_password";
  signInFailed(ctx, user, user ? inactive : "user_not_found");
  throw new Problem("sign-in-failed");
}

type FailureReason = "user_not_found" | "account_inactive" | "account_locked" | "invalid_password";

/** The one place where a failed sign-in by password is recorded, with a reason that only staff see. */
export function signInFailed(ctx: Ctx, user: UserRow | null, reason: FailureReason): void {
  recordFailure(ctx, "account.sign-in-failed", {
    by: reason,
    details: { reason },
    ...(user ? { target: user.id } : {}),
  });
}

export function locked(ctx: Ctx, untilMs: number): Problem {
  const retryAfter = Math.max(1, Math.ceil((untilMs - ctx.now()) / 1_000));
  return new Problem("sign-in-locked", {
    detail: "Too many wrong passwords.",
    members: { retryAfter },
    headers: { "retry-after": String(retryAfter) },
  });
}

/** An imported or older hash becomes one of today's, now that the password is known, unless it was changed in between. */
async function upgradeHash(ctx: Ctx, user: UserRow, password: string): Promise<void> {
  const outcome = await hashPassword(ctx.objects.HASHER, password, hasherChoice(ctx));
  if (!outcome.ok) return;
  try {
    await ctx.db.batch([replacePassword(ctx.db, user, { passwordPhc: outcome.phc, updatedAt: ctx.now() })]);
  } catch (error) {
    if (!isStalePassword(error)) throw error;
  }
}

export async function startSession(ctx: Ctx, userId: string, kind: SessionChoice): Promise<TokenShape> {
  const sessionId = ctx.newId("session");
  const common = { userId, sessionId, ip: ctx.origin.address, userAgent: ctx.origin.userAgent, nowMs: ctx.now() };
  if (kind === "opaque") {
    const opened = await openSession(ctx.objects.SESSION_STORE, {
      ...common,
      kind: "opaque",
      ttlSeconds: opaqueTtlSeconds,
    });
    return { token: opened.token ?? "", expires_at: new Date(opened.expiresAtMs).toISOString() };
  }
  const opened = await openSession(ctx.objects.SESSION_STORE, { ...common, kind: "access-refresh", refreshTtlSeconds });
  return pair(ctx, { userId, sessionId, refreshToken: opened.refreshToken ?? "" });
}

async function pair(
  ctx: Ctx,
  session: { userId: string; sessionId: string; refreshToken: string },
): Promise<TokenShape> {
  return {
    access_token: await issueAccessToken(ctx.settings, { ...session, nowMs: ctx.now() }),
    refresh_token: session.refreshToken,
    token_type: "bearer",
    expires_in: accessTokenSeconds,
  };
}

/** With a refresh token: its successor and a new access token. Without one: the opaque session of the request is extended. */
export async function refresh(
  ctx: Ctx,
  given: { refreshToken: string | undefined; credential: string | null },
): Promise<TokenShape> {
  if (given.refreshToken === undefined) return extendOpaque(ctx, given.credential);
  const token = parseSessionToken(given.refreshToken);
  if (token?.kind !== "refresh") throw new Problem("refresh-token-invalid");
  const refreshed = await refreshSession(ctx.objects.SESSION_STORE, { ...token, nowMs: ctx.now() });
  if (refreshed.ok)
    return pair(ctx, { userId: token.userId, sessionId: token.sessionId, refreshToken: refreshed.refreshToken });
  if (refreshed.reason !== "reused") throw new Problem("refresh-token-invalid");
  ctx.log("warn", "session.refresh-reused", { userId: token.userId, sessionId: token.sessionId });
  await ctx.db.batch([
    auditEntry({ ...ctx, workspaceId: personalWorkspaceId(token.userId) }, "session.refresh-reused", {
      target: token.sessionId,
    }),
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
  return { token: credential, expires_at: new Date(check.expiresAtMs).toISOString() };
}

/** Ends the session that asks. */
export async function signOut(ctx: WorkspaceCtx): Promise<void> {
  if (ctx.actor.kind !== "user") throw new Problem("session-required");
  const { userId, sessionId } = ctx.actor;
  await revokeSession(ctx.objects.SESSION_STORE, { userId, sessionId, reason: "signed-out", nowMs: ctx.now() });
  await ctx.db.batch([auditEntry(ctx, "account.signed-out", { target: userId })]);
}
