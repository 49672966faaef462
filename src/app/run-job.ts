/**
 * Runs one job row: claim, run, end. Every exit is fenced by the lease, so a run that was overtaken changes nothing, and a run that
 * dies is offered again by the sweeper. Never throws: what goes wrong is written to the row.
 */
import type { Actor, Ctx } from "#core/context";
import {
  type AnyJob,
  type Enqueued,
  type JobCtx,
  type JobProblem,
  type Outcome,
  type Progress,
  type Statement,
} from "#core/job";
import {
  addEvent,
  claimJob,
  endJob,
  fence,
  findJobById,
  keepLease,
  leaseMs,
  markEnding,
  requeueJob,
} from "#core/job-store";
import { Problem, type ProblemCode, problemKinds } from "#core/problem";
import type { JobRow } from "#core/tables";
import { webhookEvent } from "#features/webhooks/service";
import { backoffSeconds } from "#lib/backoff";
import type { AppCtx } from "./app-context.ts";
import { messagesOf } from "#lib/error-messages";

const system: Actor = { kind: "system" };
const progressEveryMs = 1_000;
/** Runs beyond a job's attempts that try to clean up. */
const maxCleanUps = 20;

class LeaseLost extends Error {}
class CancelRequested extends Error {}

/** The registry is handed in by `app/features.ts`, which imports every feature and would otherwise close an import cycle. */
let registry: ReadonlyMap<string, AnyJob> = new Map();

export function registerJobs(jobs: readonly AnyJob[]): void {
  registry = new Map(jobs.map((job) => [job.name, job]));
}

interface RunOptions {
  /** The queue has given up on the job's message: clean up and end the row instead of running. */
  isDeadLetter?: boolean;
}

export async function runJob(ctx: AppCtx, jobId: string, options: RunOptions = {}): Promise<"ran" | "not-claimed"> {
  const leaseToken = Buffer.from(ctx.random(16)).toString("hex");
  const row = await claimJob(ctx, jobId, leaseToken);
  if (!row) return "not-claimed";
  const jobCtx = makeJobContext(ctx, row, leaseToken);
  const heartbeat = setInterval(() => ctx.later(keepLease(ctx, row.id, leaseToken, null)), leaseMs / 3);
  try {
    await endRun(jobCtx, row, await attempt(jobCtx, row, options));
  } catch (error) {
    if (!(error instanceof LeaseLost)) jobCtx.log("error", "job.end-failed", { error });
  } finally {
    clearInterval(heartbeat);
  }
  return "ran";
}

type Ended = Outcome | { kind: "cancelled" };
/** The ends that leave something to clean up. */
type Broken = Extract<Ended, { kind: "fail" | "cancelled" }>;

async function attempt(ctx: JobCtx, row: JobRow, options: RunOptions): Promise<Ended> {
  const job = registry.get(row.name);
  if (!job) return { kind: "fail", code: "job-payload-invalid", detail: `No job is called "${row.name}".` };
  const payload = job.payload().safeParse(safeJson(row.payload));
  if (!payload.success) return { kind: "fail", code: "job-payload-invalid" };
  if (row.problemCode !== null) return abandon(ctx, job, payload.data as never, endingOf(row));
  if (options.isDeadLetter) return abandon(ctx, job, payload.data as never, { kind: "fail", code: "job-dead-letter" });
  if (row.cancelRequestedAt !== null) return abandon(ctx, job, payload.data as never, { kind: "cancelled" });
  if (row.attempt > row.maxAttempts)
    return abandon(ctx, job, payload.data as never, { kind: "fail", code: "job-lost" });
  const outcome = await runOnce(ctx, job, { row, payload: payload.data as never });
  return outcome.kind === "fail" || outcome.kind === "cancelled"
    ? abandon(ctx, job, payload.data as never, outcome)
    : outcome;
}

async function runOnce(ctx: JobCtx, job: AnyJob, { row, payload }: { row: JobRow; payload: never }): Promise<Ended> {
  try {
    const outcome = await job.run(ctx, payload);
    if (outcome.kind === "retry" && row.attempt >= row.maxAttempts)
      return { kind: "fail", code: "job-lost", detail: outcome.why };
    return outcome;
  } catch (error) {
    if (error instanceof LeaseLost) throw error;
    if (error instanceof CancelRequested) return { kind: "cancelled" };
    if (error instanceof Problem && error.status < 500) {
      return { kind: "fail", code: error.code, detail: error.message, members: error.options.members ?? {} };
    }
    ctx.log("error", "job.threw", { error, attempt: row.attempt });
    const code: ProblemCode = error instanceof Problem ? error.code : "internal";
    return row.attempt >= row.maxAttempts
      ? { kind: "fail", code }
      : { kind: "retry", afterSeconds: null, why: "threw" };
  }
}

/** A clean-up that fails is repeated with the next run, but not for ever: at last the row ends all the same, and a person is told. */
async function abandon<End extends Broken>(ctx: JobCtx, job: AnyJob, payload: never, end: End): Promise<End> {
  if (!job.abandon) return end;
  try {
    await ctx.commit([markEnding(ctx, ctx.jobId, problemOf(end))]);
    await job.abandon(ctx, payload);
  } catch (error) {
    if (error instanceof LeaseLost || ctx.attempt <= job.attempts + maxCleanUps) throw error;
    ctx.log("error", "job.clean-up-given-up", { error, attempt: ctx.attempt });
  }
  return end;
}

async function endRun(ctx: JobCtx, row: JobRow, outcome: Ended): Promise<void> {
  ctx.log("info", "job.ended", {
    outcome: outcome.kind,
    attempt: row.attempt,
    ...(outcome.kind === "fail" ? { code: outcome.code } : {}),
  });
  switch (outcome.kind) {
    case "done":
      return commitAndOffer(
        ctx,
        [
          ...outcome.effects,
          endJob(ctx, row.id, { state: "succeeded", result: outcome.result }),
          addEvent(ctx, row.id, "succeeded", outcome.result),
        ],
        outcome.enqueued,
      );
    case "cancelled":
      return ctx.commit([
        endJob(ctx, row.id, { state: "cancelled", problem: problemOf(outcome) }),
        addEvent(ctx, row.id, "cancelled", {}),
      ]);
    case "fail": {
      const problem = problemOf(outcome);
      return commitAndOffer(
        ctx,
        [
          endJob(ctx, row.id, { state: "failed", problem }),
          addEvent(ctx, row.id, "failed", { code: problem.code, detail: problem.detail, ...problem.members }),
        ],
        announced(ctx, row, problem),
      );
    }
    case "retry": {
      const delaySeconds = outcome.afterSeconds ?? backoffSeconds(row.attempt, ctx.random(1)[0] ?? 0);
      await ctx.commit([
        requeueJob(ctx, row.id, ctx.now() + delaySeconds * 1_000),
        addEvent(ctx, row.id, "retrying", { attempt: row.attempt, delaySeconds, why: outcome.why }),
      ]);
      await ctx.offer({ jobId: row.id, lane: row.lane as Parameters<Ctx["offer"]>[0]["lane"], delaySeconds });
    }
  }
}

function problemOf(end: Broken): {
  code: ProblemCode;
  detail: string;
  members?: Record<string, unknown> | undefined;
} {
  if (end.kind === "cancelled") return { code: "job-cancelled", detail: problemKinds["job-cancelled"].title };
  return { code: end.code, detail: end.detail ?? problemKinds[end.code].title, members: end.members };
}

/** What `markEnding` wrote, read again. */
function endingOf(row: JobRow): Broken {
  if (row.problemCode === "job-cancelled") return { kind: "cancelled" };
  const members = row.problemMembers === null ? undefined : (safeJson(row.problemMembers) as Record<string, unknown>);
  return {
    kind: "fail",
    code: row.problemCode as ProblemCode,
    ...(row.problemDetail === null ? {} : { detail: row.problemDetail }),
    ...(members ? { members } : {}),
  };
}

/**
 * What is told of a failure: by the job's own definition, and to the workspace's endpoints. A failure to say it must not keep the row from
 * ending. Of deliveries nobody is told: each would be the cause of the next.
 */
function announced(ctx: JobCtx, row: JobRow, problem: JobProblem): Enqueued[] {
  const job = registry.get(row.name);
  if (!job || job.lane === "delivery") return [];
  const { code, detail } = problem;
  try {
    const payload = job.payload().safeParse(safeJson(row.payload));
    const own = job.failed && payload.success ? job.failed(ctx, payload.data as never, problem) : [];
    return [...own, ...webhookEvent(ctx, "job.failed", { jobId: row.id, kind: row.name, code, detail })];
  } catch (error) {
    ctx.log("error", "job.failed-unannounced", { error });
    return [];
  }
}

async function commitAndOffer(ctx: JobCtx, statements: Statement[], enqueued: Enqueued[]): Promise<void> {
  await ctx.commit([...statements, ...enqueued.map((job) => job.statement)]);
  for (const job of enqueued) await ctx.offer(job);
}

function makeJobContext(ctx: AppCtx, row: JobRow, leaseToken: string): JobCtx {
  let lastReportMs = 0;
  let lastStep: string | null = null;
  const jobCtx = {
    ...ctx,
    actor: system,
    workspaceId: row.workspaceId,
    jobId: row.id,
    attempt: row.attempt,
    log: (level: Parameters<Ctx["log"]>[0], event: string, fields = {}) =>
      ctx.log(level, event, { jobId: row.id, job: row.name, workspaceId: row.workspaceId, ...fields }),
    async checkpoint(progress: Progress) {
      const nowMs = ctx.now();
      const isNews = progress.step !== lastStep || progress.done >= progress.total;
      if (!isNews && nowMs - lastReportMs < progressEveryMs) return;
      lastReportMs = nowMs;
      lastStep = progress.step;
      const kept = await keepLease(ctx, row.id, leaseToken, progress);
      if (!kept) throw new LeaseLost();
      if (kept.cancelRequested) throw new CancelRequested();
      await ctx.db.batch([addEvent(ctx, row.id, "progress", { ...progress })]);
    },
    async commit(statements: Statement[]) {
      try {
        await ctx.db.batch([fence(ctx, row.id, leaseToken), ...statements]);
      } catch (error) {
        if (isFenceFailure(error)) throw new LeaseLost();
        throw error;
      }
    },
  };
  return jobCtx;
}

function isFenceFailure(error: unknown): boolean {
  return messagesOf(error).some((message) => message.includes("jobs_fence_holds"));
}

/** A message that the queue gave up on: its row ends if nobody else runs it, so that nothing stays queued for ever, and a person is told. */
export async function buryJob(ctx: AppCtx, jobId: string): Promise<void> {
  const row = await findJobById(ctx, jobId);
  if (!row || row.endedAt !== null) return;
  ctx.log("error", "job.dead-letter", { jobId, job: row.name, workspaceId: row.workspaceId });
  // Not claimed: a run of another message holds the lease, or the row waits for its time and has a message of its own for it. Both are
  // alive, and if they die the sweeper sees to them; asking again later could only end a job that is well.
  await runJob(ctx, jobId, { isDeadLetter: true });
}

function safeJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
