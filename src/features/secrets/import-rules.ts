/** What may be imported as a master key of format 1: EchoCipher's own rules, with refusals that a client can read and that repeat no key. */
import { Problem } from "#core/problem";
import { SealError } from "#lib/seal/error";
import { readMasterKey, readUserId } from "#lib/seal/v1-rules";

/** The 32 bytes and the trimmed user id; throws `encryption-key-invalid`. */
export function readImport(given: { keyHex: string; userId: string }): {
  raw: Uint8Array<ArrayBuffer>;
  externalUserId: string;
} {
  try {
    return { raw: readMasterKey(given.keyHex), externalUserId: readUserId(given.userId) };
  } catch (error) {
    if (error instanceof SealError)
      throw new Problem("encryption-key-invalid", { detail: `Not accepted: ${error.detail ?? error.reason}.` });
    throw error;
  }
}
