/**
 * The gateway key of a session, for clients that expect one at sign-in (`a4f_api_key`). Between requests it exists only encrypted, in the
 * session's own object, and goes with the session.
 */
import type { Ctx, WorkspaceCtx } from "#core/context";
import type { MasterKey } from "#core/env";
import type { Statement } from "#core/job";
import { absoluteSessionSeconds, attachApiKey, readSealedApiKey } from "#durable/session-store/client";
import { mintSessionKey } from "#features/api-keys/service";
import { deriveKey, EnvelopeError, importKek, unwrap, wrap } from "#lib/envelope";
import type { UserRow } from "./tables.ts";

interface Owner {
  userId: string;
  workspaceId: string;
  sessionId: string;
}

interface SessionKey {
  text: string;
  sealed: string;
  statement: Statement;
}

const aadText = (owner: Omit<Owner, "workspaceId">) => `session key ${owner.userId} ${owner.sessionId}`;
const kekOf = (master: MasterKey) => importKek(deriveKey(master.raw, "overtone session keys"));

/** null: the gateway is closed to this person until the address is verified. */
export async function makeSessionKey(
  ctx: Ctx,
  user: Pick<UserRow, "emailVerifiedAt">,
  owner: Owner,
): Promise<SessionKey | null> {
  if (ctx.settings.emailVerification.enabled && user.emailVerifiedAt === null) return null;
  const expiresAt = ctx.now() + absoluteSessionSeconds * 1_000;
  const { text, statement } = mintSessionKey(ctx, { ...owner, expiresAt });
  const kek = await kekOf(ctx.settings.masterKeys[0]);
  const sealed = await wrap(kek, Buffer.from(text), { aadText: aadText(owner), random: ctx.random });
  return { text, sealed, statement };
}

/** The key of the session that asks, made when it has none yet; null as above, and for sessions that have just ended. */
export async function ensureSessionKey(
  ctx: WorkspaceCtx,
  user: Pick<UserRow, "id" | "emailVerifiedAt">,
  sessionId: string,
): Promise<string | null> {
  const session = { userId: user.id, sessionId, nowMs: ctx.now() };
  const known = await openSealed(ctx, session, await readSealedApiKey(ctx.objects.SESSION_STORE, session));
  if (known !== null) return known;
  const made = await makeSessionKey(ctx, user, { userId: user.id, workspaceId: ctx.workspaceId, sessionId });
  if (!made) return null;
  await ctx.db.batch([made.statement]);
  const attached = await attachApiKey(ctx.objects.SESSION_STORE, { ...session, sealedApiKey: made.sealed });
  return openSealed(ctx, session, attached);
}

/** null also for one that a master key sealed which is gone: a new key is made then. */
async function openSealed(ctx: Ctx, owner: Omit<Owner, "workspaceId">, sealed: string | null): Promise<string | null> {
  if (sealed === null) return null;
  for (const master of ctx.settings.masterKeys) {
    try {
      return Buffer.from(await unwrap(await kekOf(master), sealed, aadText(owner))).toString();
    } catch (error) {
      if (!(error instanceof EnvelopeError)) throw error;
    }
  }
  return null;
}
