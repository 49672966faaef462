/**
 * Runs the tasks of a batch. Each result is written in a commit of its own that hangs on the lease, so a run which died is taken up behind what it
 * wrote, and one which was overtaken writes nothing. The credits were set aside for all tasks before the first; at the end those that succeeded
 * are charged. Nothing is charged twice: every charge has a name that does not depend on the run.
 */
import type { WorkspaceCtx } from "#core/context";
import { done, type JobCtx, type Outcome, retry } from "#core/job";
import { findJob } from "#core/job-store";
import { leastLevel } from "#core/message-log";
import { Problem } from "#core/problem";
import { isTestMode } from "#core/test-mode";
import { readKeyModels } from "#features/api-keys/store";
import { releaseUsage, reserveUsage, settleUsage } from "#features/usage/service";
import { readMembership } from "#features/workspaces/service";
import { inTurns } from "#lib/in-turns";
import { creditHold } from "./batch-hold.ts";
import { runTask } from "./batch-task.ts";
import { findBatch, insertResult, listEnded, updateBatch } from "./store.ts";
import type { BatchRow } from "./tables.ts";

const tasksAtOnce = 10;
/** The platform ends a consumer after 15 minutes: the rest is another run's. */
const runMs = 600_000;
/** One after the other, all tasks together have to end before their reservation does. */
const taskMs = { parallel: 120_000, inOrder: 60_000 };
/** How soon a running batch hears that it was cancelled. */
const lookEveryMs = 2_000;

/** Ends with the batch, or asks for another run. */
export async function runBatch(ctx: JobCtx, batchId: string): Promise<Outcome> {
  const row = await requireBatch(ctx, batchId);
  const acting = await actAs(ctx, row);
  const ended = new Set((await listEnded(ctx, batchId)).map(({ taskIndex }) => taskIndex));
  const left = row.asked.batch.map((_, index) => index).filter((index) => !ended.has(index));
  if (left.length > 0 && !(await runTasks(ctx, { row: await holdFor(ctx, acting, row, left.length), acting, left })))
    return retry("tasks are left for another run", 0);
  await settleBatch(ctx, batchId);
  const results = await listEnded(ctx, batchId);
  const successfulTasks = results.filter(({ success }) => success).length;
  return done({ batchId, totalTasks: row.totalTasks, successfulTasks });
}

async function requireBatch(ctx: JobCtx, batchId: string): Promise<BatchRow> {
  const found = await findBatch(ctx, batchId);
  if (!found) throw new Problem("batch-not-found");
  return found.row;
}

/** As who asked: with the key's mode and budgets, and what the person may do by now. Throws `workspace-not-found` when they have left. */
async function actAs(ctx: JobCtx, { userId, acting }: BatchRow): Promise<WorkspaceCtx> {
  const [membership, keyModels] = await Promise.all([
    readMembership(ctx.db, userId, ctx.workspaceId, ctx.now()),
    acting.actor ? readKeyModels(ctx, acting.actor.keyId) : undefined,
  ]);
  if (!membership || membership.workspaceId !== ctx.workspaceId) throw new Problem("workspace-not-found");
  const { plan, overrides, subUser } = membership;
  const { actor, keyBudgets, messageLog = "contents" } = acting;
  return {
    ...ctx,
    ...(actor ? { actor } : {}),
    userId,
    plan,
    overrides,
    keyBudgets,
    messageLog: leastLevel(membership.messageLog, messageLog),
    ...(keyModels ? { keyModels } : {}),
    ...(subUser ? { subUser } : {}),
  };
}

/** A batch that was cancelled and is retried has settled what it had: the rest is set aside anew, or refused. */
async function holdFor(ctx: JobCtx, acting: WorkspaceCtx, row: BatchRow, credits: number): Promise<BatchRow> {
  if (row.hold || isTestMode(acting)) return row;
  const hold = await reserveUsage(acting, creditHold(row.id, { settlements: row.settlements, credits }));
  await ctx.commit([updateBatch(ctx, row.id, { hold })]);
  return { ...row, hold };
}

interface Tasks {
  row: BatchRow;
  acting: WorkspaceCtx;
  left: number[];
}

/** False: the time of this run is over and tasks are left. */
async function runTasks(ctx: JobCtx, { row, acting, left }: Tasks): Promise<boolean> {
  const { asked, id, totalTasks: total } = row;
  const inParallel = asked.parallel !== false;
  const untilMs = ctx.now() + runMs;
  const ending = new AbortController();
  let isWhole = true;
  let ended = total - left.length;
  const watch = watchRun(ctx, { progress: () => ({ done: ended, total, step: "tasks" }), ending });
  try {
    await inTurns(left, inParallel ? tasksAtOnce : 1, async (index) => {
      watch.assertOurs();
      isWhole &&= ctx.now() < untilMs;
      const task = asked.batch[index];
      if (!isWhole || !task) return;
      const outcome = await runTask(acting, {
        task,
        asked,
        chargeId: `${id}:task-${index}`,
        timeoutMs: inParallel ? taskMs.parallel : taskMs.inOrder,
        signal: ending.signal,
      });
      await ctx.commit([insertResult(ctx, { batchId: id, taskIndex: index, ...outcome })]);
      ended += 1;
    }).catch((error: unknown) => {
      watch.assertOurs();
      throw error;
    });
  } finally {
    await watch.stop();
  }
  if (isWhole) await ctx.checkpoint({ done: total, total, step: "tasks" });
  return isWhole;
}

interface Watch {
  progress(): Parameters<JobCtx["checkpoint"]>[0];
  ending: AbortController;
}

/**
 * Reports progress while tasks run, and learns whether the run goes on. A cancel ends the tasks that run. Those of a run which was overtaken are let
 * end: giving back what they hold would take it from the run that repeats them under the same names.
 */
function watchRun(ctx: JobCtx, { progress, ending }: Watch) {
  const stopped = Promise.withResolvers<"stopped">();
  let over: { error: unknown } | null = null;
  const look = async (): Promise<void> => {
    try {
      await ctx.checkpoint(progress());
    } catch (error) {
      over = { error };
      const job = await findJob(ctx, ctx.workspaceId, ctx.jobId);
      if (job?.cancelRequestedAt) ending.abort(error);
    }
  };
  const watching = (async () => {
    do await look();
    while (!over && (await Promise.race([scheduler.wait(lookEveryMs), stopped.promise])) !== "stopped");
  })();
  return {
    assertOurs() {
      if (over) throw over.error;
    },
    async stop() {
      stopped.resolve("stopped");
      await watching;
    },
  };
}

/** Charges the tasks that succeeded since the last settlement; the rest of what was set aside returns. May run more than once. */
async function settleBatch(ctx: JobCtx, batchId: string): Promise<void> {
  // A run that was overtaken must not end the reservation that its successor works under: this throws when the lease is lost.
  await ctx.commit([]);
  const { hold, settlements, settledTasks } = await requireBatch(ctx, batchId);
  if (!hold) return;
  const succeeded = (await listEnded(ctx, batchId)).filter(({ success }) => success).length;
  const credits = succeeded - settledTasks;
  if (credits > 0) await settleUsage(ctx, hold, { credits });
  else await releaseUsage(ctx, hold);
  await ctx.commit([updateBatch(ctx, batchId, { hold: null, settlements: settlements + 1, settledTasks: succeeded })]);
}

export async function giveUp(ctx: JobCtx, batchId: string): Promise<void> {
  if (await findBatch(ctx, batchId)) await settleBatch(ctx, batchId);
}
