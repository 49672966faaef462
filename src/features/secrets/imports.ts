/** Imported master keys of format 1 (EchoCipher): every person of the workspace opens with them, named ones also seal. */
import { Problem } from "#core/problem";
import type { KeyCtx } from "./data-keys.ts";
import { maxImports } from "./rules.ts";
import { findKey, listImports } from "./store.ts";
import type { EncryptionKeyRow } from "./tables.ts";
import { isDamaged, unwrapEncryptionKey } from "./wrapping.ts";

/** `raw`: the 32 bytes from which, together with `externalUserId`, EchoCipher derives its key. */
export interface V1Master {
  id: string;
  externalUserId: string;
  raw: Uint8Array;
}

/** The workspace's imports, newest first, at most 50; `externalUserId` null: those for every user id. A damaged one is left out. */
export async function listV1Masters(
  ctx: Pick<KeyCtx, "db" | "settings" | "workspaceId">,
  externalUserId: string | null,
): Promise<V1Master[]> {
  const rows = await listImports(ctx, externalUserId, maxImports);
  const masters = await Promise.all(rows.map((row) => openUnlessDamaged(ctx, row)));
  return masters.filter((master) => master !== null);
}

/** Throws `encryption-key-not-found` for anything but an import of this workspace, `encryption-key-deactivated`, `encryption-key-damaged`. */
export async function openV1Master(
  ctx: Pick<KeyCtx, "db" | "settings" | "workspaceId">,
  id: string,
): Promise<V1Master> {
  const row = await findKey(ctx, id);
  if (!row) throw new Problem("encryption-key-not-found");
  if (row.keyType !== "master")
    throw new Problem("encryption-key-not-found", { detail: "Format 1 seals with an imported master key only." });
  if (row.state !== "active") throw new Problem("encryption-key-deactivated");
  return open(ctx, row);
}

async function open(ctx: Pick<KeyCtx, "settings">, row: EncryptionKeyRow): Promise<V1Master> {
  return { id: row.id, externalUserId: row.externalUserId ?? "", raw: await unwrapEncryptionKey(ctx.settings, row) };
}

/** One damaged import must not keep the others from opening. */
async function openUnlessDamaged(ctx: Pick<KeyCtx, "settings">, row: EncryptionKeyRow): Promise<V1Master | null> {
  try {
    return await open(ctx, row);
  } catch (error) {
    if (isDamaged(error)) return null;
    throw error;
  }
}
