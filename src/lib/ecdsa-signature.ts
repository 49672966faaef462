/**
 * An ECDSA signature from DER (RFC 3279 section 2.2.3: a sequence of two integers) to r and s side by side, as WebCrypto takes it. It reads
 * nothing but DER: the same numbers encoded in another way (ITU-T X.690 section 10), a negative one or a byte too many are refused.
 */

/** Bytes of each number, by COSE's number of the curve (RFC 9053 section 7.1): P-256, P-384, P-521. */
const sizesBytes: ReadonlyMap<number, number> = new Map([
  [1, 32],
  [2, 48],
  [3, 66],
]);

const sequence = 0x30;
const integer = 0x02;

/** `curve` is COSE's number of it. Throws for everything that is no signature on that curve. */
export function rawEcdsaSignature(der: Uint8Array, curve: number): Uint8Array<ArrayBuffer> {
  const sizeBytes = sizesBytes.get(curve);
  if (sizeBytes === undefined) throw new Error(`no signature is made on the curve ${curve}`);
  const both = readElement(der, sequence);
  const r = readElement(both.contents, integer);
  const s = readElement(r.rest, integer);
  if (both.rest.length > 0 || s.rest.length > 0) throw new Error("the signature has more than its two numbers");
  const raw = new Uint8Array(2 * sizeBytes);
  for (const [end, { contents }] of [[sizeBytes, r] as const, [2 * sizeBytes, s] as const]) {
    const bytes = magnitude(contents);
    if (bytes.length > sizeBytes) throw new Error("a number of the signature is too large for its curve");
    raw.set(bytes, end - bytes.length);
  }
  return raw;
}

/** The contents of the element at the start, and what follows it. */
function readElement(bytes: Uint8Array, tag: number): { contents: Uint8Array; rest: Uint8Array } {
  if (bytes[0] !== tag) throw new Error("the signature is not in DER");
  const short = bytes[1] ?? 0x80;
  // From 128 bytes on the length takes a byte of its own; the largest signature has 139.
  const isLong = short === 0x81 && (bytes[2] ?? 0) >= 0x80;
  if (short >= 0x80 && !isLong) throw new Error("the signature is not in DER");
  const start = isLong ? 3 : 2;
  const end = start + (isLong ? (bytes[2] ?? 0) : short);
  if (end > bytes.length) throw new Error("the signature is cut off");
  return { contents: bytes.subarray(start, end), rest: bytes.subarray(end) };
}

/** A positive number without the zero byte that only keeps it from being negative. */
function magnitude(contents: Uint8Array): Uint8Array {
  const [first, second] = contents;
  if (first === undefined || first >= 0x80) throw new Error("a number of the signature is not positive");
  if (first !== 0 || second === undefined) return contents;
  if (second < 0x80) throw new Error("a number of the signature is not in DER");
  return contents.subarray(1);
}
