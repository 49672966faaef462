/**
 * Reads the pixels of a whole PNG in memory: 8-bit RGB or RGBA (alpha dropped), any filter, any zlib stream, any number
 * of IDATs. It checks every CRC and refuses interlaced, palette, grey and 16-bit images, and anything missing or left
 * over. It does not apply gamma or colour profiles: the stored bytes are the message.
 */
import { inflateSync } from "node:zlib";
import {
  CHUNK_FRAME_BYTES,
  CHUNK_TYPE_BYTES,
  type DataChunk,
  IDAT,
  IEND,
  type PngSize,
  enterChunk,
  readPngSize,
  startChunkWalk,
} from "#lib/png/chunks";
import { crc32 } from "#lib/png/crc";
import { PngError } from "#lib/png/error";
import { dropAlpha, unfilterRow } from "#lib/png/rows";
import { copyStoredRows } from "#lib/png/stored";

const FIRST_CHUNK_OFFSET = 8;

/** The pixels, row by row, three bytes each. `rgb` owns its memory: the caller may overwrite or release it. */
export interface PngPixels {
  readonly width: number;
  readonly height: number;
  readonly rgb: Uint8Array<ArrayBuffer>;
}

/** `reuse`: memory for the pixels when it is large enough; for `decodePng` only if the image is stored as `encodePng` does. */
export interface DecodeOptions {
  readonly rgbBytesMax: number;
  readonly reuse?: Uint8Array<ArrayBuffer> | undefined;
}

/** Decodes `png`. Throws PngError; `too-large` (more than `rgbBytesMax` bytes of RGB) is found before inflating. */
export function decodePng(png: Uint8Array, options: DecodeOptions): PngPixels {
  const size = readPngSize(png, options);
  const { width, height } = size;
  const chunks = readDataChunks(png);
  const [first] = chunks;
  const stored = chunks.length === 1 && first !== undefined ? copyStoredRows(first, size, options.reuse) : undefined;
  if (stored !== undefined) return { width, height, rgb: stored };
  for (const { body, crc } of chunks) if (crc32(body) !== crc) throw new PngError("damaged", "CRC");
  return { width, height, rgb: inflatePixels(joinData(chunks), size) };
}

/** Walks the chunks and checks their order and the CRCs of all but the IDATs, which are returned. */
function readDataChunks(png: Uint8Array): DataChunk[] {
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  const chunks: DataChunk[] = [];
  const walk = startChunkWalk();
  let offset = FIRST_CHUNK_OFFSET;
  while (walk.previousType !== IEND) {
    if (offset + CHUNK_FRAME_BYTES > png.byteLength) throw new PngError("damaged", "truncated");
    const type = view.getUint32(offset + 4);
    const end = offset + CHUNK_FRAME_BYTES + view.getUint32(offset);
    if (end > png.byteLength) throw new PngError("damaged", "truncated chunk");
    enterChunk(walk, type);
    const chunk = { body: png.subarray(offset + 4, end - 4), crc: view.getUint32(end - 4) };
    if (type === IDAT) chunks.push(chunk);
    else if (crc32(chunk.body) !== chunk.crc) throw new PngError("damaged", "CRC");
    offset = end;
  }
  if (offset !== png.byteLength) throw new PngError("damaged", "data after the end");
  return chunks;
}

/** The zlib stream: a view of the file when there is one IDAT. */
function joinData(chunks: readonly DataChunk[]): Uint8Array {
  const parts = chunks.map(({ body }) => body.subarray(CHUNK_TYPE_BYTES));
  const [first] = parts;
  if (parts.length === 1 && first !== undefined) return first;
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let position = 0;
  for (const part of parts) {
    joined.set(part, position);
    position += part.byteLength;
  }
  return joined;
}

function inflatePixels(data: Uint8Array, size: PngSize): Uint8Array<ArrayBuffer> {
  const rows = inflateRows(data, (size.width * size.channels + 1) * size.height);
  unfilterRows(rows, size);
  return packRows(rows, size);
}

/**
 * Inflates to exactly `rowsBytes`. One output chunk of that size and one byte more is the fastest way in workerd (growing
 * the output copies it again and again), and the limit stops a bomb there.
 */
function inflateRows(data: Uint8Array, rowsBytes: number): Uint8Array<ArrayBuffer> {
  const options = { info: true, chunkSize: Math.max(rowsBytes + 1, 64), maxOutputLength: rowsBytes };
  let result: { buffer: Uint8Array<ArrayBuffer>; engine: { bytesWritten: number } };
  try {
    // @types/node does not know that `info` changes the result (documented under "Class: Options" of node:zlib).
    result = inflateSync(data, options) as unknown as typeof result;
  } catch {
    throw new PngError("damaged", "zlib stream");
  }
  if (result.buffer.byteLength !== rowsBytes) throw new PngError("damaged", "pixels missing");
  if (result.engine.bytesWritten !== data.byteLength) throw new PngError("damaged", "data after the pixels");
  // A plain view: `slice` of a Buffer does not copy, and callers would not expect one here.
  return new Uint8Array(result.buffer.buffer, result.buffer.byteOffset, rowsBytes);
}

function unfilterRows(rows: Uint8Array, size: PngSize): void {
  const rowBytes = size.width * size.channels;
  let above: Uint8Array = new Uint8Array(rowBytes);
  for (let start = 0; start < rows.byteLength; start += rowBytes + 1) {
    const row = rows.subarray(start + 1, start + 1 + rowBytes);
    unfilterRow({ filter: rows[start] as number, row, above, pixelBytes: size.channels });
    above = row;
  }
}

/** Moves the pixels to the front of the same memory, over the filter bytes and alpha: no second image is allocated. */
function packRows(rows: Uint8Array<ArrayBuffer>, size: PngSize): Uint8Array<ArrayBuffer> {
  const rowBytes = size.width * size.channels;
  let offset = 0;
  for (let start = 1; start < rows.byteLength; start += rowBytes + 1) {
    offset += dropAlpha(rows.subarray(start, start + rowBytes), size.channels, { target: rows, offset });
  }
  return rows.subarray(0, offset);
}
