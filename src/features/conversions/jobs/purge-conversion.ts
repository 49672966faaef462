/** Removes the images of a deleted conversion and gives its quota back. Refuses to touch one that is not deleted or still runs. */
import * as z from "zod";
import { defineJob, done, retry } from "#core/job";
import { hasEnded } from "#core/states";
import { releaseStorage } from "#features/media/storage";
import { deleteSealed } from "../bucket.ts";
import { deleteImages, findAnyConversion, updateConversion } from "../store.ts";

export const purgeConversion = defineJob({
  name: "conversions.purge",
  lane: "delivery",
  payload: () => z.object({ conversionId: z.string() }),
  attempts: 8,
  async run(ctx, { conversionId }) {
    const found = await findAnyConversion(ctx, conversionId);
    if (!found || found.row.deletedAt === null) return done({ purged: false });
    // A retry that slipped in beside the deletion ends by itself: it finds the conversion deleted.
    if (!hasEnded(found.job.state)) return retry("the conversion still runs", 60);
    await deleteSealed(ctx, conversionId, ctx.now());
    await releaseStorage(ctx, conversionId);
    return done({ purged: true }, [
      deleteImages(ctx, conversionId),
      updateConversion(ctx, conversionId, { purgedAt: ctx.now(), requestKey: null }),
    ]);
  },
});
