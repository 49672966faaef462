/**
 * Wraps and unwraps the two lower levels of keys: data key < encryption key < master key. The only place that turns settings into
 * key-encryption keys. Stored bytes that fail authentication are reported as a damaged key, never used.
 */
import type { Ctx } from "#core/context";
import type { MasterKey, Settings } from "#core/env";
import { Problem } from "#core/problem";
import { deriveKey, EnvelopeError, importKek, unwrap, wrap } from "#lib/envelope";
import { dataKeyText, encryptionKeyText } from "./rules.ts";
import type { EncryptionKeyRow } from "./tables.ts";

export type KeyName = Pick<EncryptionKeyRow, "workspaceId" | "id" | "version" | "keyType">;
type WrapCtx = Pick<Ctx, "settings" | "random">;

/** The values, never promises: a promise of one request may not be awaited by another in this runtime. */
const masterKeks = new WeakMap<MasterKey, CryptoKey>();

/** Derived, because the same master key also authenticates API keys: no bytes serve two purposes. */
async function masterKek(master: MasterKey): Promise<CryptoKey> {
  const known = masterKeks.get(master);
  if (known) return known;
  const kek = await importKek(deriveKey(master.raw, "overtone encryption key wrapping"));
  masterKeks.set(master, kek);
  return kek;
}

/** Wraps under the current master key. */
export async function wrapEncryptionKey(
  ctx: WrapCtx,
  name: KeyName,
  raw: Uint8Array,
): Promise<{ wrappedKey: string; masterVersion: number }> {
  const [master] = ctx.settings.masterKeys;
  const wrappedKey = await wrap(await masterKek(master), raw, { aadText: encryptionKeyText(name), random: ctx.random });
  return { wrappedKey, masterVersion: master.version };
}

/** Throws `unavailable` when its master key is not configured here, `encryption-key-damaged` when the stored bytes are not what was stored. */
export async function unwrapEncryptionKey(settings: Settings, row: EncryptionKeyRow): Promise<Uint8Array<ArrayBuffer>> {
  const master = settings.masterKeys.find((candidate) => candidate.version === row.masterVersion);
  // While a new MASTER_KEYS spreads, an isolate may still run with the old one: the caller tries again.
  if (!master)
    throw new Problem("unavailable", {
      detail: "The master key of this key is not configured.",
      headers: { "retry-after": "30" },
    });
  return authentic(unwrap(await masterKek(master), row.wrappedKey, encryptionKeyText(row)));
}

/** An unwrapped encryption key that can wrap and unwrap data keys; its bytes cannot be read back. */
export interface Holder {
  row: EncryptionKeyRow;
  kek: CryptoKey;
}

export async function holderOf(settings: Settings, row: EncryptionKeyRow): Promise<Holder> {
  return { row, kek: await importKek(await unwrapEncryptionKey(settings, row)) };
}

export async function wrapDataKey(
  ctx: Pick<Ctx, "random">,
  holder: Holder,
  key: { id: string; raw: Uint8Array },
): Promise<string> {
  return wrap(holder.kek, key.raw, { aadText: textOf(holder, key.id), random: ctx.random });
}

/** Throws `encryption-key-damaged`. */
export async function unwrapDataKey(
  holder: Holder,
  key: { id: string; wrappedKey: string },
): Promise<Uint8Array<ArrayBuffer>> {
  return authentic(unwrap(holder.kek, key.wrappedKey, textOf(holder, key.id)));
}

function textOf({ row }: Holder, id: string): string {
  return dataKeyText({ workspaceId: row.workspaceId, id, version: row.version });
}

async function authentic(opened: Promise<Uint8Array<ArrayBuffer>>): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await opened;
  } catch (error) {
    if (error instanceof EnvelopeError) throw new Problem("encryption-key-damaged");
    throw error;
  }
}

/** For loops that leave a damaged key where it is and go on. */
export function isDamaged(error: unknown): boolean {
  return error instanceof Problem && error.code === "encryption-key-damaged";
}
