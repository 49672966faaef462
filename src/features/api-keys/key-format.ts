/**
 * The text of an API key: `ovt_live_` or `ovt_test_` and 66 base62 characters that hold 49 bytes:
 * version of the master key (1), key id (16), secret (24), tag (8). The tag is an HMAC under a key derived from that master key,
 * so a forged or mistyped key is refused by arithmetic alone, without a read of any storage.
 */
import { createHash, createHmac, hkdfSync, timingSafeEqual } from "node:crypto";
import type { MasterKey } from "#core/env";
import { bytesId, idBytes } from "#core/ids";
import { decodeBase62, encodeBase62 } from "#lib/base62";

const payloadBytes = 41;
const tagBytes = 8;
const textLength = 66;
const pattern = /^ovt_(live|test)_([0-9A-Za-z]{66})$/;

export type KeyMode = "live" | "test";

export interface ReadKey {
  mode: KeyMode;
  id: string;
  hash: string;
}

const tagKeys = new WeakMap<MasterKey, Uint8Array>();

function tagKey(master: MasterKey): Uint8Array {
  const known = tagKeys.get(master);
  if (known) return known;
  const derived = new Uint8Array(hkdfSync("sha256", master.raw, new Uint8Array(0), "overtone api key tag", 32));
  tagKeys.set(master, derived);
  return derived;
}

function tagOf(master: MasterKey, mode: KeyMode, payload: Uint8Array): Uint8Array {
  return createHmac("sha256", tagKey(master)).update(mode).update(payload).digest().subarray(0, tagBytes);
}

/** @param parts `id`: the key's id, whose 128 bits go into the key; `secret`: 24 random bytes (192 bits). */
export function makeKey(
  master: MasterKey,
  mode: KeyMode,
  parts: { id: string; secret: Uint8Array },
): ReadKey & { text: string } {
  const payload = new Uint8Array(payloadBytes);
  payload[0] = master.version;
  payload.set(idBytes(parts.id), 1);
  payload.set(parts.secret.subarray(0, 24), 17);
  const bytes = new Uint8Array(payloadBytes + tagBytes);
  bytes.set(payload);
  bytes.set(tagOf(master, mode, payload), payloadBytes);
  return { text: `ovt_${mode}_${encodeBase62(bytes, textLength)}`, ...describe(mode, payload) };
}

/** What a key says, or null when it was not made here. Reads nothing but its arguments. */
export function readKey(masters: readonly MasterKey[], text: string): ReadKey | null {
  const [, mode, encoded] = pattern.exec(text) ?? [];
  if ((mode !== "live" && mode !== "test") || encoded === undefined) return null;
  const bytes = decodeBase62(encoded, payloadBytes + tagBytes);
  const master = bytes && masters.find((candidate) => candidate.version === bytes[0]);
  if (!bytes || !master) return null;
  const payload = bytes.subarray(0, payloadBytes);
  return timingSafeEqual(tagOf(master, mode, payload), bytes.subarray(payloadBytes)) ? describe(mode, payload) : null;
}

function describe(mode: KeyMode, payload: Uint8Array): ReadKey {
  return {
    mode,
    id: bytesId("apiKey", payload.subarray(1, 17)),
    hash: createHash("sha256").update(payload.subarray(1)).digest("hex"),
  };
}
