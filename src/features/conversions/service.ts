/** Conversions as clients see them: reading, listing, deleting, counting. How far one is, is read from its job. */
import { auditEntry } from "#core/audit";
import type { WorkspaceCtx } from "#core/context";
import { commitWithJobs } from "#core/job";
import { readCursor, toPage } from "#core/page";
import { Problem } from "#core/problem";
import { hasEnded, legacyState, statesOfLegacy } from "#core/states";
import { toJob } from "#features/jobs/service";
import { destroyDataKeys } from "#features/secrets/service";
import { purgeConversion } from "./jobs/purge-conversion.ts";
import { defaultUserName, toStats } from "./rules.ts";
import type { ConversionListQuery, ConversionShape, ImageShape, StatsShape } from "./shapes.ts";
import * as store from "./store.ts";
import type { ConversionImageRow } from "./tables.ts";

const iso = (time: number | null) => (time === null ? null : new Date(time).toISOString());

export function toConversion({ row, job }: store.Conversion): ConversionShape {
  const self = `/v1/conversions/${row.id}`;
  const isSealing = row.conversionType === "audio-to-image";
  const isDone = job.state === "succeeded";
  return {
    id: row.id,
    conversionId: row.id,
    userId: row.userId,
    conversionType: row.conversionType,
    status: legacyState(job.state),
    state: job.state,
    jobId: row.jobId,
    format: row.format,
    inputFileId: row.inputFileId,
    inputFileName: row.inputFileName,
    inputFileSize: row.inputFileSize,
    compress: row.compress,
    deleteSource: row.deleteSource,
    imageCount: row.imageCount,
    totalImageBytes: row.totalImageBytes,
    outputFileId: isDone ? row.outputFileId : null,
    outputFileName: row.outputFileName,
    encryptionKeyId: row.encryptionKeyId,
    sha256: row.sha256,
    durationMs: isDone && job.endedAt !== null && job.startedAt !== null ? job.endedAt - job.startedAt : null,
    problem: toJob(job).problem,
    createdAt: new Date(row.createdAt).toISOString(),
    startedAt: iso(job.startedAt),
    endedAt: iso(job.endedAt),
    links: { self, job: `/v1/jobs/${row.jobId}`, zip: isSealing ? `${self}/download-zip` : null },
  };
}

function toImage(row: ConversionImageRow): ImageShape {
  const { index, fileName, sizeBytes, width, height, sha256 } = row;
  return {
    index,
    fileName,
    sizeBytes,
    width,
    height,
    sha256,
    url: `/v1/conversions/${row.conversionId}/images/${index}`,
  };
}

/** Throws `conversion-not-found`, alike for unknown, foreign and deleted ones. */
export async function requireConversion(ctx: WorkspaceCtx, id: string): Promise<store.Conversion> {
  const found = await store.findConversion(ctx, id);
  if (!found) throw new Problem("conversion-not-found");
  return found;
}

/** With its images, once all of them are there. */
export async function getConversion(ctx: WorkspaceCtx, id: string): Promise<ConversionShape> {
  const found = await requireConversion(ctx, id);
  const hasImages = found.row.conversionType === "audio-to-image" && found.job.state === "succeeded";
  const images = hasImages ? await store.listImages(ctx, id) : [];
  return { ...toConversion(found), images: images.map(toImage) };
}

export async function listConversionPage(ctx: WorkspaceCtx, query: ConversionListQuery) {
  requireSelf(ctx, query.userId);
  const filter = {
    states: query.status ? statesOfLegacy(query.status) : null,
    conversionType: query.conversionType ?? null,
  };
  const [rows, total] = await Promise.all([
    store.listConversions(ctx, { ...filter, before: readCursor(query), skip: query.skip, limit: query.limit + 1 }),
    store.countConversions(ctx, filter),
  ]);
  const page = toPage(
    rows.map((found) => ({ ...found, id: found.row.id })),
    query.limit,
    toConversion,
  );
  return { ...page, total };
}

/** Older clients name the person in paths and queries: it can only be the one who asks. Throws `user-not-found`. */
export function requireSelf(ctx: WorkspaceCtx, userId: string | undefined): void {
  if (userId === undefined || userId === ctx.userId || userId === "me" || userId === defaultUserName) return;
  throw new Problem("user-not-found");
}

/**
 * The images can never be opened again from this moment: their data key is destroyed in the batch that deletes the conversion.
 * Deleting twice is harmless. Throws `conversion-running`, also while another job opens the images.
 */
export async function deleteConversion(ctx: WorkspaceCtx, id: string): Promise<void> {
  const found = await store.findAnyConversion(ctx, id);
  if (!found) throw new Problem("conversion-not-found");
  if (found.row.deletedAt !== null) return;
  if (!hasEnded(found.job.state)) throw new Problem("conversion-running", { members: { jobId: found.row.jobId } });
  const reader = await store.findReader(ctx, id);
  if (reader)
    throw new Problem("conversion-running", {
      detail: "Another conversion opens its images.",
      members: { references: [{ kind: "conversion", id: reader }] },
    });
  const purge = purgeConversion.row(ctx, { conversionId: id });
  const deletion = store.updateConversion(ctx, id, { deletedAt: ctx.now(), requestKey: null });
  await commitWithJobs(
    ctx,
    [deletion, destroyDataKeys(ctx, id), auditEntry(ctx, "conversion.delete", { target: id })],
    [purge],
  );
  // Now, so that the quota is free when the answer arrives; if it fails here, the queue runs it again.
  await ctx.runNow(purge.jobId);
}

/** Throws `user-not-found` for everybody but the person who asks. */
export async function readStats(ctx: WorkspaceCtx, userId: string): Promise<StatsShape> {
  requireSelf(ctx, userId);
  return toStats(ctx.userId, await store.groupConversions(ctx, ctx.userId));
}
