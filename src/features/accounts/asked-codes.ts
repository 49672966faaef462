/**
 * Codes that anybody may ask for by naming an address: to sign in, or to set a new password. Known and unknown addresses cost the same
 * and are answered the same; only the mail, sent later, knows the difference.
 */
import { auditEntry } from "#core/audit";
import type { Ctx } from "#core/context";
import { commitWithJobs, type Statement } from "#core/job";
import { Problem } from "#core/problem";
import { notify } from "#features/notifications/service";
import { requireSecondFactor } from "#features/sign-in-methods/check";
import { checkCode, issueCode, shortLifeMinutes } from "./codes.ts";
import { isKnownDevice } from "./device.ts";
import { codeText, mailCodeJob } from "./jobs/mail-code.ts";
import { addressHash } from "./rules.ts";
import { sealText } from "./sealing.ts";
import { endAllSessions, type SessionChoice } from "./sessions.ts";
import { enter, type SignedInUser } from "./sign-in.ts";
import { findByEmail, updateUser } from "./store.ts";
import { dropUnproven, noPassword } from "./unproven.ts";

/** The deployment's work, as the mails are: nobody finds it among a workspace's jobs. */
const systemWorkspaceId = "system";

interface Asked {
  purpose: "sign-in" | "reset-password";
  address: string;
  subject: string;
}

async function sendAskedCode(ctx: Ctx, { purpose, address, subject }: Asked) {
  const { code } = await issueCode(ctx, { purpose, subject });
  const sealed = sealText(ctx, codeText(purpose, address), code);
  const owner = { db: ctx.db, now: ctx.now, newId: ctx.newId, workspaceId: systemWorkspaceId };
  await commitWithJobs(ctx, [], [mailCodeJob.row(owner, { purpose, address, sealed })]);
  return {
    message: "If the address has an account, a code is on its way.",
    expires_in: shortLifeMinutes * 60,
  };
}

/** A device that signed in before has codes and tries of its own, which strangers cannot use up. */
async function signInSubject(ctx: Ctx, address: string, deviceId: string | null): Promise<string> {
  if (deviceId === null) return address;
  const user = await findByEmail(ctx.db, address);
  const nobody = `nobody:${addressHash(ctx.settings.masterKeys[0], address)}`;
  return (await isKnownDevice(ctx, user?.id ?? nobody, deviceId)) ? `${address} on ${deviceId}` : address;
}

export async function askSignInCode(ctx: Ctx, address: string, deviceId: string | null) {
  return sendAskedCode(ctx, { purpose: "sign-in", address, subject: await signInSubject(ctx, address, deviceId) });
}

export function askResetCode(ctx: Ctx, address: string) {
  return sendAskedCode(ctx, { purpose: "reset-password", address, subject: address });
}

interface CodeSignIn {
  email: string;
  code: string;
  sessionKind: SessionChoice;
  deviceId: string | null;
}

/** Also while the password is locked: whoever reads the mails of the address is its owner. */
export async function signInByCode(ctx: Ctx, given: CodeSignIn): Promise<SignedInUser> {
  const { email, sessionKind, deviceId } = given;
  const subject = await signInSubject(ctx, email, deviceId);
  const ownerOf = async () => (await findByEmail(ctx.db, email))?.id ?? null;
  await checkCode(ctx, { purpose: "sign-in", subject, ownerOf }, given.code);
  const user = await findByEmail(ctx.db, email);
  if (user?.status !== "active") throw new Problem("code-wrong");
  const proven = await proveEmail(ctx, user);
  await requireSecondFactor(ctx, proven);
  return enter(ctx, proven, { sessionKind, deviceId, method: "email-code" });
}

type Proven = NonNullable<Awaited<ReturnType<typeof findByEmail>>>;

/**
 * Who could read a code that went to the address has proven it. Where addresses have to be verified, nobody had before, so whoever registered is
 * out: the password does not work any more, and a new one is set by a mailed code.
 */
async function proveEmail(ctx: Ctx, user: Proven): Promise<Proven> {
  if (user.emailVerifiedAt !== null) return user;
  const { enabled } = ctx.settings.emailVerification;
  const change = { emailVerifiedAt: ctx.now(), ...(enabled ? { passwordPhc: noPassword(ctx) } : {}) };
  if (enabled) await endAllSessions(ctx, user.id, { reason: "password-changed" });
  await ctx.db.batch([
    updateUser(ctx.db, user.id, change),
    auditEntry(ctx, "email.verified", { target: user.id, details: { by: "sign-in-code", takenBack: enabled } }),
    ...(enabled ? [...dropUnproven(ctx, user), ...tellTakenBack(ctx, user)] : []),
  ]);
  // Once more, for those that began in between.
  if (enabled) await endAllSessions(ctx, user.id, { reason: "password-changed" });
  return { ...user, ...change };
}

function tellTakenBack(ctx: Ctx, user: Proven): Statement[] {
  return notify(ctx, {
    userId: user.id,
    workspaceId: null,
    kind: "security",
    title: "Your address is proven now",
    body: "The account was made before the address was proven. Its password, passkeys and linked accounts do not work any more: set a new password by a mailed code.",
  });
}
