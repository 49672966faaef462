/** Batches of prompts as clients see them: started with everything set aside, waited for a while, read until they are purged. */
import type { Ctx, WorkspaceCtx } from "#core/context";
import { Reply } from "#core/endpoint";
import { commitWithJobs } from "#core/job";
import { Problem } from "#core/problem";
import { hasEnded, legacyState } from "#core/states";
import type { JobRow } from "#core/tables";
import { isTestMode } from "#core/test-mode";
import { waitForJob } from "#features/jobs/service";
import { levelOf } from "#features/message-logs/service";
import { releaseUsage, reserveUsage } from "#features/usage/service";
import { creditHold } from "./batch-hold.ts";
import { styleOf } from "./batch-task.ts";
import { admitPerson } from "./complete.ts";
import { processBatch } from "./jobs/process-batch.ts";
import type { BatchAnswer, BatchBody } from "./shapes.ts";
import { findBatch, insertBatch, listResults, purgeBatches } from "./store.ts";
import type { BatchResultRow, BatchRow } from "./tables.ts";

const waitSeconds = 25;
const keptMs = 30 * 24 * 3_600_000;
const purgePage = 50;
const maxPurgePages = 100;

/** 200 when all tasks ended while the caller waited, else 202. Throws what refuses the batch; then nothing is set aside. */
export async function startBatch(given: WorkspaceCtx, body: BatchBody, request: Request): Promise<Reply<BatchAnswer>> {
  const ctx = { ...given, messageLog: levelOf(given, { request }) };
  const [batchId, jobId] = [ctx.newId("batch"), ctx.newId("job")];
  if (!(ctx.isReplay && (await findBatch(ctx, batchId)))) await createBatch(ctx, { batchId, jobId }, body);
  const job = await waitForJob(ctx, jobId, waitSeconds);
  return new Reply(await readBatch(ctx, batchId), hasEnded(job.state) ? {} : { status: 202 });
}

async function createBatch(ctx: WorkspaceCtx, ids: { batchId: string; jobId: string }, body: BatchBody): Promise<void> {
  const { batchId, jobId } = ids;
  await admitPerson(ctx, { level: body.level, styles: body.batch.map(styleOf) });
  const wanted = creditHold(batchId, { settlements: 0, credits: body.batch.length });
  const hold = isTestMode(ctx) ? null : await reserveUsage(ctx, wanted);
  const { actor, keyBudgets = [] } = ctx;
  const row = {
    id: batchId,
    workspaceId: ctx.workspaceId,
    userId: ctx.userId,
    jobId,
    asked: body,
    acting: { actor: actor.kind === "api-key" ? actor : null, keyBudgets, messageLog: ctx.messageLog },
    totalTasks: body.batch.length,
    hold,
    createdAt: ctx.now(),
  };
  try {
    await commitWithJobs(ctx, [insertBatch(ctx, row)], [processBatch.row(ctx, { batchId }, { jobId })]);
  } catch (error) {
    // It may have come after the commit: then the job settles what it holds, whoever gave it back before.
    if (hold && !(await findBatch(ctx, batchId))) await releaseUsage(ctx, hold);
    throw error;
  }
}

/** Throws `batch-not-found`, alike for unknown, foreign and purged ones. */
export async function readBatch(ctx: WorkspaceCtx, batchId: string): Promise<BatchAnswer> {
  const found = await findBatch(ctx, batchId);
  if (!found) throw new Problem("batch-not-found");
  return toAnswer(found, await listResults(ctx, batchId));
}

function toAnswer({ row, job }: { row: BatchRow; job: JobRow }, results: BatchResultRow[]): BatchAnswer {
  const successful = results.filter(({ success }) => success).length;
  const tookMs = job.startedAt === null ? 0 : (job.endedAt ?? job.updatedAt) - job.startedAt;
  return {
    batch_id: row.id,
    status: job.state === "cancelled" ? "cancelled" : legacyState(job.state),
    job_id: row.jobId,
    total_tasks: row.totalTasks,
    successful_tasks: successful,
    failed_tasks: results.length - successful,
    results: results.map((result) => ({
      task_index: result.taskIndex,
      success: result.success,
      response: result.response,
      error: result.problemDetail,
      error_code: result.problemCode,
      processing_time_ms: result.processingTimeMs,
      tokens_used: result.tokensUsed,
    })),
    total_tokens_used: results.reduce((sum, { tokensUsed }) => sum + tokensUsed, 0),
    total_processing_time_ms: Math.max(tookMs, 0),
    created_at: new Date(row.createdAt).toISOString(),
  };
}

/** Forgets batches after 30 days, with what came of them. */
export async function purgeOldBatches(ctx: Ctx): Promise<void> {
  for (let page = 0; page < maxPurgePages; page += 1)
    if ((await purgeBatches(ctx, ctx.now() - keptMs, purgePage)) < purgePage) return;
}
