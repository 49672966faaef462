/**
 * Opens a set of images into one file. The bytes go part by part into a multipart upload that is completed only after every image was
 * authenticated and the whole file's hash agrees: there is never half a file, and the images are never touched.
 */
import * as z from "zod";
import { defineJob, done, type JobCtx, type Outcome } from "#core/job";
import { maxFileBytes } from "#core/plans";
import { Problem } from "#core/problem";
import { releaseStorage, reserveStorage, settleStorage } from "#features/media/storage";
import { fileRowInsert, findAnyFile } from "#features/media/store";
import { createPartWriter, PartWriterError, type PartsWritten, type PartWriter } from "#lib/part-writer";
import { releaseMemory } from "#lib/png/memory";
import { tellCompleted, tellFailed } from "../announce.ts";
import { abortParts, deleteOpened, openedKey } from "../bucket.ts";
import {
  countOf,
  indexOf,
  type ImagePlan,
  planOwn,
  planUploaded,
  readHeader,
  type SealHeader,
  setNameOf,
} from "../image-plan.ts";
import { listSources, named } from "../image-sources.ts";
import { actFor, requireRow } from "../job-context.ts";
import { makeOpener, type OpenedFacts, type Opener } from "../openers.ts";
import { openedFileName, openedTypeOf, toProblem } from "../rules.ts";
import { findAnyConversion, updateConversion } from "../store.ts";
import type { ConversionRow } from "../tables.ts";

export const openImages = defineJob({
  name: "conversions.open-images",
  lane: "conversion",
  listed: true,
  payload: () => z.object({ conversionId: z.string() }),
  attempts: 5,
  run: (ctx, { conversionId }) => openSet(ctx, conversionId),
  abandon: (ctx, { conversionId }) => discardOutput(ctx, conversionId),
  failed: (ctx, { conversionId }, problem) => tellFailed(ctx, conversionId, problem),
});

async function openSet(ctx: JobCtx, conversionId: string): Promise<Outcome> {
  const row = await requireRow(ctx, conversionId);
  if (row.outputFileId === null) throw new Problem("internal", { detail: "The conversion has no output file." });
  const key = openedKey(ctx, conversionId);
  if (row.outputUploadId !== null) await abortParts(ctx, key, row.outputUploadId);
  const sources = await listSources(ctx, row);
  const owner = row.sourceConversionId;
  const plan = owner === null ? await planUploaded(ctx, sources) : await planOwn(ctx, owner, sources);
  if (plan.openedBytes > maxFileBytes) throw tooLarge(plan.openedBytes);
  await reserveStorage(await actFor(ctx, row.userId), row.outputFileId, plan.openedBytes);
  const target = await ctx.files.createMultipartUpload(key);
  await ctx.commit([updateConversion(ctx, conversionId, { outputUploadId: target.uploadId })]);
  const work = { row, outputFileId: row.outputFileId, plan };
  try {
    const opened = await openAll(ctx, work, target);
    await complete(target, opened.written);
    await settleStorage(ctx, work.outputFileId, opened.written.sizeBytes);
    return finish(ctx, work, opened);
  } catch (error) {
    throw toProblem(error);
  }
}

function tooLarge(sizeBytes?: number): Problem {
  return new Problem("file-too-large", {
    members: { ...(sizeBytes === undefined ? {} : { sizeBytes }), maxBytes: maxFileBytes },
  });
}

interface Work {
  row: ConversionRow;
  outputFileId: string;
  plan: ImagePlan;
}

interface Opened {
  format: 1 | 2;
  facts: OpenedFacts;
  written: PartsWritten<R2UploadedPart>;
}

async function openAll(ctx: JobCtx, { row, plan }: Work, target: R2MultipartUpload): Promise<Opened> {
  const { images, readBefore } = plan;
  const total = readBefore + images.length;
  const writer = createPartWriter({
    maxBytes: maxFileBytes,
    put: (partNumber, bytes) => target.uploadPart(partNumber, bytes),
  });
  let first: SealHeader | undefined;
  let opener: Opener | undefined;
  try {
    for (const [index, image] of images.entries()) {
      await ctx.checkpoint({ done: readBefore + index, total, step: "opening" });
      const { rgb } = await image.read();
      const { fileName } = image.source;
      const seal = await named(fileName, async () => readHeader(rgb));
      first ??= seal;
      requirePlace(seal, { first, index, count: images.length, fileName });
      opener ??= await named(fileName, () => makeOpener(ctx, row, seal));
      await writeOpened(writer, opener, { rgb, index, fileName });
      releaseMemory(rgb);
    }
    const written = await writer.finish();
    if (!first || !opener) throw new Problem("images-missing");
    await ctx.checkpoint({ done: total, total, step: "opening" });
    const facts = opener.facts();
    if (facts.sha256 !== null && facts.sha256 !== written.sha256) throw new Problem("opened-hash-mismatch");
    return { format: first.format, facts, written };
  } finally {
    await writer.settle();
  }
}

/** Every header is asked again where its image is opened: what was planned is what is written. */
function requirePlace(
  seal: SealHeader,
  place: { first: SealHeader; index: number; count: number; fileName: string },
): void {
  const { first, index, count, fileName } = place;
  if (setNameOf(seal) === setNameOf(first) && indexOf(seal) === index && countOf(seal) === count) return;
  throw new Problem("images-mixed", {
    detail: `${fileName} is not image ${index} of ${count} of this conversion.`,
    members: { index, fileName },
  });
}

async function writeOpened(
  writer: PartWriter<R2UploadedPart>,
  opener: Opener,
  image: { rgb: Uint8Array; index: number; fileName: string },
): Promise<void> {
  try {
    for await (const bytes of opener.open(image.rgb)) await writer.write(bytes);
  } catch (error) {
    if (error instanceof PartWriterError && error.reason === "file-too-large") throw tooLarge();
    throw toProblem(error, image);
  }
}

async function complete(target: R2MultipartUpload, { parts, sizeBytes }: PartsWritten<R2UploadedPart>): Promise<void> {
  const object = await target.complete(parts);
  if (object.size !== sizeBytes) throw new Error("storage lost a part of an opened file");
}

function finish(ctx: JobCtx, { row, outputFileId, plan }: Work, { format, facts, written }: Opened): Outcome {
  const { sizeBytes, sha256, head } = written;
  const name = openedFileName(row.outputFileName, facts.name);
  const file = {
    id: outputFileId,
    workspaceId: ctx.workspaceId,
    userId: row.userId,
    name,
    ...openedTypeOf({ names: [name, facts.name], declaredType: facts.type, head }),
    sizeBytes,
    sha256,
    origin: "opened",
    r2Key: openedKey(ctx, row.id),
  } as const;
  const totalImageBytes = plan.images.reduce((sum, image) => sum + image.source.sizeBytes, 0);
  const values = {
    format,
    sha256,
    totalImageBytes,
    imageCount: plan.images.length,
    outputFileName: name,
    outputUploadId: null,
    requestKey: null,
  };
  const result = { conversionId: row.id, fileId: outputFileId, fileName: name, sizeBytes, sha256 };
  const told = tellCompleted(ctx, { conversionId: row.id, conversionType: "image-to-audio", fileId: outputFileId });
  return done(result, [fileRowInsert(ctx, file), updateConversion(ctx, row.id, values)], told);
}

/** The fenced commit comes first: a run that was overtaken must not remove what its successor writes. */
async function discardOutput(ctx: JobCtx, conversionId: string): Promise<void> {
  const startedAt = ctx.now();
  await ctx.commit([updateConversion(ctx, conversionId, { requestKey: null })]);
  const found = await findAnyConversion(ctx, conversionId);
  const outputFileId = found?.row.outputFileId ?? null;
  if (!found || outputFileId === null || (await findAnyFile(ctx, ctx.workspaceId, outputFileId))) return;
  const key = openedKey(ctx, conversionId);
  if (found.row.outputUploadId !== null) await abortParts(ctx, key, found.row.outputUploadId);
  await deleteOpened(ctx, conversionId, startedAt);
  // Throws when the lease was lost meanwhile: the quota may be that of a later try by now.
  await ctx.commit([updateConversion(ctx, conversionId, { outputUploadId: null })]);
  await releaseStorage(ctx, outputFileId);
}
