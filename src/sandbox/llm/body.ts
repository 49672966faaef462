/** Reads the body of a request, bounded: JSON into its members, a form into its fields and what is needed of its files. */
import { createHash } from "node:crypto";
import { FormStreamError, readFormStream } from "#lib/form-stream";
import type { UploadedFile } from "./call.ts";
import { LlmFailure } from "./failure.ts";
import { type Fields, isFields } from "./fields.ts";

/** Pictures inside messages are the largest things in JSON. */
const maxJsonBytes = 20_971_520;
/** https://platform.openai.com/docs/guides/speech-to-text: 25 MB. */
export const maxFileBytes = 26_214_400;
const maxFiles = 16;
const headBytes = 4_096;

export interface ReadBody {
  fields: Fields;
  files: UploadedFile[];
}

/** @param keepsFiles recordings are heard as a whole */
export async function readBody(request: Request, options: { keepsFiles: boolean }): Promise<ReadBody> {
  const { body } = request;
  if (!body) return { fields: {}, files: [] };
  const type = request.headers.get("content-type");
  if (!type?.startsWith("multipart/form-data")) return { fields: await readJson(body), files: [] };
  return readForm(body, type, options);
}

/** OpenAI's own words. */
export const fileTooLarge = (readBytes: number) =>
  new LlmFailure(413, `Maximum content size limit (${maxFileBytes}) exceeded (${readBytes} bytes read)`);

const tooLarge = (limit: number) => new LlmFailure(413, `The body or a file in it is larger than ${limit} bytes.`);

async function readJson(body: ReadableStream<Uint8Array>): Promise<Fields> {
  const decoder = new TextDecoder();
  const pieces: string[] = [];
  let sizeBytes = 0;
  for await (const piece of body) {
    sizeBytes += piece.byteLength;
    if (sizeBytes > maxJsonBytes) throw tooLarge(maxJsonBytes);
    pieces.push(decoder.decode(piece, { stream: true }));
  }
  const text = pieces.join("") + decoder.decode();
  const value = parse(text);
  if (isFields(value)) return value;
  throw new LlmFailure(400, "We could not parse the JSON body of your request: it is not a JSON object.");
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Forms write numbers and truth as text. */
const notText = new Set(["n", "temperature", "stream"]);

async function readForm(
  body: ReadableStream<Uint8Array>,
  type: string,
  options: { keepsFiles: boolean },
): Promise<ReadBody> {
  const fields: Fields = {};
  const files: UploadedFile[] = [];
  try {
    for await (const entry of readFormStream(body, type, { maxFileBytes, maxFiles })) {
      const name = entry.name.replace(/\[\]$/, "");
      if (entry.kind === "file") files.push(await readFile(name, entry, options));
      else if (name !== entry.name) fields[name] = [...listIn(fields, name), entry.value];
      else fields[name] = notText.has(name) ? (parse(entry.value) ?? entry.value) : entry.value;
    }
  } catch (error) {
    if (!(error instanceof FormStreamError)) throw error;
    if (error.reason === "file-too-large") throw fileTooLarge(maxFileBytes + 1);
    if (error.reason === "field-too-large") throw tooLarge(maxFileBytes);
    throw new LlmFailure(400, `We could not parse the form of your request: ${error.message}.`);
  }
  return { fields, files };
}

function listIn(fields: Fields, name: string): unknown[] {
  const value = Object.hasOwn(fields, name) ? fields[name] : [];
  return Array.isArray(value) ? value : [value];
}

interface FileEntry {
  fileName: string;
  stream: AsyncIterable<Uint8Array>;
}

async function readFile(
  name: string,
  { fileName, stream }: FileEntry,
  { keepsFiles }: { keepsFiles: boolean },
): Promise<UploadedFile> {
  const kept: Uint8Array[] = [];
  const hash = createHash("sha256");
  const head = new Uint8Array(headBytes);
  let sizeBytes = 0;
  for await (const piece of stream) {
    if (sizeBytes < headBytes) head.set(piece.subarray(0, headBytes - sizeBytes), sizeBytes);
    hash.update(piece);
    if (keepsFiles) kept.push(piece.slice());
    sizeBytes += piece.byteLength;
  }
  return {
    name,
    fileName,
    sizeBytes,
    head: head.slice(0, Math.min(sizeBytes, headBytes)),
    sha256: hash.digest("hex"),
    bytes: keepsFiles ? joined(kept, sizeBytes) : null,
  };
}

function joined(pieces: readonly Uint8Array[], sizeBytes: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(sizeBytes);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.byteLength;
  }
  return bytes;
}
