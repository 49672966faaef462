/** Builds PNG files the way other programs save them, and broken ones. It shares no code with the library it tests. */
import { deflateSync } from "node:zlib";

/** `filterOf` picks each row's filter; `idatBytes` cuts the zlib stream; `before` are chunks in front of the first IDAT. */
export interface PngPlan {
  readonly width: number;
  readonly height: number;
  readonly rgb: Uint8Array;
  readonly channels?: 3 | 4;
  readonly filterOf?: (row: number) => number;
  readonly level?: number;
  readonly idatBytes?: number;
  readonly before?: readonly Uint8Array[];
  readonly header?: Partial<PngHead>;
  /** Replaces the zlib stream. */
  readonly data?: Uint8Array;
}

interface PngHead {
  readonly depth: number;
  readonly colour: number;
  readonly interlace: number;
}

export function buildPng(plan: PngPlan): Uint8Array<ArrayBuffer> {
  const channels = plan.channels ?? 3;
  const head = { depth: 8, colour: channels === 3 ? 2 : 6, interlace: 0, ...plan.header };
  const ihdr = new Uint8Array(13);
  new DataView(ihdr.buffer).setUint32(0, plan.width);
  new DataView(ihdr.buffer).setUint32(4, plan.height);
  ihdr.set([head.depth, head.colour, 0, 0, head.interlace], 8);
  const data = plan.data ?? deflateSync(filterRows(plan, channels), { level: plan.level ?? 9 });
  const idatBytes = plan.idatBytes ?? Math.max(data.byteLength, 1);
  const idats: Uint8Array[] = [];
  for (let start = 0; start < data.byteLength; start += idatBytes) {
    idats.push(chunk("IDAT", data.subarray(start, start + idatBytes)));
  }
  const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
  return concat([signature, chunk("IHDR", ihdr), ...(plan.before ?? []), ...idats, chunk("IEND", new Uint8Array(0))]);
}

export function chunk(type: string, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const body = concat([new TextEncoder().encode(type), data]);
  const framed = new Uint8Array(body.byteLength + 8);
  new DataView(framed.buffer).setUint32(0, data.byteLength);
  framed.set(body, 4);
  new DataView(framed.buffer).setUint32(framed.byteLength - 4, slowCrc32(body));
  return framed;
}

export function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.byteLength;
  }
  return joined;
}

/** The bit-by-bit definition (PNG annex D). */
export function slowCrc32(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0xedb8_8320 : crc >>> 1;
  }
  return (crc ^ 0xffff_ffff) >>> 0;
}

function filterRows({ width, height, rgb, filterOf }: PngPlan, channels: 3 | 4): Uint8Array {
  const rowBytes = width * channels;
  const pixels = channels === 3 ? rgb : addAlpha(rgb);
  const at = (row: number, column: number): number =>
    row < 0 || column < 0 ? 0 : (pixels[row * rowBytes + column] ?? 0);
  const rows = new Uint8Array((rowBytes + 1) * height);
  for (let row = 0; row < height; row++) {
    const filter = filterOf?.(row) ?? 0;
    rows[row * (rowBytes + 1)] = filter;
    for (let column = 0; column < rowBytes; column++) {
      const [left, above, corner] = [at(row, column - channels), at(row - 1, column), at(row - 1, column - channels)];
      rows[row * (rowBytes + 1) + 1 + column] =
        at(row, column) - predict(filter, { left, above, corner: column < channels ? 0 : corner });
    }
  }
  return rows;
}

function predict(filter: number, near: { left: number; above: number; corner: number }): number {
  const { left, above, corner } = near;
  if (filter === 1) return left;
  if (filter === 2) return above;
  if (filter === 3) return Math.floor((left + above) / 2);
  if (filter !== 4) return 0;
  const estimate = left + above - corner;
  const distances = [left, above, corner].map((value) => Math.abs(estimate - value));
  const best = Math.min(...distances);
  return [left, above, corner][distances.indexOf(best)] ?? 0;
}

function addAlpha(rgb: Uint8Array): Uint8Array {
  const rgba = new Uint8Array((rgb.byteLength / 3) * 4);
  for (let pixel = 0; pixel < rgb.byteLength / 3; pixel++) {
    rgba.set(rgb.subarray(pixel * 3, pixel * 3 + 3), pixel * 4);
    rgba[pixel * 4 + 3] = pixel % 256;
  }
  return rgba;
}
