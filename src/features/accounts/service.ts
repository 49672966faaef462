/** Registering, signing in and out, and what a person changes about the account. */
import type { Ctx, WorkspaceCtx } from "#core/context";
import { auditEntry } from "#core/audit";
import { personalWorkspaceId } from "#core/ids";
import { passwordChangeLimit } from "#core/limits";
import type { PlanName } from "#core/plans";
import { Problem } from "#core/problem";
import { hashPassword, verifyPassword } from "#durable/hasher/client";
import { beginSignIn, signInAbandoned, signInSucceeded } from "#durable/session-store/client";
import { insertPersonalWorkspace } from "#features/workspaces/service";
import { addressHash, displayName, isCommonPassword, newUserRow } from "./rules.ts";
export { readStaff } from "./store.ts";
export { displayName, isCommonPassword } from "./rules.ts";
export { checkCode, issueCode } from "./codes.ts";
export { endAllSessions } from "./sessions.ts";
export { enter, homeWorkspaceId, signIn, type SignedInUser, startSession } from "./sign-in.ts";
export type { SessionChoice } from "./sessions.ts";
export { newUserRow } from "./rules.ts";
export { newPerson, takenProblem } from "./new-person.ts";
import { endAllSessions, type SessionChoice, startSession } from "./sessions.ts";
import { locked } from "./sign-in.ts";
import type { UserShape } from "./shapes.ts";
import { findByEmail, findById, insertUser, isStalePassword, replacePassword, updateUser } from "./store.ts";
import { busy, hasherChoice } from "./hashing.ts";
import type { UserRow } from "./tables.ts";

export function toUser(row: UserRow, plan: PlanName): UserShape {
  const [first = "", ...rest] = row.name.split(" ");
  return {
    id: row.id,
    email: row.email,
    username: row.username,
    name: row.name,
    first_name: first,
    last_name: rest.join(" "),
    role: row.role,
    subscription_tier: plan,
    email_verified: row.emailVerifiedAt !== null,
    createdAt: new Date(row.createdAt).toISOString(),
    lastLoginAt: row.lastLoginAt === null ? null : new Date(row.lastLoginAt).toISOString(),
  };
}

interface Registration {
  email: string;
  password: string;
  name?: string | undefined;
  username?: string | undefined;
  first_name?: string | undefined;
  last_name?: string | undefined;
  signIn: boolean;
  sessionKind: SessionChoice;
}

export async function register(ctx: Ctx, given: Registration) {
  if (ctx.settings.signUp === "closed") throw new Problem("sign-up-closed");
  refuseCommonPassword(given.password);
  if (await findByEmail(ctx.db, given.email)) throw new Problem("email-taken");
  const id = ctx.newId("user");
  const at = ctx.now();
  const row = newUserRow({
    id,
    email: given.email,
    username: given.username ?? null,
    name: displayName(given),
    passwordPhc: await hash(ctx, given.password),
    at,
  });
  const workspace = { id: personalWorkspaceId(id), name: `${row.name}'s workspace`, userId: id, createdAt: at };
  const acting = { ...ctx, workspaceId: workspace.id };
  try {
    await ctx.db.batch([
      insertUser(ctx.db, row),
      ...insertPersonalWorkspace(ctx.db, workspace),
      auditEntry(acting, "account.registered", { target: id }),
    ]);
  } catch (error) {
    throw takenOr(error);
  }
  const session = given.signIn ? await startSession(ctx, id, given.sessionKind) : null;
  return {
    message: "Account created.",
    user: toUser(row, "free"),
    workspace: { id: workspace.id, name: workspace.name },
    session,
  };
}

/** Two registrations at once: the unique index decides, and the loser gets the same answer as a late one. */
function takenOr(error: unknown): unknown {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth += 1) {
    if (cause.message.includes("users.email")) return new Problem("email-taken");
    if (cause.message.includes("users.username_key")) return new Problem("username-taken");
  }
  return error;
}

function refuseCommonPassword(password: string): void {
  if (isCommonPassword(password)) throw new Problem("password-too-common");
}

async function hash(ctx: Ctx, password: string): Promise<string> {
  const outcome = await hashPassword(ctx.objects.HASHER, password, hasherChoice(ctx));
  if (outcome.ok) return outcome.phc;
  throw outcome.reason === "busy" ? busy() : new Problem("validation-failed", { detail: "The password is too long." });
}

/** The signed-in person. */
export async function me(ctx: WorkspaceCtx) {
  const user = toUser(await currentUser(ctx), ctx.plan);
  const role = ctx.actor.kind === "user" ? ctx.actor.role : null;
  return { ...user, user, workspace: { id: ctx.workspaceId, role, plan: ctx.plan } };
}

async function currentUser(ctx: WorkspaceCtx): Promise<UserRow> {
  const row = await findById(ctx.db, ctx.userId);
  if (!row) throw new Problem("user-not-found");
  return row;
}

export async function changeProfile(
  ctx: WorkspaceCtx,
  given: { name?: string | undefined; displayName?: string | undefined; username?: string | null | undefined },
) {
  const change = {
    ...(given.name || given.displayName ? { name: given.name ?? given.displayName ?? "" } : {}),
    ...(given.username === undefined
      ? {}
      : { username: given.username, usernameKey: given.username?.toLowerCase() ?? null }),
    updatedAt: ctx.now(),
  };
  try {
    await ctx.db.batch([
      updateUser(ctx.db, ctx.userId, change),
      auditEntry(ctx, "account.profile-changed", { target: ctx.userId, details: { members: Object.keys(change) } }),
    ]);
  } catch (error) {
    throw takenOr(error);
  }
  return me(ctx);
}

/**
 * Ends every other session: whoever knew the old password is out. They are ended before the change, so that a failure in between leaves
 * no session behind that it should have ended, and after it, for those that began in between.
 */
export async function changePassword(ctx: WorkspaceCtx, given: { currentPassword: string; newPassword: string }) {
  await ctx.takeLimit(passwordChangeLimit, ctx.userId);
  refuseCommonPassword(given.newPassword);
  const user = await currentUser(ctx);
  await requirePassword(ctx, user, given.currentPassword);
  const passwordPhc = await hash(ctx, given.newPassword);
  await endOtherSessions(ctx);
  try {
    await ctx.db.batch([
      replacePassword(ctx.db, user, { passwordPhc, updatedAt: ctx.now() }),
      auditEntry(ctx, "account.password-changed", { target: user.id }),
    ]);
  } catch (error) {
    throw isStalePassword(error) ? new Problem("password-wrong") : error;
  }
  await endOtherSessions(ctx);
  return { message: "Password changed; all other sessions were ended." };
}

/** For what a stolen session alone must not do. Throws `password-wrong`, `sign-in-locked` or `hashing-busy`. */
export async function requireRecentPassword(ctx: WorkspaceCtx, password: string): Promise<void> {
  await requirePassword(ctx, await currentUser(ctx), password);
}

/** Five wrong ones lock changing, not signing in: a stolen session must not try passwords until one fits. */
async function requirePassword(ctx: WorkspaceCtx, user: UserRow, password: string): Promise<void> {
  const lock = { addressHash: addressHash(ctx.settings.masterKeys[0], `change-password ${user.id}`), nowMs: ctx.now() };
  const attempt = await beginSignIn(ctx.objects.SESSION_STORE, lock);
  if (!attempt.allowed) throw locked(ctx, attempt.lockedUntilMs ?? ctx.now());
  const outcome = await verifyPassword(ctx.objects.HASHER, { password, phc: user.passwordPhc }, hasherChoice(ctx));
  if (!outcome.ok && outcome.reason === "busy") {
    await signInAbandoned(ctx.objects.SESSION_STORE, lock);
    throw busy();
  }
  if (!outcome.ok || !outcome.matches) throw new Problem("password-wrong");
  await signInSucceeded(ctx.objects.SESSION_STORE, lock);
}

/** All but the one that asks, if a session asks. */
async function endOtherSessions(ctx: WorkspaceCtx): Promise<void> {
  const current = ctx.actor.kind === "user" ? { exceptSessionId: ctx.actor.sessionId } : {};
  await endAllSessions(ctx, ctx.userId, { ...current, reason: "password-changed" });
}
