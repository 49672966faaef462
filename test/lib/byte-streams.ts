/** Streams and bytes for the tests of streaming code. */

/** The bytes cut at the given places (any numbers: taken modulo the length, sorted). */
export function cutBytes(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].toSorted((left, right) => left - right);
  return [0, ...places].map((start, index) => bytes.slice(start, places[index] ?? bytes.length));
}

export interface CountedStream {
  stream: ReadableStream<Uint8Array>;
  /** Pieces handed out so far. */
  pulled: () => number;
  isCancelled: () => boolean;
}

/** A stream that hands out one piece a pull and remembers how it was treated. */
export function countedStream(pieces: readonly Uint8Array[]): CountedStream {
  let pulled = 0;
  let isCancelled = false;
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const piece = pieces[pulled];
        if (piece === undefined) return controller.close();
        pulled += 1;
        controller.enqueue(piece.slice());
      },
      cancel() {
        isCancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { stream, pulled: () => pulled, isCancelled: () => isCancelled };
}

export function streamOf(pieces: readonly Uint8Array[]): ReadableStream<Uint8Array> {
  return countedStream(pieces).stream;
}

export function joined(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(pieces.reduce((total, piece) => total + piece.length, 0));
  let offset = 0;
  for (const piece of pieces) {
    bytes.set(piece, offset);
    offset += piece.length;
  }
  return bytes;
}

export async function collect(source: AsyncIterable<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  const pieces: Uint8Array[] = [];
  for await (const piece of source) pieces.push(piece.slice());
  return joined(pieces);
}

/** Bytes that look random but are the same in every run. */
export function noise(sizeBytes: number, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(sizeBytes);
  let state = seed;
  for (let index = 0; index < sizeBytes; index += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

/** The value, or a failure of the test that relied on it. */
export function present<Value>(value: Value | null | undefined): Value {
  if (value === null || value === undefined) throw new Error("a value that the test relies on is missing");
  return value;
}
