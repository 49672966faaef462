/**
 * The short way for images that `encodePng` wrote: RGB, filter 0, nothing but stored blocks. Their rows are copied straight
 * out of the file, without zlib. It refuses nothing: whatever is not exactly of that form goes the general way.
 */
import type { PngSize } from "#lib/png/chunks";
import { takeMemory } from "#lib/png/memory";

const BLOCK_HEADER_BYTES = 5;
const ADLER_BYTES = 4;

/**
 * The RGB bytes in the zlib stream `data`, or undefined when it has another form (then `reuse` may hold rubbish). Adler-32 is not computed: the CRC of the
 * chunk, checked before, covers the same bytes.
 */
export function copyStoredRows(
  data: Uint8Array,
  size: PngSize,
  reuse?: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> | undefined {
  const rowBytes = size.width * 3 + 1;
  const streamBytes = rowBytes * size.height;
  // 8: deflate with a window of 32 KiB or less; 0x20: a preset dictionary (RFC 1950 section 2.2).
  const isZlib = data.byteLength > 2 && ((data[0] ?? 0) & 0x8f) === 8 && ((data[1] ?? 0) & 0x20) === 0;
  if (size.channels !== 3 || !isZlib || (((data[0] ?? 0) << 8) | (data[1] ?? 0)) % 31 !== 0) return undefined;
  if (data.byteLength < streamBytes + BLOCK_HEADER_BYTES + 2 + ADLER_BYTES) return undefined;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const rgb = takeMemory(size.width * 3 * size.height, reuse);
  let offset = 2;
  let done = 0;
  let isLast = false;
  while (!isLast) {
    if (offset + BLOCK_HEADER_BYTES > data.byteLength) return undefined;
    const sizeBytes = view.getUint16(offset + 1, true);
    const kind = data[offset] ?? 0xff;
    isLast = kind === 1;
    if (kind > 1 || view.getUint16(offset + 3, true) !== (~sizeBytes & 0xffff)) return undefined;
    const start = offset + BLOCK_HEADER_BYTES;
    offset = start + sizeBytes;
    if (offset > data.byteLength || done + sizeBytes > streamBytes) return undefined;
    if (!copyBlock(data, rgb, { start, end: offset, done, rowBytes })) return undefined;
    done += sizeBytes;
  }
  return done === streamBytes && offset + ADLER_BYTES === data.byteLength ? rgb : undefined;
}

/** Copies the pixels of one block; false when a row has a filter. `done` bytes of the stream came before it. */
function copyBlock(
  data: Uint8Array,
  rgb: Uint8Array,
  block: { start: number; end: number; done: number; rowBytes: number },
): boolean {
  const { rowBytes, end } = block;
  let { start, done } = block;
  while (start < end) {
    const column = done % rowBytes;
    if (column === 0) {
      if (data[start] !== 0) return false;
      start++;
      done++;
      continue;
    }
    const sizeBytes = Math.min(rowBytes - column, end - start);
    // Of the bytes before, one in each row so far was a filter.
    rgb.set(data.subarray(start, start + sizeBytes), done - Math.ceil(done / rowBytes));
    start += sizeBytes;
    done += sizeBytes;
  }
  return true;
}
