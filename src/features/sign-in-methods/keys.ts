/** Keyed hashes and wrapping of this feature: each purpose has a key of its own, derived from a master key. No bytes serve two purposes. */
import { createHmac, hkdfSync } from "node:crypto";
import type { Ctx } from "#core/context";
import type { MasterKey, Settings } from "#core/env";
import { Problem } from "#core/problem";
import { deriveKey, importKek, unwrap, wrap } from "#lib/envelope";

export type Purpose =
  | "ticket"
  | "recovery code"
  | "one-time value"
  | "device code"
  | "user code"
  | "verifier"
  | "nonce";

const derived = new WeakMap<MasterKey, Map<Purpose, Uint8Array>>();

function keyFor(master: MasterKey, purpose: Purpose): Uint8Array {
  const keys = derived.get(master) ?? new Map<Purpose, Uint8Array>();
  derived.set(master, keys);
  const known = keys.get(purpose);
  if (known) return known;
  const key = new Uint8Array(hkdfSync("sha256", master.raw, new Uint8Array(0), `overtone sign-in ${purpose}`, 32));
  keys.set(purpose, key);
  return key;
}

/** 32 bytes as 43 characters of base64url. */
export function keyedHash(master: MasterKey, purpose: Purpose, text: string): string {
  return createHmac("sha256", keyFor(master, purpose)).update(text).digest("base64url");
}

/** By every configured master key, the current one first: what was hashed before a rotation is still found. */
export function keyedHashes(settings: Settings, purpose: Purpose, text: string): [string, ...string[]] {
  const [current, ...older] = settings.masterKeys;
  return [keyedHash(current, purpose, text), ...older.map((master) => keyedHash(master, purpose, text))];
}

/** The values, never promises: a promise of one request may not be awaited by another in this runtime. */
const keks = new WeakMap<MasterKey, CryptoKey>();

async function kekOf(master: MasterKey): Promise<CryptoKey> {
  const known = keks.get(master);
  if (known) return known;
  const kek = await importKek(deriveKey(master.raw, "overtone second factor wrapping"));
  keks.set(master, kek);
  return kek;
}

export async function wrapSecret(
  ctx: Ctx,
  userId: string,
  secret: Uint8Array,
): Promise<{ wrappedSecret: string; masterVersion: number }> {
  const [master] = ctx.settings.masterKeys;
  const wrappedSecret = await wrap(await kekOf(master), secret, { aadText: `totp ${userId}`, random: ctx.random });
  return { wrappedSecret, masterVersion: master.version };
}

/** Throws `unavailable` when its master key is not configured here. */
export async function unwrapSecret(
  settings: Settings,
  row: { userId: string; wrappedSecret: string; masterVersion: number },
): Promise<Uint8Array<ArrayBuffer>> {
  const master = settings.masterKeys.find((candidate) => candidate.version === row.masterVersion);
  if (!master)
    throw new Problem("unavailable", {
      detail: "The master key of this secret is not configured.",
      headers: { "retry-after": "30" },
    });
  return unwrap(await kekOf(master), row.wrappedSecret, `totp ${row.userId}`);
}
