/** Setting up an authenticator app (RFC 6238), and the codes for the day it is lost. */
import type { WorkspaceCtx } from "#core/context";
import { auditEntry } from "#core/audit";
import { Problem } from "#core/problem";
import { proverOf, requireRecentPassword, requireRecentProof } from "#features/accounts/service";
import { notify } from "#features/notifications/service";
import { checkTotpCode, passSecondFactor, plainRecoveryCode, tryWithinLock } from "./check.ts";
import { keyedHash, wrapSecret } from "./keys.ts";
import { activateTotp, countUnusedCodes, findTotp, offerTotp, removeTotp, replaceRecoveryCodes } from "./totp-store.ts";

/** 160 bits, as RFC 4226 section 4 asks for. */
const secretBytes = 20;
const codeCount = 10;
const crockford = "0123456789abcdefghjkmnpqrstvwxyz";

/** Offers a new secret; nothing is asked of the person until a code of it was shown. Throws `totp-active`, and what missing proof throws. */
export async function enroll(ctx: WorkspaceCtx, password: string | undefined) {
  const user = await requireRecentProof(ctx, proverOf(ctx), password);
  const { renderSVG, Secret, TOTP } = await import("./authenticator.ts");
  const bytes = ctx.random(secretBytes);
  const secret = new Secret({ buffer: bytes.buffer });
  const row = { userId: user.id, ...(await wrapSecret(ctx, user.id, bytes)), lastStep: 0, createdAt: ctx.now() };
  if (!(await offerTotp(ctx.db, row))) throw new Problem("totp-active");
  const issuer = `Overtone (${new URL(ctx.settings.publicUrl).host})`;
  const otpauthUrl = new TOTP({ issuer, label: user.email, secret }).toString();
  const svg = Buffer.from(renderSVG(otpauthUrl, { ecc: "M" })).toString("base64");
  return { secret: secret.base32, otpauthUrl, qrCode: `data:image/svg+xml;base64,${svg}` };
}

/** Activates what was offered. Throws `totp-not-offered`, `totp-active`, `second-factor-wrong` or `second-factor-locked`. */
export async function activate(ctx: WorkspaceCtx, code: string) {
  const row = await findTotp(ctx.db, ctx.userId);
  if (!row) throw new Problem("totp-not-offered");
  if (row.activatedAt !== null) throw new Problem("totp-active");
  await tryWithinLock(ctx, { factor: "activate-totp", userId: ctx.userId }, () => checkTotpCode(ctx, row, code));
  await ctx.db.batch([
    activateTotp(ctx.db, row, ctx.now()),
    auditEntry(ctx, "second-factor.activated", { target: ctx.userId }),
    ...notify(ctx, {
      ...about(ctx),
      title: "Second factor turned on",
      body: "From now on a code of your authenticator app is asked for when you sign in.",
    }),
  ]);
  return { active: true, recoveryCodesLeft: await countUnusedCodes(ctx.db, ctx.userId) };
}

interface Proof {
  password?: string | undefined;
  code?: string | undefined;
  recoveryCode?: string | undefined;
}

/** A stolen session alone must not take the second factor away, nor make codes that pass it. */
async function requireProof(ctx: WorkspaceCtx, proof: Proof): Promise<void> {
  const row = await findTotp(ctx.db, ctx.userId);
  if (!row || row.activatedAt === null) throw new Problem("totp-inactive");
  if (proof.password !== undefined) return requireRecentPassword(ctx, proof.password);
  return passSecondFactor(ctx, ctx.userId, { totp_code: proof.code, recovery_code: proof.recoveryCode });
}

export async function remove(ctx: WorkspaceCtx, proof: Proof): Promise<void> {
  await requireProof(ctx, proof);
  const entry = auditEntry(ctx, "second-factor.removed", { target: ctx.userId });
  const notice = notify(ctx, {
    ...about(ctx),
    title: "Second factor turned off",
    body: "Your authenticator app and its recovery codes were removed. If that was not you, change your password.",
  });
  await ctx.db.batch([entry, ...removeTotp(ctx.db, ctx.userId), ...notice]);
}

const about = (ctx: WorkspaceCtx) => ({ userId: ctx.userId, workspaceId: ctx.workspaceId, kind: "security" as const });

/** Ten new codes in the place of all older ones; they are shown this once. */
export async function renewRecoveryCodes(ctx: WorkspaceCtx, proof: Proof) {
  await requireProof(ctx, proof);
  const codes = Array.from({ length: codeCount }, () => recoveryCode(ctx));
  const [master] = ctx.settings.masterKeys;
  const hashes = codes.map((code) => keyedHash(master, "recovery code", plainRecoveryCode(code)));
  await ctx.db.batch([
    auditEntry(ctx, "second-factor.recovery-codes-made", { target: ctx.userId }),
    ...replaceRecoveryCodes(ctx.db, ctx.userId, { hashes, at: ctx.now() }),
  ]);
  return { recoveryCodes: codes };
}

/** 60 random bits in letters that cannot be taken for one another. */
function recoveryCode(ctx: WorkspaceCtx): string {
  const letters = Array.from(ctx.random(12), (byte) => crockford[byte & 31]).join("");
  return `${letters.slice(0, 4)}-${letters.slice(4, 8)}-${letters.slice(8)}`;
}
