/** Computes and compares password hashes, on the calling thread and one at a time; it never uses PBKDF2. */
import { scryptSync, timingSafeEqual } from "node:crypto";
import Argon2, { Argon2Type } from "@phi-ag/argon2";
import wasm from "@phi-ag/argon2/argon2.wasm";
import { currentProfile, formatArgon2id, type Argon2idHash, type PasswordHash, type ScryptHash } from "./phc.ts";

/** Passwords above this are refused before any work: the bound of the password policy. */
const maxPasswordBytes = 1_024;

const encoder = new TextEncoder();
const mebibyte = 1024 * 1024;
let engine: Argon2 | undefined;

/** A PHC string of the current profile for a password and a fresh random salt of `currentProfile.saltBytes`. */
export function hashPassword(password: string, salt: Uint8Array): string {
  const { memoryKib, passes, lanes, hashBytes } = currentProfile;
  const parameters: Argon2idHash = {
    algorithm: "argon2id",
    version: 19,
    memoryKib,
    passes,
    lanes,
    salt,
    hash: new Uint8Array(hashBytes),
  };
  return formatArgon2id({ ...parameters, hash: argon2id(password, parameters) });
}

/** Constant in time over where the two hashes differ. The caller has refused costly strings (`isTooCostly`). */
export async function matchesPassword(password: string, expected: PasswordHash): Promise<boolean> {
  if (expected.algorithm === "bcrypt") {
    const { compare } = await import("./bcrypt.ts");
    return compare(password, expected.text);
  }
  const actual = expected.algorithm === "argon2id" ? argon2id(password, expected) : scrypt(password, expected);
  return timingSafeEqual(actual, expected.hash);
}

export function isTooLong(password: string): boolean {
  return password.length > maxPasswordBytes || encoder.encode(password).length > maxPasswordBytes;
}

function argon2id(password: string, parameters: Argon2idHash): Uint8Array {
  // One instance an isolate: its memory grows to the cost of a hash once and is used again.
  engine ??= new Argon2(new WebAssembly.Instance(wasm));
  const outcome = engine.tryHash(withByteLength(password), {
    salt: parameters.salt,
    hashLength: parameters.hash.length,
    timeCost: parameters.passes,
    memoryCost: parameters.memoryKib,
    parallelism: parameters.lanes,
    type: Argon2Type.Argon2id,
    version: parameters.version,
  });
  if (!outcome.success) throw new Error(`argon2id failed: ${outcome.error}`);
  return outcome.data.hash;
}

/**
 * The package writes UTF-8 but passes `password.length`, which counts UTF-16 units, as the number of bytes to hash. Without this a
 * password outside ASCII would be cut short (Cyrillic to its first half) and would not match hashes made elsewhere. The filler
 * makes the two counts equal and lies behind the bytes that are read.
 */
function withByteLength(password: string): string {
  return password + "\0".repeat(encoder.encode(password).length - password.length);
}

function scrypt(password: string, parameters: ScryptHash): Uint8Array {
  return scryptSync(encoder.encode(password), parameters.salt, parameters.hash.length, {
    N: parameters.cost,
    r: parameters.blockSize,
    p: parameters.parallelism,
    maxmem: 32 * mebibyte,
  });
}
