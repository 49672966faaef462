/** What endpoints of the workspace are told of a conversion that has ended. */
import type { Enqueued, JobCtx, JobProblem } from "#core/job";
import { webhookEvent } from "#features/webhooks/service";

/** System A's words: its receivers read `conversionId`, `status` and `downloadUrl`. */
export function tellCompleted(
  ctx: JobCtx,
  ended: { conversionId: string; conversionType: "audio-to-image" | "image-to-audio"; fileId: string | null },
): Enqueued[] {
  const { conversionId, conversionType, fileId } = ended;
  const path = fileId === null ? `/v1/conversions/${conversionId}/download-zip` : `/v1/files/${fileId}/content`;
  const downloadUrl = `${ctx.settings.publicUrl}${path}`;
  return webhookEvent(ctx, "conversion.completed", {
    conversionId,
    status: "completed",
    conversionType,
    jobId: ctx.jobId,
    downloadUrl,
  });
}

export function tellFailed(ctx: JobCtx, conversionId: string, { code, detail }: JobProblem): Enqueued[] {
  return webhookEvent(ctx, "conversion.failed", { conversionId, status: "failed", jobId: ctx.jobId, code, detail });
}
