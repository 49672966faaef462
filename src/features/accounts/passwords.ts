/** Changing a password, and setting a new one by a mailed code. Either ends what was signed in with the old one. */
import { auditEntry } from "#core/audit";
import type { Ctx, WorkspaceCtx } from "#core/context";
import { commitWithJobs } from "#core/job";
import { passwordChangeLimit } from "#core/limits";
import { Problem } from "#core/problem";
import { signInSucceeded } from "#durable/session-store/client";
import { checkCode } from "./codes.ts";
import { passwordChangedMail } from "./mails.ts";
import { currentUser, hash, refuseCommonPassword, requirePassword } from "./people.ts";
import { addressHash, readResetToken } from "./rules.ts";
import { endAllSessions } from "./sessions.ts";
import { homeWorkspaceId } from "./sign-in.ts";
import { inPlace } from "./sign-in-places.ts";
import { findByEmail, isStalePassword, replacePassword, updateUser } from "./store.ts";
import { dropUnproven } from "./unproven.ts";

interface PasswordChange {
  currentPassword: string;
  newPassword: string;
  /** The one that asks, too. */
  endAllSessions?: boolean | undefined;
}

/**
 * Ends every other session: whoever knew the old password is out. They are ended before the change, so that a failure in between leaves
 * no session behind that it should have ended, and after it, for those that began in between.
 */
export async function changePassword(ctx: WorkspaceCtx, given: PasswordChange) {
  await ctx.takeLimit(passwordChangeLimit, ctx.userId);
  refuseCommonPassword(given.newPassword);
  const user = await currentUser(ctx);
  await requirePassword(ctx, user, given.currentPassword);
  const passwordPhc = await hash(ctx, given.newPassword);
  await endOtherSessions(ctx);
  const change = { passwordPhc, updatedAt: ctx.now() };
  const entry = auditEntry(ctx, "account.password-changed", { target: user.id });
  try {
    await commitWithJobs(ctx, [replacePassword(ctx.db, user, change), entry], [passwordChangedMail(ctx, user)]);
  } catch (error) {
    throw isStalePassword(error) ? new Problem("password-wrong") : error;
  }
  if (given.endAllSessions === true) {
    await endAllSessions(ctx, ctx.userId, { reason: "password-changed" });
    return { success: true as const, message: "Password changed; all sessions were ended. Sign in with the new one." };
  }
  await endOtherSessions(ctx);
  return { success: true as const, message: "Password changed; all other sessions were ended." };
}

/** All but the one that asks, if a session asks. */
async function endOtherSessions(ctx: WorkspaceCtx): Promise<void> {
  const current = ctx.actor.kind === "user" ? { exceptSessionId: ctx.actor.sessionId } : {};
  await endAllSessions(ctx, ctx.userId, { ...current, reason: "password-changed" });
}

interface Reset {
  email?: string | undefined;
  code?: string | undefined;
  /** From the link in the mail: address and code in one. */
  token?: string | undefined;
  newPassword: string;
}

/** The hash comes first, so that a busy hasher does not use up the code, and in a place, because anybody may ask for it. */
export function resetPassword(ctx: Ctx, given: Reset) {
  return inPlace(ctx, async () => {
    await ctx.takeOpenLimit("sign-in");
    refuseCommonPassword(given.newPassword);
    const { address, code } = addressAndCode(given);
    const passwordPhc = await hash(ctx, given.newPassword);
    const ownerOf = async () => (await findByEmail(ctx.db, address))?.id ?? null;
    await checkCode(ctx, { purpose: "reset-password", subject: address, ownerOf }, code);
    await setPassword(ctx, address, passwordPhc);
    return { success: true as const, message: "Password changed; all sessions were ended. Sign in with the new one." };
  });
}

function addressAndCode({ email, code, token }: Reset): { address: string; code: string } {
  const read = token === undefined ? null : readResetToken(token);
  if (token !== undefined && !read) throw new Problem("code-wrong");
  return read ?? { address: email ?? "", code: code ?? "" };
}

async function setPassword(ctx: Ctx, address: string, passwordPhc: string): Promise<void> {
  const user = await findByEmail(ctx.db, address);
  if (user?.status !== "active") throw new Problem("code-wrong");
  const at = ctx.now();
  const change = { passwordPhc, emailVerifiedAt: user.emailVerifiedAt ?? at, updatedAt: at };
  const entry = auditEntry({ ...ctx, workspaceId: homeWorkspaceId(user) }, "account.password-reset", {
    target: user.id,
  });
  await endAllSessions(ctx, user.id, { reason: "password-changed" });
  const statements = [updateUser(ctx.db, user.id, change), entry, ...dropUnproven(ctx, user)];
  await commitWithJobs(ctx, statements, [passwordChangedMail(ctx, user)]);
  await endAllSessions(ctx, user.id, { reason: "password-changed" });
  await Promise.all(
    [user.email, user.usernameKey].map(async (name) => {
      if (name === null) return;
      const lock = { addressHash: addressHash(ctx.settings.masterKeys[0], name), nowMs: at };
      await signInSucceeded(ctx.objects.SESSION_STORE, lock);
    }),
  );
}
