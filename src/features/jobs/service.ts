/** Reading, cancelling and retrying jobs. The engine itself is `core/job-store.ts` and `app/run-job.ts`. */
import type { WorkspaceCtx } from "#core/context";
import { addEvent, findJob, listEvents, listJobs, requestCancel, restartJob } from "#core/job-store";
import type { Lane } from "#core/job";
import { conversionLimit } from "#core/limits";
import { type PageQuery, readCursor, toPage } from "#core/page";
import { Problem } from "#core/problem";
import { hasEnded, type JobState } from "#core/states";
import type { JobRow } from "#core/tables";
import type { JobShape } from "./shapes.ts";

export function toJob(row: JobRow): JobShape {
  const links = `/v1/jobs/${row.id}`;
  return {
    id: row.id,
    kind: row.name,
    state: row.state,
    step: row.step,
    done: row.done,
    total: row.total,
    progress: progressOf(row),
    attempt: row.attempt,
    maxAttempts: row.maxAttempts,
    cancelRequested: row.cancelRequestedAt !== null,
    result: row.result === null ? null : (JSON.parse(row.result) as Record<string, unknown>),
    problem: problemOf(row),
    createdAt: new Date(row.createdAt).toISOString(),
    startedAt: row.startedAt === null ? null : new Date(row.startedAt).toISOString(),
    endedAt: row.endedAt === null ? null : new Date(row.endedAt).toISOString(),
    links: { self: links, events: `${links}/events`, cancel: `${links}/cancel`, retry: `${links}/retry` },
  };
}

function progressOf(row: JobRow): number {
  if (row.state === "succeeded") return 1;
  return row.total === 0 ? 0 : Math.min(1, row.done / row.total);
}

function problemOf(row: JobRow): JobShape["problem"] {
  if (row.problemCode === null) return null;
  const members = row.problemMembers === null ? {} : (JSON.parse(row.problemMembers) as Record<string, unknown>);
  return { ...members, code: row.problemCode, detail: row.problemDetail ?? "" };
}

export async function getJob(ctx: WorkspaceCtx, id: string): Promise<JobRow> {
  const row = await findJob(ctx, ctx.workspaceId, id);
  if (!row) throw new Problem("job-not-found");
  return row;
}

export async function listJobPage(
  ctx: WorkspaceCtx,
  query: PageQuery & { state?: JobState | undefined; kind?: string | undefined; include: "asked" | "all" },
) {
  const filter = {
    states: query.state ? [query.state] : null,
    name: query.kind ?? null,
    ...(query.kind === undefined && query.include === "asked" ? { isListed: true as const } : {}),
    before: readCursor(query),
    limit: query.limit + 1,
  };
  return toPage(await listJobs(ctx, ctx.workspaceId, filter), query.limit, toJob);
}

/** A waiting job ends in this very call; a running one at its next checkpoint. */
export async function cancelJob(ctx: WorkspaceCtx, id: string): Promise<JobRow> {
  const row = await getJob(ctx, id);
  if (hasEnded(row.state)) throw new Problem("job-not-cancellable", { detail: `The job is ${row.state}.` });
  await requestCancel(ctx, ctx.workspaceId, id);
  if (row.state !== "running") await ctx.runNow(id);
  return getJob(ctx, id);
}

export async function retryJob(ctx: WorkspaceCtx, id: string): Promise<JobRow> {
  const row = await getJob(ctx, id);
  if (row.state === "failed" || row.state === "cancelled") await takeConversion(ctx, row);
  if (!(await restartJob(ctx, ctx.workspaceId, id))) {
    // A repeated request whose first run restarted it: the answer is what became of that.
    if (ctx.isReplay) return row;
    throw new Problem("job-not-retryable", { detail: `The job is ${row.state}.` });
  }
  await ctx.db.batch([addEvent(ctx, id, "retried", {})]);
  await ctx.offer({ jobId: id, lane: row.lane as Lane });
  return getJob(ctx, id);
}

/** What runs in this lane is a conversion, also when it runs again: else cancel and retry would be a way around the plan's limit. */
async function takeConversion(ctx: WorkspaceCtx, { lane }: JobRow): Promise<void> {
  const limit = lane === "conversion" ? conversionLimit(ctx.plan, ctx.overrides) : null;
  if (limit) await ctx.takeLimit(limit, ctx.workspaceId);
}

/** Waits until the job has ended or the time is up, whichever is first, and returns the row then. */
export async function waitForJob(ctx: WorkspaceCtx, id: string, waitSeconds: number): Promise<JobRow> {
  const until = ctx.now() + waitSeconds * 1_000;
  let row = await getJob(ctx, id);
  for (let pauseMs = 25; !hasEnded(row.state) && ctx.now() < until; pauseMs = Math.min(pauseMs * 2, 200)) {
    await scheduler.wait(pauseMs);
    row = await getJob(ctx, id);
  }
  return row;
}

/** Right after news there is often more; while nothing happens, asking less often is enough. */
const firstPauseMs = 100;
const longestPauseMs = 1_000;
const pingEveryMs = 15_000;
/** D1 allows 1,000 queries an invocation and each poll takes two: the client reconnects with Last-Event-ID and loses nothing. */
const maxPolls = 400;

/** The job's events as Server-Sent Events, replayed from the id after which the client asks. */
export function streamEvents(ctx: WorkspaceCtx, id: string, afterSeq: number): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let seq = afterSeq;
  let polls = 0;
  let lastSentMs = ctx.now();
  let pauseMs = firstPauseMs;
  let isOpen = true;
  return new ReadableStream({
    cancel() {
      isOpen = false;
    },
    async pull(controller) {
      while (isOpen) {
        const row = await getJob(ctx, id);
        const events = await listEvents(ctx, id, seq);
        polls += 1;
        // The client may have left while the database was asked.
        if (!isOpen) return;
        for (const event of events) {
          seq = event.seq;
          controller.enqueue(
            encoder.encode(`id: ${event.seq}\nevent: ${event.type}\ndata: ${withState(event, row)}\n\n`),
          );
        }
        if (hasEnded(row.state) && events.length < 200) {
          controller.enqueue(encoder.encode(`event: end\ndata: ${JSON.stringify(toJob(row))}\n\n`));
          return controller.close();
        }
        if (polls >= maxPolls) return controller.close();
        if (events.length > 0) {
          lastSentMs = ctx.now();
          pauseMs = firstPauseMs;
          return;
        }
        if (ctx.now() - lastSentMs >= pingEveryMs) {
          lastSentMs = ctx.now();
          return controller.enqueue(encoder.encode(": ping\n\n"));
        }
        await scheduler.wait(pauseMs);
        pauseMs = Math.min(longestPauseMs, pauseMs * 1.5);
      }
    },
  });
}

function withState(event: { at: number; data: string }, row: JobRow): string {
  return JSON.stringify({
    jobId: row.id,
    at: new Date(event.at).toISOString(),
    ...(JSON.parse(event.data) as Record<string, unknown>),
  });
}
