/**
 * Whose account an identity elsewhere opens. An identity belongs to one person for ever; an equal e-mail address alone never opens an
 * account, because whoever controls an address at a provider need not be who has the account here.
 */
import type { ProviderIdentity } from "#adapters/sign-in/provider";
import { auditEntry } from "#core/audit";
import type { Ctx } from "#core/context";
import { personalWorkspaceId } from "#core/ids";
import { Problem } from "#core/problem";
import { findByEmail, findById, insertUser } from "#features/accounts/store";
import { enter, homeWorkspaceId, newUserRow, registrationFailed, type SessionChoice } from "#features/accounts/service";
import type { UserRow } from "#features/accounts/tables";
import { notify } from "#features/notifications/service";
import { insertPersonalWorkspace } from "#features/workspaces/service";
import { requireSecondFactor } from "./check.ts";
import { answersChallenge, hasPassword, noPasswordPhc } from "./rules.ts";
import * as store from "./store.ts";
import type { IdentityRow } from "./tables.ts";
import { issueTicket } from "./tickets.ts";

const linkTicketMs = 10 * 60_000;

export interface Destination {
  target: string | null;
  challenge: string | null;
}

/** What a round trip showed: who signs in, or which identity a person wants linked. Nothing has been given out yet. */
export type Arrival =
  | { kind: "sign-in"; userId: string; identityId: string }
  | { kind: "link"; userId: string; identity: ProviderIdentity; provider: string };

export async function arrive(
  ctx: Ctx,
  identity: ProviderIdentity,
  asked: { provider: string; linkTo: string | null; expected: string | null },
): Promise<Arrival> {
  const known = await store.findIdentity(ctx.db, identity.issuer, identity.subject);
  if (asked.linkTo !== null) {
    if (known && known.userId !== asked.linkTo) throw new Problem("identity-taken");
    if (asked.expected !== null && asked.expected !== `${identity.issuer} ${identity.subject}`)
      throw new Problem("identity-not-expected");
    return { kind: "link", userId: asked.linkTo, identity, provider: asked.provider };
  }
  if (known) return { kind: "sign-in", userId: known.userId, identityId: known.id };
  return signUpBy(ctx, identity, asked.provider);
}

async function signUpBy(ctx: Ctx, identity: ProviderIdentity, provider: string): Promise<Arrival> {
  const { email } = identity;
  // An unverified address proves nothing: it neither finds an account nor may it keep its true owner from making one.
  if (email === null || !identity.emailVerified) throw new Problem("provider-email-unverified");
  const owner = await findByEmail(ctx.db, email);
  if (owner) throw linkRequired(ctx, owner, identity);
  if (ctx.settings.signUp === "closed") {
    const problem = new Problem("sign-up-closed");
    registrationFailed(ctx, problem);
    throw problem;
  }
  const asked = {
    id: ctx.newId("user"),
    email,
    username: null,
    passwordPhc: noPasswordPhc(ctx.random(32)),
    at: ctx.now(),
  };
  const name = identity.displayName ?? email.slice(0, email.indexOf("@")).slice(0, 100);
  const user = { ...newUserRow({ ...asked, name }), emailVerifiedAt: ctx.now() };
  const row = identityRow(ctx, { userId: user.id, provider, identity });
  const workspaceId = personalWorkspaceId(user.id);
  const workspace = { id: workspaceId, name: `${user.name}'s workspace`, userId: user.id, createdAt: ctx.now() };
  try {
    await ctx.db.batch([
      insertUser(ctx.db, user),
      ...insertPersonalWorkspace(ctx.db, workspace),
      store.insertIdentity(ctx.db, row),
      auditEntry({ ...ctx, workspaceId }, "account.registered", { target: user.id, details: { provider } }),
    ]);
  } catch (error) {
    const winner = await findByEmail(ctx.db, email);
    const known = await store.findIdentity(ctx.db, identity.issuer, identity.subject);
    if (known) return { kind: "sign-in", userId: known.userId, identityId: known.id };
    throw winner ? linkRequired(ctx, winner, identity) : error;
  }
  return { kind: "sign-in", userId: user.id, identityId: row.id };
}

function linkRequired(ctx: Ctx, owner: UserRow, identity: ProviderIdentity): Problem {
  const ticket = issueTicket(ctx, {
    purpose: "link",
    userId: owner.id,
    data: { issuer: identity.issuer, subject: identity.subject },
    expiresAt: ctx.now() + linkTicketMs,
  });
  return new Problem("link-required", { members: { link_ticket: ticket } });
}

function identityRow(ctx: Ctx, given: { userId: string; provider: string; identity: ProviderIdentity }): IdentityRow {
  const { userId, provider, identity } = given;
  return {
    id: ctx.newId("identity"),
    userId,
    provider,
    issuer: identity.issuer,
    subject: identity.subject,
    email: identity.email,
    displayName: identity.displayName,
    createdAt: ctx.now(),
    lastUsedAt: null,
  };
}

/** The return code of a round trip, for the client that knows the verifier. Throws `return-code-invalid`. */
export async function redeem(ctx: Ctx, code: string, verifier: string): Promise<Arrival> {
  const kept = await store.takeOnce(ctx, "return-code", code);
  const { challenge, arrival } = (kept?.data ?? {}) as { challenge?: string; arrival?: Arrival };
  if (challenge === undefined || arrival === undefined || !answersChallenge(challenge, verifier))
    throw new Problem("return-code-invalid");
  return arrival;
}

/** A session for who has arrived. Throws `second-factor-required`, and `sign-in-failed` for an account that is not active or an identity that is gone. */
export async function signInArrived(
  ctx: Ctx,
  arrival: Extract<Arrival, { kind: "sign-in" }>,
  sessionKind: SessionChoice,
) {
  const user = await findById(ctx.db, arrival.userId);
  if (user?.status !== "active") throw new Problem("sign-in-failed");
  // The code of a round trip lasts two minutes: the identity may have been removed in them.
  const identity = { id: arrival.identityId, userId: user.id };
  if (!(await store.opensAccount(ctx.db, identity))) throw new Problem("sign-in-failed");
  await requireSecondFactor(ctx, user);
  await ctx.db.batch([store.touchIdentity(ctx.db, arrival.identityId, ctx.now())]);
  return enter(ctx, user, { sessionKind, method: "provider" });
}

/** Only in the session of the person who asked for it: whoever is lured through a round trip links nothing. */
export async function linkArrived(ctx: Ctx, arrival: Extract<Arrival, { kind: "link" }>, asker: { userId: string }) {
  if (asker.userId !== arrival.userId) throw new Problem("return-code-invalid");
  const { identity, provider, userId } = arrival;
  const known = await store.findIdentity(ctx.db, identity.issuer, identity.subject);
  if (known) {
    if (known.userId !== userId) throw new Problem("identity-taken");
    return toIdentity(known);
  }
  const user = await findById(ctx.db, userId);
  if (!user) throw new Problem("return-code-invalid");
  const row = identityRow(ctx, { userId, provider, identity });
  const acting = { ...ctx, workspaceId: homeWorkspaceId(user) };
  try {
    await ctx.db.batch([
      store.insertIdentity(ctx.db, row),
      auditEntry(acting, "identity.linked", { target: row.id, details: { provider, userId } }),
      ...notify(ctx, {
        userId,
        workspaceId: acting.workspaceId,
        kind: "security",
        title: "Sign-in by a provider added",
        body: `An account at ${provider} opens your account from now on. If that was not you, remove it and end all sessions.`,
        data: { identityId: row.id },
      }),
    ]);
  } catch (error) {
    throw store.isIdentityTaken(error) ? new Problem("identity-taken") : error;
  }
  return toIdentity(row);
}

const iso = (time: number | null) => (time === null ? null : new Date(time).toISOString());

export function toIdentity(row: IdentityRow) {
  return {
    id: row.id,
    provider: row.provider,
    email: row.email,
    displayName: row.displayName,
    createdAt: new Date(row.createdAt).toISOString(),
    lastUsedAt: iso(row.lastUsedAt),
  };
}

export async function unlink(ctx: Ctx & { userId: string; workspaceId: string }, id: string): Promise<void> {
  const row = (await store.listIdentities(ctx.db, ctx.userId)).find((identity) => identity.id === id);
  if (!row) throw new Problem("identity-not-found");
  const user = await findById(ctx.db, ctx.userId);
  const given = { id, hasPassword: user !== null && hasPassword(user.passwordPhc) };
  if (!(await store.deleteIdentity(ctx.db, ctx.userId, given))) throw new Problem("last-sign-in-method");
  await ctx.db.batch([auditEntry(ctx, "identity.removed", { target: id, details: { provider: row.provider } })]);
}
