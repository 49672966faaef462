/**
 * From bytes in storage to a file: size, type and hash are verified against what was declared, the quota is settled, and one batch makes
 * the file. Whatever is refused is removed. Safe to repeat and to run twice at once: the file's id was decided when the upload began.
 */
import { auditEntry } from "#core/audit";
import { commitWithJobs } from "#core/job";
import { Problem } from "#core/problem";
import { tellUploaded } from "./announce.ts";
import { hashObject, readHead, removeBytes } from "./bucket.ts";
import { type AgreedType, requireContentType } from "./rules.ts";
import { unfinishedStatuses, type UploadStatus } from "./states.ts";
import { releaseStorage, settleStorage, type StorageCtx } from "./storage.ts";
import {
  fileRowInsert,
  findAnyFile,
  findFile,
  findUpload,
  guardUpload,
  isGuardFailure,
  updateUpload,
} from "./store.ts";
import type { FileRow, UploadRow } from "./tables.ts";

/** After the last URL of an upload has ended, its key is cleared once more; this allows for a PUT that began in time. */
const urlSlackMs = 10 * 60_000;

export interface Finished {
  upload: UploadRow;
  file: FileRow;
}

/** Throws the problem that made the upload fail; an error that passes (storage, database) leaves it `completing`, to be repeated. */
export async function finishUpload(ctx: StorageCtx, begun: UploadRow, storedBytes: number): Promise<Finished> {
  const upload = begun.strategy === "unsized" ? { ...begun, sizeBytes: storedBytes } : begun;
  let content: Verified;
  try {
    content = await verify(ctx, upload, storedBytes);
    await settleStorage(ctx, upload.fileId, upload.sizeBytes);
  } catch (error) {
    throw isRefusal(error) ? await refuseUpload(ctx, upload, error) : error;
  }
  return commitFile(ctx, upload, content);
}

function isRefusal(error: unknown): error is Problem {
  return error instanceof Problem && error.status < 500;
}

interface Verified extends AgreedType {
  sha256: string;
}

async function verify(ctx: StorageCtx, upload: UploadRow, storedBytes: number): Promise<Verified> {
  if (storedBytes !== upload.sizeBytes) {
    throw new Problem("size-mismatch", {
      detail: `${upload.sizeBytes} bytes were declared, ${storedBytes} were uploaded.`,
      members: { declaredBytes: upload.sizeBytes, actualBytes: storedBytes },
    });
  }
  if (storedBytes > (upload.sizeBytesMax ?? storedBytes)) {
    throw new Problem("file-too-large", {
      detail: `At most ${upload.sizeBytesMax} bytes were allowed, ${storedBytes} were uploaded.`,
      members: { sizeBytes: storedBytes, maxBytes: upload.sizeBytesMax },
    });
  }
  if (storedBytes === 0) throw new Problem("file-empty");
  const head = await readHead(ctx, upload.r2Key);
  if (!head) throw new Problem("upload-missing");
  const type = requireContentType({ fileName: upload.fileName, declaredType: upload.contentType, head });
  const sha256 = await hashObject(ctx, upload.r2Key);
  if (sha256 === null) throw new Problem("upload-missing");
  if (upload.sha256 !== null && upload.sha256 !== sha256)
    throw new Problem("hash-mismatch", { members: { declaredSha256: upload.sha256, actualSha256: sha256 } });
  return { ...type, sha256 };
}

async function commitFile(ctx: StorageCtx, upload: UploadRow, content: Verified): Promise<Finished> {
  const { fileId: id, workspaceId, userId, fileName: name, sizeBytes, r2Key } = upload;
  const { contentType } = content;
  const told = tellUploaded(ctx, { workspaceId, fileId: id, name, contentType, sizeBytes });
  try {
    const statements = [
      guardUpload(ctx, upload),
      fileRowInsert(ctx, { ...content, id, workspaceId, userId, name, sizeBytes, r2Key, origin: "upload" }),
      updateUpload(ctx, upload, {
        status: "ready",
        contentType: content.contentType,
        kind: content.kind,
        sizeBytes,
        sweepAt: null,
      }),
      auditEntry(ctx, "upload.complete", { target: upload.id, details: { fileId: id, sizeBytes } }),
    ];
    await commitWithJobs(ctx, statements, told);
  } catch (error) {
    return settleLostRace(ctx, upload, error);
  }
  return readFinished(ctx, upload);
}

/** The batch failed: another complete made the file, the upload was ended in between, the reply was lost, or the database is at fault. */
async function settleLostRace(ctx: StorageCtx, upload: UploadRow, error: unknown): Promise<Finished> {
  const current = await findUpload(ctx, upload.workspaceId, upload.id);
  if (!current || isUnfinished(current.status)) throw error;
  if (current.status === "ready") return readFinished(ctx, current);
  await releaseStorage(ctx, upload.fileId);
  throw endedProblem(current);
}

/** The file of an upload that is ready. Throws `file-not-found` when it was deleted since. */
export async function readFinished(ctx: StorageCtx, { id, workspaceId, fileId }: UploadRow): Promise<Finished> {
  const [upload, file] = await Promise.all([findUpload(ctx, workspaceId, id), findFile(ctx, workspaceId, fileId)]);
  if (!upload) throw new Problem("upload-not-found");
  if (!file) throw new Problem("file-not-found", { detail: "The uploaded file was deleted." });
  return { upload, file };
}

/** Fails an upload for good and removes what it stored. Returns the problem to throw, which is the first one when two runs refuse. */
export async function refuseUpload(ctx: StorageCtx, upload: UploadRow, problem: Problem): Promise<Problem> {
  const change = { status: "failed", problemCode: problem.code, problemDetail: problem.message } as const;
  const ended = await endUpload(ctx, upload, { change, action: "upload.fail", details: { code: problem.code } });
  if (ended) return problem;
  const current = await findUpload(ctx, upload.workspaceId, upload.id);
  return current && !isUnfinished(current.status) ? endedProblem(current) : problem;
}

interface Ending {
  change: { status: "failed"; problemCode: Problem["code"]; problemDetail: string } | { status: "aborted" | "expired" };
  action: `upload.${string}`;
  details?: Record<string, unknown>;
}

/**
 * Ends an unfinished upload without a file; false when it had ended already. The row changes first, so that a complete that is under
 * way cannot win any more; what is then left in storage is removed here or, after a crash, by the sweep.
 */
export async function endUpload(
  ctx: StorageCtx,
  upload: UploadRow,
  { change, action, details = {} }: Ending,
): Promise<boolean> {
  try {
    await ctx.db.batch([
      guardUpload(ctx, upload),
      updateUpload(ctx, upload, { ...change, sweepAt: ctx.now() }),
      auditEntry(ctx, action, { target: upload.id, details }),
    ]);
  } catch (error) {
    if (isGuardFailure(error)) return false;
    throw error;
  }
  try {
    await cleanUp(ctx, upload);
  } catch (error) {
    ctx.log("warn", "upload.clean-up-failed", { uploadId: upload.id, error });
  }
  return true;
}

/** Removes the bytes of an upload that ended without a file and gives its quota back. Safe to repeat. */
export async function cleanUp(ctx: StorageCtx, upload: UploadRow): Promise<void> {
  await removeBytes(ctx, upload);
  // Two runs of one form upload share a file id: what the other one made keeps its quota.
  if (!(await findAnyFile(ctx, upload.workspaceId, upload.fileId))) await releaseStorage(ctx, upload.fileId);
  const canReturn = upload.urlsExpireAt !== null && upload.urlsExpireAt + urlSlackMs > ctx.now();
  await ctx.db.batch([
    updateUpload(ctx, upload, { sweepAt: canReturn ? (upload.urlsExpireAt ?? 0) + urlSlackMs : null }),
  ]);
}

function isUnfinished(status: UploadStatus): boolean {
  return (unfinishedStatuses as readonly UploadStatus[]).includes(status);
}

/** What to tell of an upload that has ended: the reason it failed for, or that it is over. */
export function endedProblem(upload: UploadRow): Problem {
  if (upload.status === "expired") return new Problem("upload-expired");
  if (upload.status === "failed" && upload.problemCode !== null) {
    return new Problem(upload.problemCode, upload.problemDetail === null ? {} : { detail: upload.problemDetail });
  }
  return new Problem("upload-ended", {
    detail: `The upload is ${upload.status}.`,
    members: { uploadStatus: upload.status },
  });
}
