/** What prompts read of people, and every statement about batches. Batches of another workspace do not exist here. */
import { and, asc, eq, inArray, lt } from "drizzle-orm";
import type { Database } from "#core/context";
import type { Statement } from "#core/job";
import { type JobRow, jobs } from "#core/tables";
import { users } from "#features/accounts/tables";
import type { Allowed } from "./rules.ts";
import { type BatchResultRow, type BatchRow, promptBatches, promptBatchResults } from "./tables.ts";

type Db = { db: Database; workspaceId: string };

/** What the person may use; null: there is no such person. */
export async function findAllowed(ctx: { db: Database; userId: string }): Promise<Allowed | null> {
  const [row] = await ctx.db
    .select({ styles: users.promptStyles, level: users.promptLevel })
    .from(users)
    .where(eq(users.id, ctx.userId));
  return row ?? null;
}

const own = (ctx: Db, id: string) => and(eq(promptBatches.id, id), eq(promptBatches.workspaceId, ctx.workspaceId));

export function insertBatch(ctx: Db, row: typeof promptBatches.$inferInsert): Statement {
  return ctx.db.insert(promptBatches).values(row);
}

export function updateBatch(ctx: Db, id: string, values: Partial<typeof promptBatches.$inferInsert>): Statement {
  return ctx.db.update(promptBatches).set(values).where(own(ctx, id));
}

export async function findBatch(ctx: Db, id: string): Promise<{ row: BatchRow; job: JobRow } | null> {
  const [found] = await ctx.db
    .select({ row: promptBatches, job: jobs })
    .from(promptBatches)
    .innerJoin(jobs, eq(jobs.id, promptBatches.jobId))
    .where(own(ctx, id));
  return found ?? null;
}

/** A task has one result, whichever run brings it. */
export function insertResult(ctx: Db, row: typeof promptBatchResults.$inferInsert): Statement {
  return ctx.db.insert(promptBatchResults).values(row).onConflictDoNothing();
}

/** At most as many as a batch may have tasks, in their order. */
export async function listResults(ctx: Db, batchId: string): Promise<BatchResultRow[]> {
  return ctx.db
    .select()
    .from(promptBatchResults)
    .where(eq(promptBatchResults.batchId, batchId))
    .orderBy(asc(promptBatchResults.taskIndex));
}

/** Which tasks have ended, and how. */
export async function listEnded(ctx: Db, batchId: string): Promise<{ taskIndex: number; success: boolean }[]> {
  return ctx.db
    .select({ taskIndex: promptBatchResults.taskIndex, success: promptBatchResults.success })
    .from(promptBatchResults)
    .where(eq(promptBatchResults.batchId, batchId));
}

/** Batches of all workspaces that are older than a time, with what came of them; answers how many there were. */
export async function purgeBatches(ctx: { db: Database }, before: number, limit: number): Promise<number> {
  const old = await ctx.db
    .select({ id: promptBatches.id })
    .from(promptBatches)
    .where(lt(promptBatches.createdAt, before))
    .limit(limit);
  const ids = old.map(({ id }) => id);
  if (ids.length === 0) return 0;
  await ctx.db.batch([
    ctx.db.delete(promptBatchResults).where(inArray(promptBatchResults.batchId, ids)),
    ctx.db.delete(promptBatches).where(inArray(promptBatches.id, ids)),
  ]);
  return ids.length;
}
