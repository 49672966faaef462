/** Deletes a file that a conversion brought along or used up, unless another conversion still reads it, and gives its quota back. */
import * as z from "zod";
import { auditEntry } from "#core/audit";
import { defineJob, done, type JobCtx, type Statement } from "#core/job";
import { releaseStorage } from "#features/media/storage";
import { findAnyFile, guardUnusedFile, isGuardFailure, markDeleted } from "#features/media/store";
import type { FileRow } from "#features/media/tables";

export const discardFile = defineJob({
  name: "conversions.discard-file",
  lane: "delivery",
  payload: () => z.object({ fileId: z.string() }),
  attempts: 8,
  async run(ctx, { fileId }) {
    const file = await findAnyFile(ctx, ctx.workspaceId, fileId);
    if (!file) return done({ deleted: false });
    if (file.deletedAt === null) {
      try {
        await ctx.commit([guardUnusedFile(ctx, ctx.workspaceId, fileId), ...deletionOf(ctx, file)]);
      } catch (error) {
        if (isGuardFailure(error)) return done({ deleted: false });
        throw error;
      }
    }
    await releaseStorage(ctx, fileId);
    return done({ deleted: true });
  },
});

/** The bytes stay until the media feature's purge of deleted files is due. */
export function deletionOf(ctx: JobCtx, file: FileRow): Statement[] {
  return [
    markDeleted(ctx, file),
    auditEntry(ctx, "file.delete", { target: file.id, details: { sizeBytes: file.sizeBytes } }),
  ];
}
