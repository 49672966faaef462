/** Builds ZIP archives byte by byte, honest ones and lying ones, for the tests of the reader. */
import { crc32, deflateRawSync } from "node:zlib";
import { joined } from "./byte-streams.ts";

export interface BuiltEntry {
  path: string;
  bytes: Uint8Array;
  /** 8 by default. */
  method?: number;
  flags?: number;
  /** What the directory claims, where it differs from the truth. */
  claims?: { sizeBytes?: number; compressedBytes?: number; crc32?: number; headerOffset?: number; method?: number };
  /** Extra field of the local header only. */
  localExtra?: Uint8Array;
  /** Unix mode in the directory. */
  mode?: number;
}

export interface BuiltArchive {
  comment?: Uint8Array;
  prefix?: Uint8Array;
  /** Writes sizes and offsets as ZIP64. */
  isWide?: boolean;
  end?: { count?: number; disk?: number; offset?: number };
}

type Field = [width: 2 | 4 | 8, value: number];

function record(fields: readonly Field[]): Uint8Array {
  const bytes = new Uint8Array(fields.reduce((total, [width]) => total + width, 0));
  const view = new DataView(bytes.buffer);
  let offset = 0;
  for (const [width, value] of fields) {
    if (width === 2) view.setUint16(offset, value, true);
    if (width === 4) view.setUint32(offset, value, true);
    if (width === 8) view.setBigUint64(offset, BigInt(value), true);
    offset += width;
  }
  return bytes;
}

export function buildZip(entries: readonly BuiltEntry[], archive: BuiltArchive = {}): Uint8Array<ArrayBuffer> {
  const body: Uint8Array[] = [archive.prefix ?? new Uint8Array(0)];
  const central: Uint8Array[] = [];
  let offset = body[0]?.length ?? 0;
  for (const entry of entries) {
    const local = localPart(entry);
    central.push(centralPart(entry, { headerOffset: offset, isWide: archive.isWide === true }));
    body.push(local);
    offset += local.length;
  }
  const directory = joined(central);
  return joined([...body, directory, endPart({ offset, sizeBytes: directory.length, count: entries.length }, archive)]);
}

function packed(entry: BuiltEntry): Uint8Array {
  return (entry.method ?? 8) === 8 ? new Uint8Array(deflateRawSync(entry.bytes)) : entry.bytes;
}

function localPart(entry: BuiltEntry): Uint8Array {
  const path = new TextEncoder().encode(entry.path);
  const data = packed(entry);
  const extra = entry.localExtra ?? new Uint8Array(0);
  const sizes: Field[] = [
    [4, crc32(entry.bytes)],
    [4, data.length],
    [4, entry.bytes.length],
  ];
  const head: Field[] = [
    [4, 0x04034b50],
    [2, 20],
    [2, entry.flags ?? 0x800],
    [2, entry.method ?? 8],
    [4, 0],
  ];
  return joined([record([...head, ...sizes, [2, path.length], [2, extra.length]]), path, extra, data]);
}

function centralPart(entry: BuiltEntry, place: { headerOffset: number; isWide: boolean }): Uint8Array {
  const path = new TextEncoder().encode(entry.path);
  const { claims = {} } = entry;
  const sizeBytes = claims.sizeBytes ?? entry.bytes.length;
  const compressedBytes = claims.compressedBytes ?? packed(entry).length;
  const headerOffset = claims.headerOffset ?? place.headerOffset;
  const extra = place.isWide
    ? record([
        [2, 0x9999],
        [2, 0],
        [2, 1],
        [2, 24],
        [8, sizeBytes],
        [8, compressedBytes],
        [8, headerOffset],
      ])
    : new Uint8Array(0);
  const narrow = (value: number) => (place.isWide ? 0xffffffff : value);
  const head: Field[] = [
    [4, 0x02014b50],
    [2, 0x0314],
    [2, 20],
    [2, entry.flags ?? 0x800],
    [2, claims.method ?? entry.method ?? 8],
    [4, 0],
    [4, claims.crc32 ?? crc32(entry.bytes)],
    [4, narrow(compressedBytes)],
    [4, narrow(sizeBytes)],
    [2, path.length],
    [2, extra.length],
  ];
  const tail: Field[] = [
    [2, 0],
    [2, 0],
    [2, 0],
    [2, 0],
    [2, entry.mode ?? 0x81a4],
    [4, narrow(headerOffset)],
  ];
  return joined([record([...head, ...tail]), path, extra]);
}

function endPart(directory: { offset: number; sizeBytes: number; count: number }, archive: BuiltArchive): Uint8Array {
  const { comment = new Uint8Array(0), end = {}, isWide = false } = archive;
  const claimed = { count: directory.count, offset: directory.offset, disk: 0, ...end };
  const plain = isWide
    ? { count: 0xffff, sizeBytes: 0xffffffff, offset: 0xffffffff }
    : { ...claimed, sizeBytes: directory.sizeBytes };
  const head: Field[] = [
    [4, 0x06054b50],
    [2, claimed.disk],
    [2, claimed.disk],
    [2, plain.count],
    [2, plain.count],
  ];
  const narrow = record([...head, [4, plain.sizeBytes], [4, plain.offset], [2, comment.length]]);
  if (!isWide) return joined([narrow, comment]);
  const wideHead: Field[] = [
    [4, 0x06064b50],
    [8, 44],
    [2, 45],
    [2, 45],
    [4, 0],
    [4, 0],
  ];
  const counts: Field[] = [
    [8, claimed.count],
    [8, claimed.count],
    [8, directory.sizeBytes],
    [8, claimed.offset],
  ];
  const locator: Field[] = [
    [4, 0x07064b50],
    [4, 0],
    [8, directory.offset + directory.sizeBytes],
    [4, 1],
  ];
  return joined([record([...wideHead, ...counts]), record(locator), narrow, comment]);
}
