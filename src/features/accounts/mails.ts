/** The mails that this feature sends. What a mail tells is sealed in its row; a code is in no log and no other row. */
import type { Ctx } from "#core/context";
import { commitWithJobs, type Enqueued } from "#core/job";
import { Problem } from "#core/problem";
import { mailJob } from "#features/notifications/service";
import { issueCode, shortLifeMinutes } from "./codes.ts";
import { resetToken } from "./rules.ts";
import type { UserRow } from "./tables.ts";

type MailCtx = Pick<Ctx, "db" | "now" | "newId" | "settings" | "random">;
type Reader = Pick<UserRow, "id" | "email">;

const to = (user: Reader) => ({ to: user.email, userId: user.id });

/** Tells a person that a device signed in which had no session before. */
export async function announceNewDevice(ctx: Ctx, user: Reader): Promise<void> {
  const { address, userAgent } = ctx.origin;
  const data = { address, userAgent, at: ctx.now() };
  await commitWithJobs(ctx, [], [mailJob(ctx, { template: "new-sign-in", ...to(user), data })]);
}

export function verificationMail(ctx: MailCtx, user: Reader, code: string): Enqueued {
  const data = { code, expiresInHours: ctx.settings.emailVerification.expiryHours };
  return mailJob(ctx, { template: "verify-email", ...to(user), data });
}

export function signInCodeMail(ctx: MailCtx, user: Reader, code: string): Enqueued {
  return mailJob(ctx, { template: "sign-in-code", ...to(user), data: { code, expiresInMinutes: shortLifeMinutes } });
}

export function resetMail(ctx: MailCtx, user: Reader, code: string): Enqueued {
  const link = `${ctx.settings.publicUrl}/console/reset-password?token=${resetToken(user.email, code)}`;
  const data = { code, link, expiresInMinutes: shortLifeMinutes };
  return mailJob(ctx, { template: "reset-password", ...to(user), data });
}

/** `to`: the old address (`isOld`) or the new one. */
export function emailChangeMail(
  ctx: MailCtx,
  user: Reader,
  mail: { to: string; code: string; newEmail: string; isOld: boolean },
): Enqueued {
  const { code, newEmail, isOld } = mail;
  return mailJob(ctx, { template: "email-change", to: mail.to, userId: user.id, data: { code, newEmail, isOld } });
}

/** To the address that the account had until now. */
export function emailChangedMail(ctx: MailCtx, user: Reader, { byStaff }: { byStaff: boolean }): Enqueued {
  return mailJob(ctx, { template: "email-changed", ...to(user), data: { byStaff } });
}

export function accountExistsMail(ctx: MailCtx, address: string): Enqueued {
  return mailJob(ctx, { template: "account-exists", to: address, data: {} });
}

export function passwordChangedMail(ctx: MailCtx, user: Reader): Enqueued {
  return mailJob(ctx, { template: "password-changed", ...to(user), data: {} });
}

/** To somebody whose imported password cannot be checked here. */
export async function requireReset(ctx: Ctx, user: Reader): Promise<void> {
  try {
    await issueCode(ctx, { purpose: "reset-required", subject: user.id });
  } catch (error) {
    if (error instanceof Problem) return;
    throw error;
  }
  const link = `${ctx.settings.publicUrl}/console/reset-password`;
  await commitWithJobs(ctx, [], [mailJob(ctx, { template: "password-reset-required", ...to(user), data: { link } })]);
}
