/** Device authorization (RFC 8628): a device without a browser asks, a signed-in person approves by a short code, the device gets a session. */
import { auditEntry } from "#core/audit";
import type { Ctx, WorkspaceCtx } from "#core/context";
import type { Limit } from "#core/limits";
import { Problem } from "#core/problem";
import { enter, proverOf, requireOwnSignIn, type SignedInUser } from "#features/accounts/service";
import { findById } from "#features/accounts/store";
import * as store from "./device-store.ts";
import type { DeviceGrantRow } from "./tables.ts";

const lifetimeMs = 10 * 60_000;
const intervalSeconds = 5;
/** Clocks and networks are not exact to the millisecond; who polls at the interval is not too fast. */
const earlyMs = 500;
/** No vowels, so no words, and nothing that looks like another letter (RFC 8628 section 6.1): 20 to the 8th codes. */
const letters = "BCDFGHJKLMNPQRSTVWXZ";

/** Guesses of one person: with every limit used up, finding one of 100 waiting codes takes some hundred years. */
const guessLimit: Limit = { name: "device-code", quota: 20, windowSeconds: 600 };

export async function start(ctx: Ctx, clientName: string) {
  const deviceCode = Buffer.from(ctx.random(32)).toString("base64url");
  const at = ctx.now();
  const row = {
    clientName,
    address: ctx.origin.address,
    state: "pending" as const,
    userId: null,
    intervalSeconds,
    polledAt: null,
    createdAt: at,
    expiresAt: at + lifetimeMs,
  };
  for (let tries = 0; tries < 3; tries += 1) {
    const userCode = drawUserCode(ctx);
    if (!(await store.insertGrant(ctx, { deviceCode, userCode }, row))) continue;
    const shown = `${userCode.slice(0, 4)}-${userCode.slice(4)}`;
    const page = `${ctx.settings.publicUrl}/device`;
    return {
      device_code: deviceCode,
      user_code: shown,
      verification_uri: page,
      verification_uri_complete: `${page}?user_code=${shown}`,
      expires_in: lifetimeMs / 1_000,
      interval: intervalSeconds,
    };
  }
  throw new Problem("unavailable", { headers: { "retry-after": "1" } });
}

/** Bytes above the last whole multiple of 20 are dropped: every letter is as likely as every other. */
function drawUserCode(ctx: Ctx): string {
  let code = "";
  while (code.length < 8)
    for (const byte of ctx.random(16)) if (byte < 240 && code.length < 8) code += letters[byte % letters.length];
  return code;
}

export type DeviceError =
  | "authorization_pending"
  | "slow_down"
  | "expired_token"
  | "access_denied"
  | "invalid_grant"
  | "invalid_request"
  | "unsupported_grant_type";

type Polled = { error: DeviceError } | { error: undefined; tokens: SignedInUser["tokens"] };

/** RFC 8628 section 3.4. An error is a word of the RFC, not a problem of ours: libraries read nothing else. */
export async function poll(
  ctx: Ctx,
  asked: { grantType: string | undefined; deviceCode: string | undefined },
): Promise<Polled> {
  if (asked.grantType !== undefined && asked.grantType !== "urn:ietf:params:oauth:grant-type:device_code")
    return { error: "unsupported_grant_type" };
  if (asked.deviceCode === undefined) return { error: "invalid_request" };
  const row = await store.findGrant(ctx, asked.deviceCode);
  if (!row) return { error: "invalid_grant" };
  if (row.expiresAt <= ctx.now()) return { error: "expired_token" };
  const isTooFast = row.polledAt !== null && ctx.now() - row.polledAt < row.intervalSeconds * 1_000 - earlyMs;
  if (isTooFast) {
    await store.notePoll(ctx, row, row.intervalSeconds + 5);
    return { error: "slow_down" };
  }
  if (row.state === "pending") {
    await store.notePoll(ctx, row, row.intervalSeconds);
    return { error: "authorization_pending" };
  }
  const taken = await store.takeGrant(ctx, row);
  if (!taken) return { error: "invalid_grant" };
  return taken.state === "approved" ? signInDevice(ctx, taken) : { error: "access_denied" };
}

/** Whoever approved was signed in with every factor, so nothing more is asked. */
async function signInDevice(ctx: Ctx, grant: DeviceGrantRow): Promise<Polled> {
  const user = grant.userId === null ? null : await findById(ctx.db, grant.userId);
  if (user?.status !== "active") return { error: "access_denied" };
  const { tokens } = await enter(ctx, user, { sessionKind: "access-token", method: "device" });
  return { error: undefined, tokens };
}

/** Approves or denies, once. Throws `device-code-not-found`, `recent-proof-required` and, after too many guesses, `rate-limited`. */
export async function decide(ctx: WorkspaceCtx, userCode: string, approves: { approve: boolean }) {
  await ctx.takeLimit(guessLimit, ctx.userId);
  if (approves.approve) await requireOwnSignIn(ctx, proverOf(ctx));
  const state: "approved" | "denied" = approves.approve ? "approved" : "denied";
  const plain = userCode.toUpperCase().replaceAll(/[^A-Z]/g, "");
  const row = await store.decideGrant(ctx, plain, { state, userId: ctx.userId });
  if (!row) throw new Problem("device-code-not-found");
  const { clientName, address } = row;
  await ctx.db.batch([
    auditEntry(ctx, `device.${state}`, { target: ctx.userId, details: { clientName, deviceAddress: address } }),
  ]);
  return { status: state, client_name: clientName, address, requested_at: new Date(row.createdAt).toISOString() };
}
