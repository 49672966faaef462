/** Removes the bytes of a file 30 days after it was deleted. Safe to repeat; refuses to touch a file that is not deleted. */
import * as z from "zod";
import { auditEntry } from "#core/audit";
import { defineJob, done } from "#core/job";
import { deletedKeptMs } from "../rules.ts";
import { releaseStorage } from "../storage.ts";
import { findAnyFile, markPurged } from "../store.ts";

export const purgeFileJob = defineJob({
  name: "media.purge-file",
  lane: "delivery",
  payload: () => z.object({ fileId: z.string() }),
  attempts: 8,
  async run(ctx, { fileId }) {
    const file = await findAnyFile(ctx, ctx.workspaceId, fileId);
    const isDue =
      file !== null && file.deletedAt !== null && file.purgedAt === null && file.deletedAt + deletedKeptMs <= ctx.now();
    if (!isDue) return done({ purged: false });
    await ctx.files.delete(file.r2Key);
    await releaseStorage(ctx, fileId);
    return done({ purged: true }, [markPurged(ctx, file), auditEntry(ctx, "file.purge", { target: fileId })]);
  },
});
