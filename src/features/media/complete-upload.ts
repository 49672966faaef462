/**
 * Completing an upload: the parts become one object, then a verified file. The object itself tells how far an earlier, interrupted
 * complete came, so repeating one never makes a second file and never loses the first.
 */
import type { WorkspaceCtx } from "#core/context";
import { Problem } from "#core/problem";
import { assemble, type Assembled } from "./bucket.ts";
import { endedProblem, type Finished, finishUpload, readFinished, refuseUpload } from "./finish-upload.ts";
import { cutAsTold, mergeParts, type PartTag, requireAllParts, requirePartLength } from "./rules.ts";
import { openStatuses, unfinishedStatuses, type UploadStatus } from "./states.ts";
import { findUpload, listParts, moveUpload } from "./store.ts";
import type { UploadRow } from "./tables.ts";

/** A complete that has not ended after this time was interrupted; the sweep finishes it. */
const completingMs = 15 * 60_000;

export async function requireUpload(ctx: WorkspaceCtx, id: string): Promise<UploadRow> {
  const upload = await findUpload(ctx, ctx.workspaceId, id);
  if (!upload || upload.strategy === "form") throw new Problem("upload-not-found");
  return upload;
}

/** Throws unless bytes may still be sent. */
export function requireOpen(ctx: WorkspaceCtx, upload: UploadRow): void {
  if (!isOneOf(upload.status, openStatuses)) throw endedProblem(upload);
  if (upload.expiresAt <= ctx.now()) throw new Problem("upload-expired");
}

function isOneOf(status: UploadStatus, statuses: readonly UploadStatus[]): boolean {
  return statuses.includes(status);
}

export async function completeUpload(ctx: WorkspaceCtx, id: string, told: readonly PartTag[]): Promise<Finished> {
  const upload = await requireUpload(ctx, id);
  if (upload.status === "ready") return readFinished(ctx, upload);
  if (upload.status !== "completing") requireOpen(ctx, upload);
  for (const { partNumber } of told) requirePartLength(upload, partNumber);
  const object =
    upload.r2UploadId === null
      ? await findSinglePut(ctx, upload)
      : await assembleParts(ctx, upload, { r2UploadId: upload.r2UploadId, told });
  // Ended by somebody else in between: the second look answers with how.
  return object ? finishUpload(ctx, upload, object.size) : completeUpload(ctx, id, told);
}

async function findSinglePut(ctx: WorkspaceCtx, upload: UploadRow): Promise<R2Object | null> {
  const object = await ctx.files.head(upload.r2Key);
  if (!object) throw new Problem("upload-missing");
  return (await beginCompleting(ctx, upload)) ? object : null;
}

async function assembleParts(
  ctx: WorkspaceCtx,
  upload: UploadRow,
  { r2UploadId, told }: { r2UploadId: string; told: readonly PartTag[] },
): Promise<R2Object | null> {
  const made = upload.status === "completing" ? await ctx.files.head(upload.r2Key) : null;
  if (made) return made;
  const parts = mergeParts(await listParts(ctx, ctx.workspaceId, [upload.id]), told);
  requireAllParts(upload.strategy === "unsized" ? cutAsTold(upload, parts) : upload, parts);
  if (!(await beginCompleting(ctx, upload))) return null;
  const outcome = await assemble(ctx, upload.r2Key, { r2UploadId, parts });
  return outcome.kind === "assembled" ? outcome.object : endAssembly(ctx, upload, outcome);
}

async function endAssembly(
  ctx: WorkspaceCtx,
  upload: UploadRow,
  outcome: Exclude<Assembled, { kind: "assembled" }>,
): Promise<never> {
  if (outcome.kind === "gone")
    throw await refuseUpload(
      ctx,
      upload,
      new Problem("upload-missing", { detail: "The parts are not in storage any more." }),
    );
  if (outcome.kind === "unclear") {
    ctx.log("warn", "upload.assembly-unclear", { uploadId: upload.id, error: outcome.error });
    throw new Problem("unavailable", {
      detail: "Storage did not answer: complete the upload again.",
      headers: { "retry-after": "2" },
    });
  }
  await moveUpload(ctx, upload, ["completing"], { status: "uploading", sweepAt: upload.expiresAt });
  throw new Problem("part-invalid", { detail: "Storage does not have these parts with these tags." });
}

async function beginCompleting(ctx: WorkspaceCtx, upload: UploadRow): Promise<boolean> {
  const moved = await moveUpload(ctx, upload, unfinishedStatuses, {
    status: "completing",
    sweepAt: ctx.now() + completingMs,
  });
  return moved !== null;
}
