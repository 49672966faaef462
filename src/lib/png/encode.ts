/**
 * Writes bytes as the pixels of an 8-bit RGB PNG: filter 0, stored deflate blocks, IHDR, one IDAT, IEND and nothing else.
 * It never compresses: what Overtone writes as pixels is ciphertext, which does not get smaller.
 *
 * The stored blocks are written by hand because zlib at level 0 needs the filtered rows in one buffer and returns another
 * one, which is two more copies of each image.
 */
import { ADLER32_START, adler32 } from "#lib/png/checksum";
import { IDAT, IHDR, PNG_INTEGER_MAX, isDimension } from "#lib/png/chunks";
import { crc32 } from "#lib/png/crc";
import { takeMemory } from "#lib/png/memory";

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
const END_CHUNK = Uint8Array.of(0, 0, 0, 0, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82);
const IHDR_OFFSET = 8;
const IDAT_OFFSET = 33;
/** After IDAT's length and type and the two bytes of the zlib header. */
const BLOCKS_OFFSET = IDAT_OFFSET + 8 + 2;
/** Adler-32, CRC and IEND. */
const END_BYTES = 4 + 4 + END_CHUNK.byteLength;
/** RFC 1951 section 3.2.4: LEN is 16 bits. */
const BLOCK_BYTES_MAX = 65_535;
const BLOCK_HEADER_BYTES = 5;
/** Eight blocks and the start of the file; it must hold one block at least. */
const SLICE_BYTES = BLOCKS_OFFSET + 8 * (BLOCK_HEADER_BYTES + BLOCK_BYTES_MAX);

/** Pixels to write: `parts` one after the other, then zeros up to `width * height * 3` bytes. */
export interface PngInput {
  readonly parts: readonly Uint8Array[];
  readonly width: number;
  readonly height: number;
  /** Memory to write into when it is large enough. Its old content is overwritten; the result is a view of it. */
  readonly reuse?: Uint8Array<ArrayBuffer> | undefined;
}

/** Bytes of the file that `encodePng` makes of an image of this size. */
export function pngSizeBytes(size: { width: number; height: number }): number {
  const streamBytes = (size.width * 3 + 1) * size.height;
  const blocks = Math.ceil(streamBytes / BLOCK_BYTES_MAX);
  return BLOCKS_OFFSET + blocks * BLOCK_HEADER_BYTES + streamBytes + END_BYTES;
}

/** The PNG file. Throws RangeError for dimensions that PNG cannot hold and for parts that do not fit into the pixels. */
export function encodePng(input: PngInput): Uint8Array<ArrayBuffer> {
  checkInput(input);
  const png = takeMemory(pngSizeBytes(input), input.reuse);
  // The memory holds all of it, so the first slice is the whole file.
  writeSlices(png, input).next();
  return png;
}

/**
 * The same file in slices of about 512 KiB, each valid until the next is asked for: neither the file nor the pixels are
 * ever in memory as a whole, and what is written is read again while it is in the processor's cache.
 */
export function encodePngSlices(input: PngInput): Generator<Uint8Array<ArrayBuffer>, void, undefined> {
  checkInput(input);
  return writeSlices(takeMemory(Math.min(SLICE_BYTES, pngSizeBytes(input)), input.reuse), input);
}

function checkInput(input: PngInput): void {
  const { width, height } = input;
  const payloadBytes = input.parts.reduce((sum, part) => sum + part.byteLength, 0);
  if (!isDimension(width) || !isDimension(height)) throw new RangeError("PNG dimensions");
  if (pngSizeBytes(input) > PNG_INTEGER_MAX) throw new RangeError("PNG dimensions");
  if (payloadBytes > width * height * 3) throw new RangeError("more bytes than pixels");
}

/** Writes into `memory` from its start to its end, again and again, and yields what it has filled. */
function* writeSlices(
  memory: Uint8Array<ArrayBuffer>,
  image: PngInput,
): Generator<Uint8Array<ArrayBuffer>, void, undefined> {
  const rowBytes = image.width * 3 + 1;
  const streamBytes = rowBytes * image.height;
  const view = new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
  const source: Source = { parts: image.parts, part: 0, offset: 0 };
  const sums = { adler: ADLER32_START, crc: writeStart(memory, view, image) };
  let start = 0;
  let end = BLOCKS_OFFSET;
  for (let done = 0; done < streamBytes;) {
    const sizeBytes = Math.min(BLOCK_BYTES_MAX, streamBytes - done);
    if (end + BLOCK_HEADER_BYTES + sizeBytes > memory.byteLength) {
      yield memory.subarray(start, end);
      start = 0;
      end = 0;
    }
    const data = end + BLOCK_HEADER_BYTES;
    memory[end] = done + sizeBytes === streamBytes ? 1 : 0;
    view.setUint16(end + 1, sizeBytes, true);
    view.setUint16(end + 3, ~sizeBytes & 0xffff, true);
    writeRows(memory, source, { start: data, end: data + sizeBytes, column: done % rowBytes, rowBytes });
    sums.adler = adler32(memory.subarray(data, data + sizeBytes), sums.adler);
    sums.crc = crc32(memory.subarray(end, data + sizeBytes), sums.crc);
    done += sizeBytes;
    end = data + sizeBytes;
  }
  if (end + END_BYTES > memory.byteLength) {
    yield memory.subarray(start, end);
    start = 0;
    end = 0;
  }
  writeEnd(memory, view, { offset: end, ...sums });
  yield memory.subarray(start, end + END_BYTES);
}

/** Signature, IHDR, and IDAT up to its first block. Gives the CRC so far. */
function writeStart(memory: Uint8Array, view: DataView, image: PngInput): number {
  memory.set(SIGNATURE, 0);
  view.setUint32(IHDR_OFFSET, 13);
  view.setUint32(IHDR_OFFSET + 4, IHDR);
  view.setUint32(IHDR_OFFSET + 8, image.width);
  view.setUint32(IHDR_OFFSET + 12, image.height);
  // Depth 8, colour type 2 (RGB), then compression, filter and interlace method 0.
  memory.set([8, 2, 0, 0, 0], IHDR_OFFSET + 16);
  view.setUint32(IHDR_OFFSET + 21, crc32(memory.subarray(IHDR_OFFSET + 4, IHDR_OFFSET + 21)));
  view.setUint32(IDAT_OFFSET, pngSizeBytes(image) - IDAT_OFFSET - 8 - 4 - END_CHUNK.byteLength);
  view.setUint32(IDAT_OFFSET + 4, IDAT);
  // 32 KiB window, fastest, no dictionary; (0x7801 % 31 === 0).
  view.setUint16(IDAT_OFFSET + 8, 0x7801);
  return crc32(memory.subarray(IDAT_OFFSET + 4, BLOCKS_OFFSET));
}

/** Adler-32, the IDAT's CRC, and IEND. */
function writeEnd(memory: Uint8Array, view: DataView, end: { offset: number; adler: number; crc: number }): void {
  const { offset, adler, crc } = end;
  view.setUint32(offset, adler);
  view.setUint32(offset + 4, crc32(memory.subarray(offset, offset + 4), crc));
  memory.set(END_CHUNK, offset + 8);
}

interface Source {
  readonly parts: readonly Uint8Array[];
  part: number;
  offset: number;
}

/** Fills `png[start, end)`; `column` is where in a row (0 is its filter byte) the first byte belongs. */
function writeRows(
  png: Uint8Array,
  source: Source,
  run: { start: number; end: number; column: number; rowBytes: number },
): void {
  let { start, column } = run;
  while (start < run.end) {
    if (column === 0) {
      png[start++] = 0;
      column = 1;
      continue;
    }
    const stop = Math.min(start + run.rowBytes - column, run.end);
    copyParts(png, source, { start, stop });
    start = stop;
    column = 0;
  }
}

/** Copies the next `stop - start` bytes of the parts, and zeros when they have run out. */
function copyParts(target: Uint8Array, source: Source, run: { start: number; stop: number }): void {
  let { start } = run;
  while (start < run.stop) {
    const part = source.parts[source.part];
    if (part === undefined) {
      target.fill(0, start, run.stop);
      return;
    }
    const sizeBytes = Math.min(part.byteLength - source.offset, run.stop - start);
    target.set(part.subarray(source.offset, source.offset + sizeBytes), start);
    start += sizeBytes;
    source.offset += sizeBytes;
    if (source.offset === part.byteLength) {
      source.part++;
      source.offset = 0;
    }
  }
}
