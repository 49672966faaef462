/**
 * Reads multipart/form-data (RFC 7578) as it arrives, one entry after the other, for bodies that must never be held in memory.
 * Reads from the network only what the caller asks for. Refuses malformed and unfinished forms instead of guessing.
 */
import { Buffer } from "node:buffer";
import { createByteSource, type ByteSource } from "./byte-source.ts";
import { readBoundary, readPartHeader, type PartHeader } from "./form-header.ts";

export interface FormStreamLimits {
  /** Bytes of one file. */
  maxFileBytes: number;
  maxFieldBytes?: number;
  maxFields?: number;
  maxFiles?: number;
  /** Header lines of one part, together. */
  maxHeaderBytes?: number;
}

export interface FormField {
  kind: "field";
  name: string;
  /** Decoded as UTF-8; invalid bytes become U+FFFD. */
  value: string;
}

export interface FormFile {
  kind: "file";
  name: string;
  /** As sent: clean it before use. Empty when a browser sends a file input that nobody filled. */
  fileName: string;
  /** The media type as sent, or null. */
  type: string | null;
  /** Readable once, and only until the next entry is asked for: what is left unread by then is thrown away. */
  stream: AsyncIterable<Uint8Array>;
}

export type FormEntry = FormField | FormFile;

export type FormStreamReason =
  | "not-multipart"
  | "boundary-missing"
  | "too-many-fields"
  | "too-many-files"
  | "field-too-large"
  | "file-too-large"
  | "header-too-large"
  | "part-invalid"
  | "truncated";

/** Thrown by the iteration and by a file's stream; after it the form is unreadable. */
export class FormStreamError extends Error {
  readonly reason: FormStreamReason;

  constructor(reason: FormStreamReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "FormStreamError";
    this.reason = reason;
  }
}

const defaults = { maxFieldBytes: 65_536, maxFields: 50, maxFiles: 10, maxHeaderBytes: 16_384 };
/** What may stand before the first and after the last delimiter (RFC 2046 section 5.1.1 calls it to be ignored). */
const maxSurroundingBytes = 65_536;
const lineEnd = Buffer.from("\r\n");
const headerEnd = Buffer.from("\r\n\r\n");

interface Form {
  source: ByteSource;
  /** CRLF, two hyphens and the boundary. */
  delimiter: Buffer;
  limits: Required<FormStreamLimits>;
}

/**
 * The entries in the order of the body. Leaving the loop early cancels the body.
 * @param contentType the request's `Content-Type` header
 */
export async function* readFormStream(
  body: ReadableStream<Uint8Array>,
  contentType: string | null,
  limits: FormStreamLimits,
): AsyncGenerator<FormEntry, void, undefined> {
  const form: Form = {
    source: createByteSource(body, (cause) => new FormStreamError("truncated", "the body broke off", { cause })),
    delimiter: Buffer.from(`\r\n--${boundaryOf(contentType)}`),
    limits: { ...defaults, ...limits },
  };
  try {
    await skipPreamble(form);
    yield* readEntries(form);
    await form.source.skipAtMost(maxSurroundingBytes);
  } finally {
    await form.source.close();
  }
}

function boundaryOf(contentType: string | null): string {
  const boundary = readBoundary(contentType);
  if (boundary === "not-multipart") throw new FormStreamError("not-multipart", "the body is not multipart/form-data");
  if (boundary === null) throw new FormStreamError("boundary-missing", "the content type names no valid boundary");
  return boundary.text;
}

async function* readEntries(form: Form): AsyncGenerator<FormEntry, void, undefined> {
  const counts = { field: 0, file: 0 };
  for (let header = await nextHeader(form); header !== null; header = await nextHeader(form)) {
    const kind = header.fileName === null ? "field" : "file";
    counts[kind] += 1;
    if (counts.field > form.limits.maxFields)
      throw new FormStreamError("too-many-fields", `more than ${form.limits.maxFields} fields`);
    if (counts.file > form.limits.maxFiles)
      throw new FormStreamError("too-many-files", `more than ${form.limits.maxFiles} files`);
    const content = createContent(form, kind === "field" ? form.limits.maxFieldBytes : form.limits.maxFileBytes, kind);
    if (header.fileName === null) {
      yield { kind: "field", name: header.name, value: await readText(content) };
      continue;
    }
    yield { kind: "file", name: header.name, fileName: header.fileName, type: header.type, stream: content.stream() };
    await content.discardRest();
  }
}

/** The body may begin with the delimiter itself, whose CRLF is then only thought. */
async function skipPreamble(form: Form): Promise<void> {
  form.source.unread(lineEnd);
  let skippedBytes = 0;
  for (;;) {
    const piece = await form.source.readUpTo(form.delimiter);
    if (piece === "found") return;
    skippedBytes += piece === "end" ? 0 : piece.length;
    if (piece === "end" || skippedBytes > maxSurroundingBytes)
      throw new FormStreamError("boundary-missing", "the body does not contain its boundary");
  }
}

/** What follows a delimiter: the headers of a part, or null at the closing one. */
async function nextHeader(form: Form): Promise<PartHeader | null> {
  const { source, limits } = form;
  if ((await source.peek(2))?.toString("latin1") === "--") return null;
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  for (;;) {
    const piece = await source.readUpTo(headerEnd);
    if (piece === "found") break;
    if (piece === "end") throw new FormStreamError("truncated", "the form ends before its closing boundary");
    pieces.push(piece);
    sizeBytes += piece.length;
    if (sizeBytes > limits.maxHeaderBytes)
      throw new FormStreamError("header-too-large", `part headers above ${limits.maxHeaderBytes} bytes`);
  }
  const header = readPartHeader(Buffer.concat(pieces).toString("utf8"));
  if (header === null) throw new FormStreamError("part-invalid", "a part has malformed headers or no name");
  return header;
}

/** The bytes of one part. Exactly one reader at a time may pull them: the caller, or the iteration that throws the rest away. */
function createContent(form: Form, maxBytes: number, kind: FormEntry["kind"]) {
  let sizeBytes = 0;
  let isDone = false;
  let isLeft = false;
  let isReading = false;

  async function next(): Promise<Uint8Array | null> {
    if (isDone) return null;
    if (isReading) throw new Error("a form file has one reader at a time");
    isReading = true;
    const piece = await form.source.readUpTo(form.delimiter).finally(() => {
      isReading = false;
    });
    if (piece === "end") throw new FormStreamError("truncated", "the form ends before its closing boundary");
    isDone = piece === "found";
    if (piece === "found") return null;
    sizeBytes += piece.length;
    if (sizeBytes > maxBytes)
      throw new FormStreamError(`${kind}-too-large`, `a ${kind} has more than ${maxBytes} bytes`);
    return piece;
  }

  return {
    next,
    async *stream(): AsyncGenerator<Uint8Array, void, undefined> {
      for (;;) {
        // Silence here would pass a beginning off as the whole file.
        if (isLeft) throw new Error("the form was read on, this file is gone");
        const piece = await next();
        if (piece === null) return;
        // A plain view: `slice` of a Buffer would share memory where callers expect a copy.
        yield new Uint8Array(piece.buffer, piece.byteOffset, piece.length);
      }
    },
    async discardRest(): Promise<void> {
      isLeft = !isDone;
      while ((await next()) !== null);
    },
  };
}

async function readText(content: { next: () => Promise<Uint8Array | null> }): Promise<string> {
  const pieces: Uint8Array[] = [];
  for (let piece = await content.next(); piece !== null; piece = await content.next()) pieces.push(piece);
  return Buffer.concat(pieces).toString("utf8");
}
