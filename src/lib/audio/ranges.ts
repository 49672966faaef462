/** How the audio code reads a stored file: by ranges, a few at a time. Never holds a whole file. */

export interface ByteRanges {
  sizeBytes: number;
  /** The bytes from `startByte` up to, not with, `endByte`; both are clamped to the size. They belong to the caller. */
  read(startByte: number, endByte: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** Thrown when a file makes its reader ask for more than is reasonable: a sign of hostile bytes. */
export class ReadBudgetError extends Error {
  constructor() {
    super("more reads were asked for than a file of this kind needs");
    this.name = "ReadBudgetError";
  }
}

/** Bytes in memory, as a source. */
export function rangesOfBytes(bytes: Uint8Array): ByteRanges {
  return {
    sizeBytes: bytes.length,
    read: async (startByte, endByte) => bytes.slice(Math.max(0, startByte), Math.max(0, endByte)),
  };
}

export interface CacheLimits {
  blockBytes: number;
  /** The oldest blocks go first. */
  blocksMax: number;
  /** Reads of the source; the next one throws a `ReadBudgetError`. */
  readsMax: number;
}

/** Reads in aligned blocks and keeps some of them, so that small steps through headers cost few reads of the source. */
export function cachedRanges(source: ByteRanges, { blockBytes, blocksMax, readsMax }: CacheLimits): ByteRanges {
  const blocks = new Map<number, Uint8Array<ArrayBuffer>>();
  let reads = 0;

  function readSource(startByte: number, endByte: number): Promise<Uint8Array<ArrayBuffer>> {
    reads += 1;
    if (reads > readsMax) throw new ReadBudgetError();
    return source.read(startByte, endByte);
  }

  async function load(first: number, last: number): Promise<void> {
    const bytes = await readSource(first * blockBytes, (last + 1) * blockBytes);
    for (let block = first; block <= last; block += 1) {
      const offset = (block - first) * blockBytes;
      // A copy: a part of a long read would keep all of it in memory.
      blocks.set(block, first === last ? bytes : bytes.slice(offset, offset + blockBytes));
    }
  }

  async function read(startByte: number, endByte: number): Promise<Uint8Array<ArrayBuffer>> {
    const start = Math.max(0, startByte);
    const end = Math.min(endByte, source.sizeBytes);
    if (end <= start) return new Uint8Array(0);
    const [first, last] = [Math.floor(start / blockBytes), Math.floor((end - 1) / blockBytes)];
    if (last - first >= blocksMax) return readSource(start, end);
    const wanted = Array.from({ length: last - first + 1 }, (_, index) => first + index);
    const missing = wanted.filter((block) => !blocks.has(block));
    const [from, to] = [missing[0], missing.at(-1)];
    if (from !== undefined && to !== undefined) await load(from, to);
    const bytes = new Uint8Array(end - start);
    for (const block of wanted) {
      const held = blocks.get(block) ?? new Uint8Array(0);
      const blockStart = block * blockBytes;
      const part = held.subarray(Math.max(0, start - blockStart), Math.max(0, end - blockStart));
      bytes.set(part, Math.max(0, blockStart - start));
    }
    for (const block of blocks.keys()) {
      if (blocks.size <= blocksMax) break;
      blocks.delete(block);
    }
    return bytes;
  }

  return { sizeBytes: source.sizeBytes, read };
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Four-character tags and the like, one character a byte; shorter at the end of the bytes. */
export function textAt(bytes: Uint8Array, offset: number, lengthBytes: number): string {
  return String.fromCharCode(...bytes.subarray(offset, offset + lengthBytes));
}
