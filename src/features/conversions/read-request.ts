/**
 * Bodies of the two convert operations: JSON, or a form whose files are passed on as they arrive. Fields may stand before or after the
 * files. Holds no file in memory and refuses a form above 95 MiB before it is read where its length is declared.
 */
import type * as z from "zod";
import { maxFormBytes } from "#core/plans";
import { Problem } from "#core/problem";
import type { Shape } from "#core/shape";
import { type FormFile, FormStreamError, type FormStreamLimits, readFormStream } from "#lib/form-stream";

const maxJsonBytes = 1_048_576;
/** Boundaries, part headers and fields around the files. */
const formSlackBytes = 1_048_576;

export type BodyKind = "json" | "form";

/** Throws `unsupported-content-type`. */
export function bodyKindOf(request: Request): BodyKind {
  const type = (request.headers.get("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
  if (type === "application/json" || type.endsWith("+json")) return "json";
  if (type === "multipart/form-data") return "form";
  throw new Problem("unsupported-content-type", {
    detail: `This operation takes application/json and multipart/form-data, not "${type.slice(0, 100) || "nothing"}".`,
  });
}

export async function readJsonBody<Body extends z.ZodType>(
  request: Request,
  shape: Shape<Body>,
): Promise<z.output<Body>> {
  const text = await readText(request);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Problem("invalid-json");
  }
  return parseBody(shape, value);
}

async function readText(request: Request): Promise<string> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of request.body ?? []) {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > maxJsonBytes) throw new Problem("body-too-large", { detail: `At most ${maxJsonBytes} bytes.` });
    chunks.push(chunk);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(Buffer.concat(chunks, sizeBytes));
  } catch {
    throw new Problem("invalid-json", { detail: "The body is not UTF-8." });
  }
}

/** The same answer as for every other operation: where, what and which rule, and never the value itself. */
export function parseBody<Body extends z.ZodType>(shape: Shape<Body>, value: unknown): z.output<Body> {
  const result = shape().safeParse(value);
  if (result.success) return result.data;
  const errors = result.error.issues
    .slice(0, 20)
    .map((issue) => ({ in: "body", path: issue.path.join("."), message: issue.message, code: issue.code }));
  const [first] = errors;
  throw new Problem("validation-failed", {
    detail: first ? `${first.path || "body"}: ${first.message}` : "The request is not valid.",
    members: { errors },
  });
}

export interface FormReading {
  /** The names under which files are taken; files under other names are passed over. */
  fileFields: readonly string[];
  maxFiles: number;
  /** Takes one file: its stream has to be read before this resolves, and has at most `maxBytes`. */
  store: (file: FormFile, limits: { maxBytes: number; declaredBytes?: number }) => Promise<void>;
}

/** The fields of a form. Throws `form-invalid`, `form-file-missing`, `use-direct-upload` and whatever `store` throws. */
export async function readForm(request: Request, reading: FormReading): Promise<Record<string, string>> {
  const declaredBytes = readLength(request);
  if (declaredBytes !== undefined && declaredBytes > maxFormBytes + formSlackBytes)
    throw new Problem("use-direct-upload");
  if (!request.body) throw new Problem("form-invalid", { detail: "The body is empty." });
  const fields: Record<string, string> = Object.create(null) as Record<string, string>;
  const limits: FormStreamLimits = { maxFileBytes: maxFormBytes, maxFiles: reading.maxFiles + 5, maxFields: 50 };
  const meter = { files: 0, leftBytes: maxFormBytes };
  try {
    for await (const entry of readFormStream(request.body, request.headers.get("content-type"), limits)) {
      if (entry.kind === "field") fields[entry.name] = entry.value;
      else await takeFile(entry, { reading, meter, declaredBytes });
    }
  } catch (error) {
    throw toProblem(error);
  }
  if (meter.files === 0)
    throw new Problem("form-file-missing", { detail: `No file in the field ${reading.fileFields[0] ?? "file"}.` });
  return fields;
}

interface Taking {
  reading: FormReading;
  meter: { files: number; leftBytes: number };
  declaredBytes: number | undefined;
}

async function takeFile(file: FormFile, { reading, meter, declaredBytes }: Taking): Promise<void> {
  // A browser sends an input that nobody filled as a file without a name.
  if (file.fileName === "" || !reading.fileFields.includes(file.name)) return;
  meter.files += 1;
  if (meter.files > reading.maxFiles)
    throw new Problem("form-invalid", { detail: `At most ${reading.maxFiles} files.` });
  const maxBytes = meter.leftBytes;
  const counted = countBytes(file, (sizeBytes) => {
    meter.leftBytes -= sizeBytes;
  });
  await reading.store(counted, {
    maxBytes,
    ...(declaredBytes === undefined || reading.maxFiles > 1 ? {} : { declaredBytes }),
  });
}

function countBytes(file: FormFile, onBytes: (sizeBytes: number) => void): FormFile {
  async function* counted(): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const bytes of file.stream) {
      onBytes(bytes.byteLength);
      yield bytes;
    }
  }
  return { ...file, stream: counted() };
}

function readLength(request: Request): number | undefined {
  const length = request.headers.get("content-length");
  return length !== null && /^\d{1,15}$/.test(length) ? Number(length) : undefined;
}

function toProblem(error: unknown): unknown {
  if (!(error instanceof FormStreamError)) return error;
  if (error.reason === "file-too-large") return new Problem("use-direct-upload");
  return new Problem("form-invalid", { detail: `${error.message}.` });
}
