/**
 * The gateway key of a session, for clients that expect one at sign-in (`a4f_api_key`). Between requests it exists only encrypted, in the
 * session's own object, and goes with the session.
 */
import type { Ctx, WorkspaceCtx } from "#core/context";
import type { Statement } from "#core/job";
import { absoluteSessionSeconds, attachApiKey, readSealedApiKey } from "#durable/session-store/client";
import { mintSessionKey } from "#features/api-keys/service";
import { openText, sealText } from "./sealing.ts";
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

/** null: the gateway is closed to this person until the address is verified. */
export function makeSessionKey(ctx: Ctx, user: Pick<UserRow, "emailVerifiedAt">, owner: Owner): SessionKey | null {
  if (ctx.settings.emailVerification.enabled && user.emailVerifiedAt === null) return null;
  const expiresAt = ctx.now() + absoluteSessionSeconds * 1_000;
  const { text, statement } = mintSessionKey(ctx, { ...owner, expiresAt });
  return { text, sealed: sealText(ctx, aadText(owner), text), statement };
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
  const made = makeSessionKey(ctx, user, { userId: user.id, workspaceId: ctx.workspaceId, sessionId });
  if (!made) return null;
  await ctx.db.batch([made.statement]);
  const attached = await attachApiKey(ctx.objects.SESSION_STORE, { ...session, sealedApiKey: made.sealed });
  return openSealed(ctx, session, attached);
}

/** null also for one that a master key sealed which is gone. */
async function openSealed(ctx: Ctx, owner: Omit<Owner, "workspaceId">, sealed: string | null): Promise<string | null> {
  return sealed === null ? null : openText(ctx.settings, aadText(owner), sealed);
}
