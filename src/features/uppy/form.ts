/**
 * Small files that Uppy sends in one form: it asks for the form's fields, then posts it here. The key that it is told names the file to
 * be, so that a form which is sent again after a lost answer makes no second file. Refuses files above 20 MiB.
 */
import { createHash } from "node:crypto";
import { bytesId, idBytes } from "#core/ids";
import { Problem } from "#core/problem";
import { type FileRow, storeStream } from "#features/media/service";
import { cleanFileName, fileSlug } from "#lib/file-name";
import { type FormFile, FormStreamError, readFormStream } from "#lib/form-stream";
import { requireAcceptedType, requireSizeMax } from "./rules.ts";
import type { TicketCtx } from "./ticket.ts";

const mebibyte = 1_048_576;
const maxFormBytes = 20 * mebibyte;
/** Boundaries, headers and fields around the file. */
const slackBytes = 65_536;
const maxFields = 60;

const bytesMaxOf = (ctx: TicketCtx) => Math.min(maxFormBytes, ctx.ticket.max);

interface Asked {
  ticket: string;
  filename: string;
  type: string | null;
  /** As the app put it into the metadata. */
  size: string | null;
}

/** Where to post the form, and its fields. Uppy 5 follows the same answer. */
export function formFor(ctx: TicketCtx, { ticket, filename, type, size }: Asked) {
  const fileName = cleanFileName(filename);
  const { contentType } = requireAcceptedType({ fileName, declaredType: type }, ctx.ticket.acc);
  requireSizeMax({ size }, bytesMaxOf(ctx));
  const key = `w/${ctx.workspaceId}/u/${ctx.newId("upload")}/${fileSlug(fileName)}`;
  return {
    method: "POST" as const,
    url: `${ctx.settings.publicUrl}/v1/uppy/${ticket}/form`,
    fields: { key, "content-type": contentType },
    expires: Math.max(1, ctx.ticket.exp - Math.floor(ctx.now() / 1_000)),
  };
}

/** Stores the file of a form whose fields came first. Throws what `storeStream` throws, `form-invalid` and `form-file-missing`. */
export async function takeForm(ctx: TicketCtx, request: Request): Promise<{ file: FileRow; key: string }> {
  const declaredBytes = Number(request.headers.get("content-length") ?? Number.NaN);
  if (declaredBytes > bytesMaxOf(ctx) + slackBytes) throw tooLarge(ctx);
  if (!request.body) throw new Problem("form-invalid", { detail: "The body is empty." });
  const limits = { maxFileBytes: bytesMaxOf(ctx), maxFiles: 1, maxFields };
  const fields = new Map<string, string>();
  try {
    for await (const entry of readFormStream(request.body, request.headers.get("content-type"), limits)) {
      if (entry.kind === "field") fields.set(entry.name, entry.value);
      else return await takeFile(ctx, entry, { fields, declaredBytes });
    }
  } catch (error) {
    throw toProblem(ctx, error);
  }
  throw new Problem("form-file-missing", { detail: "No file in the field file." });
}

async function takeFile(
  ctx: TicketCtx,
  entry: FormFile,
  { fields, declaredBytes }: { fields: ReadonlyMap<string, string>; declaredBytes: number },
): Promise<{ file: FileRow; key: string }> {
  const key = fields.get("key") ?? "";
  const fileId = fileIdOf(ctx, key);
  const named = { fileName: cleanFileName(entry.fileName || (key.split("/").at(-1) ?? "")) };
  const type = requireAcceptedType(
    { ...named, declaredType: fields.get("content-type") ?? entry.type },
    ctx.ticket.acc,
  );
  // What was sent before under this key is there already, and is answered.
  ctx.isReplay = true;
  const file = await storeStream(ctx, {
    ...named,
    source: entry.stream,
    declaredType: type.contentType,
    maxBytes: bytesMaxOf(ctx),
    ...(Number.isFinite(declaredBytes) ? { declaredBytes } : {}),
    fileId,
    ticket: { id: ctx.ticket.jti, filesMax: ctx.ticket.n },
  });
  return { file, key };
}

/** One file for each key and ticket: nobody can name another's. Its time is the key's, so that lists stay in order. */
function fileIdOf(ctx: TicketCtx, key: string): string {
  const [, workspaceId, uploadId = ""] = /^w\/(\w{1,64})\/u\/(upl_[0-9a-z]{26})\/[^/]+$/.exec(key) ?? [];
  if (workspaceId !== ctx.workspaceId)
    throw new Problem("form-invalid", { detail: "The field key stands before the file, as it was told." });
  const hash = createHash("sha256").update(`${ctx.ticket.jti}\n${key}`).digest();
  return bytesId("file", Buffer.concat([idBytes(uploadId).subarray(0, 6), hash.subarray(0, 10)]));
}

function tooLarge(ctx: TicketCtx): Problem {
  const maxBytes = bytesMaxOf(ctx);
  return new Problem("file-too-large", {
    detail: `At most ${maxBytes} bytes by a form; larger ones go in parts (shouldUseMultipart).`,
    members: { maxBytes },
  });
}

function toProblem(ctx: TicketCtx, error: unknown): unknown {
  if (error instanceof Problem && error.code === "use-direct-upload") return tooLarge(ctx);
  if (!(error instanceof FormStreamError)) return error;
  return error.reason === "file-too-large"
    ? tooLarge(ctx)
    : new Problem("form-invalid", { detail: `${error.message}.` });
}
