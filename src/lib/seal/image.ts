/**
 * From an image file to its pixels, with errors that name what is wrong with the file. It refuses lossy and unsupported
 * kinds, and more than 64 MiB of RGB bytes before anything is inflated.
 */
import { type PngPixels, decodePng } from "#lib/png/decode";
import { decodePngStream } from "#lib/png/decode-stream";
import { PngError, type PngReason } from "#lib/png/error";
import { readPieces } from "#lib/png/pieces";
import { SealError, type SealReason } from "#lib/seal/error";
import { SNIFF_BYTES, refuseKind, sniffFile } from "#lib/seal/sniff";
import { decodeTiff } from "#lib/seal/tiff";

/** 64 MiB: what an isolate of 128 MB can hold beside the rest of its work. */
export const RGB_BYTES_MAX = 67_108_864;

const REASONS: Readonly<Record<PngReason, SealReason>> = {
  "not-png": "not-an-image",
  "too-large": "image-too-large",
  interlaced: "image-unsupported",
  palette: "image-unsupported",
  grey: "image-unsupported",
  "sixteen-bit": "image-unsupported",
  "unknown-kind": "image-unsupported",
  damaged: "image-damaged",
};

/**
 * The pixels of a PNG or TIFF file in memory; `reuse` may be memory of an image before. Peak memory: `file`, its pixels,
 * and once more the file if it has many IDATs.
 */
export function readImage(file: Uint8Array, options: { reuse?: Uint8Array<ArrayBuffer> | undefined } = {}): PngPixels {
  const kind = sniffFile(file);
  const refusal = refuseKind(kind);
  if (refusal !== undefined) throw refusal;
  if (kind === "tiff") return decodeTiff(file, { rgbBytesMax: RGB_BYTES_MAX });
  try {
    return decodePng(file, { rgbBytesMax: RGB_BYTES_MAX, reuse: options.reuse });
  } catch (error) {
    throw explain(error);
  }
}

/**
 * The pixels of a file that arrives in pieces; for PNG, memory is the RGB bytes and little more. Use it for files that may
 * be larger than a version 2 shard, and give the stream itself where there is one: that is ten times faster than its own
 * iteration. TIFF has no order to rely on and is collected first, up to 64 MiB and its header.
 */
export async function readImageStream(
  source: ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<PngPixels> {
  const iterable = source instanceof ReadableStream ? readPieces(source) : source;
  const pieces = iterable[Symbol.asyncIterator]();
  const start = await readStart(pieces);
  const rest = replay(start, pieces);
  const kind = sniffFile(start);
  const refusal = refuseKind(kind);
  try {
    if (refusal !== undefined) throw refusal;
    if (kind === "tiff") return decodeTiff(await collect(rest), { rgbBytesMax: RGB_BYTES_MAX });
    return await decodePngStream(rest, { rgbBytesMax: RGB_BYTES_MAX });
  } catch (error) {
    throw explain(error);
  } finally {
    await pieces.return?.();
  }
}

function explain(error: unknown): unknown {
  if (!(error instanceof PngError)) return error;
  const detail = error.reason === "damaged" || error.reason === "too-large" ? error.message : error.reason;
  return new SealError(REASONS[error.reason], { detail });
}

async function readStart(pieces: AsyncIterator<Uint8Array>): Promise<Uint8Array> {
  let start: Uint8Array = new Uint8Array(0);
  while (start.byteLength < SNIFF_BYTES) {
    const next = await pieces.next();
    if (next.done === true) break;
    const joined = new Uint8Array(start.byteLength + next.value.byteLength);
    joined.set(start);
    joined.set(next.value, start.byteLength);
    start = joined;
  }
  return start;
}

async function* replay(start: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield start;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}

/** A TIFF's header and directory are small beside its pixels. */
const TIFF_BYTES_MAX = RGB_BYTES_MAX + 1_048_576;

async function collect(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const piece of source) {
    sizeBytes += piece.byteLength;
    if (sizeBytes > TIFF_BYTES_MAX) throw new SealError("image-too-large", { detail: "TIFF" });
    // A copy: pieces are valid until the next one only.
    pieces.push(new Uint8Array(piece));
  }
  const whole = new Uint8Array(sizeBytes);
  let offset = 0;
  for (const piece of pieces) {
    whole.set(piece, offset);
    offset += piece.byteLength;
  }
  return whole;
}
