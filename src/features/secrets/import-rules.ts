/** What may be imported as a master key of format 1: the rules that EchoCipher 2.0.0 itself applies. Never repeats key material. */
import { Problem } from "#core/problem";

const minDistinctBytes = 16;
const maxUserIdLength = 255;
// oxlint-disable-next-line no-control-regex -- control characters are what is refused
const forbidden = /[/\\<>:"|?*\u0000-\u001f\u007f]|\.\./;

/** The 32 bytes; throws `encryption-key-invalid`. */
export function readMasterKey(keyHex: string): Uint8Array<ArrayBuffer> {
  if (!/^[0-9a-f]{64}$/i.test(keyHex)) throw invalid("A master key is exactly 64 hexadecimal characters.");
  const raw = Uint8Array.fromHex(keyHex);
  if (new Set(raw).size < minDistinctBytes) throw invalid("A master key has at least 16 different bytes.");
  return raw;
}

/** The user id as it is, or `encryption-key-invalid`. */
export function readUserId(userId: string): string {
  if (userId === "" || userId !== userId.trim()) throw invalid("userId is not empty and does not begin or end with a space.");
  if (userId.length > maxUserIdLength || forbidden.test(userId)) throw invalid("userId has at most 255 characters, without control characters and / \\ .. < > : \" | ? *");
  return userId;
}

function invalid(detail: string): Problem {
  return new Problem("encryption-key-invalid", { detail });
}
