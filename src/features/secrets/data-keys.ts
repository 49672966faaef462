/**
 * Opens data keys. For requests and jobs alike, so it asks for no more of a context than both have; a data key leaves this file only
 * to the code that seals or opens with it, and is never stored or logged in clear.
 */
import type { Ctx } from "#core/context";
import type { Statement } from "#core/job";
import { Problem } from "#core/problem";
import { sessionEnd } from "./sessions.ts";
import { destroyKeysOf, findDataKey } from "./store.ts";
import type { EncryptionKeyRow } from "./tables.ts";
import { holderOf, unwrapDataKey } from "./wrapping.ts";

/** Without `objects` keys of a session are refused: whether the session lives could not be asked. */
export type KeyCtx = Pick<Ctx, "db" | "settings"> &
  Partial<Pick<Ctx, "objects">> & { workspaceId: string; now(): number };

/**
 * The 32 bytes of the data key that `keyId` (32 hexadecimal characters, from an image's header) names.
 * Throws `encryption-key-wrong` for an unknown or foreign id, `encryption-key-destroyed`, `encryption-key-deactivated`
 * (deactivated, or its session has ended), `encryption-key-damaged`, and `unavailable` when the master key is not configured.
 */
export async function openDataKey(ctx: KeyCtx, keyId: string): Promise<Uint8Array> {
  const found = /^[0-9a-f]{32}$/.test(keyId) ? await findDataKey(ctx, keyId) : null;
  if (!found)
    throw new Problem("encryption-key-wrong", { detail: "No key of this workspace has the id that the images name." });
  const { dataKey, holder } = found;
  if (dataKey.destroyedAt !== null) throw new Problem("encryption-key-destroyed");
  if (holder.state === "deactivated") throw new Problem("encryption-key-deactivated");
  if (holder.keyType === "session" && !(await isSessionAlive(ctx, holder))) {
    throw new Problem("encryption-key-deactivated", { detail: "The session that the key belongs to has ended." });
  }
  return unwrapDataKey(await holderOf(ctx.settings, holder), dataKey);
}

async function isSessionAlive(ctx: KeyCtx, { userId, sessionId }: EncryptionKeyRow): Promise<boolean> {
  const { objects } = ctx;
  if (!objects || sessionId === null) return false;
  return (await sessionEnd({ objects, now: () => ctx.now() }, { userId, sessionId })) !== null;
}

/** Overwrites the data keys of one conversion: its images can never be opened again. */
export function destroyDataKeys(ctx: Pick<KeyCtx, "db" | "workspaceId" | "now">, conversionId: string): Statement {
  return destroyKeysOf(ctx, conversionId);
}
