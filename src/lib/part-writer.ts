/**
 * Cuts a byte stream of unknown length into the equal parts that an R2 multipart upload demands, and measures it on the way.
 * Holds two parts at most: one on its way and one being filled. Does not create, complete or abort the upload.
 */
import { createHash } from "node:crypto";
import { headBytesNeeded } from "./file-magic.ts";

/** 8 MiB: above R2's minimum of 5 MiB, and twice that leaves room in an isolate of 128 MB. */
export const defaultPartSizeBytes = 8_388_608;
/** R2 and S3 number parts from 1 to 10,000. */
const maxParts = 10_000;

export interface PartWriterOptions<Part> {
  /** Every part but the last has exactly this size. */
  partSizeBytes?: number;
  /** A stream with more bytes fails as `file-too-large` before the part that passes the limit is stored. */
  maxBytes: number;
  /** Stores one part. `bytes` is reused as soon as the promise settles, so it must not be kept. */
  put: (partNumber: number, bytes: Uint8Array<ArrayBuffer>) => Promise<Part>;
}

export interface PartsWritten<Part> {
  /** In order; empty for a stream without bytes, which R2 cannot complete. */
  parts: Part[];
  sizeBytes: number;
  /** Lower-case hex of the whole stream. */
  sha256: string;
  /** The first 64 KiB, for `checkFileType`. */
  head: Uint8Array<ArrayBuffer>;
}

export interface PartWriter<Part> {
  /** One call at a time: await it before the next. Resolves when the bytes are taken over, not when they are stored. */
  write(bytes: Uint8Array): Promise<void>;
  /** Stores the rest and waits for everything. */
  finish(): Promise<PartsWritten<Part>>;
  /** Waits for a part that is still on its way, so that an abort of the upload does not race with it. Never throws. */
  settle(): Promise<void>;
}

export type PartWriterReason = "file-too-large" | "misuse";

/** `misuse` is a fault of the caller: two calls at once, or a call after the end. Errors of `put` pass through as they are. */
export class PartWriterError extends Error {
  readonly reason: PartWriterReason;

  constructor(reason: PartWriterReason, message: string) {
    super(message);
    this.name = "PartWriterError";
    this.reason = reason;
  }
}

/** Writes a whole stream. When it fails, no part is on its way any more, and the caller aborts the upload. */
export async function writeParts<Part>(
  source: AsyncIterable<Uint8Array>,
  options: PartWriterOptions<Part>,
): Promise<PartsWritten<Part>> {
  const writer = createPartWriter(options);
  try {
    for await (const bytes of source) await writer.write(bytes);
    return await writer.finish();
  } finally {
    await writer.settle();
  }
}

/** The object form, for a caller that makes its bytes piece by piece. After an error every further call fails with it. */
export function createPartWriter<Part>(options: PartWriterOptions<Part>): PartWriter<Part> {
  const { maxBytes, put, partSizeBytes = defaultPartSizeBytes } = options;
  if (Math.ceil(maxBytes / partSizeBytes) > maxParts)
    throw new RangeError(`${maxBytes} bytes need more than ${maxParts} parts`);
  const hash = createHash("sha256");
  const flight = createFlight(put, partSizeBytes);
  const head: Uint8Array[] = [];
  let headBytes = 0;
  let sizeBytes = 0;

  async function write(bytes: Uint8Array): Promise<void> {
    if (sizeBytes + bytes.length > maxBytes) throw new PartWriterError("file-too-large", `more than ${maxBytes} bytes`);
    sizeBytes += bytes.length;
    hash.update(bytes);
    if (headBytes < headBytesNeeded && bytes.length > 0) {
      // Not `slice`, which shares memory when the bytes are a Buffer.
      head.push(new Uint8Array(bytes.subarray(0, headBytesNeeded - headBytes)));
      headBytes += head.at(-1)?.length ?? 0;
    }
    await flight.fill(bytes);
  }

  async function finish(): Promise<PartsWritten<Part>> {
    const parts = await flight.land();
    return { parts, sizeBytes, sha256: hash.digest("hex"), head: joinBytes(head, headBytes) };
  }

  const takeTurn = createTurns();
  return {
    write: (bytes) => takeTurn(() => write(bytes)),
    finish: () => takeTurn(finish, { isLast: true }),
    settle: () => flight.settle(),
  };
}

/** Two buffers that change places: one is being filled while the other is being stored. */
function createFlight<Part>(put: PartWriterOptions<Part>["put"], partSizeBytes: number) {
  const parts: Part[] = [];
  let filling: Uint8Array<ArrayBuffer> | null = null;
  let spare: Uint8Array<ArrayBuffer> | null = null;
  let filledBytes = 0;
  let partNumber = 0;
  let underway: Promise<void> = Promise.resolve();

  async function send(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    await underway;
    partNumber += 1;
    underway = put(partNumber, bytes).then((part) => void parts.push(part));
    // A failure is met by the next await of `underway`; without this the runtime would call it unhandled until then.
    underway.catch(() => undefined);
  }

  return {
    async fill(bytes: Uint8Array): Promise<void> {
      for (let offset = 0; offset < bytes.length;) {
        filling ??= new Uint8Array(partSizeBytes);
        const taken = bytes.subarray(offset, offset + partSizeBytes - filledBytes);
        filling.set(taken, filledBytes);
        filledBytes += taken.length;
        offset += taken.length;
        if (filledBytes < partSizeBytes) return;
        await send(filling);
        // `send` has waited for the part before, so its buffer is free now.
        [filling, spare] = [spare, filling];
        filledBytes = 0;
      }
    },
    async land(): Promise<Part[]> {
      if (filling !== null && filledBytes > 0) await send(filling.subarray(0, filledBytes));
      await underway;
      return parts;
    },
    async settle(): Promise<void> {
      await underway.catch(() => undefined);
    },
  };
}

/** Runs one call at a time and none after a failure or the end. */
function createTurns() {
  let state: { kind: "idle" } | { kind: "busy" } | { kind: "ended"; error: unknown } = { kind: "idle" };
  return async function takeTurn<Result>(
    work: () => Promise<Result>,
    turn: { isLast?: boolean } = {},
  ): Promise<Result> {
    if (state.kind === "ended") throw state.error;
    if (state.kind === "busy") throw new PartWriterError("misuse", "a part writer takes one call at a time");
    state = { kind: "busy" };
    try {
      const result = await work();
      state =
        turn.isLast === true
          ? { kind: "ended", error: new PartWriterError("misuse", "the part writer has finished") }
          : { kind: "idle" };
      return result;
    } catch (error) {
      state = { kind: "ended", error };
      throw error;
    }
  };
}

function joinBytes(pieces: readonly Uint8Array[], sizeBytes: number): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(sizeBytes);
  let offset = 0;
  for (const piece of pieces) {
    joined.set(piece, offset);
    offset += piece.length;
  }
  return joined;
}
