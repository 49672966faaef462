/**
 * The short way for images that `encodePng` wrote: RGB, filter 0, nothing but stored blocks. Their rows are copied straight
 * out of the file, without zlib. Whatever is not exactly of that form is left to the general way.
 */
import { CHUNK_TYPE_BYTES, type DataChunk, type PngSize } from "#lib/png/chunks";
import { crc32 } from "#lib/png/crc";
import { PngError } from "#lib/png/error";
import { takeMemory } from "#lib/png/memory";

const ZLIB_HEADER_BYTES = 2;
const BLOCK_HEADER_BYTES = 5;
const ADLER_BYTES = 4;

/**
 * The RGB bytes in the only IDAT of an image, or undefined when it has another form (then `reuse` may hold rubbish).
 * Compares the CRC block by block, while the bytes are in the cache, and throws PngError `damaged` for a wrong one.
 * Adler-32 is not computed: the CRC covers the same bytes.
 */
// oxlint-disable-next-line complexity -- the hot loop: a call for each check costs more than the check
export function copyStoredRows(
  chunk: DataChunk,
  size: PngSize,
  reuse?: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> | undefined {
  const { body } = chunk;
  const rowBytes = size.width * 3 + 1;
  const streamBytes = rowBytes * size.height;
  const end = body.byteLength - ADLER_BYTES;
  let offset = CHUNK_TYPE_BYTES + ZLIB_HEADER_BYTES;
  if (size.channels !== 3 || end < offset + BLOCK_HEADER_BYTES + streamBytes || !isZlib(body)) return undefined;
  const rgb = takeMemory(size.width * 3 * size.height, reuse);
  let crc = crc32(body.subarray(0, offset));
  let done = 0;
  for (let isLast = false; !isLast;) {
    const block = readBlock(body, offset);
    if (block === undefined || block.stop > end || done + block.sizeBytes > streamBytes) return undefined;
    if (!copyBlock(body, rgb, { ...block, done, rowBytes })) return undefined;
    crc = crc32(body.subarray(offset, block.stop), crc);
    done += block.sizeBytes;
    offset = block.stop;
    isLast = block.isLast;
  }
  if (done !== streamBytes || offset !== end) return undefined;
  if (crc32(body.subarray(end), crc) !== chunk.crc) throw new PngError("damaged", "CRC");
  return rgb;
}

interface Block {
  readonly isLast: boolean;
  readonly sizeBytes: number;
  readonly start: number;
  readonly stop: number;
}

/** The stored block at `offset` (RFC 1951 section 3.2.4), or undefined when another kind of block is there. */
function readBlock(body: Uint8Array, offset: number): Block | undefined {
  const [kind, low = 0, high = 0, lowInverse = 0, highInverse = 0] = body.subarray(offset, offset + BLOCK_HEADER_BYTES);
  if ((kind !== 0 && kind !== 1) || (low ^ lowInverse) !== 0xff || (high ^ highInverse) !== 0xff) return undefined;
  const sizeBytes = low | (high << 8);
  const start = offset + BLOCK_HEADER_BYTES;
  return { isLast: kind === 1, sizeBytes, start, stop: start + sizeBytes };
}

/** RFC 1950 section 2.2: method 8 with a window of at most 32 KiB, no preset dictionary, a multiple of 31. */
function isZlib(body: Uint8Array): boolean {
  const method = body[CHUNK_TYPE_BYTES] ?? 0;
  const flags = body[CHUNK_TYPE_BYTES + 1] ?? 0;
  return (method & 0x8f) === 8 && (flags & 0x20) === 0 && (method * 256 + flags) % 31 === 0;
}

/** Copies the pixels of one block; false when a row has a filter. `done` bytes of the stream came before it. */
function copyBlock(
  data: Uint8Array,
  rgb: Uint8Array,
  block: { start: number; stop: number; done: number; rowBytes: number },
): boolean {
  const { rowBytes, stop } = block;
  let { start, done } = block;
  while (start < stop) {
    const column = done % rowBytes;
    if (column === 0) {
      if (data[start] !== 0) return false;
      start++;
      done++;
      continue;
    }
    const sizeBytes = Math.min(rowBytes - column, stop - start);
    // Of the bytes before, one in each row so far was a filter.
    rgb.set(data.subarray(start, start + sizeBytes), done - Math.ceil(done / rowBytes));
    start += sizeBytes;
    done += sizeBytes;
  }
  return true;
}
