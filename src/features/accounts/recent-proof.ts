/**
 * What a session alone is not enough for: adding a way to sign in. Whoever stole a session would keep the account by it, also after the
 * session has ended. So the person proves once more who they are: by the password or, where there is none, by a sign-in just now.
 */
import type { Ctx } from "#core/context";
import { Problem } from "#core/problem";
import { checkSession } from "#durable/session-store/client";
import { hasPassword } from "#features/sign-in-methods/check";
import { requirePassword } from "./people.ts";
import { findById } from "./store.ts";
import type { UserRow } from "./tables.ts";

/** How long a sign-in counts as one of just now. */
const freshSeconds = 600;

export interface Prover {
  userId: string;
  /** Of the session that asks; null: none does. */
  sessionId: string | null;
}

export function proverOf({ actor }: Pick<Ctx, "actor">): Prover {
  if (actor.kind !== "user") throw new Problem("session-required");
  return { userId: actor.userId, sessionId: actor.sessionId };
}

/** Throws `recent-proof-required`, `password-wrong`, `sign-in-locked`, `hashing-busy` or `user-not-found`. */
export async function requireRecentProof(ctx: Ctx, prover: Prover, password: string | undefined): Promise<UserRow> {
  const user = await findById(ctx.db, prover.userId);
  if (!user) throw new Problem("user-not-found");
  if (password !== undefined) await requirePassword(ctx, user, password);
  else if (hasPassword(user.passwordPhc)) throw missing("password");
  else await requireFreshSession(ctx, prover);
  return user;
}

/**
 * For handing a session on to a device: a person without a password would otherwise make a new session out of an old one, and pass for having
 * just signed in. Throws `recent-proof-required` or `user-not-found`.
 */
export async function requireOwnSignIn(ctx: Ctx, prover: Prover): Promise<void> {
  const user = await findById(ctx.db, prover.userId);
  if (!user) throw new Problem("user-not-found");
  if (!hasPassword(user.passwordPhc)) await requireFreshSession(ctx, prover);
}

/** Refreshing a session does not make it any younger. */
async function requireFreshSession(ctx: Ctx, { userId, sessionId }: Prover): Promise<void> {
  if (sessionId === null) throw missing("sign-in");
  const asked = { nowMs: ctx.now(), maxAgeMs: 0 };
  const session = await checkSession(ctx.objects.SESSION_STORE, { userId, sessionId }, asked);
  if (!session.active || ctx.now() - session.createdAtMs > freshSeconds * 1_000) throw missing("sign-in");
}

function missing(method: "password" | "sign-in"): Problem {
  const detail =
    method === "password"
      ? "Send your password as `password`."
      : `Sign in again, and repeat this within ${freshSeconds / 60} minutes.`;
  return new Problem("recent-proof-required", { detail, members: { method, freshSeconds } });
}
