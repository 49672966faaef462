/**
 * Reads the pixels of the TIFF files that version 1 images come as: baseline, uncompressed, 8-bit RGB or RGBA, strips,
 * either byte order (TIFF 6.0 sections 2, 4 and 6). It refuses everything else as `tiff-unsupported`.
 */
import type { PngPixels } from "#lib/png/decode";
import { dropAlpha } from "#lib/png/rows";
import { SealError } from "#lib/seal/error";

const ENTRY_BYTES = 12;
/** TIFF 6.0: SHORT (3) has 2 bytes, LONG (4) has 4. Other types do not occur in the fields read here. */
const VALUE_BYTES: Readonly<Record<number, number>> = { 3: 2, 4: 4 };
const TAGS = {
  width: 256,
  height: 257,
  bitsPerSample: 258,
  compression: 259,
  photometric: 262,
  stripOffsets: 273,
  orientation: 274,
  samplesPerPixel: 277,
  stripSizes: 279,
  planar: 284,
} as const;
/** One strip a row at most; more would be a file made to waste time. */
const VALUES_MAX = 65_535;

type Fields = ReadonlyMap<number, readonly number[]>;

/** Decodes `tiff`. Throws SealError `tiff-unsupported`, `image-too-large` (before copying) or `image-damaged`. */
export function decodeTiff(tiff: Uint8Array, options: { rgbBytesMax: number }): PngPixels {
  const fields = readFields(tiff);
  const channels = readChannels(fields);
  const [width, height] = [readOne(fields, TAGS.width), readOne(fields, TAGS.height)];
  const rgbBytes = width * height * 3;
  if (rgbBytes === 0) throw damaged("dimensions");
  if (rgbBytes > options.rgbBytesMax) throw new SealError("image-too-large", { detail: `${width} x ${height}` });
  const strips = (fields.get(TAGS.stripOffsets) ?? []).map((offset, index) => ({
    offset,
    sizeBytes: fields.get(TAGS.stripSizes)?.[index] ?? -1,
  }));
  const rgb = new Uint8Array(rgbBytes);
  copyStrips(tiff, strips, { rgb, channels });
  return { width, height, rgb };
}

/** Channels of an image that is uncompressed, RGB, chunky, top-left first, and has 8 bits a channel. */
function readChannels(fields: Fields): 3 | 4 {
  const wanted: [tag: number, value: number, fallback?: number][] = [
    [TAGS.compression, 1, 1],
    [TAGS.photometric, 2],
    [TAGS.planar, 1, 1],
    [TAGS.orientation, 1, 1],
  ];
  const isPlain = wanted.every(([tag, value, fallback]) => readOne(fields, tag, fallback) === value);
  const isByte = (fields.get(TAGS.bitsPerSample) ?? [1]).every((bits) => bits === 8);
  const channels = readOne(fields, TAGS.samplesPerPixel, 1);
  if (!isPlain || !isByte || (channels !== 3 && channels !== 4)) throw unsupported("not uncompressed 8-bit RGB");
  return channels;
}

function readOne(fields: Fields, tag: number, fallback?: number): number {
  const value = fields.get(tag)?.[0] ?? fallback;
  if (value === undefined) throw damaged("field missing");
  return value;
}

/** The fields of the first image, each with its values. */
function readFields(tiff: Uint8Array): Map<number, number[]> {
  if (tiff.byteLength < 8) throw damaged("truncated");
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength);
  const little = view.getUint16(0) === 0x4949;
  const start = view.getUint32(4, little);
  if (start + 2 > tiff.byteLength) throw damaged("directory");
  const count = view.getUint16(start, little);
  if (start + 2 + count * ENTRY_BYTES > tiff.byteLength) throw damaged("directory");
  const fields = new Map<number, number[]>();
  const wanted: number[] = Object.values(TAGS);
  for (let entry = start + 2; entry < start + 2 + count * ENTRY_BYTES; entry += ENTRY_BYTES) {
    const tag = view.getUint16(entry, little);
    if (wanted.includes(tag)) fields.set(tag, readValues(view, entry, little));
  }
  return fields;
}

function readValues(view: DataView, entry: number, little: boolean): number[] {
  const valueBytes = VALUE_BYTES[view.getUint16(entry + 2, little)];
  const count = view.getUint32(entry + 4, little);
  if (valueBytes === undefined || count > VALUES_MAX) throw unsupported("field type or count");
  // Values of up to four bytes stand in the entry itself.
  const offset = count * valueBytes <= 4 ? entry + 8 : view.getUint32(entry + 8, little);
  if (offset + count * valueBytes > view.byteLength) throw damaged("field values");
  return Array.from({ length: count }, (_, index) =>
    valueBytes === 2 ? view.getUint16(offset + index * 2, little) : view.getUint32(offset + index * 4, little),
  );
}

function copyStrips(
  tiff: Uint8Array,
  strips: readonly { offset: number; sizeBytes: number }[],
  pixels: { rgb: Uint8Array; channels: 3 | 4 },
): void {
  const { rgb, channels } = pixels;
  let done = 0;
  for (const { offset, sizeBytes } of strips) {
    const isWhole = sizeBytes >= 0 && sizeBytes % channels === 0 && offset + sizeBytes <= tiff.byteLength;
    if (!isWhole || done + (sizeBytes / channels) * 3 > rgb.byteLength) throw damaged("strip");
    done += dropAlpha(tiff.subarray(offset, offset + sizeBytes), channels, { target: rgb, offset: done });
  }
  if (done !== rgb.byteLength) throw damaged("pixels missing");
}

function damaged(detail: string): SealError {
  return new SealError("image-damaged", { detail });
}

function unsupported(detail: string): SealError {
  return new SealError("tiff-unsupported", { detail });
}
