/**
 * Tells file kinds and sealed pixels apart by their first bytes, so that a refusal can say what the matter is. It proves
 * nothing: only opening a shard does.
 */
import { SealError } from "#lib/seal/error";
import { MAGIC_V2 } from "#lib/seal/v2-header";

/** `webp-lossy` and `webp-lossless` are told apart by the first chunk; `unknown` is everything without a known start. */
export type FileKind =
  | "png"
  | "tiff"
  | "jpeg"
  | "webp-lossy"
  | "webp-lossless"
  | "gif"
  | "bmp"
  | "heif"
  | "zip"
  | "unknown";

/** Bytes that `sniffFile` looks at. */
export const SNIFF_BYTES = 16;

/** Version 1: 4 bytes of header length, then JSON, whose first member by the alphabet is `compressed`. */
const START_V1: Uint8Array = new TextEncoder().encode('{"');
const HEADER_LENGTH_V1_MAX = 1_020;

/** What stands at `at` in files of a kind; the first row that fits counts. */
const MARKS: readonly { readonly kind: FileKind; readonly at: number; readonly texts: readonly string[] }[] = [
  { kind: "png", at: 0, texts: ["\x89PNG\r\n\x1a\n"] },
  { kind: "tiff", at: 0, texts: ["II*\0", "MM\0*"] },
  { kind: "jpeg", at: 0, texts: ["\xff\xd8\xff"] },
  { kind: "webp-lossless", at: 8, texts: ["WEBPVP8L"] },
  { kind: "webp-lossy", at: 8, texts: ["WEBP"] },
  { kind: "gif", at: 0, texts: ["GIF8"] },
  { kind: "bmp", at: 0, texts: ["BM"] },
  { kind: "heif", at: 4, texts: ["ftypheic", "ftypheix", "ftypmif1", "ftypavif"] },
  { kind: "zip", at: 0, texts: ["PK\x03\x04"] },
];

/** What kind of file begins with `bytes` (its first `SNIFF_BYTES` are enough). */
export function sniffFile(bytes: Uint8Array): FileKind {
  const start = String.fromCharCode(...bytes.subarray(0, SNIFF_BYTES));
  const mark = MARKS.find(({ at, texts }) => texts.some((text) => start.startsWith(text, at)));
  return mark?.kind ?? "unknown";
}

/** The error for a file that is neither PNG nor TIFF, or undefined for those two. */
export function refuseKind(kind: FileKind): SealError | undefined {
  switch (kind) {
    case "png":
    case "tiff":
      return undefined;
    case "jpeg":
    case "webp-lossy":
    case "heif":
      return new SealError("lossy-image", { detail: kind });
    case "webp-lossless":
    case "gif":
    case "bmp":
      return new SealError("image-unsupported", { detail: kind });
    case "zip":
    case "unknown":
      return new SealError("not-an-image", { detail: kind });
  }
}

/** How far each byte of the magic may be off for pixels that look like version 2 after a lossy copy. */
const LOSSY_DISTANCE_MAX = 48;

/**
 * Which version of the format the pixels begin with. Throws SealError: `lossy-image` when they only nearly have the magic
 * (JPEG and back; by chance about one image in 2,000), else `not-sealed`.
 */
export function sniffPixels(rgb: Uint8Array): 1 | 2 {
  if (MAGIC_V2.every((byte, index) => byte === rgb[index])) return 2;
  const lengthV1 = (rgb[0] ?? 0) | ((rgb[1] ?? 0) << 8);
  const isShort = rgb[2] === 0 && rgb[3] === 0 && lengthV1 > START_V1.byteLength && lengthV1 <= HEADER_LENGTH_V1_MAX;
  if (isShort && START_V1.every((byte, index) => byte === rgb[index + 4])) return 1;
  const isNear = MAGIC_V2.every((byte, index) => Math.abs(byte - (rgb[index] ?? 0xffff)) <= LOSSY_DISTANCE_MAX);
  throw isNear ? new SealError("lossy-image", { detail: "pixels changed" }) : new SealError("not-sealed");
}
