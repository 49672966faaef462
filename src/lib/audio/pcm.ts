/** Reads uncompressed samples as numbers from -1 to 1. Knows the encodings that WAV files use; writes none. */
import { viewOf } from "#lib/audio/ranges";

export type PcmEncoding = "u8" | "s16" | "s24" | "s32" | "f32" | "f64" | "alaw" | "ulaw";

export interface PcmLayout {
  encoding: PcmEncoding;
  channels: number;
  sampleRateHz: number;
  /** Bytes of one sample of all channels. */
  frameBytes: number;
}

const sampleBytes: Record<PcmEncoding, number> = {
  u8: 1,
  s16: 2,
  s24: 3,
  s32: 4,
  f32: 4,
  f64: 8,
  alaw: 1,
  ulaw: 1,
};

export function bytesOfSample(encoding: PcmEncoding): number {
  return sampleBytes[encoding];
}

/** ITU-T G.711, A-law, scaled to 16 bits. */
function alawValue(code: number): number {
  const bits = code ^ 0x55;
  const segment = (bits & 0x70) >> 4;
  const step = ((bits & 0x0f) << 4) + 8;
  const size = segment === 0 ? step : (step + 0x100) << (segment - 1);
  return (bits & 0x80) === 0 ? -size : size;
}

/** ITU-T G.711, mu-law, scaled to 16 bits. */
function ulawValue(code: number): number {
  const bits = ~code & 0xff;
  const size = ((((bits & 0x0f) << 3) + 0x84) << ((bits & 0x70) >> 4)) - 0x84;
  return (bits & 0x80) === 0 ? size : -size;
}

const tableOf = (value: (code: number) => number) =>
  Float64Array.from({ length: 256 }, (_, code) => value(code) / 32_768);
const lawTables = { alaw: tableOf(alawValue), ulaw: tableOf(ulawValue) };

/** The sample at a byte of the piece. */
export type SampleReader = (offset: number) => number;

/** @param bytes whole samples, in little-endian order */
export function sampleReader(bytes: Uint8Array, encoding: PcmEncoding): SampleReader {
  const view = viewOf(bytes);
  switch (encoding) {
    case "u8":
      return (offset) => (view.getUint8(offset) - 128) / 128;
    case "s16":
      return (offset) => view.getInt16(offset, true) / 32_768;
    case "s24":
      return (offset) => ((view.getInt8(offset + 2) << 16) | view.getUint16(offset, true)) / 8_388_608;
    case "s32":
      return (offset) => view.getInt32(offset, true) / 2_147_483_648;
    case "f32":
      return (offset) => finite(view.getFloat32(offset, true));
    case "f64":
      return (offset) => finite(view.getFloat64(offset, true));
    case "alaw":
    case "ulaw": {
      const table = lawTables[encoding];
      return (offset) => table[view.getUint8(offset)] ?? 0;
    }
  }
}

/** Float files may hold anything; what is no number counts as silence. */
function finite(value: number): number {
  return Number.isFinite(value) ? value : 0;
}
