/**
 * The second factor at a sign-in: asked of whoever has one, after the first was proven and before there is any session. Each code works
 * once, and five wrong ones lock this factor for an hour; neither hinders a passkey.
 */
import { createHmac } from "node:crypto";
import type { Ctx } from "#core/context";
import { auditEntry, recordFailure } from "#core/audit";
import { personalWorkspaceId } from "#core/ids";
import { Problem } from "#core/problem";
import { beginSignIn, signInSucceeded } from "#durable/session-store/client";
import { keyedHash, keyedHashes, unwrapSecret, wrapSecret } from "./keys.ts";
import { issueTicket, readTicket } from "./tickets.ts";
import { acceptStep, findTotp, hasActiveTotp, rewrapTotp, useRecoveryCode } from "./totp-store.ts";
import type { TotpRow } from "./tables.ts";

export { hasPassword, noPasswordPhc } from "./rules.ts";
export { removeTotp } from "./totp-store.ts";

const ticketMs = 5 * 60_000;
const stepMs = 30_000;

interface Person {
  id: string;
  passwordPhc: string;
}

/** Throws `second-factor-required` with a ticket when the person has an authenticator app; call it once the first factor is proven. */
export async function requireSecondFactor(ctx: Ctx, user: Person): Promise<void> {
  if (!(await hasActiveTotp(ctx.db, user.id))) return;
  const expiresAt = ctx.now() + ticketMs;
  const ticket = issueTicket(ctx, {
    purpose: "second-factor",
    userId: user.id,
    data: { password: passwordMark(ctx, user) },
    expiresAt,
  });
  throw new Problem("second-factor-required", {
    members: {
      ticket,
      methods: ["totp_code", "recovery_code"],
      expiresAt: new Date(expiresAt).toISOString(),
    },
  });
}

export interface SecondFactor {
  totp_code?: string | undefined;
  recovery_code?: string | undefined;
}

/** The person a ticket of `requireSecondFactor` was issued for. Throws `sign-in-ticket-invalid`. */
export function readSecondFactorTicket(ctx: Ctx, text: string): { userId: string; password: string } {
  const ticket = readTicket(ctx, text, "second-factor");
  if (!ticket) throw new Problem("sign-in-ticket-invalid");
  return { userId: ticket.userId, password: ticket.data["password"] ?? "" };
}

/** A ticket ends with the password that it was issued for. Throws `sign-in-ticket-invalid`. */
export function requireSamePassword(ctx: Ctx, ticket: { password: string }, user: Person): void {
  const marks = ctx.settings.masterKeys.map((master) => keyedHash(master, "ticket", `password ${user.passwordPhc}`));
  if (!marks.includes(ticket.password)) throw new Problem("sign-in-ticket-invalid");
}

function passwordMark(ctx: Ctx, user: Person): string {
  return keyedHash(ctx.settings.masterKeys[0], "ticket", `password ${user.passwordPhc}`);
}

/** Passes with a code of the app or an unused recovery code. Throws `second-factor-wrong` or `second-factor-locked`. */
export async function passSecondFactor(ctx: Ctx, userId: string, given: SecondFactor): Promise<void> {
  const { totp_code: code, recovery_code: recoveryCode = "" } = given;
  // A lock of its own for each: who guesses at one of them must not lock the other.
  return code === undefined
    ? tryWithinLock(ctx, { factor: "recovery-code", userId }, () => tryRecoveryCode(ctx, userId, recoveryCode))
    : tryWithinLock(ctx, { factor: "second-factor", userId }, () => tryCode(ctx, userId, code));
}

interface Guessed {
  factor: "second-factor" | "recovery-code" | "activate-totp";
  userId: string;
}

/** At most five wrong tries an hour. Throws `second-factor-wrong` or `second-factor-locked`. */
export async function tryWithinLock(ctx: Ctx, guessed: Guessed, attempt: () => Promise<boolean>): Promise<void> {
  const name = `second factor lock-out ${guessed.factor} ${guessed.userId}`;
  const hash = createHmac("sha256", ctx.settings.masterKeys[0].raw).update(name);
  const lock = { addressHash: hash.digest("hex"), nowMs: ctx.now() };
  const state = await beginSignIn(ctx.objects.SESSION_STORE, lock);
  if (!state.allowed) {
    guessFailed(ctx, guessed, "locked");
    throw locked(ctx, state.lockedUntilMs ?? ctx.now());
  }
  if (!(await attempt())) {
    guessFailed(ctx, guessed, "wrong");
    throw new Problem("second-factor-wrong");
  }
  await signInSucceeded(ctx.objects.SESSION_STORE, lock);
}

function guessFailed(ctx: Ctx, { factor, userId }: Guessed, reason: "wrong" | "locked"): void {
  recordFailure(ctx, "second-factor.failed", {
    target: userId,
    by: `${factor} ${reason}`,
    details: { factor, reason },
  });
}

function locked(ctx: Ctx, untilMs: number): Problem {
  const retryAfter = Math.max(1, Math.ceil((untilMs - ctx.now()) / 1_000));
  return new Problem("second-factor-locked", {
    members: { retryAfter },
    headers: { "retry-after": String(retryAfter) },
  });
}

async function tryCode(ctx: Ctx, userId: string, code: string): Promise<boolean> {
  const row = await findTotp(ctx.db, userId);
  return row !== null && row.activatedAt !== null && checkTotpCode(ctx, row, code);
}

/** Is it the code of this time step or of a neighbour (RFC 6238 section 5.2), and the first use of it? */
export async function checkTotpCode(ctx: Ctx, row: TotpRow, code: string): Promise<boolean> {
  const { Secret, TOTP } = await import("./authenticator.ts");
  const bytes = await unwrapSecret(ctx.settings, row);
  const timestamp = ctx.now();
  const delta = TOTP.validate({ token: code, secret: new Secret({ buffer: bytes.buffer }), timestamp, window: 1 });
  if (delta === null) return false;
  if (!(await acceptStep(ctx.db, row, Math.floor(timestamp / stepMs) + delta))) return false;
  // After a rotation of the master key the first use brings the secret under the current one.
  if (row.masterVersion !== ctx.settings.masterKeys[0].version)
    await ctx.db.batch([rewrapTotp(ctx.db, row, await wrapSecret(ctx, row.userId, bytes))]);
  return true;
}

async function tryRecoveryCode(ctx: Ctx, userId: string, code: string): Promise<boolean> {
  const hashes = keyedHashes(ctx.settings, "recovery code", plainRecoveryCode(code));
  if (!(await useRecoveryCode(ctx.db, userId, { hashes, at: ctx.now() }))) return false;
  const acting = { ...ctx, workspaceId: personalWorkspaceId(userId) };
  await ctx.db.batch([auditEntry(acting, "second-factor.recovery-code-used", { target: userId })]);
  return true;
}

/** However it was typed: without hyphens and spaces, in small letters. */
export function plainRecoveryCode(code: string): string {
  return code.replaceAll(/[^A-Za-z0-9]/g, "").toLowerCase();
}
