/** From a request to a sealing job: which file, which format, which key, and whether there is room. The bytes are the job's work. */
import { auditEntry } from "#core/audit";
import type { WorkspaceCtx } from "#core/context";
import { commitWithJobs, type Statement } from "#core/job";
import { conversionLimit } from "#core/limits";
import { Problem } from "#core/problem";
import {
  type FileRow,
  getFile,
  guardFile,
  isGuardFailure,
  releaseStorage,
  reserveStorage,
} from "#features/media/service";
import { createDataKey, isHolderGone } from "#features/secrets/service";
import { v1FileName } from "./format-1.ts";
import { sealAudio } from "./jobs/seal-audio.ts";
import { estimateImageBytes, planImages } from "./rules.ts";
import { maxImages, type SealingBody } from "./shapes.ts";
import { findAnyConversion, insertConversion } from "./store.ts";
import type { ConversionRow } from "./tables.ts";
import { chooseV1Key, refuseForeignUser } from "./whose-key.ts";

export interface ConversionIds {
  conversionId: string;
  jobId: string;
}

/** Taken first and in this order, so that a repeated request with the same Idempotency-Key gets the same ids. */
export function takeIds(ctx: WorkspaceCtx): ConversionIds {
  return { conversionId: ctx.newId("conversion"), jobId: ctx.newId("job") };
}

type SealingOptions = Omit<SealingBody, "fileId">;

/** Checks what can be checked without a file, so that nothing is stored for a request that cannot succeed. */
export function formatOf(ctx: WorkspaceCtx, options: SealingOptions): 1 | 2 {
  const format = options.format ?? (options.masterKeyHex === undefined ? 2 : 1);
  if (format === 1) return 1;
  if (options.masterKeyHex !== undefined)
    throw new Problem("validation-failed", { detail: "masterKeyHex: a key of one's own seals format 1 only." });
  refuseForeignUser(ctx, options.userId);
  return 2;
}

/** Creates the conversion and its job. Throws what makes it impossible; then nothing was created or reserved. */
export async function startSealing(
  ctx: WorkspaceCtx,
  ids: ConversionIds,
  { fileId, ...options }: SealingOptions & { fileId: string },
): Promise<void> {
  const { conversionId } = ids;
  if (ctx.isReplay && (await findAnyConversion(ctx, conversionId))) return;
  const format = formatOf(ctx, options);
  const file = await getFile(ctx, fileId);
  requireSound(file);
  const object = await ctx.files.head(file.r2Key);
  if (object?.size !== file.sizeBytes) throw new Problem("file-damaged");
  const { chunkSizeBytes } = planImages(file.sizeBytes, { format, maxChunkBytes: options.maxChunkBytes, maxImages });
  const key =
    format === 1
      ? await v1Key(ctx, conversionId, { ...options, file })
      : await v2Key(ctx, conversionId, options.encryptionKeyId ?? null);
  const reservedBytes = estimateImageBytes(file.sizeBytes, chunkSizeBytes);
  const row = {
    ...rowOf(ctx, ids, file),
    ...key.columns,
    format,
    inputEtag: object.etag,
    compress: options.compress ?? true,
    deleteSource: options.deleteSource ?? false,
    chunkSizeBytes,
    reservedBytes,
  };
  await reserveStorage(ctx, conversionId, reservedBytes);
  try {
    await takeConversion(ctx);
    await commitSealing(ctx, ids, [
      guardFile(ctx, ctx.workspaceId, file.id),
      insertConversion(ctx, row),
      ...key.statements,
    ]);
  } catch (error) {
    // An unknown fault may have come after the commit: then the job settles what is reserved, or the reservation runs out.
    if (error instanceof Problem) await releaseStorage(ctx, conversionId, { onlyReserved: true });
    throw error;
  }
}

async function commitSealing(
  ctx: WorkspaceCtx,
  { conversionId, jobId }: ConversionIds,
  statements: Statement[],
): Promise<void> {
  const job = sealAudio.row(ctx, { conversionId }, { jobId });
  try {
    await commitWithJobs(ctx, [...statements, auditEntry(ctx, "conversion.create", { target: conversionId })], [job]);
  } catch (error) {
    if (isHolderGone(error))
      throw new Problem("encryption-key-deactivated", { detail: "It was switched off just now." });
    throw isGuardFailure(error) ? new Problem("file-not-found") : error;
  }
}

/** Takes one of the conversions that the plan allows an hour. */
export async function takeConversion(ctx: WorkspaceCtx): Promise<void> {
  const limit = conversionLimit(ctx.plan, ctx.overrides);
  if (limit) await ctx.takeLimit(limit, ctx.workspaceId);
}

function requireSound(file: FileRow): void {
  if (file.kind === "audio" || file.kind === "video") return;
  throw new Problem("file-type-unsupported", {
    detail: `${file.contentType} is not audio or video.`,
    members: { fileName: file.name, contentType: file.contentType },
  });
}

function rowOf(ctx: WorkspaceCtx, { conversionId, jobId }: ConversionIds, file: FileRow) {
  const at = ctx.now();
  return {
    id: conversionId,
    workspaceId: ctx.workspaceId,
    userId: ctx.userId,
    conversionType: "audio-to-image",
    jobId,
    sealId: Buffer.from(ctx.random(16)).toString("hex"),
    sealedAt: at,
    inputFileId: file.id,
    inputFileName: file.name,
    inputFileType: file.contentType,
    inputFileSize: file.sizeBytes,
    createdAt: at,
  } as const;
}

interface ChosenKey {
  columns: Partial<ConversionRow>;
  statements: Statement[];
}

async function v2Key(ctx: WorkspaceCtx, conversionId: string, encryptionKeyId: string | null): Promise<ChosenKey> {
  const key = await createDataKey(ctx, { conversionId, encryptionKeyId });
  const noncePrefix = Buffer.from(ctx.random(7)).toString("hex");
  return {
    columns: { dataKeyId: key.keyId, noncePrefix, encryptionKeyId: key.encryptionKeyId },
    statements: [key.statement],
  };
}

async function v1Key(
  ctx: WorkspaceCtx,
  conversionId: string,
  options: SealingOptions & { file: FileRow },
): Promise<ChosenKey> {
  const columns = await chooseV1Key(ctx, conversionId, options);
  // Called for its refusal: names that the header cannot hold are told to who asks, not to the job.
  v1FileName(options.file.name, columns.externalUserId);
  return { columns, statements: [] };
}
