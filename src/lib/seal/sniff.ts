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

/** What kind of file begins with `bytes` (its first `SNIFF_BYTES` are enough). */
// oxlint-disable-next-line complexity -- a plain list of signatures, one line each
export function sniffFile(bytes: Uint8Array): FileKind {
  const text = String.fromCharCode(...bytes.subarray(0, SNIFF_BYTES));
  if (text.startsWith("\x89PNG\r\n\x1a\n")) return "png";
  if (text.startsWith("II*\0") || text.startsWith("MM\0*")) return "tiff";
  if (text.startsWith("\xff\xd8\xff")) return "jpeg";
  if (text.startsWith("RIFF") && text.slice(8, 12) === "WEBP") {
    return text.slice(12, 16) === "VP8L" ? "webp-lossless" : "webp-lossy";
  }
  if (text.startsWith("GIF8")) return "gif";
  if (text.startsWith("BM")) return "bmp";
  if (text.slice(4, 8) === "ftyp" && /^(heic|heix|mif1|avif)/.test(text.slice(8))) return "heif";
  return text.startsWith("PK\x03\x04") ? "zip" : "unknown";
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
