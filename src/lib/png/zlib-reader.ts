/**
 * Inflates a zlib stream (RFC 1950) that comes in pieces. Stored blocks, which is all that `encodePng` writes, are passed on
 * as they are; from the first other block on, zlib takes over. Adler-32 is checked only where zlib does it from the start:
 * the caller has the CRCs of PNG chunks over the same bytes.
 */
import { type Inflate, type InflateRaw, createInflate, createInflateRaw } from "node:zlib";
import { PngError } from "#lib/png/error";
import { releaseMemory } from "#lib/png/memory";

const ZLIB_HEADER_BYTES = 2;
const BLOCK_HEADER_BYTES = 5;
const ADLER_BYTES = 4;
/** How far back a block may refer (RFC 1951 section 2). */
const WINDOW_BYTES = 32_768;
const INFLATED_PIECE_BYTES = 262_144;

/** `write` and `end` reject with PngError `damaged`, or with what `push` threw. A piece written may be overwritten afterwards. */
export interface ZlibReader {
  write(piece: Uint8Array): Promise<void>;
  /** To be called after the last piece: waits for the last inflated byte. */
  end(): Promise<void>;
  /** Frees what is left; always to be called. */
  close(): void;
}

/** Gives the inflated bytes to `push`, in order, and stops at the first piece that it throws for: a bomb never gets further. */
export function createZlibReader(push: (piece: Uint8Array) => void): ZlibReader {
  const stored = createStoredReader(push);
  let inflater: ZlibReader | undefined;
  return {
    async write(piece) {
      if (inflater !== undefined) return inflater.write(piece);
      const rest = stored.write(piece);
      if (rest === undefined) return;
      inflater = createInflater(stored, push);
      await inflater.write(stored.takePending());
      await inflater.write(rest);
    },
    async end() {
      if (inflater !== undefined) return inflater.end();
      if (!stored.isComplete()) throw new PngError("damaged", "zlib stream");
    },
    close: () => inflater?.close(),
  };
}

interface StoredReader {
  /** Passes on stored blocks. Gives what follows once there is a block of another kind. */
  write(piece: Uint8Array): Uint8Array | undefined;
  /** The beginning of that block, and the zlib header if it is the first. */
  takePending(): Uint8Array;
  /** The last bytes before that block, or undefined when it is the first. */
  takeWindow(): Uint8Array | undefined;
  isComplete(): boolean;
}

function createStoredReader(push: (piece: Uint8Array) => void): StoredReader {
  let pending: number[] = [];
  let wanted = ZLIB_HEADER_BYTES + BLOCK_HEADER_BYTES;
  let left = 0;
  let isLast = false;
  let isFirst = true;
  const window = createWindow();
  let recent: Uint8Array[] = [];

  /** Reads a block's header; false when it is not that of a stored block. */
  const open = (): boolean => {
    const [kind, low = 0, high = 0, lowInverse = 0, highInverse = 0] = pending.slice(-BLOCK_HEADER_BYTES);
    const isStored = (kind === 0 || kind === 1) && (low ^ lowInverse) === 0xff && (high ^ highInverse) === 0xff;
    if (!isStored || (isFirst && !isZlibHeader(pending))) return false;
    left = low | (high << 8);
    isLast = kind === 1;
    isFirst = false;
    pending = [];
    wanted = isLast ? ADLER_BYTES : BLOCK_HEADER_BYTES;
    return true;
  };

  const step = (piece: Uint8Array, offset: number): number | undefined => {
    if (left > 0) {
      const part = piece.subarray(offset, offset + left);
      push(part);
      recent.push(part);
      left -= part.byteLength;
      return offset + part.byteLength;
    }
    if (isLast && pending.length === ADLER_BYTES) throw new PngError("damaged", "data after the pixels");
    pending.push(piece[offset] ?? 0);
    if (!isLast && pending.length === wanted && !open()) return undefined;
    return offset + 1;
  };

  return {
    write(piece) {
      for (let offset = 0; offset < piece.byteLength;) {
        const next = step(piece, offset);
        if (next === undefined) return piece.subarray(offset + 1);
        offset = next;
      }
      // The piece may be overwritten now, so that what a later block can refer to is copied.
      window.add(recent);
      recent = [];
      return undefined;
    },
    takePending: () => Uint8Array.from(pending),
    takeWindow() {
      window.add(recent);
      return isFirst ? undefined : window.read();
    },
    isComplete: () => isLast && left === 0 && pending.length === ADLER_BYTES,
  };
}

/** Method 8 with a window of at most 32 KiB, no preset dictionary, a multiple of 31 (RFC 1950 section 2.2). */
function isZlibHeader([method = 0, flags = 0]: readonly number[]): boolean {
  return (method & 0x8f) === 8 && (flags & 0x20) === 0 && (method * 256 + flags) % 31 === 0;
}

interface Window {
  add(parts: readonly Uint8Array[]): void;
  /** The last bytes added, `WINDOW_BYTES` at most. */
  read(): Uint8Array;
}

/** A ring, so that adding costs no more than the bytes added, however small the pieces are that somebody cuts. */
function createWindow(): Window {
  const ring = new Uint8Array(WINDOW_BYTES);
  let addedBytes = 0;
  const addPart = (part: Uint8Array): void => {
    const at = addedBytes % WINDOW_BYTES;
    const head = part.subarray(0, WINDOW_BYTES - at);
    ring.set(head, at);
    ring.set(part.subarray(head.byteLength), 0);
    addedBytes += part.byteLength;
  };
  return {
    add(parts) {
      let skipped = Math.max(0, parts.reduce((sum, part) => sum + part.byteLength, 0) - WINDOW_BYTES);
      addedBytes += skipped;
      for (const part of parts) {
        const kept = part.subarray(skipped);
        skipped -= part.byteLength - kept.byteLength;
        if (kept.byteLength > 0) addPart(kept);
      }
    },
    read() {
      const at = addedBytes % WINDOW_BYTES;
      if (addedBytes <= WINDOW_BYTES) return ring.slice(0, addedBytes);
      const bytes = new Uint8Array(WINDOW_BYTES);
      bytes.set(ring.subarray(at), 0);
      bytes.set(ring.subarray(0, at), WINDOW_BYTES - at);
      return bytes;
    },
  };
}

/** zlib for the whole stream, or for the rest of it behind stored blocks. */
function createInflater(stored: StoredReader, push: (piece: Uint8Array) => void): ZlibReader {
  const dictionary = stored.takeWindow();
  const stream: Inflate | InflateRaw =
    dictionary === undefined
      ? createInflate({ chunkSize: INFLATED_PIECE_BYTES })
      : createInflateRaw({ chunkSize: INFLATED_PIECE_BYTES, dictionary });
  const trailingBytes = dictionary === undefined ? 0 : ADLER_BYTES;
  let writtenBytes = 0;
  let failure: Error | undefined;
  let previous: Uint8Array<ArrayBuffer> | undefined;
  stream.on("data", (piece: Uint8Array<ArrayBuffer>) => {
    // Pieces are cut from one buffer after the other; those already copied would otherwise wait for the garbage collector.
    if (previous !== undefined && previous.buffer !== piece.buffer) releaseMemory(previous);
    previous = piece;
    try {
      push(piece);
    } catch (error) {
      stream.destroy(error as Error);
    }
  });
  stream.on("error", (error) => {
    failure ??= error instanceof PngError ? error : new PngError("damaged", "zlib stream");
  });
  /** Waits for what `start` starts, or for the stream to fail: a destroyed stream may not call back. */
  const settle = (start: (done: () => void) => void): Promise<void> =>
    new Promise((resolve, reject) => {
      if (failure !== undefined) return reject(failure);
      const fail = (): void => reject(failure);
      stream.once("error", fail);
      start(() => {
        stream.off("error", fail);
        if (failure === undefined) resolve();
        else reject(failure);
      });
    });
  return {
    write(piece) {
      writtenBytes += piece.byteLength;
      return settle((done) => void stream.write(piece, done));
    },
    async end() {
      // The end has come already when the zlib stream was shorter than what was written.
      await settle((done) => (stream.readableEnded ? done() : void stream.once("end", done).end()));
      if (writtenBytes - stream.bytesWritten !== trailingBytes) throw new PngError("damaged", "end of the zlib stream");
    },
    close: () => void stream.destroy(),
  };
}
