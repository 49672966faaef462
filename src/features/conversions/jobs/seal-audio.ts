/**
 * Seals one file, image after image. Images that are stored are recorded soon after, so a run that died is taken up where it was; all
 * bytes are functions of what the row holds, so it does not matter which run wrote an image. At most two shards are in memory.
 */
import { createHash } from "node:crypto";
import * as z from "zod";
import { defineJob, done, type JobCtx, type Outcome, type Statement } from "#core/job";
import { Problem } from "#core/problem";
import { releaseStorage, reserveStorage, settleStorage } from "#features/media/storage";
import { findFile, guardUnusedFile, listFileUses } from "#features/media/store";
import type { FileRow } from "#features/media/tables";
import { releaseMemory } from "#lib/png/memory";
import { deleteSealed, imageKey } from "../bucket.ts";
import { actFor, requireRow } from "../job-context.ts";
import { openObject } from "../object-source.ts";
import { imageFileName, toProblem } from "../rules.ts";
import { identityOf, settleIdentity } from "../seal-identity.ts";
import { makeSealer, type Sealed, type Sealer } from "../sealers.ts";
import { deleteImages, findAnyConversion, insertImages, listImages, updateConversion } from "../store.ts";
import type { ConversionImageRow, ConversionRow } from "../tables.ts";
import { tellCompleted, tellFailed } from "../announce.ts";
import { deletionOf, discardFile } from "./discard-file.ts";

export const sealAudio = defineJob({
  name: "conversions.seal-audio",
  lane: "conversion",
  listed: true,
  payload: () => z.object({ conversionId: z.string() }),
  attempts: 5,
  run: (ctx, { conversionId }) => sealFile(ctx, conversionId),
  abandon: (ctx, { conversionId }) => discardImages(ctx, conversionId),
  failed: (ctx, { conversionId }, problem) => tellFailed(ctx, conversionId, problem),
});

async function sealFile(ctx: JobCtx, conversionId: string): Promise<Outcome> {
  const found = await requireRow(ctx, conversionId);
  const file = found.inputFileId === null ? null : await findFile(ctx, ctx.workspaceId, found.inputFileId);
  if (!file) throw new Problem("file-not-found", { detail: "The audio file was deleted." });
  // A retry starts after the clean-up of the run before has released what the request reserved.
  await reserveStorage(await actFor(ctx, found.userId), conversionId, found.reservedBytes);
  const row = await settleIdentity(ctx, found);
  try {
    const sealer = await makeSealer(ctx, row);
    await writeImages(ctx, { row, file, sealer });
    return await finish(ctx, { row, file });
  } catch (error) {
    throw toProblem(error);
  }
}

interface Work {
  row: ConversionRow;
  file: FileRow;
  sealer: Sealer;
}

/**
 * Stores what is missing. The hash of the whole file is the one that was taken of these very bytes when the upload was completed: every
 * read asks for that version of the object, so it need not be taken again.
 */
async function writeImages(ctx: JobCtx, { row, file, sealer }: Work): Promise<void> {
  const source = openObject(ctx, { key: file.r2Key, sizeBytes: file.sizeBytes, etag: row.inputEtag });
  if (file.sizeBytes !== row.inputFileSize) throw new Problem("source-changed");
  const chunkSizeBytes = row.chunkSizeBytes ?? file.sizeBytes;
  const imageCount = Math.ceil(file.sizeBytes / chunkSizeBytes);
  const recorded = new Set((await listImages(ctx, row.id)).map((image) => image.index));
  const shelf = createShelf(ctx, { row, imageCount });
  try {
    for (let index = 0; index < imageCount; index += 1) {
      if (!recorded.has(index)) {
        const offset = index * chunkSizeBytes;
        const bytes = await source.read(offset, Math.min(chunkSizeBytes, file.sizeBytes - offset));
        const wholeHash = index === imageCount - 1 ? new Uint8Array(Buffer.from(file.sha256, "hex")) : undefined;
        await shelf.put(index, await sealer({ index, imageCount, bytes, wholeHash, reuse: shelf.free() }));
        releaseMemory(bytes);
      }
      await ctx.checkpoint({ done: index, total: imageCount, step: "sealing" });
    }
    await shelf.finish();
  } finally {
    await shelf.land();
  }
  await ctx.checkpoint({ done: imageCount, total: imageCount, step: "sealing" });
}

/** So many images are recorded together: the platform counts the queries of a run. What a dead run did not record is made again. */
const recordedTogether = 10;
const recordedBytes = 4 * 8_388_608;

/** Stores one image while the next is being made: at most one is on its way, and its memory is used again afterwards. */
function createShelf(ctx: JobCtx, { row, imageCount }: { row: ConversionRow; imageCount: number }) {
  const { sealId } = identityOf(row);
  let underway: Promise<Uint8Array<ArrayBuffer>> | null = null;
  let spare: Uint8Array<ArrayBuffer> | undefined;
  let unrecorded: ConversionImageRow[] = [];

  async function store(index: number, sealed: Sealed): Promise<Uint8Array<ArrayBuffer>> {
    const { png, width, height } = sealed;
    const r2Key = imageKey(ctx, { conversionId: row.id, sealId, index });
    const sha256 = createHash("sha256").update(png).digest("hex");
    // The image authenticates itself (GCM), so storage is not asked to hash it a second time.
    await ctx.files.put(r2Key, png, { httpMetadata: { contentType: "image/png" } });
    const fileName = imageFileName(row.inputFileName, index, imageCount);
    unrecorded.push({
      conversionId: row.id,
      workspaceId: ctx.workspaceId,
      index,
      r2Key,
      fileName,
      sizeBytes: png.byteLength,
      width,
      height,
      sha256,
    });
    const isMuch = unrecorded.reduce((sum, image) => sum + image.sizeBytes, 0) >= recordedBytes;
    if (isMuch || unrecorded.length >= recordedTogether) await record();
    return png;
  }

  async function record(): Promise<void> {
    if (unrecorded.length > 0) await ctx.commit([insertImages(ctx, unrecorded)]);
    unrecorded = [];
  }

  async function settle(): Promise<void> {
    spare = (await underway) ?? spare;
    underway = null;
  }

  return {
    free: () => spare,
    async put(index: number, sealed: Sealed): Promise<void> {
      await settle();
      underway = store(index, sealed);
      // A failure is met by the next `settle`; without this the runtime would call it unhandled until then.
      underway.catch(() => undefined);
    },
    async finish(): Promise<void> {
      await settle();
      await record();
    },
    /** Waits for an image on its way, so that a clean-up does not race with it. Never throws. */
    async land(): Promise<void> {
      await underway?.catch(() => undefined);
    },
  };
}

async function finish(ctx: JobCtx, { row, file }: { row: ConversionRow; file: FileRow }): Promise<Outcome> {
  const { sha256 } = file;
  const images = await listImages(ctx, row.id);
  const totalImageBytes = images.reduce((sum, image) => sum + image.sizeBytes, 0);
  await settleStorage(ctx, row.id, totalImageBytes);
  const values = { imageCount: images.length, totalImageBytes, sha256, requestKey: null };
  const deletion = row.deleteSource ? await deleteSource(ctx, row, file) : { isDeleted: false, effects: [] };
  const result = {
    conversionId: row.id,
    imageCount: images.length,
    totalImageBytes,
    sha256,
    ...(row.deleteSource ? { sourceDeleted: deletion.isDeleted } : {}),
  };
  const told = tellCompleted(ctx, { conversionId: row.id, conversionType: "audio-to-image", fileId: null });
  return done(result, [updateConversion(ctx, row.id, values), ...deletion.effects], told);
}

/** A file that another conversion is still reading stays, and the result says so. */
async function deleteSource(
  ctx: JobCtx,
  row: ConversionRow,
  file: FileRow,
): Promise<{ isDeleted: boolean; effects: Statement[] }> {
  const others = (await listFileUses(ctx, ctx.workspaceId, file.id)).filter((use) => use.id !== row.id);
  if (others.length > 0) return { isDeleted: false, effects: [] };
  // Another conversion may begin to read it before this is committed: then nothing is, and the next run leaves the file.
  const guard = guardUnusedFile(ctx, ctx.workspaceId, file.id, row.id);
  return {
    isDeleted: true,
    effects: [guard, ...deletionOf(ctx, file), discardFile.row(ctx, { fileId: file.id }).statement],
  };
}

/**
 * The fenced commit comes first: a run that was overtaken must not remove what its successor stores. It also takes a new identity, so that
 * a later try writes under other keys of the bucket, and never other bytes with the same key and nonce.
 */
async function discardImages(ctx: JobCtx, conversionId: string): Promise<void> {
  const startedAt = ctx.now();
  const found = await findAnyConversion(ctx, conversionId);
  const values = {
    requestKey: null,
    sealId: Buffer.from(ctx.random(16)).toString("hex"),
    ...(found?.row.format === 2 ? { noncePrefix: Buffer.from(ctx.random(7)).toString("hex") } : {}),
  };
  await ctx.commit([deleteImages(ctx, conversionId), updateConversion(ctx, conversionId, values)]);
  await deleteSealed(ctx, conversionId, startedAt);
  // Throws when the lease was lost meanwhile: the quota may be that of a later try by now.
  await ctx.commit([]);
  await releaseStorage(ctx, conversionId);
}
