/**
 * Wraps keys and small secrets with AES-256-GCM under a key-encryption key, bound to a text that says what they are for.
 * Makes no randomness of its own and never puts plaintext or key bytes into an error.
 */
import { createCipheriv, hkdfSync } from "node:crypto";

const version = 1;
const nonceBytes = 12;
const tagBytes = 16;
const keyBytes = 32;
const maxPlaintextBytes = 65_536;
const maxWrappedCharacters = 4 * Math.ceil((1 + nonceBytes + maxPlaintextBytes + tagBytes) / 3);

/** `malformed`: not of our layout; `version-unknown`: written by another version; `not-authentic`: wrong key, wrong text or altered bytes. */
export type EnvelopeReason = "malformed" | "version-unknown" | "not-authentic";

export class EnvelopeError extends Error {
  readonly reason: EnvelopeReason;

  constructor(reason: EnvelopeReason) {
    super(`envelope ${reason}`);
    this.name = "EnvelopeError";
    this.reason = reason;
  }
}

export interface WrapOptions {
  /** Authenticated, not stored: the same text must be given to `unwrap`. */
  aadText: string;
  /** Cryptographic randomness. A nonce that repeats under one key breaks GCM, so it must never be a seeded source. */
  random: (lengthBytes: number) => Uint8Array;
}

/** Base64 of version (1 byte), nonce (12), ciphertext and tag (16). At most 64 KiB of plaintext. */
export async function wrap(kek: CryptoKey, plaintext: Uint8Array, options: WrapOptions): Promise<string> {
  if (plaintext.length > maxPlaintextBytes)
    throw new RangeError(`an envelope holds at most ${maxPlaintextBytes} bytes`);
  const nonce = new Uint8Array(options.random(nonceBytes));
  if (nonce.length !== nonceBytes) throw new RangeError(`the nonce must have ${nonceBytes} bytes`);
  const additionalData = new TextEncoder().encode(options.aadText);
  const sealed = await crypto.subtle.encrypt(
    { name: "AES-GCM", iv: nonce, additionalData },
    kek,
    new Uint8Array(plaintext),
  );
  const bytes = new Uint8Array(1 + nonceBytes + sealed.byteLength);
  bytes[0] = version;
  bytes.set(nonce, 1);
  bytes.set(new Uint8Array(sealed), 1 + nonceBytes);
  return bytes.toBase64();
}

/** The same envelope, from the key's 32 bytes and without a promise: for rows that are made in the middle of a batch. */
export function wrapAtOnce(rawKek: Uint8Array, plaintext: Uint8Array, options: WrapOptions): string {
  if (plaintext.length > maxPlaintextBytes)
    throw new RangeError(`an envelope holds at most ${maxPlaintextBytes} bytes`);
  if (rawKek.length !== keyBytes) throw new RangeError(`a key has ${keyBytes} bytes`);
  const nonce = new Uint8Array(options.random(nonceBytes));
  if (nonce.length !== nonceBytes) throw new RangeError(`the nonce must have ${nonceBytes} bytes`);
  const cipher = createCipheriv("aes-256-gcm", rawKek, nonce).setAAD(new TextEncoder().encode(options.aadText));
  const sealed = [cipher.update(plaintext), cipher.final(), cipher.getAuthTag()];
  return Buffer.concat([new Uint8Array([version]), nonce, ...sealed]).toString("base64");
}

/** The plaintext, or an EnvelopeError. */
export async function unwrap(kek: CryptoKey, wrapped: string, aadText: string): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = readLayout(wrapped);
  const iv = bytes.slice(1, 1 + nonceBytes);
  const additionalData = new TextEncoder().encode(aadText);
  try {
    const plain = await crypto.subtle.decrypt(
      { name: "AES-GCM", iv, additionalData },
      kek,
      bytes.slice(1 + nonceBytes),
    );
    return new Uint8Array(plain);
  } catch {
    // WebCrypto reports every failure alike; which one it was would only help a forger.
    throw new EnvelopeError("not-authentic");
  }
}

/** A key-encryption key from exactly 32 bytes; it cannot be read back out of the runtime. */
export async function importKek(raw: Uint8Array): Promise<CryptoKey> {
  if (raw.length !== keyBytes) throw new RangeError(`a key has ${keyBytes} bytes`);
  return await crypto.subtle.importKey("raw", new Uint8Array(raw), "AES-GCM", false, ["encrypt", "decrypt"]);
}

/** 32 bytes of HKDF-SHA256 (RFC 5869) with an empty salt: one key per purpose from one master key. */
export function deriveKey(master: Uint8Array, info: string): Uint8Array<ArrayBuffer> {
  if (master.length < 16) throw new RangeError("a master key has at least 16 bytes");
  return new Uint8Array(hkdfSync("sha256", master, new Uint8Array(0), info, keyBytes));
}

function readLayout(wrapped: string): Uint8Array<ArrayBuffer> {
  if (wrapped.length > maxWrappedCharacters) throw new EnvelopeError("malformed");
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = Uint8Array.fromBase64(wrapped, { lastChunkHandling: "strict" });
  } catch {
    throw new EnvelopeError("malformed");
  }
  if (bytes.length < 1 + nonceBytes + tagBytes) throw new EnvelopeError("malformed");
  if (bytes[0] !== version) throw new EnvelopeError("version-unknown");
  return bytes;
}
