/**
 * Reads the pixels of a whole PNG in memory: 8-bit RGB or RGBA (alpha dropped), any filter, any zlib stream, any number
 * of IDATs. It checks every CRC and refuses interlaced, palette, grey and 16-bit images, and anything missing or left
 * over. It does not apply gamma or colour profiles: the stored bytes are the message.
 */
import { crc32, inflateSync } from "node:zlib";
import { PngError } from "#lib/png/error";
import { type PngHeader, readPngSize } from "#lib/png/header";
import { unfilterRow } from "#lib/png/unfilter";

const FIRST_CHUNK_OFFSET = 8;
/** Length, type and CRC around a chunk's data. */
const CHUNK_FRAME_BYTES = 12;
const IDAT = 0x4944_4154;
const IEND = 0x4945_4e44;

/** The pixels, row by row, three bytes each. `rgb` owns its buffer and may be overwritten or released by the caller. */
export interface PngPixels {
  readonly width: number;
  readonly height: number;
  readonly rgb: Uint8Array<ArrayBuffer>;
}

/** Decodes `png`. Throws PngError; `too-large` (more than `rgbBytesMax` bytes of RGB) is found before inflating. */
export function decodePng(png: Uint8Array, options: { rgbBytesMax: number }): PngPixels {
  const header = readPngSize(png, options);
  const { width, height, channels } = header;
  const raw = inflate(joinData(png), (width * channels + 1) * height);
  const rgb = isPlain(raw, header) ? compactPlainRows(raw, header) : unfilterRows(raw, header);
  return { width, height, rgb };
}

/** Walks the chunks, checks order and CRCs, and gives the zlib stream: a view of `png` when there is one IDAT. */
function joinData(png: Uint8Array): Uint8Array {
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  const data: Uint8Array[] = [];
  let previousType = 0;
  for (let offset = FIRST_CHUNK_OFFSET; ; ) {
    if (offset + CHUNK_FRAME_BYTES > png.byteLength) throw new PngError("damaged", "truncated");
    const sizeBytes = view.getUint32(offset);
    const type = view.getUint32(offset + 4);
    const end = offset + CHUNK_FRAME_BYTES + sizeBytes;
    if (end > png.byteLength) throw new PngError("damaged", "truncated chunk");
    if (crc32(png.subarray(offset + 4, end - 4)) !== view.getUint32(end - 4)) throw new PngError("damaged", "CRC");
    checkOrder({ type, previousType, hasData: data.length > 0, isFirst: offset === FIRST_CHUNK_OFFSET });
    if (type === IDAT) data.push(png.subarray(offset + 8, end - 4));
    if (type === IEND) {
      if (sizeBytes !== 0 || end !== png.byteLength) throw new PngError("damaged", "data after the end");
      break;
    }
    previousType = type;
    offset = end;
  }
  const [only] = data;
  if (data.length === 1 && only !== undefined) return only;
  const joined = new Uint8Array(data.reduce((sum, part) => sum + part.byteLength, 0));
  let position = 0;
  for (const part of data) {
    joined.set(part, position);
    position += part.byteLength;
  }
  return joined;
}
