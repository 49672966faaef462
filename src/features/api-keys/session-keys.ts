/**
 * Keys of one session, for clients that expect a gateway key at sign-in: they may use models and nothing else, end with the session, and
 * are in no list. Their text is kept nowhere in the clear.
 */
import type { Ctx } from "#core/context";
import type { Statement } from "#core/job";
import { makeKey } from "./key-format.ts";
import { deleteEndedSessionKeys, insertKey } from "./store.ts";

/** The text of the key, and its row for the caller's batch. `expiresAt` in milliseconds: the latest end of the session. */
export function mintSessionKey(
  ctx: Ctx,
  owner: { userId: string; workspaceId: string; sessionId: string; expiresAt: number },
): { text: string; statement: Statement } {
  const made = makeKey(ctx.settings.masterKeys[0], "live", { id: ctx.newId("apiKey"), secret: ctx.random(24) });
  const statement = insertKey(ctx, {
    ...owner,
    id: made.id,
    name: "session",
    mode: "live",
    start: made.text.slice(0, 13),
    hash: made.hash,
    scopes: ["models:use"],
    createdAt: ctx.now(),
  });
  return { text: made.text, statement };
}

/** Removes the rows of session keys that have ended by time. */
export function purgeSessionKeys(ctx: Ctx): Statement {
  return deleteEndedSessionKeys(ctx, ctx.now());
}
