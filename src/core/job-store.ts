/** Every statement of the job engine. Each change of state is one conditional statement, so that two runs never both win. */
import { and, asc, desc, eq, getTableColumns, gt, inArray, isNull, lt, lte, or, sql, type SQL } from "drizzle-orm";
import type { Database } from "./context.ts";
import type { Progress, Statement } from "./work.ts";
import type { JobState } from "./states.ts";
import { jobEvents, type JobRow, jobs } from "./tables.ts";

/** Longer than any outbound time-out plus slack, and kept by a heartbeat every third of it. */
export const leaseMs = 30_000;
/** A queued row whose hint may have been lost is offered again after this time. */
export const reofferMs = 60_000;

type Db = { db: Database; now(): number };

interface NewJob {
  id: string;
  workspaceId: string;
  userId: string | null;
  name: string;
  lane: string;
  /** Left out: no. */
  listed?: boolean;
  payload: string;
  maxAttempts: number;
  runAt: number;
}

function rowOf(ctx: Db, job: NewJob) {
  const at = ctx.now();
  const state: JobState = job.runAt > at ? "scheduled" : "queued";
  return {
    ...job,
    listed: job.listed ?? false,
    state,
    offeredAt: state === "queued" ? at : null,
    createdAt: at,
    updatedAt: at,
  };
}

export function insertJob(ctx: Db, job: NewJob): Statement {
  return ctx.db.insert(jobs).values(rowOf(ctx, job));
}

/** As `insertJob`, if the condition holds; a repeated request that makes the same id again changes nothing. */
export function insertJobWhen(ctx: Db, job: NewJob, when: SQL): Statement {
  const values: Record<string, unknown> = { done: 0, total: 0, attempt: 0, fence: 1, ...rowOf(ctx, job) };
  // A selection has to name every column, in the table's order.
  const columns = Object.entries(getTableColumns(jobs)).map(([name, column]) => {
    const value = values[name] ?? null;
    return sql`${value === null ? null : column.mapToDriverValue(value)}`;
  });
  return ctx.db
    .insert(jobs)
    .select(sql`select ${sql.join(columns, sql`, `)} where ${when}`)
    .onConflictDoNothing();
}

/** Claims the row for one run; null: another run has it, it has ended, or it is not due. */
export async function claimJob(ctx: Db, id: string, leaseToken: string): Promise<JobRow | null> {
  const at = ctx.now();
  const [row] = await ctx.db
    .update(jobs)
    .set({
      state: "running",
      leaseToken,
      leaseUntil: at + leaseMs,
      attempt: sql`${jobs.attempt} + 1`,
      startedAt: sql`coalesce(${jobs.startedAt}, ${at})`,
      updatedAt: at,
    })
    .where(and(eq(jobs.id, id), claimable(at)))
    .returning();
  return row ?? null;
}

function claimable(at: number) {
  return or(
    and(eq(jobs.state, "queued"), lte(jobs.runAt, at + 1_000)),
    and(eq(jobs.state, "running"), lt(jobs.leaseUntil, at)),
  );
}

/** Extends the lease and tells whether a cancel was asked for; null: the lease is lost. */
export async function keepLease(
  ctx: Db,
  id: string,
  leaseToken: string,
  progress: Progress | null,
): Promise<{ cancelRequested: boolean } | null> {
  const at = ctx.now();
  const [row] = await ctx.db
    .update(jobs)
    .set({ leaseUntil: at + leaseMs, updatedAt: at, ...progress })
    .where(and(eq(jobs.id, id), eq(jobs.leaseToken, leaseToken), eq(jobs.state, "running")))
    .returning({ cancelRequestedAt: jobs.cancelRequestedAt });
  return row ? { cancelRequested: row.cancelRequestedAt !== null } : null;
}

/** Put first in a batch: fails the whole batch (`jobs_fence_holds`) when the run no longer holds the lease. */
export function fence(ctx: Db, id: string, leaseToken: string): Statement {
  return ctx.db
    .update(jobs)
    .set({ fence: sql`(${jobs.leaseToken} is ${leaseToken})` })
    .where(eq(jobs.id, id));
}

interface Ending {
  state: "succeeded" | "failed" | "cancelled";
  result?: Record<string, unknown>;
  problem?: { code: string; detail: string; members?: Record<string, unknown> | undefined };
}

export function endJob(ctx: Db, id: string, ending: Ending): Statement {
  const at = ctx.now();
  return ctx.db
    .update(jobs)
    .set({
      state: ending.state,
      leaseToken: null,
      leaseUntil: null,
      result: ending.result ? JSON.stringify(ending.result) : null,
      problemCode: ending.problem?.code ?? null,
      problemDetail: ending.problem?.detail ?? null,
      problemMembers: ending.problem?.members ? JSON.stringify(ending.problem.members) : null,
      endedAt: at,
      updatedAt: at,
      ...(ending.state === "succeeded" ? { done: sql`${jobs.total}` } : {}),
    })
    .where(eq(jobs.id, id));
}

/**
 * Writes down how a run will end before its clean-up begins: a run that takes over then repeats the clean-up, and never the work that
 * the clean-up of the run before may still be removing.
 */
export function markEnding(ctx: Db, id: string, problem: NonNullable<Ending["problem"]>): Statement {
  return ctx.db
    .update(jobs)
    .set({
      problemCode: problem.code,
      problemDetail: problem.detail,
      problemMembers: problem.members ? JSON.stringify(problem.members) : null,
    })
    .where(eq(jobs.id, id));
}

/** Gives the row back to the queue at a later time. */
export function requeueJob(ctx: Db, id: string, runAt: number): Statement {
  return ctx.db
    .update(jobs)
    .set({ state: "queued", leaseToken: null, leaseUntil: null, runAt, offeredAt: runAt, updatedAt: ctx.now() })
    .where(eq(jobs.id, id));
}

export function addEvent(ctx: Db, jobId: string, type: string, data: Record<string, unknown>): Statement {
  return ctx.db.insert(jobEvents).values({
    jobId,
    seq: sql`(select coalesce(max(seq), 0) + 1 from job_events where job_id = ${jobId})`,
    at: ctx.now(),
    type,
    data: JSON.stringify(data),
  });
}

export async function findJob(ctx: Db, workspaceId: string, id: string): Promise<JobRow | null> {
  const [row] = await ctx.db
    .select()
    .from(jobs)
    .where(and(eq(jobs.id, id), eq(jobs.workspaceId, workspaceId)));
  return row ?? null;
}

/** For the engine only: the consumer of dead letters knows an id and no workspace. */
export async function findJobById(ctx: Db, id: string): Promise<JobRow | null> {
  const [row] = await ctx.db.select().from(jobs).where(eq(jobs.id, id));
  return row ?? null;
}

export async function listJobs(
  ctx: Db,
  workspaceId: string,
  filter: { states: JobState[] | null; name: string | null; isListed?: true; before: string | null; limit: number },
): Promise<JobRow[]> {
  return ctx.db
    .select()
    .from(jobs)
    .where(
      and(
        eq(jobs.workspaceId, workspaceId),
        filter.states ? inArray(jobs.state, filter.states) : undefined,
        filter.name ? eq(jobs.name, filter.name) : undefined,
        // Literal, because SQLite does not use a partial index for a bound parameter.
        filter.isListed ? sql`${jobs.listed} = 1` : undefined,
        filter.before ? lt(jobs.id, filter.before) : undefined,
      ),
    )
    .orderBy(desc(jobs.id))
    .limit(filter.limit);
}

export async function listEvents(
  ctx: Db,
  jobId: string,
  afterSeq: number,
): Promise<{ seq: number; at: number; type: string; data: string }[]> {
  return ctx.db
    .select({ seq: jobEvents.seq, at: jobEvents.at, type: jobEvents.type, data: jobEvents.data })
    .from(jobEvents)
    .where(and(eq(jobEvents.jobId, jobId), gt(jobEvents.seq, afterSeq)))
    .orderBy(asc(jobEvents.seq))
    .limit(200);
}

/** A job that runs is told at its next checkpoint; one that waits becomes due, so that its cancelling run can start now. */
export async function requestCancel(ctx: Db, workspaceId: string, id: string): Promise<void> {
  const at = ctx.now();
  await ctx.db
    .update(jobs)
    .set({
      cancelRequestedAt: at,
      updatedAt: at,
      state: sql`case when ${jobs.state} = 'running' then 'running' else 'queued' end`,
      runAt: sql`case when ${jobs.state} = 'running' then ${jobs.runAt} else ${at} end`,
    })
    .where(and(eq(jobs.id, id), eq(jobs.workspaceId, workspaceId), isNull(jobs.endedAt)));
}

/** Starts an ended job anew; false when it was not failed or cancelled any more. */
export async function restartJob(ctx: Db, workspaceId: string, id: string): Promise<boolean> {
  const at = ctx.now();
  const rows = await ctx.db
    .update(jobs)
    .set({
      state: "queued",
      attempt: 0,
      done: 0,
      step: null,
      runAt: at,
      offeredAt: at,
      cancelRequestedAt: null,
      problemCode: null,
      problemDetail: null,
      problemMembers: null,
      result: null,
      startedAt: null,
      endedAt: null,
      updatedAt: at,
    })
    .where(and(eq(jobs.id, id), eq(jobs.workspaceId, workspaceId), inArray(jobs.state, ["failed", "cancelled"])))
    .returning({ id: jobs.id });
  return rows.length === 1;
}

/** Rows whose hint was lost, whose time has come, or whose run died; each is offered once and then left alone for a while. */
export async function takeDueJobs(ctx: Db, limit: number): Promise<{ id: string; lane: string }[]> {
  const at = ctx.now();
  const due = ctx.db
    .select({ id: jobs.id })
    .from(jobs)
    .where(
      or(
        and(eq(jobs.state, "scheduled"), lte(jobs.runAt, at)),
        and(
          eq(jobs.state, "queued"),
          lte(jobs.runAt, at),
          or(isNull(jobs.offeredAt), lt(jobs.offeredAt, at - reofferMs)),
        ),
        and(eq(jobs.state, "running"), lt(jobs.leaseUntil, at)),
      ),
    )
    .orderBy(asc(jobs.runAt))
    .limit(limit);
  return ctx.db
    .update(jobs)
    .set({ state: "queued", offeredAt: at, leaseToken: null, leaseUntil: null, updatedAt: at })
    .where(inArray(jobs.id, due))
    .returning({ id: jobs.id, lane: jobs.lane });
}

/** How old the oldest due work is, for the status page. */
export async function oldestDue(ctx: Db): Promise<number | null> {
  const [row] = await ctx.db
    .select({ runAt: sql<number | null>`min(${jobs.runAt})` })
    .from(jobs)
    .where(and(eq(jobs.state, "queued"), lte(jobs.runAt, ctx.now())));
  return row?.runAt ?? null;
}

export function purgeEvents(ctx: Db, before: number): Statement {
  return ctx.db.delete(jobEvents).where(lt(jobEvents.at, before));
}

/**
 * Forgets deliveries that ended before a time, so many at once; answers how many. Rows of the other lanes stay: what they made, a
 * conversion for one, shows their end.
 */
export async function purgeDeliveries(ctx: Db, before: number, limit: number): Promise<number> {
  const old = ctx.db
    .select({ id: jobs.id })
    .from(jobs)
    .where(and(eq(jobs.lane, "delivery"), lt(jobs.endedAt, before)))
    .limit(limit);
  const gone = await ctx.db.delete(jobs).where(inArray(jobs.id, old)).returning({ id: jobs.id });
  return gone.length;
}
