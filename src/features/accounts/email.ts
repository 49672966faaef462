/** Proving an address, and changing it: a change is confirmed by codes to the old address and to the new one. */
import { auditEntry } from "#core/audit";
import type { Ctx, WorkspaceCtx } from "#core/context";
import { commitWithJobs, type Enqueued } from "#core/job";
import { Problem } from "#core/problem";
import { checkCode, type CodeName, issueCode } from "./codes.ts";
import { accountExistsMail, emailChangedMail, emailChangeMail, verificationMail } from "./mails.ts";
import { takenOr } from "./new-person.ts";
import { currentUser, iso, requirePassword } from "./people.ts";
import { findByEmail, updateUser, verifyEmailOf } from "./store.ts";
import type { UserRow } from "./tables.ts";

/** A code proves the address that it was sent to and no other. */
const verification = (user: Pick<UserRow, "id" | "email">): CodeName => ({
  purpose: "verify-email",
  subject: user.id,
  boundTo: user.email,
});

function requireVerification(ctx: Ctx): void {
  if (!ctx.settings.emailVerification.enabled) throw new Problem("email-verification-disabled");
}

/** The code, and the mail for the batch of its cause. */
export async function issueVerification(
  ctx: Ctx,
  user: Pick<UserRow, "id" | "email">,
): Promise<{ mail: Enqueued; expiresAt: number }> {
  const { code, expiresAt } = await issueCode(ctx, verification(user));
  return { mail: verificationMail(ctx, user, code), expiresAt };
}

export async function sendVerification(ctx: WorkspaceCtx) {
  requireVerification(ctx);
  const user = await currentUser(ctx);
  if (user.emailVerifiedAt !== null) throw new Problem("email-already-verified");
  const { mail, expiresAt } = await issueVerification(ctx, user);
  await commitWithJobs(ctx, [auditEntry(ctx, "email.verification-sent", { target: user.id })], [mail]);
  return { success: true as const, message: "A code was sent to your e-mail address.", expires_at: iso(expiresAt) };
}

export async function verifyEmail(ctx: WorkspaceCtx, code: string) {
  requireVerification(ctx);
  const user = await currentUser(ctx);
  if (user.emailVerifiedAt !== null) throw new Problem("email-already-verified");
  await checkCode(ctx, verification(user), code);
  await ctx.db.batch([verifyEmailOf(ctx.db, user, ctx.now()), auditEntry(ctx, "email.verified", { target: user.id })]);
  return { success: true as const, message: "E-mail address verified." };
}

export async function emailStatus(ctx: WorkspaceCtx) {
  const { email, emailVerifiedAt } = await currentUser(ctx);
  const { enabled } = ctx.settings.emailVerification;
  return {
    success: true as const,
    is_verified: emailVerifiedAt !== null,
    email,
    verification_enabled: enabled,
    verification_required_for_api: enabled,
  };
}

/** Asked for under one address, it changes no other: staff may have moved the account meanwhile. */
const emailChange = (user: Pick<UserRow, "id" | "email">): CodeName => ({
  purpose: "email-change",
  subject: user.id,
  boundTo: user.email,
});

/** Where verification is asked for, an address that was never proven need not confirm: its code might reach nobody. */
function mustOldConfirm(ctx: Ctx, user: UserRow): boolean {
  return !ctx.settings.emailVerification.enabled || user.emailVerifiedAt !== null;
}

/** Within the limits on mails to one address, however many people name it. */
export async function mayTellOwner(ctx: Ctx, address: string): Promise<boolean> {
  try {
    await issueCode(ctx, { purpose: "account-exists", subject: address });
    return true;
  } catch (error) {
    if (error instanceof Problem) return false;
    throw error;
  }
}

/** Nothing changes yet. An address that somebody has is answered like a free one; its owner is told. */
export async function startEmailChange(ctx: WorkspaceCtx, given: { newEmail: string; currentPassword: string }) {
  const user = await currentUser(ctx);
  await requirePassword(ctx, user, given.currentPassword);
  const { newEmail } = given;
  if (newEmail === user.email) throw new Problem("email-unchanged");
  const withOld = mustOldConfirm(ctx, user);
  const { code, expiresAt } = await issueCode(ctx, emailChange(user), { detail: newEmail, halves: withOld ? 2 : 1 });
  const { codeLength } = ctx.settings.emailVerification;
  // Asked for free addresses, too: known and unknown ones cost the same.
  const mayTell = await mayTellOwner(ctx, newEmail);
  const isTaken = (await findByEmail(ctx.db, newEmail)) !== null;
  const mailTo = (to: string, half: string, isOld: boolean) =>
    emailChangeMail(ctx, user, { to, code: half, newEmail, isOld });
  const mails = [
    ...(isTaken ? [] : [mailTo(newEmail, code.slice(-codeLength), false)]),
    ...(isTaken && mayTell ? [accountExistsMail(ctx, newEmail)] : []),
    ...(withOld ? [mailTo(user.email, code.slice(0, codeLength), true)] : []),
  ];
  await commitWithJobs(ctx, [auditEntry(ctx, "account.email-change-asked", { target: user.id })], mails);
  const message = withOld ? "Codes were sent to the old and the new address." : "A code was sent to the new address.";
  return { success: true as const, message, expires_at: iso(expiresAt) };
}

export async function confirmEmailChange(ctx: WorkspaceCtx, given: { code?: string | undefined; newCode: string }) {
  const user = await currentUser(ctx);
  const both = `${(given.code ?? "").trim()}${given.newCode.trim()}`;
  const { detail: email } = await checkCode(ctx, emailChange(user), both);
  if (email === null) throw new Problem("code-wrong");
  const at = ctx.now();
  try {
    await commitWithJobs(
      ctx,
      [
        updateUser(ctx.db, user.id, { email, emailVerifiedAt: at, updatedAt: at }),
        auditEntry(ctx, "account.email-changed", { target: user.id }),
      ],
      [emailChangedMail(ctx, user, { byStaff: false })],
    );
  } catch (error) {
    throw takenOr(error);
  }
  return { success: true as const, message: "E-mail address changed.", email };
}
