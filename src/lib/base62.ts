/** Fixed-width base62 text of byte arrays, for ids and keys. Refuses any second spelling of the same bytes. */

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const base = 62n;
/** The conversion is quadratic in the length, so it serves keys and ids, never files. */
const maxBytes = 1_024;

/** Characters needed for any value of so many bytes: 16 -> 22, 32 -> 43, 49 -> 66. */
export function base62Width(byteCount: number): number {
  return Math.ceil((byteCount * 8) / Math.log2(62));
}

/**
 * Big-endian, left-padded with `0` to the width that the byte count calls for.
 * A width that is given is an assertion: another one than `base62Width(bytes.length)` is a RangeError.
 */
export function encodeBase62(bytes: Uint8Array, width: number = base62Width(bytes.length)): string {
  if (bytes.length > maxBytes) throw new RangeError(`base62 takes at most ${maxBytes} bytes`);
  if (width !== base62Width(bytes.length))
    throw new RangeError(`${bytes.length} bytes take ${base62Width(bytes.length)} characters, not ${width}`);
  let rest = bytes.length === 0 ? 0n : BigInt(`0x${bytes.toHex()}`);
  let text = "";
  for (let index = 0; index < width; index += 1) {
    text = `${alphabet[Number(rest % base)]}${text}`;
    rest /= base;
  }
  return text;
}

/** The bytes, or null for a wrong length, a foreign character or a value that does not fit the byte count. */
export function decodeBase62(text: string, byteCount: number): Uint8Array<ArrayBuffer> | null {
  if (byteCount > maxBytes || text.length !== base62Width(byteCount)) return null;
  let value = 0n;
  for (const character of text) {
    const digit = alphabet.indexOf(character);
    if (digit === -1) return null;
    value = value * base + BigInt(digit);
  }
  if (value >> BigInt(byteCount * 8) !== 0n) return null;
  return byteCount === 0 ? new Uint8Array(0) : Uint8Array.fromHex(value.toString(16).padStart(byteCount * 2, "0"));
}
