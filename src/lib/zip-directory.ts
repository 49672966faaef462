/**
 * Reads the central directory of a ZIP archive (APPNOTE 6.3.10 section 4.3) from its bytes. By hand, because the libraries want the
 * whole file in memory or as one stream, and an archive in object storage is read by ranges. Inflates nothing.
 */
import { cleanFileName } from "./file-name.ts";

export interface ZipEntry {
  /** Safe to store and show. Entries of different folders may share a name. */
  name: string;
  method: "stored" | "deflate";
  /** Declared; what is read is held to it. */
  sizeBytes: number;
  compressedBytes: number;
  crc32: number;
  /** Where the entry's own header is, and where whatever follows it begins. */
  headerOffset: number;
  endOffset: number;
  /** Bytes of the name as stored, to tell how much must be read. */
  pathBytes: number;
}

export interface ZipLimits {
  maxEntryBytes: number;
  /** All entries together, as declared. */
  maxTotalBytes: number;
  maxEntries?: number;
}

export type ZipReason =
  | "not-a-zip"
  | "malformed"
  | "truncated"
  | "several-volumes"
  | "too-many-entries"
  | "encrypted"
  | "method-unsupported"
  | "entry-too-large"
  | "total-too-large"
  | "overlap"
  | "size-mismatch"
  | "crc-mismatch";

/** `entryName` is the cleaned name of the entry at fault, if there is one. */
export class ZipError extends Error {
  readonly reason: ZipReason;
  readonly entryName: string | null;

  constructor(reason: ZipReason, message: string, entryName: string | null = null) {
    super(message);
    this.name = "ZipError";
    this.reason = reason;
    this.entryName = entryName;
  }
}

/** Enough of the end of any archive: the end record with the longest comment, and the ZIP64 records before it. */
export const zipTailBytes = 22 + 65_535 + 20 + 56;
/** Junk records (folders, resource forks) are skipped, but not without end. */
const maxRecords = 10_000;
const maxDirectoryBytes = 4 * 1_048_576;
const defaultMaxEntries = 2_000;

export interface ZipDirectory {
  offset: number;
  sizeBytes: number;
  recordCount: number;
}

/** Finds the directory. `tail` is the end of the archive: `zipTailBytes`, or all of a shorter one. */
export function findDirectory(tail: Uint8Array, archiveBytes: number): ZipDirectory {
  const view = viewOf(tail);
  const end = findEndRecord(view);
  if (end === null) throw new ZipError("not-a-zip", "no end record");
  const wide = hasWideEnd(view, end);
  const directory = wide ? readWideEnd(view, end - 76) : readEnd(view, end);
  if (directory === null) throw new ZipError("several-volumes", "the archive is split over several files");
  if (directory.recordCount > maxRecords || directory.sizeBytes > maxDirectoryBytes)
    throw new ZipError("too-many-entries", "the directory is too large");
  const endOffset = archiveBytes - tail.length + end - (wide ? 76 : 0);
  if (directory.offset + directory.sizeBytes !== endOffset)
    throw new ZipError("malformed", "the directory is not where the end record says");
  return directory;
}

/** The files of the archive. Skips folders, links, dotfiles and `__MACOSX`; refuses overlapping, encrypted and oversized entries. */
export function readDirectory(bytes: Uint8Array, directory: ZipDirectory, limits: ZipLimits): ZipEntry[] {
  const records = readRecords(bytes, directory);
  const entries: ZipEntry[] = [];
  let totalBytes = 0;
  for (const record of withEnds(records, directory.offset)) {
    if (isSkipped(record)) continue;
    const entry = toEntry(record);
    totalBytes += entry.sizeBytes;
    entries.push(entry);
    if (entries.length > (limits.maxEntries ?? defaultMaxEntries))
      throw new ZipError("too-many-entries", "too many files in the archive");
    if (entry.sizeBytes > limits.maxEntryBytes)
      throw new ZipError("entry-too-large", `an entry has more than ${limits.maxEntryBytes} bytes`, entry.name);
    if (totalBytes > limits.maxTotalBytes)
      throw new ZipError("total-too-large", `the archive unpacks to more than ${limits.maxTotalBytes} bytes`);
  }
  return entries;
}

/** A view with the little-endian reads that ZIP is made of. */
export function viewOf(bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    length: bytes.length,
    uint16: (offset: number) => view.getUint16(offset, true),
    uint32: (offset: number) => view.getUint32(offset, true),
    /** Above 2^53 the number is inexact, and larger than any archive either way. */
    uint64: (offset: number) => Number(view.getBigUint64(offset, true)),
  };
}

type View = ReturnType<typeof viewOf>;

/** The end record is the one whose comment reaches exactly to the end of the file. */
function findEndRecord(view: View): number | null {
  for (let offset = view.length - 22; offset >= 0; offset -= 1) {
    if (view.uint32(offset) === 0x06054b50 && view.uint16(offset + 20) === view.length - offset - 22) return offset;
  }
  return null;
}

function readEnd(view: View, at: number): ZipDirectory | null {
  const recordCount = view.uint16(at + 10);
  const isWhole = view.uint16(at + 4) === 0 && view.uint16(at + 6) === 0 && view.uint16(at + 8) === recordCount;
  return isWhole ? { recordCount, sizeBytes: view.uint32(at + 12), offset: view.uint32(at + 16) } : null;
}

/** ZIP64 puts its end record and a locator right in front of the plain one. */
function hasWideEnd(view: View, end: number): boolean {
  return end >= 76 && view.uint32(end - 20) === 0x07064b50 && view.uint32(end - 76) === 0x06064b50;
}

function readWideEnd(view: View, at: number): ZipDirectory | null {
  const recordCount = view.uint64(at + 32);
  const isWhole = view.uint32(at + 16) === 0 && view.uint32(at + 20) === 0 && view.uint64(at + 24) === recordCount;
  return isWhole ? { recordCount, sizeBytes: view.uint64(at + 40), offset: view.uint64(at + 48) } : null;
}

interface ZipRecord {
  path: string;
  pathBytes: number;
  flags: number;
  method: number;
  crc32: number;
  compressedBytes: number;
  sizeBytes: number;
  headerOffset: number;
  isLink: boolean;
}

function readRecords(bytes: Uint8Array, directory: ZipDirectory): ZipRecord[] {
  const view = viewOf(bytes);
  const records: ZipRecord[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    if (offset + 46 > bytes.length || view.uint32(offset) !== 0x02014b50 || records.length >= maxRecords)
      throw new ZipError("malformed", "broken directory");
    const end = offset + 46 + view.uint16(offset + 28) + view.uint16(offset + 30) + view.uint16(offset + 32);
    if (end > bytes.length) throw new ZipError("malformed", "broken directory");
    records.push(readRecord(bytes, view, offset));
    offset = end;
  }
  if (records.length !== directory.recordCount)
    throw new ZipError("malformed", "the directory has another number of entries than it says");
  return records;
}

function readRecord(bytes: Uint8Array, view: View, at: number): ZipRecord {
  const pathBytes = view.uint16(at + 28);
  const extra = bytes.subarray(at + 46 + pathBytes, at + 46 + pathBytes + view.uint16(at + 30));
  const [sizeBytes, compressedBytes, headerOffset] = widen(
    [view.uint32(at + 24), view.uint32(at + 20), view.uint32(at + 42)],
    extra,
  );
  return {
    // Without the UTF-8 flag the code page is anybody's guess; most tools write UTF-8 or ASCII, and a wrong letter does no harm.
    path: new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + pathBytes)),
    pathBytes,
    flags: view.uint16(at + 8),
    method: view.uint16(at + 10),
    crc32: view.uint32(at + 16),
    compressedBytes,
    sizeBytes,
    headerOffset,
    isLink: view.uint16(at + 4) >> 8 === 3 && (view.uint16(at + 40) & 0xf000) === 0xa000,
  };
}

type Numbers = [sizeBytes: number, compressedBytes: number, headerOffset: number];

/** The ZIP64 extra field holds, in this order, the values that are all ones in the record. */
function widen(plain: Numbers, extra: Uint8Array): Numbers {
  if (!plain.includes(0xffffffff)) return plain;
  const view = viewOf(extra);
  for (let at = 0; at + 4 <= extra.length; at += 4 + view.uint16(at + 2)) {
    if (view.uint16(at) !== 1) continue;
    const end = Math.min(at + 4 + view.uint16(at + 2), extra.length);
    let next = at + 4;
    const [size, compressed, header] = plain.map((value) => {
      if (value !== 0xffffffff) return value;
      next += 8;
      if (next > end) throw new ZipError("malformed", "broken ZIP64 field");
      return view.uint64(next - 8);
    });
    return [size ?? 0, compressed ?? 0, header ?? 0];
  }
  throw new ZipError("malformed", "missing ZIP64 field");
}

/** Overlapping entries are how a small archive unpacks to petabytes, so every entry must end before the next begins. */
function withEnds(records: readonly ZipRecord[], directoryOffset: number): (ZipRecord & { endOffset: number })[] {
  const starts = records.map((record) => record.headerOffset).toSorted((left, right) => left - right);
  // From the last to the first, so that of two equal starts the one that ends at once wins.
  const endOf = new Map(
    starts.map((start, index) => [start, starts[index + 1] ?? directoryOffset] as const).toReversed(),
  );
  return records.map((record) => {
    const endOffset = endOf.get(record.headerOffset) ?? directoryOffset;
    if (record.headerOffset + 30 + record.pathBytes + record.compressedBytes > endOffset)
      throw new ZipError("overlap", "entries overlap");
    return { ...record, endOffset };
  });
}

function isSkipped(record: ZipRecord): boolean {
  const segments = record.path.split(/[/\\]/);
  const isHidden = segments.some((segment) => segment === "__MACOSX" || /^\.[^.]/.test(segment));
  return record.isLink || isHidden || segments.at(-1) === "";
}

function toEntry(record: ZipRecord & { endOffset: number }): ZipEntry {
  const { sizeBytes, compressedBytes, crc32, headerOffset, endOffset, pathBytes } = record;
  const name = cleanFileName(record.path);
  // Bits 0, 6 and 13: encrypted, strongly encrypted, directory values hidden.
  if ((record.flags & 0x2041) !== 0) throw new ZipError("encrypted", "an entry is encrypted", name);
  if (record.method !== 0 && record.method !== 8)
    throw new ZipError("method-unsupported", `compression method ${record.method} is not supported`, name);
  return {
    name,
    method: record.method === 0 ? "stored" : "deflate",
    sizeBytes,
    compressedBytes,
    crc32,
    headerOffset,
    endOffset,
    pathBytes,
  };
}
