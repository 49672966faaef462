/** The two convert operations: read a body of either kind, start the work, and answer at once or when it has ended. */
import type { WorkspaceCtx } from "#core/context";
import { Reply } from "#core/endpoint";
import { commitWithJobs } from "#core/job";
import { Problem, type ProblemCode, problemKinds } from "#core/problem";
import { hasEnded } from "#core/states";
import type { JobRow } from "#core/tables";
import { countConversion } from "#durable/session-store/client";
import { toJob, waitForJob } from "#features/jobs/service";
import { type FileRow, storeStream } from "#features/media/service";
import { discardFile } from "./jobs/discard-file.ts";
import { bodyKindOf, parseBody, readForm, readJsonBody } from "./read-request.ts";
import { waitSecondsOf } from "./rules.ts";
import { getConversion } from "./service.ts";
import { type ConversionAnswer, openingBody, type OpeningBody, sealingBody, type SealingBody } from "./shapes.ts";
import { requireOneSource, startOpening } from "./start-opening.ts";
import { type ConversionIds, formatOf, startSealing, takeIds } from "./start-sealing.ts";

const audioFields = ["audioFile", "audio", "file", "audio_file"] as const;
const imageFields = ["images", "images[]", "image", "files", "file", "zip"] as const;
/** A form of at most 95 MiB needs no more; more images come as a ZIP or by POST /v1/uploads. */
const maxFormImages = 200;

export async function convertAudioToImage(ctx: WorkspaceCtx, request: Request): Promise<Reply<ConversionAnswer>> {
  const ids = takeIds(ctx);
  if (bodyKindOf(request) === "json") {
    const { fileId, ...options } = await readJsonBody(request, sealingBody);
    if (fileId === undefined)
      throw new Problem("validation-failed", {
        detail: "fileId: Required",
        members: { errors: [{ in: "body", path: "fileId", message: "Required", code: "invalid_type" }] },
      });
    await startSealing(ctx, ids, { ...options, fileId });
    return answer(ctx, request, ids);
  }
  const stored: FileRow[] = [];
  await keepOnSuccess(ctx, stored, async () => {
    const fields = await storeForm(ctx, request, { fileFields: audioFields, maxFiles: 1, stored });
    const options: SealingBody = parseBody(sealingBody, fields);
    formatOf(ctx, options);
    await startSealing(ctx, ids, { ...options, fileId: stored[0]?.id ?? "" });
  });
  return answer(ctx, request, ids);
}

export async function convertImageToAudio(ctx: WorkspaceCtx, request: Request): Promise<Reply<ConversionAnswer>> {
  const ids = takeIds(ctx);
  if (bodyKindOf(request) === "json") {
    const body = await readJsonBody(request, openingBody);
    requireOneSource(body);
    await startOpening(ctx, ids, body);
    return answer(ctx, request, ids);
  }
  const stored: FileRow[] = [];
  await keepOnSuccess(ctx, stored, async () => {
    const fields = await storeForm(ctx, request, { fileFields: imageFields, maxFiles: maxFormImages, stored });
    const body: OpeningBody = parseBody(openingBody, fields);
    await startOpening(ctx, ids, { ...body, conversionId: undefined, fileIds: stored.map((file) => file.id) });
  });
  return answer(ctx, request, ids);
}

interface FormFiles {
  fileFields: readonly string[];
  maxFiles: number;
  stored: FileRow[];
}

async function storeForm(
  ctx: WorkspaceCtx,
  request: Request,
  { fileFields, maxFiles, stored }: FormFiles,
): Promise<Record<string, string>> {
  return readForm(request, {
    fileFields,
    maxFiles,
    async store(file, limits) {
      const fileId = ctx.newId("file");
      stored.push(
        await storeStream(ctx, {
          source: file.stream,
          fileName: file.fileName,
          declaredType: file.type,
          fileId,
          ...limits,
        }),
      );
    },
  });
}

/** Files of a form whose conversion was refused would stay behind unasked for. */
async function keepOnSuccess(ctx: WorkspaceCtx, stored: readonly FileRow[], work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof Problem) await discard(ctx, stored);
    throw error;
  }
}

async function discard(ctx: WorkspaceCtx, files: readonly FileRow[]): Promise<void> {
  const jobs = files.map((file) => discardFile.row(ctx, { fileId: file.id }));
  if (jobs.length > 0) await commitWithJobs(ctx, [], jobs);
  const [first] = jobs;
  // At least the audio of a form, which is the only file there, gives its quota back before the answer.
  if (first) await ctx.runNow(first.jobId);
}

async function answer(
  ctx: WorkspaceCtx,
  request: Request,
  { conversionId, jobId }: ConversionIds,
): Promise<Reply<ConversionAnswer>> {
  // Of the session's activity; a number that may be lost.
  if (ctx.actor.kind === "user" && !ctx.isReplay) {
    const { userId, sessionId } = ctx.actor;
    ctx.later(countConversion(ctx.objects.SESSION_STORE, { userId, sessionId }));
  }
  const waitSeconds = waitSecondsOf(request.headers);
  const job = await waitForJob(ctx, jobId, waitSeconds);
  const isEnded = hasEnded(job.state);
  if (waitSeconds > 0 && isEnded && job.state !== "succeeded") throw endedProblem(job, conversionId);
  const conversion = await getConversion(ctx, conversionId);
  const body = {
    success: true as const,
    message: messageOf(conversion),
    conversionId,
    jobId,
    status: conversion.status,
    conversion,
    job: toJob(job),
  };
  const isWaited = waitSeconds > 0 && isEnded;
  const headers: Record<string, string> = waitSeconds > 0 ? { "preference-applied": `wait=${waitSeconds}` } : {};
  return isWaited
    ? new Reply(body, { status: 200, headers })
    : new Reply(body, { status: 202, headers: { ...headers, location: `/v1/jobs/${jobId}` } });
}

function messageOf(conversion: ConversionAnswer["conversion"]): string {
  if (conversion.status !== "completed") return "The conversion has been started.";
  return conversion.conversionType === "audio-to-image"
    ? `The audio is sealed in ${conversion.imageCount} images.`
    : "The audio is opened.";
}

/** Who waited gets the reason itself, as if the work had been done in the request. */
function endedProblem(job: JobRow, conversionId: string): Problem {
  const { code, detail, ...members } = toJob(job).problem ?? { code: "internal", detail: "" };
  const known = code !== null && code in problemKinds ? (code as ProblemCode) : "internal";
  return new Problem(known, {
    ...(detail === "" ? {} : { detail }),
    members: { ...members, conversionId, jobId: job.id },
  });
}
