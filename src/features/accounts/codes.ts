/**
 * Mailed codes: six digits (a setting) that are good for one purpose, one person or address, five tries and a short time. Kept as keyed
 * hashes and judged in one object per purpose and subject, whether or not anyone has the address: known and unknown ones cost the same.
 * A code is never logged and never kept in the clear.
 */
import { createHmac } from "node:crypto";
import { type FailureAbout, recordFailure } from "#core/audit";
import type { Ctx } from "#core/context";
import { Problem } from "#core/problem";
import { guessCode, issueCode as issueInStore } from "#durable/session-store/client";
import { deriveKey } from "#lib/envelope";

/**
 * `email-change` is one code in two halves, one for the old address and one for the new: both are proven at once or not at all.
 * `account-exists` and `reset-required` only bound how many such mails go out.
 */
export type CodePurpose =
  | "verify-email"
  | "sign-in"
  | "reset-password"
  | "email-change"
  | "account-exists"
  | "reset-required";

/** `subject`: a user id or a normalised address. `boundTo`: what else must be the same when the code comes back. */
export interface CodeName {
  purpose: CodePurpose;
  subject: string;
  boundTo?: string;
}

const minuteMs = 60_000;
/** Of all but verification codes. */
export const shortLifeMinutes = 10;
const coolDownMs = 5 * minuteMs;

type CodeCtx = Pick<Ctx, "settings" | "objects"> & { now(): number };

/** Milliseconds. */
function lifeOf(ctx: CodeCtx, purpose: CodePurpose): number {
  return purpose === "verify-email"
    ? ctx.settings.emailVerification.expiryHours * 60 * minuteMs
    : shortLifeMinutes * minuteMs;
}

/** By the current master key: after a rotation, codes that are under way have to be asked for again. */
function keyedHash(ctx: CodeCtx, parts: readonly string[]): string {
  const key = deriveKey(ctx.settings.masterKeys[0].raw, "overtone mailed codes");
  return createHmac("sha256", key).update(JSON.stringify(parts)).digest("base64url");
}

const nameOf = (ctx: CodeCtx, { purpose, subject }: CodeName) => keyedHash(ctx, ["name", purpose, subject]);
const hashOf = (ctx: CodeCtx, name: CodeName, code: string) =>
  keyedHash(ctx, ["code", name.purpose, name.subject, name.boundTo ?? "", code]);

export interface IssuedCode {
  code: string;
  /** Milliseconds. */
  expiresAt: number;
}

/**
 * Makes a code, which ends the one before. `detail` comes back with the right guess. Throws `code-sent-recently` within five minutes of
 * the last one and `code-limit-reached` after the day's last one; a code that was used counts for neither.
 */
export async function issueCode(
  ctx: CodeCtx & Pick<Ctx, "random">,
  name: CodeName,
  options: { detail?: string; halves?: 1 | 2 } = {},
): Promise<IssuedCode> {
  const { codeLength, sendsPerDay } = ctx.settings.emailVerification;
  const code = randomDigits(ctx, codeLength * (options.halves ?? 1));
  const expiresAt = ctx.now() + lifeOf(ctx, name.purpose);
  const outcome = await issueInStore(ctx.objects.SESSION_STORE, {
    name: nameOf(ctx, name),
    hash: hashOf(ctx, name, code),
    expiresAtMs: expiresAt,
    detail: options.detail ?? null,
    limits: { sendsPerDay, coolDownMs },
    nowMs: ctx.now(),
  });
  if (outcome.ok) return { code, expiresAt };
  const retryAfter = Math.max(1, Math.ceil((outcome.retryAtMs - ctx.now()) / 1_000));
  throw new Problem(outcome.reason === "cool-down" ? "code-sent-recently" : "code-limit-reached", {
    members: { retryAfter },
    headers: { "retry-after": String(retryAfter) },
  });
}

/** `ownerOf`: whose account a code by address is about; left out, the subject is the person's id. */
interface GuessedCode extends CodeName {
  ownerOf?: () => Promise<string | null>;
}

/** Uses a code up and returns its detail. Throws `code-wrong` for wrong, expired, used and spent ones alike. */
export async function checkCode(ctx: Ctx, name: GuessedCode, code: string): Promise<{ detail: string | null }> {
  const { purpose } = name;
  const outcome = await guessCode(ctx.objects.SESSION_STORE, {
    name: nameOf(ctx, name),
    hash: hashOf(ctx, name, code.trim()),
    nowMs: ctx.now(),
  });
  if (outcome.ok) return { detail: outcome.detail };
  recordFailure(ctx, "code.failed", { details: { purpose }, ...aboutGuess(ctx, name, outcome) });
  throw new Problem("code-wrong");
}

/**
 * Never the code itself: a mistyped one is nearly the right one. Nor an address that has no account here. Guesses where no code was ever sent
 * are one entry for all of a network: naming addresses costs nothing, and must not fill the table.
 */
function aboutGuess(ctx: Ctx, name: GuessedCode, { wasSent }: { wasSent: boolean }): FailureAbout {
  const { purpose, subject, ownerOf } = name;
  if (!ownerOf) return { by: purpose, target: subject };
  return wasSent ? { by: nameOf(ctx, name), targetOf: ownerOf } : { by: purpose };
}

/** Each digit by rejection: a remainder of a byte would make 0 to 5 likelier. */
function randomDigits(ctx: Pick<Ctx, "random">, length: number): string {
  let digits = "";
  while (digits.length < length) {
    for (const byte of ctx.random(32)) if (byte < 250 && digits.length < length) digits += String(byte % 10);
  }
  return digits;
}
