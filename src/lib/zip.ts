/**
 * ZIP archives: writes one as a stream without holding any entry, and reads single entries of one by ranges.
 * Entries are written uncompressed (what goes in is ciphertext or coded media) and read with every claim of the archive checked.
 */
import { crc32, inflateRawSync } from "node:zlib";
import { makeZip, predictLength } from "client-zip";
import { openPieces } from "./byte-source.ts";
import { cleanFileName, numberFileName } from "./file-name.ts";
import {
  findDirectory,
  readDirectory,
  viewOf,
  ZipError,
  zipTailBytes,
  type ZipEntry,
  type ZipLimits,
} from "./zip-directory.ts";

export interface ZipOutEntry {
  /** Unique in the archive; `zipNames` makes such names. */
  name: string;
  /** A stream of another length fails the archive. */
  sizeBytes: number;
  modifiedAt: Date;
  /** Called when the entry's turn has come, so at most one source is open. */
  open(): Promise<ReadableStream<Uint8Array>>;
}

/** Cleaned names, each only once: `a.wav`, `a (2).wav`. Compared without case, as Windows and macOS do. */
export function zipNames(names: readonly string[]): string[] {
  const taken = new Set<string>();
  // Remembers how far each name has been counted, so that thousands of equal names take linear time.
  const counts = new Map<string, number>();
  return names.map((raw) => {
    const name = cleanFileName(raw);
    const folded = name.toLowerCase();
    let unique = name;
    let count = counts.get(folded) ?? 1;
    while (taken.has(unique.toLowerCase())) {
      count += 1;
      unique = numberFileName(name, count);
    }
    counts.set(folded, count);
    taken.add(unique.toLowerCase());
    return unique;
  });
}

/** The exact size of the archive that `zipStream` makes of these entries: its `Content-Length`. */
export function zipLength(entries: Iterable<Pick<ZipOutEntry, "name" | "sizeBytes">>): number {
  return Number(predictLength(Array.from(entries, (entry) => ({ name: entry.name, size: entry.sizeBytes }))));
}

/** The archive, made as it is read. Cancelling it cancels the source that is open. */
export function zipStream(entries: AsyncIterable<ZipOutEntry> | Iterable<ZipOutEntry>): ReadableStream<Uint8Array> {
  let closeCurrent: () => Promise<void> = async () => undefined;
  async function* inputs() {
    for await (const entry of entries) {
      const input = exactStream(await entry.open(), entry);
      closeCurrent = input.close;
      yield { name: entry.name, lastModified: dosDate(entry.modifiedAt), size: entry.sizeBytes, input: input.stream };
    }
  }
  const iterator = inputs();
  const reader = makeZip(iterator).getReader();
  async function close(): Promise<void> {
    // The library lets go of its source without cancelling it.
    await closeCurrent();
    await iterator.return(undefined);
  }
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await reader.read().catch(async (error: unknown) => {
          await close();
          throw error;
        });
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: close,
    },
    { highWaterMark: 0 },
  );
}

/** Passes the bytes on in large pieces and fails when there are more or fewer than announced: the header is already sent by then. */
function exactStream(
  source: ReadableStream<Uint8Array>,
  entry: ZipOutEntry,
): { stream: ReadableStream<Uint8Array>; close: () => Promise<void> } {
  const pieces = openPieces(source);
  let sizeBytes = 0;
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const piece = await pieces.read();
        sizeBytes += piece?.length ?? 0;
        if (sizeBytes > entry.sizeBytes || (piece === undefined && sizeBytes !== entry.sizeBytes)) {
          throw new ZipError("size-mismatch", "a source has another size than announced", entry.name);
        }
        if (piece === undefined) controller.close();
        else controller.enqueue(piece);
      },
      cancel: () => pieces.cancel(),
    },
    { highWaterMark: 0 },
  );
  return { stream, close: () => pieces.cancel() };
}

/** The DOS date of ZIP counts from 1980 to 2107; outside of that it would wrap around. */
function dosDate(date: Date): Date {
  const earliest = Date.UTC(1980, 0, 2);
  const latest = Date.UTC(2107, 11, 30);
  return new Date(Math.min(Math.max(date.getTime() || earliest, earliest), latest));
}

/** Random access to an archive, e.g. ranged reads of one object. */
export interface ZipSource {
  sizeBytes: number;
  /** Exactly these bytes; a shorter answer counts as `truncated`. */
  read(offset: number, lengthBytes: number): Promise<Uint8Array>;
}

/** The files in an archive, in its own order. Throws ZipError. */
export async function listZip(source: ZipSource, limits: ZipLimits): Promise<ZipEntry[]> {
  const tailBytes = Math.min(source.sizeBytes, zipTailBytes);
  const tail = await readExactly(source, source.sizeBytes - tailBytes, tailBytes);
  const directory = findDirectory(tail, source.sizeBytes);
  const inTail = directory.offset - (source.sizeBytes - tailBytes);
  const bytes =
    inTail >= 0
      ? tail.subarray(inTail, inTail + directory.sizeBytes)
      : await readExactly(source, directory.offset, directory.sizeBytes);
  return readDirectory(bytes, directory, limits);
}

/** One whole entry, verified against its size and CRC-32. Holds the packed and the unpacked bytes at once. Throws ZipError. */
export async function readZipEntry(
  source: ZipSource,
  entry: ZipEntry,
  options: { maxBytes: number },
): Promise<Uint8Array> {
  // Deflate adds at most 5 bytes per 16 KiB to what it cannot pack; more is padding that only fills memory.
  const mostPacked = entry.sizeBytes + Math.ceil(entry.sizeBytes / 1_024) + 1_024;
  if (entry.sizeBytes > options.maxBytes || entry.compressedBytes > mostPacked) {
    throw new ZipError("entry-too-large", `an entry has more than ${options.maxBytes} bytes`, entry.name);
  }
  const packed = await readPacked(source, entry);
  const bytes = entry.method === "stored" ? packed : inflate(packed, entry);
  if (bytes.length !== entry.sizeBytes)
    throw new ZipError("size-mismatch", "an entry has another size than declared", entry.name);
  if (crc32(bytes) !== entry.crc32) throw new ZipError("crc-mismatch", "an entry is damaged", entry.name);
  return bytes;
}

async function readPacked(source: ZipSource, entry: ZipEntry): Promise<Uint8Array> {
  // The local header repeats the name and may carry other extra fields than the directory; a guess at their size saves a second read.
  const guessBytes = Math.min(30 + entry.pathBytes + 512 + entry.compressedBytes, entry.endOffset - entry.headerOffset);
  const bytes = await readExactly(source, entry.headerOffset, guessBytes);
  const header = viewOf(bytes);
  const isHeader =
    header.uint32(0) === 0x04034b50 &&
    header.uint16(8) === (entry.method === "stored" ? 0 : 8) &&
    (header.uint16(6) & 0x2041) === 0;
  const start = 30 + header.uint16(26) + header.uint16(28);
  const end = start + entry.compressedBytes;
  if (!isHeader || entry.headerOffset + end > entry.endOffset)
    throw new ZipError("malformed", "an entry's header does not match the directory", entry.name);
  return end <= bytes.length
    ? bytes.subarray(start, end)
    : await readExactly(source, entry.headerOffset + start, entry.compressedBytes);
}

/** The synchronous call, because it alone stops at a size: a DecompressionStream unpacks all it was given before anyone reads. */
function inflate(packed: Uint8Array, entry: ZipEntry): Uint8Array {
  try {
    // workerd refuses honest entries over 40,960 bytes unless it is asked for `info`; one chunk that holds all and a byte more is exact.
    const options = {
      info: true,
      chunkSize: Math.max(entry.sizeBytes + 1, 64),
      maxOutputLength: Math.max(entry.sizeBytes, 1),
    };
    const { buffer: unpacked } = inflateRawSync(packed, options as object) as unknown as { buffer: Buffer };
    const { buffer, byteOffset, length } = unpacked;
    // A plain view: `slice` of a Buffer would share memory where callers expect a copy.
    return new Uint8Array(buffer, byteOffset, length);
  } catch (error) {
    if (error instanceof RangeError)
      throw new ZipError("size-mismatch", "an entry unpacks to more than declared", entry.name);
    throw new ZipError("malformed", "an entry cannot be unpacked", entry.name);
  }
}

async function readExactly(source: ZipSource, offset: number, lengthBytes: number): Promise<Uint8Array> {
  if (lengthBytes === 0) return new Uint8Array(0);
  const bytes = await source.read(offset, lengthBytes);
  if (bytes.length !== lengthBytes) throw new ZipError("truncated", "the archive ends early");
  return bytes;
}
