/**
 * Writes bytes as the pixels of an 8-bit RGB PNG: filter 0, stored deflate blocks, IHDR, one IDAT, IEND and nothing else.
 * It never compresses: what Overtone writes as pixels is ciphertext, which does not get smaller.
 *
 * The stored blocks are written by hand because zlib at level 0 needs the filtered rows in one buffer and returns another
 * one: in workerd that is two more copies of an 8 MiB image, and half the speed (docs of this choice: test/bench/seal).
 */
import { crc32 } from "#lib/png/crc";
import { takeMemory } from "#lib/png/memory";
import { ADLER32_START, adler32 } from "#lib/png/checksum";

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
const IEND = Uint8Array.of(0, 0, 0, 0, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82);
const IHDR_OFFSET = 8;
const IDAT_OFFSET = 33;
const ZLIB_OFFSET = IDAT_OFFSET + 8;
/** RFC 1951 section 3.2.4: LEN is 16 bits. 5 + 65,535 is a multiple of four, so every block starts where Adler-32 is fast. */
const BLOCK_BYTES_MAX = 65_535;
const BLOCK_HEADER_BYTES = 5;
/** PNG (third edition) section 5.6: no dimension and no chunk length over 2^31 - 1. */
const PNG_INTEGER_MAX = 0x7fff_ffff;

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
  return ZLIB_OFFSET + 2 + blocks * BLOCK_HEADER_BYTES + streamBytes + 4 + 4 + IEND.byteLength;
}

/** The PNG file. Throws RangeError for dimensions that PNG cannot hold and for parts that do not fit into the pixels. */
export function encodePng(input: PngInput): Uint8Array<ArrayBuffer> {
  const { parts, width, height } = input;
  const sizeBytes = pngSizeBytes(input);
  const payloadBytes = parts.reduce((sum, part) => sum + part.byteLength, 0);
  if (!isDimension(width) || !isDimension(height) || sizeBytes > PNG_INTEGER_MAX) throw new RangeError("PNG dimensions");
  if (payloadBytes > width * height * 3) throw new RangeError("more bytes than pixels");
  const png = takeMemory(sizeBytes, input.reuse);
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  writeHeader({ png, view, width, height });

  const idatBytes = sizeBytes - IEND.byteLength - 4 - ZLIB_OFFSET;
  view.setUint32(IDAT_OFFSET, idatBytes);
  view.setUint32(IDAT_OFFSET + 4, 0x4944_4154);
  // 32 KiB window, fastest, no dictionary; (0x7801 % 31 === 0).
  view.setUint16(ZLIB_OFFSET, 0x7801);
  const sums = writeBlocks(png, view, { parts, width, height });
  const end = ZLIB_OFFSET + idatBytes;
  view.setUint32(end - 4, sums.adler);
  view.setUint32(end, crc32(png.subarray(end - 4, end), sums.crc));
  png.set(IEND, end + 4);
  return png;
}

function isDimension(value: number): boolean {
  return Number.isInteger(value) && value > 0 && value <= PNG_INTEGER_MAX;
}

function writeHeader(target: { png: Uint8Array; view: DataView; width: number; height: number }): void {
  const { png, view, width, height } = target;
  png.set(SIGNATURE, 0);
  view.setUint32(IHDR_OFFSET, 13);
  view.setUint32(IHDR_OFFSET + 4, 0x4948_4452);
  view.setUint32(IHDR_OFFSET + 8, width);
  view.setUint32(IHDR_OFFSET + 12, height);
  // Depth 8, colour type 2 (RGB), then compression, filter and interlace method 0.
  png.set([8, 2, 0, 0, 0], IHDR_OFFSET + 16);
  view.setUint32(IHDR_OFFSET + 21, crc32(png.subarray(IHDR_OFFSET + 4, IHDR_OFFSET + 21)));
}

/** Fills one stored block after the other and sums it while it is still in the cache. */
function writeBlocks(
  png: Uint8Array<ArrayBuffer>,
  view: DataView,
  image: { parts: readonly Uint8Array[]; width: number; height: number },
): { adler: number; crc: number } {
  const rowBytes = image.width * 3 + 1;
  const streamBytes = rowBytes * image.height;
  const source = { parts: image.parts, part: 0, offset: 0 };
  let adler = ADLER32_START;
  let crc = crc32(png.subarray(IDAT_OFFSET + 4, ZLIB_OFFSET + 2));
  let offset = ZLIB_OFFSET + 2;
  for (let done = 0; done < streamBytes; ) {
    const sizeBytes = Math.min(BLOCK_BYTES_MAX, streamBytes - done);
    const start = offset + BLOCK_HEADER_BYTES;
    png[offset] = done + sizeBytes === streamBytes ? 1 : 0;
    view.setUint16(offset + 1, sizeBytes, true);
    view.setUint16(offset + 3, ~sizeBytes & 0xffff, true);
    writeRows(png, source, { start, end: start + sizeBytes, column: done % rowBytes, rowBytes });
    adler = adler32(png, { offset: start, sizeBytes }, adler);
    crc = crc32(png.subarray(offset, start + sizeBytes), crc);
    offset = start + sizeBytes;
    done += sizeBytes;
  }
  return { adler, crc };
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
