/** Makes the keys that a person has exactly one active of: made on first use, by whichever of several parallel requests comes first. */
import { auditEntry } from "#core/audit";
import type { WorkspaceCtx } from "#core/context";
import { makeId } from "#core/ids";
import { Problem } from "#core/problem";
import { fingerprintOf, keyBytes } from "./rules.ts";
import { sessionEnd } from "./sessions.ts";
import { findActiveSessionKey, findActiveUserKeyOf, insertKey, isTaken, lastVersion } from "./store.ts";
import type { EncryptionKeyRow } from "./tables.ts";
import { wrapEncryptionKey } from "./wrapping.ts";

export type KeyMaking = Pick<EncryptionKeyRow, "id" | "userId" | "keyType" | "format" | "version"> &
  Partial<Pick<EncryptionKeyRow, "description" | "externalUserId" | "sessionId" | "expiresAt">> & { raw: Uint8Array };

/** A row with the key wrapped by the current master key. */
export async function toKeyRow(ctx: WorkspaceCtx, making: KeyMaking): Promise<EncryptionKeyRow> {
  const { raw, ...given } = making;
  const name = { workspaceId: ctx.workspaceId, ...given };
  return {
    description: null,
    externalUserId: null,
    sessionId: null,
    expiresAt: null,
    ...name,
    ...(await wrapEncryptionKey(ctx, name, raw)),
    state: "active",
    fingerprint: fingerprintOf(ctx.workspaceId, raw),
    createdAt: ctx.now(),
    rotatedAt: null,
    deactivatedAt: null,
  };
}

export interface Ensured {
  row: EncryptionKeyRow;
  isNew: boolean;
}

/** The active user key of the person who asks. */
export async function ensureUserKey(ctx: WorkspaceCtx, description: string | null = null): Promise<Ensured> {
  const find = () => findActiveUserKeyOf(ctx, ctx.userId);
  const existing = await find();
  if (existing) return { row: existing, isNew: false };
  const version = (await lastVersion(ctx, ctx.userId, "user")) + 1;
  return insertOnce(ctx, { keyType: "user", format: 2, version, userId: ctx.userId, description }, find);
}

/** The active key of the session that asks. Throws `session-required` for API keys, and for a session that has just ended. */
export async function ensureSessionKey(ctx: WorkspaceCtx, description: string | null): Promise<Ensured> {
  const { actor, userId } = ctx;
  if (actor.kind !== "user")
    throw new Problem("session-required", { detail: "Only a signed-in session can have a session key." });
  const { sessionId } = actor;
  const expiresAt = await sessionEnd(ctx, { userId, sessionId });
  if (expiresAt === null) throw new Problem("session-required", { detail: "The session has ended." });
  const find = () => findActiveSessionKey(ctx, sessionId);
  const existing = await find();
  if (existing) return { row: existing, isNew: false };
  const version = (await lastVersion(ctx, userId, "session")) + 1;
  return insertOnce(ctx, { keyType: "session", format: 2, version, userId, description, sessionId, expiresAt }, find);
}

/** The unique index lets one of several parallel requests in; the others take what that one made. */
async function insertOnce(
  ctx: WorkspaceCtx,
  making: Omit<KeyMaking, "id" | "raw">,
  find: () => Promise<EncryptionKeyRow | null>,
): Promise<Ensured> {
  const freely = withFreeIds(ctx);
  const row = await toKeyRow(ctx, { ...making, id: freely.newId("encryptionKey"), raw: ctx.random(keyBytes) });
  try {
    await ctx.db.batch([
      insertKey(ctx, row),
      auditEntry(freely, "encryption-key.created", {
        target: row.id,
        details: { kind: row.keyType, version: row.version },
      }),
    ]);
    return { row, isNew: true };
  } catch (error) {
    const winner = isTaken(error) ? await find() : null;
    if (winner) return { row: winner, isNew: false };
    throw error;
  }
}

/**
 * A replayed request takes its ids in the order of its first run, which may have made the key while the second finds it:
 * so a key made on the way takes none of them.
 */
function withFreeIds(ctx: WorkspaceCtx): WorkspaceCtx {
  return { ...ctx, newId: (kind) => makeId(kind, ctx.now(), ctx.random(16)) };
}
