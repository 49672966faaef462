/**
 * A caller's form on its way to a provider. A small one is kept and can be sent to several; of a larger one nothing is held but the piece that is
 * just passing, so it can be sent once. Where its model is named behind its file, the file waits in the bucket until that is known.
 */
import type { Target } from "#adapters/llm/contract";
import type { WorkspaceCtx } from "#core/context";
import { Problem } from "#core/problem";
import { type FormEntry, type FormFile, FormStreamError, readFormStream } from "#lib/form-stream";
import type { Outgoing } from "./attempt.ts";
import { spool } from "./spool.ts";
import {
  type FilePart,
  type FormWriter,
  lineEnd,
  openFormWriter,
  type Part,
  partBytes,
  streamOf,
} from "./form-parts.ts";

const maxFormBytes = 95 * 1024 * 1024;
/** Headers of parts and fields around the files. */
const slackBytes = 65_536;
const keptBytes = 4 * 1024 * 1024;
const headBytes = 4_096;

export interface FormRules {
  /** The names under which files are taken. */
  files: readonly string[];
  maxFiles: number;
  /** What the request is judged by, so that it cannot come behind the file of a form that is passed on. */
  early: readonly string[];
  /** What is sent of a field; throws for one that may not be sent. */
  reads?: ((name: string, value: string) => string) | undefined;
}

export interface TakenForm {
  /** Those that are known before anything is sent; of two of one name the last. */
  fields: Record<string, string>;
  /** Null: the form is passed on, and has as many as it has. */
  fileCount: number | null;
  /** Of the files; what the request says of itself where they were not read. */
  sizeBytes: number;
  /** Of the files, as many as have passed. */
  passedBytes(): number;
  /** The beginning of the first file. */
  head: Uint8Array;
  outgoing: Outgoing;
  /** Why the passing on broke off: a fault of the form, not of the provider. */
  failure(): unknown;
  /** Once the request is over. */
  discard(): void;
}

type Entries = AsyncGenerator<FormEntry, void, undefined>;

interface Kept {
  parts: Part[];
  sizeBytes: number;
  /** The file in whose middle the reading stopped; null: the form was read to its end. */
  rest: AsyncIterator<Uint8Array> | null;
}

/** Throws `use-direct-upload`, `form-invalid`, `form-file-missing`, `validation-failed`. */
export async function takeForm(ctx: WorkspaceCtx, request: Request, rules: FormRules): Promise<TakenForm> {
  const declaredBytes = Number(request.headers.get("content-length") ?? Number.NaN);
  if (declaredBytes > maxFormBytes + slackBytes) throw new Problem("use-direct-upload");
  if (!request.body) throw new Problem("form-invalid", { detail: "The body is empty." });
  const limits = { maxFileBytes: maxFormBytes, maxFiles: rules.maxFiles, maxFields: 50 };
  const entries = readFormStream(request.body, request.headers.get("content-type"), limits);
  try {
    const kept = await readKept(entries, rules);
    const [file] = kept.parts.filter((part) => part.kind === "file");
    if (!file) throw new Problem("form-file-missing", { detail: `No file in the field ${rules.files[0] ?? "file"}.` });
    if (file.pieces.length === 0) throw new Problem("file-empty");
    const fields = fieldsOf(kept.parts);
    const about = { fields, head: Buffer.concat(file.pieces.slice(0, 8)).subarray(0, headBytes) };
    const { rest } = kept;
    if (!rest) return { ...about, ...wholeForm(ctx, kept), discard: () => undefined };
    const passing = { entries, kept: Object.assign(kept, { rest }), rules, declaredBytes };
    return { ...about, ...(fields["model"] === undefined ? await waiting(ctx, passing) : passedOn(ctx, passing)) };
  } catch (error) {
    await entries.return();
    throw toProblem(error);
  }
}

async function readKept(entries: Entries, rules: FormRules): Promise<Kept> {
  const parts: Part[] = [];
  let sizeBytes = 0;
  for (;;) {
    const { done, value } = await entries.next();
    if (done === true) return { parts, sizeBytes, rest: null };
    if (value.kind === "field") {
      parts.push(readField(value, rules));
      continue;
    }
    const part = filePart(value, rules);
    parts.push(part);
    const bytes = value.stream[Symbol.asyncIterator]();
    for (let next = await bytes.next(); next.done !== true; next = await bytes.next()) {
      part.pieces.push(next.value);
      sizeBytes += next.value.byteLength;
      if (sizeBytes > keptBytes) return { parts, sizeBytes, rest: bytes };
    }
  }
}

function filePart({ name, fileName, type }: FormFile, { files }: FormRules): FilePart {
  if (files.includes(name)) return { kind: "file", name, fileName: fileName || "file", type, pieces: [] };
  throw new Problem("form-invalid", { detail: `No file is taken in the field ${JSON.stringify(name.slice(0, 100))}.` });
}

function fieldsOf(parts: readonly Part[]): Record<string, string> {
  const fields: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const part of parts) if (part.kind === "field") fields[part.name] = part.value;
  return fields;
}

function wholeForm(ctx: WorkspaceCtx, { parts, sizeBytes }: Omit<Kept, "rest">) {
  const fileCount = parts.filter(({ kind }) => kind === "file").length;
  return { fileCount, sizeBytes, passedBytes: () => sizeBytes, outgoing: keptForm(ctx, parts), failure: () => null };
}

function keptForm(ctx: WorkspaceCtx, parts: readonly Part[]): Outgoing {
  const writer = openFormWriter(ctx);
  const isSpooled = parts.some((part) => part.kind === "file" && part.spooled !== undefined);
  const others = parts.filter(({ kind, name }) => kind === "file" || name !== "model");
  return {
    isSpent: () => false,
    open(target) {
      if (isSpooled) return { body: streamOf(spooledBytes(ctx, writer, { parts: others, target })), type: writer.type };
      const pieces = others.flatMap((part) => [...partBytes(writer, part)]);
      const body = Buffer.concat([writer.field("model", target.model), ...pieces, writer.end()]);
      return { body, type: writer.type };
    },
  };
}

async function* spooledBytes(
  ctx: WorkspaceCtx,
  writer: FormWriter,
  { parts, target }: { parts: readonly Part[]; target: Target },
): AsyncGenerator<Uint8Array, void, undefined> {
  yield writer.field("model", target.model);
  for (const part of parts) {
    if (part.kind === "field" || part.spooled === undefined) {
      yield* partBytes(writer, part);
      continue;
    }
    const object = await ctx.files.get(part.spooled);
    if (!object) throw new Error("a file of the form is gone from the bucket");
    yield writer.fileHead(part);
    yield* object.body;
    yield lineEnd;
  }
  yield writer.end();
}

/** The rest of the form is read before anything is sent; its files wait in the bucket. */
async function waiting(ctx: WorkspaceCtx, { entries, kept, rules }: Passing) {
  const keys: string[] = [];
  const { parts } = kept;
  let sizeBytes = 0;
  const putAway = async (part: FilePart, source: AsyncIterable<Uint8Array>): Promise<void> => {
    const stored = await spool(ctx, source, { maxBytes: maxFormBytes - sizeBytes });
    keys.push(stored.key);
    part.pieces = [];
    part.spooled = stored.key;
    sizeBytes += stored.sizeBytes;
  };
  const discard = () => {
    if (keys.length > 0) ctx.later(ctx.files.delete(keys));
  };
  try {
    const last = parts.at(-1);
    if (last?.kind === "file") await putAway(last, remaining(last.pieces, kept.rest));
    for (let next = await entries.next(); next.done !== true; next = await entries.next()) {
      const { value } = next;
      const part = value.kind === "field" ? readField(value, rules) : filePart(value, rules);
      parts.push(part);
      if (part.kind === "file" && value.kind === "file") await putAway(part, value.stream);
    }
  } catch (error) {
    discard();
    throw error;
  }
  return { ...wholeForm(ctx, { parts, sizeBytes }), fields: fieldsOf(parts), discard };
}

async function* remaining(
  pieces: Uint8Array[],
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (let piece = pieces.shift(); piece !== undefined; piece = pieces.shift()) yield piece;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}

interface Passing {
  entries: Entries;
  kept: Kept & { rest: AsyncIterator<Uint8Array> };
  rules: FormRules;
  declaredBytes: number;
}

function passedOn(ctx: WorkspaceCtx, passing: Passing) {
  const writer = openFormWriter(ctx);
  let isSpent = false;
  let failure: unknown = null;
  async function* pieces(target: Target): AsyncGenerator<Uint8Array, void, undefined> {
    isSpent = true;
    yield writer.field("model", target.model);
    yield* allBytes(writer, passing);
    yield writer.end();
  }
  const outgoing: Outgoing = {
    isSpent: () => isSpent,
    open: (target) => ({
      type: writer.type,
      body: streamOf(pieces(target), (error) => {
        failure = toProblem(error);
      }),
    }),
  };
  const { declaredBytes, kept } = passing;
  const sizeBytes = Number.isFinite(declaredBytes) ? Math.max(declaredBytes, kept.sizeBytes) : maxFormBytes;
  return {
    fileCount: null,
    sizeBytes,
    passedBytes: () => kept.sizeBytes,
    outgoing,
    failure: () => failure,
    discard: () => undefined,
  };
}

async function* allBytes(
  writer: FormWriter,
  { kept, entries, rules }: Passing,
): AsyncGenerator<Uint8Array, void, undefined> {
  const counted = (piece: Uint8Array): Uint8Array => {
    kept.sizeBytes += piece.byteLength;
    if (kept.sizeBytes > maxFormBytes) throw new Problem("use-direct-upload");
    return piece;
  };
  yield* keptBytesOf(writer, kept);
  const { rest } = kept;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield counted(next.value);
  yield lineEnd;
  for (let next = await entries.next(); next.done !== true; next = await entries.next()) {
    const { value } = next;
    if (value.kind === "field") {
      yield* partBytes(writer, lateField(value, rules));
      continue;
    }
    yield writer.fileHead(filePart(value, rules));
    for await (const piece of value.stream) yield counted(piece);
    yield lineEnd;
  }
}

/** Without the line end behind the file that is still being read; what was sent of it is let go. */
function* keptBytesOf(writer: FormWriter, { parts }: Kept): Generator<Uint8Array> {
  const last = parts.at(-1);
  for (const part of parts)
    if (part !== last && (part.kind === "file" || part.name !== "model")) yield* partBytes(writer, part);
  if (last?.kind !== "file") return;
  yield writer.fileHead(last);
  for (let piece = last.pieces.shift(); piece !== undefined; piece = last.pieces.shift()) yield piece;
}

type Field = Extract<Part, { kind: "field" }>;

function readField(field: Field, { reads }: FormRules): Field {
  return reads ? { ...field, value: reads(field.name, field.value) } : field;
}

function lateField(field: Field, rules: FormRules): Part {
  if (!rules.early.includes(field.name)) return readField(field, rules);
  throw new Problem("validation-failed", {
    detail: `In a form above 4 MiB, ${field.name} has to stand before the file.`,
    members: { param: field.name },
  });
}

function toProblem(error: unknown): unknown {
  if (!(error instanceof FormStreamError)) return error;
  if (error.reason === "file-too-large") return new Problem("use-direct-upload");
  return new Problem("form-invalid", { detail: `${error.message}.` });
}
