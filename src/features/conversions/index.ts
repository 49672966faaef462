/** Audio into encrypted images and back: the work is done by queue jobs, requests only start it and hand out results. */
import type { Ctx } from "#core/context";
import { defineFeature } from "#core/feature";
import { commitWithJobs } from "#core/job";
import { defineSchedule } from "#core/schedule";
import { discardFile } from "./jobs/discard-file.ts";
import { openImages } from "./jobs/open-images.ts";
import { purgeConversion } from "./jobs/purge-conversion.ts";
import { sealAudio } from "./jobs/seal-audio.ts";
import { routes } from "./routes.ts";
import { eraseLeftKeys, listUnpurged } from "./store.ts";

const dayMs = 24 * 3_600_000;
const pageSize = 100;

/** Keys of requests whose job was given up by the queue itself, which runs no clean-up. */
async function eraseKeys(ctx: Ctx): Promise<void> {
  await ctx.db.batch([eraseLeftKeys(ctx)]);
}

/** The purge that was enqueued with the deletion may have failed for good; a day late it is asked for again. */
async function purgeOverdue(ctx: Ctx): Promise<void> {
  const overdue = await listUnpurged(ctx, ctx.now() - dayMs, pageSize);
  const jobs = overdue.map(({ id, workspaceId }) => purgeConversion.row({ ...ctx, workspaceId }, { conversionId: id }));
  await commitWithJobs(ctx, [], jobs);
}

export default defineFeature({
  name: "conversions",
  summary: "Sealing audio into encrypted images, and opening them.",
  endpoints: routes,
  jobs: [sealAudio, openImages, purgeConversion, discardFile],
  schedules: [
    defineSchedule({ name: "conversions.erase-keys", every: "hour", run: eraseKeys }),
    defineSchedule({ name: "conversions.purge-overdue", every: "day", run: purgeOverdue }),
  ],
});
