/**
 * Work done later by a queue: contract and code in one value. The row goes into the same batch as the effect that asks for it,
 * so neither exists without the other; the queue only learns the id.
 */
import type * as z from "zod";
import type { Ctx, WorkspaceCtx } from "./context.ts";
import { insertJob, insertJobWhen } from "./job-store.ts";
import type { ProblemCode } from "./problem.ts";
import type { Shape } from "./shape.ts";
import type { Condition, Lane, Progress, Statement } from "./work.ts";

export type { Lane, Progress, Statement } from "./work.ts";

export type Outcome =
  | { kind: "done"; result: Record<string, unknown>; effects: Statement[]; enqueued: Enqueued[] }
  | { kind: "retry"; afterSeconds: number | null; why: string }
  | { kind: "fail"; code: ProblemCode; detail?: string; members?: Record<string, unknown> };

/** The work is finished; `effects` and the rows of `enqueued` are committed together with the row, or not at all. */
export function done(
  result: Record<string, unknown> = {},
  effects: Statement[] = [],
  enqueued: Enqueued[] = [],
): Outcome {
  return { kind: "done", result, effects, enqueued };
}

/** Try again, after the given time or, with null, after the usual back-off. */
export function retry(why: string, afterSeconds: number | null = null): Outcome {
  return { kind: "retry", afterSeconds, why };
}

/** Never try again by itself: the code tells the person what to do. */
export function fail(code: ProblemCode, detail?: string, members?: Record<string, unknown>): Outcome {
  return {
    kind: "fail",
    code,
    ...(detail === undefined ? {} : { detail }),
    ...(members === undefined ? {} : { members }),
  };
}

/** What a running job is handed beside the usual context. */
export interface JobCtx extends Ctx {
  workspaceId: string;
  jobId: string;
  attempt: number;
  /** Call between units of work: reports progress, keeps the lease, and throws when the job was cancelled or the lease lost. */
  checkpoint(progress: Progress): Promise<void>;
  /** Commits statements only while this run holds the lease: a run that was overtaken changes nothing. */
  commit(statements: Statement[]): Promise<void>;
}

export interface JobDefinition<Payload extends z.ZodType> {
  name: `${string}.${string}`;
  lane: Lane;
  payload: Shape<Payload>;
  attempts: number;
  /** People ask for this work itself and look for it in the list of jobs; the rest follows from other work. */
  listed?: true;
  run(ctx: JobCtx, payload: z.output<Payload>): Promise<Outcome>;
  /** Undoes what a failed or cancelled run left behind. May run more than once. */
  abandon?(ctx: JobCtx, payload: z.output<Payload>): Promise<void>;
  /** Work that a failure asks for, committed together with it. Not for a cancelled run. */
  failed?(ctx: JobCtx, payload: z.output<Payload>, problem: JobProblem): Enqueued[];
}

export interface JobProblem {
  code: ProblemCode;
  detail: string;
}

export interface AnyJob {
  name: string;
  lane: Lane;
  payload: Shape;
  attempts: number;
  run(ctx: JobCtx, payload: never): Promise<Outcome>;
  abandon?(ctx: JobCtx, payload: never): Promise<void>;
  failed?(ctx: JobCtx, payload: never, problem: JobProblem): Enqueued[];
}

export interface Enqueued {
  jobId: string;
  lane: Lane;
  statement: Statement;
  /** The row is made on a condition only. */
  conditional?: true;
}

export interface Job<Payload extends z.ZodType> extends JobDefinition<Payload> {
  /** The row that asks for the work: put `statement` into the batch of its cause, then `offer` it. */
  row(ctx: EnqueueCtx, payload: z.input<Payload>, options?: RowOptions): Enqueued;
}

interface RowOptions {
  jobId?: string;
  runAt?: number;
  /** A condition of SQL: when it does not hold, no row is made. */
  when?: Condition;
}

type EnqueueCtx = Pick<WorkspaceCtx, "db" | "now" | "newId" | "workspaceId"> & { userId?: string };

export function defineJob<Payload extends z.ZodType>(definition: JobDefinition<Payload>): Job<Payload> {
  return {
    ...definition,
    row(ctx, payload, options = {}) {
      const jobId = options.jobId ?? ctx.newId("job");
      const job = {
        id: jobId,
        workspaceId: ctx.workspaceId,
        userId: ctx.userId ?? null,
        name: definition.name,
        lane: definition.lane,
        // What a schedule starts again nobody asked for.
        listed: definition.listed === true && ctx.userId !== undefined,
        payload: JSON.stringify(definition.payload().parse(payload)),
        maxAttempts: definition.attempts,
        runAt: options.runAt ?? ctx.now(),
      };
      const statement = options.when ? insertJobWhen(ctx, job, options.when) : insertJob(ctx, job);
      return { jobId, lane: definition.lane, statement, ...(options.when ? { conditional: true } : {}) };
    },
  };
}

/** Commits an effect together with the jobs it asks for, then hints the queue. A lost hint is re-offered by the sweeper. */
export async function commitWithJobs(ctx: Ctx, statements: Statement[], enqueued: Enqueued[]): Promise<void> {
  const [first, ...rest] = [...statements, ...enqueued.map((job) => job.statement)];
  if (!first) return;
  const results = await ctx.db.batch([first, ...rest]);
  for (const [index, job] of enqueued.entries())
    if (!job.conditional || wasMade(results[statements.length + index])) await ctx.offer(job);
}

/** False only when the database says that it wrote nothing: a hint too many does no harm. */
function wasMade(result: unknown): boolean {
  const { meta } = Object(result) as { meta?: { changes?: number } };
  return meta?.changes !== 0;
}
