/**
 * The one API key that a client of system B knows of: shown when it is made, afterwards by its first characters only. It is an ordinary
 * key of the person's own workspace.
 */
import { mayDo } from "#core/access";
import type { WorkspaceCtx } from "#core/context";
import { Problem } from "#core/problem";
import { createKey, deleteKey, getKey } from "#features/api-keys/service";
import { currentUser } from "./people.ts";
import { swapDefaultKey } from "./store.ts";
import type { UserRow } from "./tables.ts";

const keyName = "default";
const needed = "api-keys:write";

interface DefaultKey {
  /** Null when it was shown before. */
  key: string | null;
  start: string;
}

/** Makes the key and takes the place of the one before. Two at once: the second finds the key of the first and gives its own up. */
export async function mintDefaultKey(
  ctx: WorkspaceCtx,
  user: Pick<UserRow, "id" | "defaultKeyId">,
): Promise<DefaultKey> {
  const made = await createKey(ctx, { name: keyName });
  const isOurs = await swapDefaultKey(ctx.db, user, made.id);
  if (isOurs) return { key: "key" in made ? made.key : null, start: made.start };
  await deleteKey(ctx, made.id);
  const winner = await currentUser(ctx);
  return { key: null, start: (await livingKey(ctx, winner.defaultKeyId))?.start ?? "" };
}

async function livingKey(ctx: WorkspaceCtx, id: string | null) {
  if (id === null) return null;
  try {
    return await getKey(ctx, id);
  } catch (error) {
    if (error instanceof Problem && error.code === "api-key-not-found") return null;
    throw error;
  }
}

/** The person, who may have keys: making this one must not get around what is asked for of every other. */
async function keyHolder(ctx: WorkspaceCtx): Promise<UserRow> {
  if (ctx.actor.kind !== "user" || !mayDo(ctx.actor, needed))
    throw new Problem("permission-denied", { members: { requiredPermission: needed } });
  const user = await currentUser(ctx);
  if (ctx.settings.emailVerification.enabled && user.emailVerifiedAt === null) throw new Problem("email-not-verified");
  return user;
}

export async function showDefaultKey(ctx: WorkspaceCtx) {
  const user = await keyHolder(ctx);
  const known = await livingKey(ctx, user.defaultKeyId);
  const { key, start } = known ? { key: null, start: known.start } : await mintDefaultKey(ctx, user);
  return {
    success: true as const,
    message:
      key === null ? "The key was shown when it was made; make a new one if it is lost." : "Keep it: it is shown once.",
    api_key: key,
    api_key_prefix: start,
  };
}

export async function regenerateDefaultKey(ctx: WorkspaceCtx) {
  const user = await keyHolder(ctx);
  const before = await livingKey(ctx, user.defaultKeyId);
  const { key, start } = await mintDefaultKey(ctx, user);
  if (before) await deleteKey(ctx, before.id);
  return {
    success: true as const,
    message: "The new key works at once, the one before no longer. It is shown once.",
    api_key: key,
    api_key_prefix: start,
  };
}
