/** Reads password strings and says what they cost; it knows argon2id and scrypt (PHC) and bcrypt, and refuses everything else. */

export interface Argon2idHash {
  algorithm: "argon2id";
  version: 16 | 19;
  memoryKib: number;
  passes: number;
  lanes: number;
  salt: Uint8Array;
  hash: Uint8Array;
}

export interface ScryptHash {
  algorithm: "scrypt";
  /** N, a power of two. */
  cost: number;
  blockSize: number;
  parallelism: number;
  salt: Uint8Array;
  hash: Uint8Array;
}

/** Only ever imported: what a person has here is hashed anew at the first sign-in. */
export interface BcryptHash {
  algorithm: "bcrypt";
  /** Logarithm of the rounds. */
  cost: number;
  /** As it was imported: the algorithm's own encoding of salt and hash. */
  text: string;
}

export type PasswordHash = Argon2idHash | ScryptHash | BcryptHash;

/** OWASP's second argon2id profile (Password Storage Cheat Sheet): 19 MiB, two passes, one lane. */
export const currentProfile = {
  memoryKib: 19_456,
  passes: 2,
  lanes: 1,
  saltBytes: 16,
  hashBytes: 32,
} as const;

/** An isolate has 128 MB for everything, so one hash may not take more than this. */
const maxMemoryKib = 20 * 1024;
/** Memory times passes. It bounds the time that others wait: about 45 ms of argon2id, 100 ms of scrypt. */
const maxWorkKib = 80 * 1024;
const maxTextLength = 512;

const argon2idPattern =
  /^\$argon2id\$(?:v=(16|19)\$)?m=([1-9]\d{0,9}),t=([1-9]\d{0,9}),p=([1-9]\d{0,2})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;
const scryptPattern = /^\$scrypt\$ln=([1-9]\d?),r=([1-9]\d{0,3}),p=([1-9]\d{0,3})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;

const bcryptPattern = /^\$2[aby]\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}$/;
/** About 250 ms of the thread, in pieces of at most 100 ms. */
const maxBcryptCost = 12;

/** null: not a string of argon2id, scrypt or bcrypt, or one with a salt or hash of a senseless length. */
export function parsePhc(text: string): PasswordHash | null {
  if (text.length > maxTextLength) return null;
  const cost = bcryptPattern.exec(text)?.[1];
  if (cost !== undefined) return { algorithm: "bcrypt", cost: Number(cost), text };
  const parsed = parseArgon2id(text) ?? parseScrypt(text);
  if (!parsed) return null;
  const isSaltSane = parsed.salt.length >= 8 && parsed.salt.length <= 64;
  const isHashSane = parsed.hash.length >= 16 && parsed.hash.length <= 64;
  return isSaltSane && isHashSane ? parsed : null;
}

/** `$argon2id$v=19$m=..,t=..,p=..$salt$hash`, base64 without padding (P-H-C string format). */
export function formatArgon2id(hash: Argon2idHash): string {
  const { version, memoryKib, passes, lanes } = hash;
  const parameters = `v=${version}$m=${memoryKib},t=${passes},p=${lanes}`;
  return `$argon2id$${parameters}$${toBase64(hash.salt)}$${toBase64(hash.hash)}`;
}

export function isTooCostly(hash: PasswordHash): boolean {
  if (hash.algorithm === "bcrypt") return hash.cost > maxBcryptCost;
  if (hash.algorithm === "argon2id") {
    return hash.memoryKib > maxMemoryKib || hash.memoryKib * hash.passes > maxWorkKib;
  }
  const memoryKib = (128 * hash.cost * hash.blockSize) / 1024;
  return memoryKib > maxMemoryKib || memoryKib * hash.parallelism > maxWorkKib;
}

/** True when a password that just matched should be hashed anew with the current profile. */
export function isOutdated(hash: PasswordHash): boolean {
  if (hash.algorithm !== "argon2id" || hash.version !== 19) return true;
  return (
    hash.memoryKib < currentProfile.memoryKib ||
    hash.passes < currentProfile.passes ||
    hash.lanes !== currentProfile.lanes ||
    hash.salt.length < currentProfile.saltBytes ||
    hash.hash.length < currentProfile.hashBytes
  );
}

function parseArgon2id(text: string): Argon2idHash | null {
  const match = argon2idPattern.exec(text);
  if (!match) return null;
  const [, version, memory, passes, lanes, salt = "", hash = ""] = match;
  const memoryKib = Number(memory);
  // RFC 9106 asks for at least eight blocks a lane; the library would refuse it with an error.
  if (memoryKib < 8 * Number(lanes) || memoryKib < 32) return null;
  return withBytes(
    {
      algorithm: "argon2id",
      // Strings without `v=` predate version 1.3.
      version: version === "19" ? 19 : 16,
      memoryKib,
      passes: Number(passes),
      lanes: Number(lanes),
    },
    { salt, hash },
  );
}

function parseScrypt(text: string): ScryptHash | null {
  const match = scryptPattern.exec(text);
  if (!match) return null;
  const [, costLog2, blockSize, parallelism, salt = "", hash = ""] = match;
  return withBytes(
    {
      algorithm: "scrypt",
      cost: 2 ** Number(costLog2),
      blockSize: Number(blockSize),
      parallelism: Number(parallelism),
    },
    { salt, hash },
  );
}

function withBytes<T extends object>(
  parameters: T,
  encoded: { salt: string; hash: string },
): (T & { salt: Uint8Array; hash: Uint8Array }) | null {
  const salt = fromBase64(encoded.salt);
  const hash = fromBase64(encoded.hash);
  return salt && hash ? { ...parameters, salt, hash } : null;
}

function fromBase64(text: string): Uint8Array | null {
  try {
    return Uint8Array.fromBase64(text);
  } catch {
    return null;
  }
}

function toBase64(bytes: Uint8Array): string {
  return bytes.toBase64({ omitPadding: true });
}
