/** From a request to an opening job: which images, and with whose key. Whether they belong together is the job's finding. */
import { auditEntry } from "#core/audit";
import type { WorkspaceCtx } from "#core/context";
import { commitWithJobs, type Statement } from "#core/job";
import { Problem } from "#core/problem";
import { type FileRow, guardFile, isGuardFailure, listFilesById } from "#features/media/service";
import { openImages } from "./jobs/open-images.ts";
import { maxImages, type OpeningBody } from "./shapes.ts";
import { type ConversionIds, takeConversion } from "./start-sealing.ts";
import { findAnyConversion, findConversion, insertConversion } from "./store.ts";
import type { ConversionRow } from "./tables.ts";
import { openingKeyOf } from "./whose-key.ts";

/** A batch holds few statements; more files than this are guarded by the job alone, which finds a deleted one missing. */
const maxGuards = 50;

type Source = Pick<
  ConversionRow,
  "sourceConversionId" | "sourceFileIds" | "inputFileName" | "inputFileSize" | "format"
>;

/** Throws `use-conversion-id` and `source-required`: exactly one source, and never a path of a server. */
export function requireOneSource(body: OpeningBody): { conversionId: string } | { fileIds: string[] } {
  const { conversionId, fileIds, imageDirPath } = body;
  if (conversionId === undefined && fileIds === undefined && imageDirPath !== undefined)
    throw new Problem("use-conversion-id");
  if (conversionId !== undefined && fileIds === undefined) return { conversionId };
  if (fileIds !== undefined && conversionId === undefined) return { fileIds };
  throw new Problem("source-required");
}

/** Creates the conversion and its job. Throws what makes it impossible; then nothing was created. */
export async function startOpening(ctx: WorkspaceCtx, ids: ConversionIds, body: OpeningBody): Promise<void> {
  const { conversionId, jobId } = ids;
  if (ctx.isReplay && (await findAnyConversion(ctx, conversionId))) return;
  const wanted = requireOneSource(body);
  const { source, guards } =
    "conversionId" in wanted ? await ownImages(ctx, wanted.conversionId) : await uploadedImages(ctx, wanted.fileIds);
  const key = await openingKeyOf(ctx, conversionId, body);
  await takeConversion(ctx);
  const row = {
    ...source,
    ...key,
    id: conversionId,
    workspaceId: ctx.workspaceId,
    userId: ctx.userId,
    conversionType: "image-to-audio",
    jobId,
    outputFileId: ctx.newId("file"),
    outputFileName: body.outputFileName ?? null,
    createdAt: ctx.now(),
  } as const;
  const job = openImages.row(ctx, { conversionId }, { jobId });
  try {
    await commitWithJobs(
      ctx,
      [...guards, insertConversion(ctx, row), auditEntry(ctx, "conversion.create", { target: conversionId })],
      [job],
    );
  } catch (error) {
    throw isGuardFailure(error) ? new Problem("file-not-found") : error;
  }
}

interface Found {
  source: Source;
  guards: Statement[];
}

async function ownImages(ctx: WorkspaceCtx, id: string): Promise<Found> {
  const found = await findConversion(ctx, id);
  if (found?.row.conversionType !== "audio-to-image") throw new Problem("conversion-not-found");
  if (found.job.state !== "succeeded")
    throw new Problem("conversion-not-ready", { detail: `The conversion is ${found.job.state}.` });
  const { inputFileName, totalImageBytes, format } = found.row;
  return {
    source: { sourceConversionId: id, sourceFileIds: null, inputFileName, inputFileSize: totalImageBytes, format },
    guards: [],
  };
}

async function uploadedImages(ctx: WorkspaceCtx, fileIds: string[]): Promise<Found> {
  const files = await listFilesById(ctx, fileIds.slice(0, maxImages));
  files.forEach(requireImage);
  const source = {
    sourceConversionId: null,
    sourceFileIds: files.map((file) => file.id),
    inputFileName: files[0]?.name ?? "",
    inputFileSize: files.reduce((sum, file) => sum + file.sizeBytes, 0),
    format: null,
  };
  return { source, guards: files.slice(0, maxGuards).map((file) => guardFile(ctx, ctx.workspaceId, file.id)) };
}

function requireImage(file: FileRow): void {
  if (file.kind === "image" || file.kind === "archive") return;
  throw new Problem("not-an-image", {
    detail: `${file.name} is ${file.contentType}.`,
    members: { fileId: file.id, fileName: file.name },
  });
}
