/** The only way to hash or verify a password; it spreads the work over the configured hashers and keeps nothing. */
import { objectNamed, type Placement } from "../stub.ts";
import { currentProfile, formatArgon2id } from "./phc.ts";
import type { HashOutcome, Hasher, VerifyOutcome } from "./object.ts";

/** `random` in [0, 1) chooses one of `hashers` (1 to 8) objects; with one hasher it may be left out. */
export interface HasherOptions extends Placement {
  hashers?: number;
  random?: number;
}

const maxHashers = 8;

/** What an unknown user's password is compared with: the current profile over an all-zero salt and hash, which nothing matches. */
const nothing = formatArgon2id({
  algorithm: "argon2id",
  version: 19,
  memoryKib: currentProfile.memoryKib,
  passes: currentProfile.passes,
  lanes: currentProfile.lanes,
  salt: new Uint8Array(currentProfile.saltBytes),
  hash: new Uint8Array(currentProfile.hashBytes),
});

/** `{ok: true, phc}` or `busy` (answer 503) or `too-long`. */
export async function hashPassword(
  hashers: DurableObjectNamespace<Hasher>,
  password: string,
  options: HasherOptions = {},
): Promise<HashOutcome> {
  return await pick(hashers, options).hash(password);
}

/** `{ok: true, matches, needsUpgrade}` or why it was not tried: `busy` (503), `too-long`, `too-costly` and `unsupported` (reset mail). */
export async function verifyPassword(
  hashers: DurableObjectNamespace<Hasher>,
  attempt: { password: string; phc: string },
  options: HasherOptions = {},
): Promise<VerifyOutcome> {
  return await pick(hashers, options).verify(attempt.password, attempt.phc);
}

/** For unknown users and users without a password: costs what a real comparison costs and never matches. */
export async function verifyAgainstNothing(
  hashers: DurableObjectNamespace<Hasher>,
  password: string,
  options: HasherOptions = {},
): Promise<VerifyOutcome> {
  const outcome = await verifyPassword(hashers, { password, phc: nothing }, options);
  return outcome.ok ? { ok: true, matches: false, needsUpgrade: false } : outcome;
}

function pick(hashers: DurableObjectNamespace<Hasher>, options: HasherOptions): DurableObjectStub<Hasher> {
  const count = Math.min(Math.max(Math.trunc(options.hashers ?? 1), 1), maxHashers);
  const index = Math.min(Math.floor((options.random ?? 0) * count), count - 1);
  return objectNamed(hashers, `hasher-${index}`, options);
}
