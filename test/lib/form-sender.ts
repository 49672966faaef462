/** Sends forms to the reader under test and says what came out. */
import {
  type FormEntry,
  type FormFile,
  FormStreamError,
  type FormStreamLimits,
  readFormStream,
} from "#lib/form-stream";
import { collect, joined, streamOf } from "./byte-streams.ts";

export const boundary = "----WebKitFormBoundary7MA4YWxkTrZu0gW";
export const contentType = `multipart/form-data; boundary=${boundary}`;
export const limits: FormStreamLimits = { maxFileBytes: 1_000_000 };
export const text = (value: string) => new TextEncoder().encode(value);

export interface SentPart {
  head: string;
  body: Uint8Array;
}

export const field = (name: string, value: string): SentPart => ({
  head: `Content-Disposition: form-data; name="${name}"`,
  body: text(value),
});
export const file = (name: string, fileName: string, body: Uint8Array, type = "audio/wav"): SentPart => ({
  head: `Content-Disposition: form-data; name="${name}"; filename="${fileName}"\r\nContent-Type: ${type}`,
  body,
});

export function formOf(parts: readonly SentPart[]): Uint8Array<ArrayBuffer> {
  const pieces = parts.flatMap((part) => [text(`--${boundary}\r\n${part.head}\r\n\r\n`), part.body, text("\r\n")]);
  return joined([...pieces, text(`--${boundary}--\r\n`)]);
}

export type ReadEntry =
  | { name: string; value: string }
  | { name: string; fileName: string; type: string | null; bytes: Uint8Array };

export async function readEntry(entry: FormEntry): Promise<ReadEntry> {
  if (entry.kind === "field") return { name: entry.name, value: entry.value };
  return { name: entry.name, fileName: entry.fileName, type: entry.type, bytes: await collect(entry.stream) };
}

export async function readAll(
  body: ReadableStream<Uint8Array>,
  type: string | null = contentType,
  given: FormStreamLimits = limits,
): Promise<ReadEntry[]> {
  const entries: ReadEntry[] = [];
  for await (const entry of readFormStream(body, type, given)) entries.push(await readEntry(entry));
  return entries;
}

export async function reasonOf(work: Promise<unknown>): Promise<unknown> {
  const error = await work.then(
    () => "no error",
    (caught: unknown) => caught,
  );
  return error instanceof FormStreamError ? error.reason : error;
}

export const read = (bytes: Uint8Array, given?: Partial<FormStreamLimits>) =>
  readAll(streamOf([bytes]), contentType, { ...limits, ...given });
export const readRaw = (value: string) => read(text(value.replaceAll("BOUNDARY", boundary)));

/** The first entry, which the test knows to be a file. */
export async function firstFile(entries: AsyncGenerator<FormEntry, void, undefined>): Promise<FormFile> {
  const { value } = await entries.next();
  if (!value || value.kind !== "file") throw new Error("the first entry is not a file");
  return value;
}
