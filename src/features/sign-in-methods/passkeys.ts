/**
 * Passkeys (WebAuthn level 3): discoverable credentials with user verification, so one of them is two factors at once and asks for no other.
 * Every challenge works once, for five minutes; a counter that does not grow is taken for a copy of the key and refused.
 */
import type { AuthenticationResponseJSON, RegistrationResponseJSON } from "@simplewebauthn/server";
import { auditEntry, recordFailure } from "#core/audit";
import type { Ctx, WorkspaceCtx } from "#core/context";
import { Problem } from "#core/problem";
import { enter, proverOf, requireRecentProof, type SessionChoice, type SignedInUser } from "#features/accounts/service";
import { findById } from "#features/accounts/store";
import { notify } from "#features/notifications/service";
import { hasPassword } from "./rules.ts";
import * as store from "./passkey-store.ts";
import { keepOnce, type OneTimeKind, takeOnce } from "./store.ts";
import type { PasskeyRow } from "./tables.ts";

const challengeMs = 5 * 60_000;

/** Origins whose pages may use passkeys: our own, and those that may call the API. */
function origins(ctx: Ctx): string[] {
  const given = [ctx.settings.publicUrl, ...ctx.settings.allowedOrigins];
  return given.filter((text) => URL.canParse(text)).map((text) => new URL(text).origin);
}

/**
 * The domain that a passkey belongs to. A page may use its own host or a parent of it: ours where the page is at or below it, so that one
 * passkey serves both, else the page's own.
 */
function relyingParty(ctx: Ctx, request: Request): string {
  const own = new URL(ctx.settings.publicUrl).hostname;
  const origin = request.headers.get("origin");
  if (origin === null || !origins(ctx).includes(origin)) return own;
  const host = new URL(origin).hostname;
  return host === own || host.endsWith(`.${own}`) ? own : host;
}

const relyingParties = (ctx: Ctx) => [...new Set(origins(ctx).map((origin) => new URL(origin).hostname))];

async function newChallenge(
  ctx: Ctx,
  kind: OneTimeKind,
  data: Record<string, unknown>,
): Promise<Uint8Array<ArrayBuffer>> {
  const challenge = ctx.random(32);
  const secret = Buffer.from(challenge).toString("base64url");
  await ctx.db.batch([keepOnce(ctx, kind, { secret, data, expiresAt: ctx.now() + challengeMs })]);
  return challenge;
}

/** The challenge that the browser signed, taken so that it never works again. */
async function takeChallenge(ctx: Ctx, kind: OneTimeKind, clientDataJson: string) {
  const challenge = challengeOf(clientDataJson);
  const kept = challenge === null ? null : await takeOnce(ctx, kind, challenge);
  if (challenge === null || !kept) throw new Problem("passkey-challenge-invalid");
  return { challenge, data: kept.data };
}

function challengeOf(clientDataJson: string): string | null {
  try {
    const { challenge } = JSON.parse(Buffer.from(clientDataJson, "base64url").toString()) as { challenge?: unknown };
    return typeof challenge === "string" && challenge.length <= 100 ? challenge : null;
  } catch {
    return null;
  }
}

export async function offerRegistration(ctx: WorkspaceCtx, request: Request, password: string | undefined) {
  const user = await requireRecentProof(ctx, proverOf(ctx), password);
  const known = await store.listPasskeys(ctx.db, user.id);
  if (known.length >= store.maxPasskeys) throw new Problem("passkey-limit-reached");
  const { generateRegistrationOptions } = await import("#trimmed/passkeys");
  const options = await generateRegistrationOptions({
    rpName: "Overtone",
    rpID: relyingParty(ctx, request),
    userName: user.email,
    userDisplayName: user.name,
    userID: new Uint8Array(Buffer.from(user.id)),
    challenge: await newChallenge(ctx, "passkey-registration", { userId: user.id }),
    timeout: challengeMs,
    attestationType: "none",
    excludeCredentials: known.map(({ credentialId, transports }) => ({ id: credentialId, transports })),
    authenticatorSelection: { residentKey: "required", userVerification: "required" },
  });
  return { ...options };
}

/** Throws `passkey-challenge-invalid`, `passkey-refused`, `passkey-taken` or `passkey-limit-reached`. */
export async function register(ctx: WorkspaceCtx, response: RegistrationResponseJSON, name: string) {
  const taken = await takeChallenge(ctx, "passkey-registration", response.response.clientDataJSON);
  if (taken.data["userId"] !== ctx.userId) throw new Problem("passkey-challenge-invalid");
  const info = await verifyRegistration(ctx, response, taken.challenge);
  if ((await store.countPasskeys(ctx.db, ctx.userId)) >= store.maxPasskeys) throw new Problem("passkey-limit-reached");
  const row: PasskeyRow = {
    id: ctx.newId("passkey"),
    userId: ctx.userId,
    credentialId: info.credential.id,
    publicKey: Buffer.from(info.credential.publicKey).toString("base64url"),
    counter: info.credential.counter,
    transports: (info.credential.transports ?? []).slice(0, 10),
    name,
    isBackedUp: info.credentialBackedUp,
    createdAt: ctx.now(),
    lastUsedAt: null,
  };
  try {
    await ctx.db.batch([
      store.insertPasskey(ctx.db, row),
      auditEntry(ctx, "passkey.added", { target: row.id, details: { name } }),
      ...notify(ctx, {
        userId: ctx.userId,
        workspaceId: ctx.workspaceId,
        kind: "security",
        title: "Passkey added",
        body: `The passkey "${name}" can sign in as you from now on. If that was not you, remove it and end all sessions.`,
        data: { passkeyId: row.id },
      }),
    ]);
  } catch (error) {
    throw store.isPasskeyTaken(error) ? new Problem("passkey-taken") : error;
  }
  return toPasskey(row);
}

async function verifyRegistration(ctx: Ctx, response: RegistrationResponseJSON, expectedChallenge: string) {
  const { verifyRegistrationResponse } = await import("#trimmed/passkeys");
  try {
    const verified = await verifyRegistrationResponse({
      response,
      expectedChallenge,
      expectedOrigin: origins(ctx),
      expectedRPID: relyingParties(ctx),
      requireUserVerification: true,
    });
    if (verified.verified) return verified.registrationInfo;
  } catch (error) {
    // The library throws for every wrong answer; its words name the inside of the check.
    ctx.log("info", "passkey.refused", { error });
  }
  throw new Problem("passkey-refused");
}

/** For anybody: it names no person and no key, so it tells nothing about who has an account. */
export async function offerSignIn(ctx: Ctx, request: Request) {
  const { generateAuthenticationOptions } = await import("#trimmed/passkeys");
  const options = await generateAuthenticationOptions({
    rpID: relyingParty(ctx, request),
    challenge: await newChallenge(ctx, "passkey-sign-in", {}),
    timeout: challengeMs,
    userVerification: "required",
  });
  return { ...options };
}

/** Needs no password, so it works while that is locked. Throws `passkey-challenge-invalid` or `passkey-refused`. */
export async function signIn(
  ctx: Ctx,
  response: AuthenticationResponseJSON,
  sessionKind: SessionChoice,
): Promise<SignedInUser> {
  const { challenge } = await takeChallenge(ctx, "passkey-sign-in", response.response.clientDataJSON);
  const row = await store.findPasskey(ctx.db, response.id);
  const handle = response.response.userHandle;
  const isOwners = !handle || Buffer.from(handle, "base64url").toString() === row?.userId;
  if (!row) throw new Problem("passkey-refused");
  if (!isOwners) throw refusedFor(ctx, row);
  const { newCounter, credentialBackedUp } = await verifySignIn(ctx, response, { challenge, row });
  const change = { counter: newCounter, isBackedUp: credentialBackedUp, lastUsedAt: ctx.now() };
  if (!(await store.moveCounter(ctx.db, row, change))) throw refusedFor(ctx, row);
  const user = await findById(ctx.db, row.userId);
  if (user?.status !== "active") throw refusedFor(ctx, row);
  return enter(ctx, user, { sessionKind, method: "passkey" });
}

async function verifySignIn(
  ctx: Ctx,
  response: AuthenticationResponseJSON,
  given: { challenge: string; row: PasskeyRow },
) {
  const { verifyAuthenticationResponse } = await import("#trimmed/passkeys");
  const { row, challenge } = given;
  try {
    const verified = await verifyAuthenticationResponse({
      response,
      expectedChallenge: challenge,
      expectedOrigin: origins(ctx),
      expectedRPID: relyingParties(ctx),
      credential: {
        id: row.credentialId,
        publicKey: new Uint8Array(Buffer.from(row.publicKey, "base64url")),
        counter: row.counter,
      },
      requireUserVerification: true,
    });
    if (verified.verified) return verified.authenticationInfo;
  } catch (error) {
    ctx.log("info", "passkey.refused", { passkeyId: row.id, error });
  }
  throw refusedFor(ctx, row);
}

/** The passkey is known and what came with it is wrong: a copied key, another site, or no proof of the person. */
function refusedFor(ctx: Ctx, { id, userId }: PasskeyRow): Problem {
  recordFailure(ctx, "passkey.refused", { target: userId, by: id, details: { passkeyId: id } });
  return new Problem("passkey-refused");
}

export function toPasskey(row: PasskeyRow) {
  return {
    id: row.id,
    name: row.name,
    isBackedUp: row.isBackedUp,
    transports: row.transports,
    createdAt: new Date(row.createdAt).toISOString(),
    lastUsedAt: row.lastUsedAt === null ? null : new Date(row.lastUsedAt).toISOString(),
  };
}

export async function list(ctx: WorkspaceCtx) {
  return { items: (await store.listPasskeys(ctx.db, ctx.userId)).map(toPasskey) };
}

export async function remove(ctx: WorkspaceCtx, id: string): Promise<void> {
  const row = (await store.listPasskeys(ctx.db, ctx.userId)).find((passkey) => passkey.id === id);
  if (!row) throw new Problem("passkey-not-found");
  const user = await findById(ctx.db, ctx.userId);
  const given = { id, hasPassword: user !== null && hasPassword(user.passwordPhc) };
  if (!(await store.deletePasskey(ctx.db, ctx.userId, given))) throw new Problem("last-sign-in-method");
  await ctx.db.batch([auditEntry(ctx, "passkey.removed", { target: id, details: { name: row.name } })]);
}
