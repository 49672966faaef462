/** What several parts of this feature ask about a person: who it is, and whether the password is right. */
import { recordFailure } from "#core/audit";
import type { Ctx, WorkspaceCtx } from "#core/context";
import type { PlanName } from "#core/plans";
import { Problem } from "#core/problem";
import { hashPassword, verifyPassword } from "#durable/hasher/client";
import { beginSignIn, signInAbandoned, signInSucceeded } from "#durable/session-store/client";
import { busy, hasherChoice } from "./hashing.ts";
import { addressHash, isCommonPassword } from "./rules.ts";
import type { UserShape } from "./shapes.ts";
import { locked } from "./sign-in.ts";
import { findById } from "./store.ts";
import type { UserRow } from "./tables.ts";

export const iso = (at: number) => new Date(at).toISOString();

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
    createdAt: iso(row.createdAt),
    lastLoginAt: row.lastLoginAt === null ? null : iso(row.lastLoginAt),
  };
}

export async function currentUser(ctx: WorkspaceCtx): Promise<UserRow> {
  const row = await findById(ctx.db, ctx.userId);
  if (!row) throw new Problem("user-not-found");
  return row;
}

export function refuseCommonPassword(password: string): void {
  if (isCommonPassword(password)) throw new Problem("password-too-common");
}

export async function hash(ctx: Ctx, password: string): Promise<string> {
  const outcome = await hashPassword(ctx.objects.HASHER, password, hasherChoice(ctx));
  if (outcome.ok) return outcome.phc;
  throw outcome.reason === "busy" ? busy() : new Problem("validation-failed", { detail: "The password is too long." });
}

/**
 * Throws `password-wrong` unless it is the person's. Five wrong ones lock changing, not signing in: a stolen session must not try
 * passwords until one fits.
 */
export async function requirePassword(ctx: Ctx, user: UserRow, password: string): Promise<void> {
  const lock = { addressHash: addressHash(ctx.settings.masterKeys[0], `change-password ${user.id}`), nowMs: ctx.now() };
  const attempt = await beginSignIn(ctx.objects.SESSION_STORE, lock);
  if (!attempt.allowed) {
    passwordFailed(ctx, user, "locked");
    throw locked(ctx, attempt.lockedUntilMs ?? ctx.now());
  }
  const outcome = await verifyPassword(ctx.objects.HASHER, { password, phc: user.passwordPhc }, hasherChoice(ctx));
  if (!outcome.ok && outcome.reason === "busy") {
    await signInAbandoned(ctx.objects.SESSION_STORE, lock);
    throw busy();
  }
  if (!outcome.ok || !outcome.matches) {
    passwordFailed(ctx, user, "wrong");
    throw new Problem("password-wrong");
  }
  await signInSucceeded(ctx.objects.SESSION_STORE, lock);
}

function passwordFailed(ctx: Ctx, user: UserRow, reason: "wrong" | "locked"): void {
  recordFailure(ctx, "account.password-failed", { target: user.id, by: reason, details: { reason } });
}

/** For what a stolen session must not do: the person who asks gives the password once more. */
export async function requireRecentPassword(ctx: WorkspaceCtx, password: string): Promise<void> {
  await requirePassword(ctx, await currentUser(ctx), password);
}
