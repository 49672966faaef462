/**
 * Signing in with a password, and what every way of signing in ends with. Known and unknown addresses take the same steps, cost the same
 * hash and get the same answers, so that nobody learns here who has an account.
 */
import { hasRole, type RequiredRole } from "#core/access";
import { auditEntry, recordFailure } from "#core/audit";
import type { Ctx } from "#core/context";
import { personalWorkspaceId } from "#core/ids";
import type { LimitOverrides, PlanName } from "#core/plans";
import { Problem } from "#core/problem";
import { hashPassword, verifyAgainstNothing, verifyPassword } from "#durable/hasher/client";
import { beginSignIn, signInAbandoned, signInSucceeded } from "#durable/session-store/client";
import {
  passSecondFactor,
  readSecondFactorTicket,
  requireSamePassword,
  requireSecondFactor,
  type SecondFactor,
} from "#features/sign-in-methods/check";
import { readMembership } from "#features/workspaces/service";
import { isKnownDevice, newDeviceId } from "./device.ts";
import { busy, hasherChoice } from "./hashing.ts";
import { addressHash } from "./rules.ts";
import { makeSessionKey } from "./session-keys.ts";
import { openTokens, type SessionChoice } from "./sessions.ts";
import { announceNewDevice, requireReset } from "./mails.ts";
import { inPlace } from "./sign-in-places.ts";
import type { TokenShape } from "./shapes.ts";
import { findByEmail, findById, findByUsername, isStalePassword, replacePassword, updateUser } from "./store.ts";
import type { UserRow } from "./tables.ts";

export { startSession } from "./sessions.ts";

interface Attempt extends SecondFactor {
  email?: string | undefined;
  username?: string | undefined;
  password?: string | undefined;
  /** Of a sign-in whose password was right and whose second factor is outstanding. */
  ticket?: string | undefined;
  sessionKind: SessionChoice;
  /** What the device presents (`readDeviceId`). */
  deviceId?: string | null;
  withSessionKey?: boolean;
  requiredRole?: RequiredRole | undefined;
}

/** How somebody proved to be the person, and what they get. */
export interface SignInWay {
  sessionKind: SessionChoice;
  /** For the audit trail. */
  method: string;
  deviceId?: string | null | undefined;
  /** Make a gateway key that ends with the session. */
  withSessionKey?: boolean | undefined;
  /** Of a page for staff: others are refused there, although all was proven. */
  requiredRole?: RequiredRole | undefined;
}

export interface SignedInUser {
  user: UserRow;
  plan: PlanName;
  overrides: LimitOverrides;
  workspaceId: string;
  tokens: TokenShape;
  /** For the device to keep (`deviceHeaders`). */
  deviceId: string;
  /** Null unless it was asked for and the person may use models. */
  sessionKey: string | null;
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

interface Lock {
  addressHash: string;
  nowMs: number;
}

async function attemptSignIn(ctx: Ctx, given: Attempt): Promise<SignedInUser> {
  const name = (given.email ?? given.username ?? "").trim().toLowerCase();
  const { user, lock, attempt } = await beginAttempt(ctx, name, given.deviceId ?? null);
  if (!attempt.allowed) {
    signInFailed(ctx, user, "account_locked");
    throw locked(ctx, attempt.lockedUntilMs ?? ctx.now());
  }
  const { needsUpgrade } = await comparePassword(ctx, { user, password: given.password ?? "", lock });
  if (!user) throw new Problem("sign-in-failed");
  await signInSucceeded(ctx.objects.SESSION_STORE, lock);
  if (needsUpgrade) ctx.later(upgradeHash(ctx, user, given.password ?? ""));
  await requireSecondFactor(ctx, user);
  return enter(ctx, user, { ...wayOf(given), method: "password" });
}

const wayOf = ({ sessionKind, deviceId, withSessionKey, requiredRole }: Attempt) => ({
  sessionKind,
  deviceId,
  withSessionKey,
  requiredRole,
});

const findUser = (ctx: Ctx, name: string) =>
  name.includes("@") ? findByEmail(ctx.db, name) : findByUsername(ctx.db, name);

/** A device that signed in before has five tries of its own, which strangers cannot use up. */
async function beginAttempt(ctx: Ctx, name: string, deviceId: string | null) {
  const lockOf = (text: string): Lock => ({
    addressHash: addressHash(ctx.settings.masterKeys[0], text),
    nowMs: ctx.now(),
  });
  const begin = (lock: Lock) => beginSignIn(ctx.objects.SESSION_STORE, lock);
  const shared = lockOf(name);
  if (deviceId === null) {
    const [attempt, user] = await Promise.all([begin(shared), findUser(ctx, name)]);
    return { user, lock: shared, attempt };
  }
  const user = await findUser(ctx, name);
  const isKnown = await isKnownDevice(ctx, user?.id ?? `nobody:${shared.addressHash}`, deviceId);
  const lock = isKnown ? lockOf(`${name} on ${deviceId}`) : shared;
  return { user, lock, attempt: await begin(lock) };
}

/** The second half of a sign-in that was asked for its second factor. */
async function finishSignIn(ctx: Ctx, given: Attempt & { ticket: string }): Promise<SignedInUser> {
  const ticket = readSecondFactorTicket(ctx, given.ticket);
  const user = await findById(ctx.db, ticket.userId);
  if (user?.status !== "active") throw new Problem("sign-in-ticket-invalid");
  requireSamePassword(ctx, ticket, user);
  await passSecondFactor(ctx, user.id, given);
  return enter(ctx, user, { ...wayOf(given), method: "second-factor" });
}

/** Pages of staff refuse everybody else, and say so only to those who proved who they are. */
function requireRole(ctx: Ctx, user: UserRow, required: RequiredRole | undefined): void {
  if (required === undefined || hasRole(user.role, required)) return;
  signInFailed(ctx, user, "role_missing");
  throw new Problem("staff-only", { detail: "This account does not belong to staff." });
}

/** The last step of every way to sign in: all that had to be proven was proven. */
export async function enter(ctx: Ctx, user: UserRow, way: SignInWay): Promise<SignedInUser> {
  requireRole(ctx, user, way.requiredRole);
  const workspaceId = homeWorkspaceId(user);
  const owner = { userId: user.id, workspaceId, sessionId: ctx.newId("session") };
  const key = way.withSessionKey ? makeSessionKey(ctx, user, owner) : null;
  const deviceId = await deviceOf(ctx, user.id, way.deviceId ?? null);
  const [{ tokens, isRecognised }, membership] = await Promise.all([
    openTokens(ctx, { ...owner, role: user.role, kind: way.sessionKind, deviceId, sealedApiKey: key?.sealed ?? null }),
    readMembership(ctx.db, user.id, workspaceId, ctx.now()),
    ctx.db.batch([
      updateUser(ctx.db, user.id, { lastLoginAt: ctx.now() }),
      auditEntry({ ...ctx, workspaceId }, "account.signed-in", { target: user.id, details: { method: way.method } }),
      ...(key ? [key.statement] : []),
    ]),
  ]);
  if (!isRecognised && user.lastLoginAt !== null) await announceNewDevice(ctx, user);
  const { plan, overrides } = membership ?? { plan: "free" as const, overrides: {} };
  return { user, plan, overrides, workspaceId, tokens, deviceId, sessionKey: key?.text ?? null };
}

/** The device's own id if the person signed in from it before, else a new one. */
async function deviceOf(ctx: Ctx, userId: string, given: string | null): Promise<string> {
  return given !== null && (await isKnownDevice(ctx, userId, given)) ? given : newDeviceId(ctx);
}

/** Where a person acts unless another workspace is named: a sub-user has no workspace of their own. */
export function homeWorkspaceId(user: Pick<UserRow, "id" | "parentWorkspaceId">): string {
  return user.parentWorkspaceId ?? personalWorkspaceId(user.id);
}

/** Throws unless the password is the user's. No user costs what a user costs. */
async function comparePassword(
  ctx: Ctx,
  attempt: { user: UserRow | null; password: string; lock: Lock },
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
  if (user && !verified.ok) await refuseImported(ctx, user, password);
  signInFailed(ctx, user, reasonOf(user));
  throw new Problem("sign-in-failed");
}

function reasonOf(user: UserRow | null): FailureReason {
  if (!user) return "user_not_found";
  return user.status === "active" ? "invalid_password" : "account_inactive";
}

/**
 * The hash was imported and cannot be checked here: it costs what any other comparison costs, and the person gets a mail, within the
 * limits on mails to one address. Who never had a password (another way to sign in) gets none.
 */
async function refuseImported(ctx: Ctx, user: UserRow, password: string): Promise<void> {
  await verifyAgainstNothing(ctx.objects.HASHER, password, hasherChoice(ctx));
  if (user.status === "active" && user.passwordPhc.startsWith("$")) ctx.later(requireReset(ctx, user));
}

type FailureReason = "user_not_found" | "account_inactive" | "account_locked" | "invalid_password" | "role_missing";

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
    await ctx.db.batch([
      replacePassword(ctx.db, user, { passwordPhc: outcome.phc, updatedAt: ctx.now() }),
      auditEntry({ ...ctx, workspaceId: homeWorkspaceId(user) }, "account.password-hash-upgraded", {
        target: user.id,
        details: { from: user.passwordPhc.split("$", 2)[1] ?? "" },
      }),
    ]);
  } catch (error) {
    if (!isStalePassword(error)) throw error;
  }
}
