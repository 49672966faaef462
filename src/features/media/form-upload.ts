/**
 * Files that older clients send through the Worker, in a form. The stream is cut into parts and never held as a whole; it is refused
 * as soon as its quota, size or first bytes do not fit. Every run writes under its own key, so two runs of one request never mix bytes.
 */
import { auditEntry } from "#core/audit";
import type { WorkspaceCtx } from "#core/context";
import { makeId } from "#core/ids";
import { commitWithJobs } from "#core/job";
import { Problem } from "#core/problem";
import { headBytesNeeded } from "#lib/file-magic";
import { cleanFileName, fileSlug } from "#lib/file-name";
import { defaultPartSizeBytes, PartWriterError, type PartsWritten, writeParts } from "#lib/part-writer";
import { tellUploaded } from "./announce.ts";
import { insertFormUpload, type TicketRoom } from "./begin-store.ts";
import { abortParts, assemble } from "./bucket.ts";
import { endUpload } from "./finish-upload.ts";
import { type AgreedType, requireClaim, requireContentType, ticketUsedUp, uploadLifetimeMs } from "./rules.ts";
import { releaseStorage, reserveStorage, settleStorage } from "./storage.ts";
import { fileRowInsert, findFile, findUpload, guardUpload, isGuardFailure, updateUpload } from "./store.ts";
import type { FileRow, UploadRow } from "./tables.ts";

export interface FormFile {
  source: AsyncIterable<Uint8Array>;
  fileName: string;
  /** null: the client did not say; name and bytes must agree all the same. */
  declaredType: string | null;
  /** More than this is refused as `use-direct-upload`. */
  maxBytes: number;
  /** An upper bound that is known before (Content-Length): it is reserved at once. Without it the reservation grows with the stream. */
  declaredBytes?: number;
  /** Decided by the caller, so that a repeated request finds the file of the first. */
  fileId: string;
  /** Counted against the files of this ticket. Throws `upload-ticket-used-up`. */
  ticket?: TicketRoom;
}

/**
 * Stores a stream as a file of the workspace. Throws `file-empty`, `use-direct-upload`, `file-type-unsupported`, `file-type-mismatch` or
 * `storage-quota-exceeded`, and then nothing is left of it. When the file exists already (a replay) the source is not read.
 */
export async function storeStream(ctx: WorkspaceCtx, form: FormFile): Promise<FileRow> {
  const existing = ctx.isReplay ? await findFile(ctx, ctx.workspaceId, form.fileId) : null;
  if (existing) return existing;
  const fileName = cleanFileName(form.fileName);
  requireClaim({ fileName, declaredType: form.declaredType }, { allowUndeclared: true });
  await reserveStorage(ctx, form.fileId, Math.min(form.declaredBytes ?? 0, form.maxBytes));
  const run = await beginRun(ctx, { ...form, fileName });
  try {
    const content = await receive(ctx, run, form);
    await settleStorage(ctx, form.fileId, content.sizeBytes);
    return await commitFile(ctx, run, content);
  } catch (error) {
    throw await giveUp(ctx, run.upload, error);
  }
}

interface Run {
  upload: UploadRow;
  r2UploadId: string;
}

async function beginRun(ctx: WorkspaceCtx, form: FormFile): Promise<Run> {
  const at = ctx.now();
  // Not `ctx.newId`: with an idempotency key that one repeats itself, and two runs would share a key in the bucket.
  const id = makeId("upload", at, ctx.random(16));
  const r2Key = `w/${ctx.workspaceId}/u/${id}/${fileSlug(form.fileName)}`;
  const { uploadId: r2UploadId } = await ctx.files.createMultipartUpload(r2Key);
  const row = {
    id,
    workspaceId: ctx.workspaceId,
    userId: ctx.userId,
    fileId: form.fileId,
    fileName: form.fileName,
    contentType: form.declaredType ?? "application/octet-stream",
    kind: "document",
    sizeBytes: 0,
    partSizeBytes: defaultPartSizeBytes,
    partCount: 0,
    r2Key,
    r2UploadId,
    status: "uploading",
    createdAt: at,
    updatedAt: at,
    expiresAt: at + uploadLifetimeMs,
    sweepAt: at + uploadLifetimeMs,
  } as const;
  try {
    await ctx.db.batch([insertFormUpload(ctx, row, form.ticket ?? null)]);
    const upload = await findUpload(ctx, ctx.workspaceId, id);
    if (upload) return { upload, r2UploadId };
    throw new Problem("upload-not-found");
  } catch (error) {
    await abortParts(ctx, r2Key, r2UploadId);
    await releaseStorage(ctx, form.fileId, { onlyReserved: true });
    throw form.ticket && isGuardFailure(error) ? ticketUsedUp(form.ticket) : error;
  }
}

type Received = AgreedType & Pick<PartsWritten<unknown>, "sizeBytes" | "sha256">;

async function receive(ctx: WorkspaceCtx, { upload, r2UploadId }: Run, form: FormFile): Promise<Received> {
  const { r2Key: key, fileName } = upload;
  const target = ctx.files.resumeMultipartUpload(key, r2UploadId);
  let reservedBytes = Math.min(form.declaredBytes ?? 0, form.maxBytes);
  let storedBytes = 0;
  let type: AgreedType | null = null;
  const written = await writeParts(form.source, {
    maxBytes: form.maxBytes,
    put: async (partNumber, bytes) => {
      type ??= requireContentType(
        { fileName, declaredType: form.declaredType, head: bytes.subarray(0, headBytesNeeded) },
        { allowUndeclared: true },
      );
      storedBytes += bytes.length;
      if (storedBytes > reservedBytes) {
        await reserveStorage(ctx, form.fileId, storedBytes);
        reservedBytes = storedBytes;
      }
      return target.uploadPart(partNumber, bytes);
    },
  });
  if (type === null) throw new Problem("file-empty");
  const { parts, sizeBytes, sha256 } = written;
  const outcome = await assemble(ctx, key, { r2UploadId, parts });
  if (outcome.kind !== "assembled" || outcome.object.size !== sizeBytes)
    throw new Error("storage lost a part of a form upload", { cause: outcome });
  return { ...(type as AgreedType), sizeBytes, sha256 };
}

async function commitFile(ctx: WorkspaceCtx, { upload }: Run, content: Received): Promise<FileRow> {
  const { fileId: id, workspaceId, userId, fileName: name, r2Key } = upload;
  const { contentType, sizeBytes } = content;
  const told = tellUploaded(ctx, { workspaceId, fileId: id, name, contentType, sizeBytes });
  try {
    const statements = [
      guardUpload(ctx, upload),
      fileRowInsert(ctx, { ...content, id, workspaceId, userId, name, r2Key, origin: "upload" }),
      updateUpload(ctx, upload, {
        status: "ready",
        contentType: content.contentType,
        kind: content.kind,
        sizeBytes: content.sizeBytes,
        sweepAt: null,
      }),
      auditEntry(ctx, "upload.complete", { target: upload.id, details: { fileId: id, sizeBytes } }),
    ];
    await commitWithJobs(ctx, statements, told);
  } catch (error) {
    // The reply was lost after the commit, or another run of the same request made the file: then this one's bytes go.
    const made = await findFile(ctx, workspaceId, id);
    if (!made) throw error;
    if (made.r2Key !== r2Key) await endUpload(ctx, upload, { change: { status: "aborted" }, action: "upload.abort" });
    return made;
  }
  const file = await findFile(ctx, workspaceId, id);
  if (!file) throw new Problem("file-not-found");
  return file;
}

/** Removes what the run stored and returns the error to throw. */
async function giveUp(ctx: WorkspaceCtx, upload: UploadRow, error: unknown): Promise<unknown> {
  const problem = toProblem(error);
  const change = problem
    ? ({ status: "failed", problemCode: problem.code, problemDetail: problem.message } as const)
    : ({ status: "aborted" } as const);
  try {
    await endUpload(ctx, upload, {
      change,
      action: problem ? "upload.fail" : "upload.abort",
      ...(problem ? { details: { code: problem.code } } : {}),
    });
  } catch (endError) {
    // The sweep does it later.
    ctx.log("warn", "upload.end-failed", { uploadId: upload.id, error: endError });
  }
  return problem ?? error;
}

function toProblem(error: unknown): Problem | null {
  if (error instanceof PartWriterError && error.reason === "file-too-large") return new Problem("use-direct-upload");
  return error instanceof Problem && error.status < 500 ? error : null;
}
