/**
 * Reads the pixels of a PNG from a stream, for images whose file and pixels together would not fit into an isolate: it
 * holds the RGB bytes and a row, nothing else. It takes and refuses the same images as `decodePng`.
 */
import { IDAT, IEND, IHDR, PNG_HEAD_BYTES, enterChunk, isPng, readPngSize, startChunkWalk } from "#lib/png/chunks";
import { crc32 } from "#lib/png/crc";
import type { DecodeOptions, PngPixels } from "#lib/png/decode";
import { PngError } from "#lib/png/error";
import { createRowSink } from "#lib/png/row-sink";
import { type ZlibReader, createZlibReader } from "#lib/png/zlib-reader";

/**
 * Decodes a PNG that arrives in pieces of any size, each of which may be overwritten when the next is asked for. Throws
 * PngError; errors of the source pass through.
 */
export async function decodePngStream(source: AsyncIterable<Uint8Array>, options: DecodeOptions): Promise<PngPixels> {
  const reader = createReader(source);
  try {
    const head = await reader.take(PNG_HEAD_BYTES);
    if (!isPng(head)) throw new PngError("not-png", "signature");
    const size = readPngSize(head, options);
    const rows = createRowSink(size, options.reuse);
    const inflater = createZlibReader(rows.push);
    try {
      await readChunks(reader, inflater);
      await inflater.end();
    } finally {
      inflater.close();
    }
    return { width: size.width, height: size.height, rgb: rows.finish() };
  } finally {
    await reader.close();
  }
}

interface PieceReader {
  /** Exactly `sizeBytes` bytes, or fewer at the end. */
  take(sizeBytes: number): Promise<Uint8Array>;
  /** Between 1 and `sizeBytesMax` bytes without copying, or none at the end. Valid until the next call. */
  some(sizeBytesMax: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

function createReader(source: AsyncIterable<Uint8Array>): PieceReader {
  const pieces = source[Symbol.asyncIterator]();
  let piece: Uint8Array = new Uint8Array(0);
  const some = async (sizeBytesMax: number): Promise<Uint8Array> => {
    while (piece.byteLength === 0) {
      const next = await pieces.next();
      if (next.done === true) return piece;
      piece = next.value;
    }
    const part = piece.subarray(0, sizeBytesMax);
    piece = piece.subarray(part.byteLength);
    return part;
  };
  const take = async (sizeBytes: number): Promise<Uint8Array> => {
    const bytes = new Uint8Array(sizeBytes);
    let done = 0;
    while (done < sizeBytes) {
      const part = await some(sizeBytes - done);
      if (part.byteLength === 0) break;
      bytes.set(part, done);
      done += part.byteLength;
    }
    return bytes.subarray(0, done);
  };
  return { some, take, close: async () => void (await pieces.return?.()) };
}

/** All chunks after IHDR, each CRC checked; the data of IDATs goes to `inflater`. */
async function readChunks(reader: PieceReader, inflater: ZlibReader): Promise<void> {
  const walk = startChunkWalk();
  enterChunk(walk, IHDR);
  while (walk.previousType !== IEND) {
    const frame = await reader.take(8);
    if (frame.byteLength < 8) throw truncated();
    const view = new DataView(frame.buffer);
    const sizeBytes = view.getUint32(0);
    const type = view.getUint32(4);
    enterChunk(walk, type);
    if (type === IEND && sizeBytes !== 0) throw new PngError("damaged", "data in the end chunk");
    let crc = crc32(frame.subarray(4));
    for (let left = sizeBytes; left > 0;) {
      const part = await reader.some(left);
      if (part.byteLength === 0) throw truncated();
      crc = crc32(part, crc);
      if (type === IDAT) await inflater.write(part);
      left -= part.byteLength;
    }
    const expected = await reader.take(4);
    if (expected.byteLength < 4) throw truncated();
    if (new DataView(expected.buffer).getUint32(0) !== crc) throw new PngError("damaged", "CRC");
  }
  if ((await reader.some(1)).byteLength > 0) throw new PngError("damaged", "data after the end");
}

function truncated(): PngError {
  return new PngError("damaged", "truncated");
}
