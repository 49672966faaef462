/** The parts of PNG that come before pixels: signature, IHDR and the order of chunks. It inflates nothing. */
import { crc32 } from "#lib/png/crc";
import { PngError, type PngReason } from "#lib/png/error";

/** Signature and IHDR: as many bytes as `readPngSize` needs. */
export const PNG_HEAD_BYTES = 33;
/** Length, type and CRC around a chunk's data. */
export const CHUNK_FRAME_BYTES = 12;
export const CHUNK_TYPE_BYTES = 4;
/** PNG (third edition) sections 5.3 and 11.2.1: no length and no dimension exceeds 2^31 - 1. */
export const PNG_INTEGER_MAX = 0x7fff_ffff;

/** 64 MiB in IDATs of 1 KiB; encoders write 4 KiB and more. Beyond it a file was made to waste time. */
const CHUNK_COUNT_MAX = 65_536;

export const IHDR = 0x4948_4452;
export const PLTE = 0x504c_5445;
export const IDAT = 0x4944_4154;
export const IEND = 0x4945_4e44;

/** An IDAT whose CRC was not compared yet: type and data, and the CRC that they should have. */
export interface DataChunk {
  readonly body: Uint8Array;
  readonly crc: number;
}

/** What IHDR says of an image that this reader takes: 8 bits a channel, 3 channels (RGB) or 4 (RGBA). */
export interface PngSize {
  readonly width: number;
  readonly height: number;
  readonly channels: 3 | 4;
}

/**
 * Reads signature and IHDR from the first `PNG_HEAD_BYTES` bytes. Throws PngError: `not-png`, `damaged`, the reason for
 * a kind that is not taken, or `too-large` when the pixels have more than `rgbBytesMax` RGB bytes.
 */
// oxlint-disable-next-line complexity -- a plain list of what IHDR may say, one line each
export function readPngSize(png: Uint8Array, options: { rgbBytesMax: number }): PngSize {
  if (!isPng(png)) throw new PngError("not-png", "signature");
  if (png.byteLength < PNG_HEAD_BYTES) throw new PngError("damaged", "truncated header");
  const view = new DataView(png.buffer, png.byteOffset, PNG_HEAD_BYTES);
  if (view.getUint32(8) !== 13 || view.getUint32(12) !== IHDR) throw new PngError("damaged", "first chunk");
  if (crc32(png.subarray(12, 29)) !== view.getUint32(29)) throw new PngError("damaged", "IHDR CRC");
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  if (!isDimension(width) || !isDimension(height)) throw new PngError("damaged", "dimensions");
  const channels = readChannels({ depth: view.getUint8(24), colour: view.getUint8(25), methods: view.getUint16(26) });
  const interlace = view.getUint8(28);
  if (interlace !== 0) throw new PngError(interlace === 1 ? "interlaced" : "unknown-kind", "interlace method");
  if (width * height * 3 > options.rgbBytesMax) throw new PngError("too-large", `${width} x ${height}`);
  return { width, height, channels };
}

/** PNG (third edition) section 11.2.1: neither 0 nor over 2^31 - 1. */
export function isDimension(value: number): boolean {
  return Number.isInteger(value) && value > 0 && value <= PNG_INTEGER_MAX;
}

/** Whether the bytes begin with PNG's signature. */
export function isPng(bytes: Uint8Array): boolean {
  const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
  return signature.every((value, index) => bytes[index] === value);
}

/** PNG (third edition) table 8: colour type 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA. */
const REFUSED_COLOURS: Readonly<Record<number, PngReason>> = { 0: "grey", 3: "palette", 4: "grey" };

function readChannels(kind: { depth: number; colour: number; methods: number }): 3 | 4 {
  const refused = REFUSED_COLOURS[kind.colour];
  if (refused !== undefined) throw new PngError(refused, "colour type");
  if (kind.colour !== 2 && kind.colour !== 6) throw new PngError("unknown-kind", "colour type");
  if (kind.depth === 16) throw new PngError("sixteen-bit", "bit depth");
  if (kind.depth !== 8 || kind.methods !== 0) throw new PngError("unknown-kind", "bit depth or method");
  return kind.colour === 2 ? 3 : 4;
}

/** How far a walk through the chunks has come: the type before (0 at first), whether there was an IDAT, and how many. */
export interface ChunkWalk {
  previousType: number;
  hasData: boolean;
  count: number;
}

export function startChunkWalk(): ChunkWalk {
  return { previousType: 0, hasData: false, count: 0 };
}

/**
 * Moves on to a chunk of this type. Throws PngError for one that may not come here: IHDR is once and first, all IDATs are
 * together, IEND is after one, and no critical chunk is unknown to this reader (bit 5 of the type's first byte is 0).
 */
export function enterChunk(walk: ChunkWalk, type: number): void {
  const { previousType, hasData } = walk;
  if ((type === IHDR) !== (previousType === 0)) throw new PngError("damaged", "order of chunks");
  if (type === IDAT && hasData && previousType !== IDAT) throw new PngError("damaged", "IDATs are apart");
  if (type === IEND && !hasData) throw new PngError("damaged", "no pixels");
  const isCritical = (type & 0x2000_0000) === 0;
  if (isCritical && ![IHDR, PLTE, IDAT, IEND].includes(type)) throw new PngError("unknown-kind", "critical chunk");
  if (walk.count >= CHUNK_COUNT_MAX) throw new PngError("damaged", "too many chunks");
  walk.previousType = type;
  walk.hasData ||= type === IDAT;
  walk.count++;
}
