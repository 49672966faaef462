/** Gives back the quota of a deleted file. Enqueued with the deletion, so that a crash right after it loses nothing. */
import * as z from "zod";
import { defineJob, done } from "#core/job";
import { releaseStorage } from "../storage.ts";
import { findFile } from "../store.ts";

export const releaseStorageJob = defineJob({
  name: "media.release-storage",
  lane: "delivery",
  payload: () => z.object({ fileId: z.string() }),
  attempts: 8,
  async run(ctx, { fileId }) {
    // A file that came back in between keeps its quota.
    if (await findFile(ctx, ctx.workspaceId, fileId)) return done({ released: false });
    await releaseStorage(ctx, fileId);
    return done({ released: true });
  },
});
