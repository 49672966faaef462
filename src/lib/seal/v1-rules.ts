/**
 * What EchoCipher 2.0.0 demands of keys and names, and how it derives the key of a user. These rules are for writing and
 * for keys; a header that was authenticated is taken as it is.
 */
import { SealError } from "#lib/seal/error";

const KEY_INFO = "AUDIO-IMG-V1";
const DISTINCT_BYTES_MIN = 16;
const NAME_CHARACTERS_MAX = 255;
/** `/ \ < > : " | ? *` and control characters; NUL is one of them. */
// oxlint-disable-next-line no-control-regex -- control characters are what the rule forbids
const FORBIDDEN = /[/\\<>:"|?*\u0000-\u001f\u007f-\u009f]/u;

/** The 32 bytes of a master key given as 64 hex characters. Throws SealError `input-invalid` for a weak or malformed one. */
export function readMasterKey(hex: string): Uint8Array<ArrayBuffer> {
  if (!/^[0-9a-f]{64}$/iu.test(hex)) throw invalid("the master key has 64 hexadecimal characters");
  const key = Uint8Array.from({ length: 32 }, (_, index) => Number.parseInt(hex.slice(index * 2, index * 2 + 2), 16));
  // An all-zero key has one distinct byte.
  if (new Set(key).size < DISTINCT_BYTES_MIN) throw invalid("the master key has at least 16 different bytes");
  return key;
}

/** The trimmed user id. Throws SealError `input-invalid`. */
export function readUserId(value: string): string {
  return readName(value, "the user id");
}

/** The trimmed file name. Throws SealError `input-invalid`. */
export function readFileName(value: string): string {
  return readName(value, "the file name");
}

function readName(value: string, subject: string): string {
  const name = value.trim();
  if (name === "") throw invalid(`${subject} is blank`);
  if (Array.from(name).length > NAME_CHARACTERS_MAX) throw invalid(`${subject} is longer than 255 characters`);
  if (name.includes("..") || FORBIDDEN.test(name)) throw invalid(`${subject} has a forbidden character`);
  // A lone surrogate has no UTF-8 form: it would derive the key of another id.
  if (!name.isWellFormed()) throw invalid(`${subject} is not valid Unicode`);
  return name;
}

/**
 * The 32-byte key of one user: HKDF-SHA256 (RFC 5869) without salt over master key and user id. Case matters; there is no
 * separator between the two, which is why the master key must have exactly 32 bytes.
 */
export async function deriveKeyV1(input: { masterKey: Uint8Array; userId: string }): Promise<Uint8Array<ArrayBuffer>> {
  if (input.masterKey.byteLength !== 32) throw invalid("the master key has 32 bytes");
  const userId = new TextEncoder().encode(input.userId);
  const material = new Uint8Array(32 + userId.byteLength);
  material.set(input.masterKey);
  material.set(userId, 32);
  const key = await crypto.subtle.importKey("raw", material, "HKDF", false, ["deriveBits"]);
  const algorithm = {
    name: "HKDF",
    hash: "SHA-256",
    salt: new Uint8Array(0),
    info: new TextEncoder().encode(KEY_INFO),
  };
  return new Uint8Array(await crypto.subtle.deriveBits(algorithm, key, 256));
}

function invalid(detail: string): SealError {
  return new SealError("input-invalid", { detail });
}
