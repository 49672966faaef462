/**
 * Reads the pixels of a PNG from a stream, for images whose file and pixels together would not fit into an isolate: it
 * holds the RGB bytes and two rows, nothing else. It takes and refuses the same images as `decodePng`, at half its speed.
 */
import { createInflate } from "node:zlib";
import { IDAT, IEND, IHDR, PNG_HEAD_BYTES, type PngSize, checkChunkOrder, isPng, readPngSize } from "#lib/png/chunks";
import { crc32 } from "#lib/png/crc";
import type { PngPixels } from "#lib/png/decode";
import { PngError } from "#lib/png/error";
import { releaseMemory } from "#lib/png/memory";
import { dropAlpha, unfilterRow } from "#lib/png/rows";

const INFLATED_PIECE_BYTES = 262_144;

/**
 * Decodes a PNG that arrives in pieces of any size, each of which may be overwritten when the next is asked for. Throws
 * PngError; errors of the source pass through.
 */
export async function decodePngStream(
  source: AsyncIterable<Uint8Array>,
  options: { rgbBytesMax: number },
): Promise<PngPixels> {
  const reader = createReader(source);
  try {
    const head = await reader.take(PNG_HEAD_BYTES);
    if (!isPng(head)) throw new PngError("not-png", "signature");
    const size = readPngSize(head, options);
    const rows = createRowSink(size);
    const inflater = createInflater(rows.push);
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
async function readChunks(reader: PieceReader, inflater: Inflater): Promise<void> {
  let previousType = IHDR;
  let hasData = false;
  while (previousType !== IEND) {
    const frame = await reader.take(8);
    if (frame.byteLength < 8) throw truncated();
    const view = new DataView(frame.buffer);
    const sizeBytes = view.getUint32(0);
    const type = view.getUint32(4);
    checkChunkOrder({ type, previousType, hasData });
    if (type === IEND && sizeBytes !== 0) throw new PngError("damaged", "data in the end chunk");
    hasData ||= type === IDAT;
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
    previousType = type;
  }
  if ((await reader.some(1)).byteLength > 0) throw new PngError("damaged", "data after the end");
}

interface Inflater {
  write(data: Uint8Array): Promise<void>;
  /** Waits for the last pixel. Throws PngError when the zlib stream is cut off or followed by other data. */
  end(): Promise<void>;
  close(): void;
}

/** Gives inflated pieces to `push` and stops at the first that it throws for: a bomb never gets further. */
function createInflater(push: (piece: Uint8Array) => void): Inflater {
  const stream = createInflate({ chunkSize: INFLATED_PIECE_BYTES });
  let writtenBytes = 0;
  const failed = new Promise<never>((_resolve, reject) => {
    stream.on("error", (error) => reject(error instanceof PngError ? error : new PngError("damaged", "zlib stream")));
  });
  // Nobody may be waiting at the moment of failure; every later wait sees the rejection.
  failed.catch(() => undefined);
  let previous: Uint8Array<ArrayBuffer> | undefined;
  stream.on("data", (piece: Uint8Array<ArrayBuffer>) => {
    // Pieces are cut from one buffer after the other; those already copied would otherwise wait for the garbage collector.
    if (previous !== undefined && previous.buffer !== piece.buffer) releaseMemory(previous);
    previous = piece;
    try {
      push(piece);
    } catch (error) {
      stream.destroy(error as Error);
    }
  });
  const ended = new Promise<void>((resolve) => stream.on("end", resolve));
  return {
    write(data) {
      writtenBytes += data.byteLength;
      const taken = new Promise<void>((resolve) => {
        stream.write(data, () => resolve());
      });
      return Promise.race([taken, failed]);
    },
    async end() {
      stream.end();
      await Promise.race([ended, failed]);
      if (stream.bytesWritten !== writtenBytes) throw new PngError("damaged", "data after the pixels");
    },
    close: () => void stream.destroy(),
  };
}

interface RowSink {
  push(piece: Uint8Array): void;
  finish(): Uint8Array<ArrayBuffer>;
}

/** Puts inflated pieces together to rows, unfilters them and keeps their RGB bytes. */
function createRowSink(size: PngSize): RowSink {
  const rowBytes = size.width * size.channels;
  const rgb = new Uint8Array(size.width * 3 * size.height);
  let line = new Uint8Array(rowBytes + 1);
  let above = new Uint8Array(rowBytes + 1);
  let filled = 0;
  let done = 0;
  const finishRow = (): void => {
    const row = line.subarray(1);
    unfilterRow({ filter: line[0] as number, row, above: above.subarray(1), pixelBytes: size.channels });
    done += dropAlpha(row, size.channels, { target: rgb, offset: done });
    [line, above] = [above, line];
    filled = 0;
  };
  return {
    push(piece) {
      for (let offset = 0; offset < piece.byteLength;) {
        if (done === rgb.byteLength) throw new PngError("damaged", "more pixels than the header says");
        const part = piece.subarray(offset, offset + line.byteLength - filled);
        line.set(part, filled);
        filled += part.byteLength;
        offset += part.byteLength;
        if (filled === line.byteLength) finishRow();
      }
    },
    finish() {
      if (done !== rgb.byteLength || filled > 0) throw new PngError("damaged", "pixels missing");
      return rgb;
    },
  };
}

function truncated(): PngError {
  return new PngError("damaged", "truncated");
}
