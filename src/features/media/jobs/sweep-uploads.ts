/**
 * Looks after the uploads of one workspace that nobody ended: expires old ones, finishes a complete that was interrupted, and removes
 * what ended uploads left in storage. Each change is guarded by the upload's status, so it may run beside a client and beside itself.
 */
import * as z from "zod";
import { defineJob, done, type JobCtx, retry } from "#core/job";
import { Problem } from "#core/problem";
import { cleanUp, endUpload, finishUpload } from "../finish-upload.ts";
import { moveUpload, uploadsToSweep } from "../store.ts";
import type { UploadRow } from "../tables.ts";

const pageSize = 100;
const maxPages = 10;

export const sweepUploadsJob = defineJob({
  name: "media.sweep-uploads",
  lane: "delivery",
  payload: () => z.object({}),
  attempts: 5,
  async run(ctx) {
    const counts = { swept: 0, failed: 0 };
    let after = "";
    for (let page = 0; page < maxPages; page += 1) {
      const due = await uploadsToSweep(ctx, ctx.workspaceId, after, pageSize);
      for (const upload of due) {
        after = upload.id;
        counts[(await trySweep(ctx, upload)) ? "swept" : "failed"] += 1;
        await ctx.checkpoint({ done: counts.swept + counts.failed, total: 0, step: "sweep" });
      }
      if (due.length < pageSize) break;
    }
    return counts.failed === 0 ? done(counts) : retry(`${counts.failed} uploads could not be swept`);
  },
});

/** One upload that cannot be swept must not keep the others from it. */
async function trySweep(ctx: JobCtx, upload: UploadRow): Promise<boolean> {
  try {
    await sweepUpload(ctx, upload);
    return true;
  } catch (error) {
    ctx.log("warn", "upload.sweep-failed", { uploadId: upload.id, error });
    return false;
  }
}

async function sweepUpload(ctx: JobCtx, upload: UploadRow): Promise<void> {
  if (upload.status === "failed" || upload.status === "aborted" || upload.status === "expired")
    return cleanUp(ctx, upload);
  if (upload.status === "completing" && (await finishInterrupted(ctx, upload))) return;
  if (upload.expiresAt <= ctx.now()) {
    await endUpload(ctx, upload, { change: { status: "expired" }, action: "upload.expire" });
    return;
  }
  await moveUpload(ctx, upload, [upload.status], { status: "uploading", sweepAt: upload.expiresAt });
}

/** True when the object was there, and so the upload is now ready or failed. */
async function finishInterrupted(ctx: JobCtx, upload: UploadRow): Promise<boolean> {
  const object = await ctx.files.head(upload.r2Key);
  if (!object) return false;
  try {
    await finishUpload(ctx, upload, object.size);
  } catch (error) {
    if (!(error instanceof Problem) || error.status >= 500) throw error;
  }
  return true;
}
