/** Every statement about conversions and their images. Rows of another workspace do not exist here. */
import { and, asc, count, desc, eq, inArray, isNotNull, isNull, lt, notInArray, sql } from "drizzle-orm";
import type { Database } from "#core/context";
import type { Statement } from "#core/job";
import { endedStates, type JobState } from "#core/states";
import { type JobRow, jobs } from "#core/tables";
import { type ConversionImageRow, type ConversionRow, conversionImages, conversions } from "./tables.ts";

type Db = { db: Database; workspaceId: string };

/** A conversion with the row that says how far it is. */
export interface Conversion {
  row: ConversionRow;
  job: JobRow;
}

const joined = { row: conversions, job: jobs };
const own = (ctx: Db, id: string) => and(eq(conversions.id, id), eq(conversions.workspaceId, ctx.workspaceId));

export function insertConversion(ctx: Db, row: typeof conversions.$inferInsert): Statement {
  return ctx.db.insert(conversions).values(row);
}

/** Deleted ones too: whoever asks by the id of a job or repeats a deletion has to know them. */
export async function findAnyConversion(ctx: Db, id: string): Promise<Conversion | null> {
  const [found] = await ctx.db
    .select(joined)
    .from(conversions)
    .innerJoin(jobs, eq(jobs.id, conversions.jobId))
    .where(own(ctx, id));
  return found ?? null;
}

export async function findConversion(ctx: Db, id: string): Promise<Conversion | null> {
  const found = await findAnyConversion(ctx, id);
  return found && found.row.deletedAt === null ? found : null;
}

export function updateConversion(ctx: Db, id: string, values: Partial<typeof conversions.$inferInsert>): Statement {
  return ctx.db.update(conversions).set(values).where(own(ctx, id));
}

interface ListFilter {
  states: JobState[] | null;
  conversionType: ConversionRow["conversionType"] | null;
}

const listed = (ctx: Db, filter: ListFilter) =>
  and(
    eq(conversions.workspaceId, ctx.workspaceId),
    isNull(conversions.deletedAt),
    filter.states ? inArray(jobs.state, filter.states) : undefined,
    filter.conversionType ? eq(conversions.conversionType, filter.conversionType) : undefined,
  );

/** Newest first. */
export async function listConversions(
  ctx: Db,
  filter: ListFilter & { before: string | null; skip: number; limit: number },
): Promise<Conversion[]> {
  return ctx.db
    .select(joined)
    .from(conversions)
    .innerJoin(jobs, eq(jobs.id, conversions.jobId))
    .where(and(listed(ctx, filter), filter.before ? lt(conversions.id, filter.before) : undefined))
    .orderBy(desc(conversions.id))
    .limit(filter.limit)
    .offset(filter.skip);
}

export async function countConversions(ctx: Db, filter: ListFilter): Promise<number> {
  const [row] = await ctx.db
    .select({ total: count() })
    .from(conversions)
    .innerJoin(jobs, eq(jobs.id, conversions.jobId))
    .where(listed(ctx, filter));
  return row?.total ?? 0;
}

export interface StatsGroup {
  conversionType: ConversionRow["conversionType"];
  state: JobState;
  conversions: number;
  inputBytes: number;
  durationMs: number;
}

/** Deleted conversions count as well: the work was done. */
export async function groupConversions(ctx: Db, userId: string): Promise<StatsGroup[]> {
  return ctx.db
    .select({
      conversionType: conversions.conversionType,
      state: jobs.state,
      conversions: count(),
      inputBytes: sql<number>`coalesce(sum(${conversions.inputFileSize}), 0)`,
      durationMs: sql<number>`coalesce(sum(${jobs.endedAt} - ${jobs.startedAt}), 0)`,
    })
    .from(conversions)
    .innerJoin(jobs, eq(jobs.id, conversions.jobId))
    .where(and(eq(conversions.workspaceId, ctx.workspaceId), eq(conversions.userId, userId)))
    .groupBy(conversions.conversionType, jobs.state);
}

/** In order of their index. A conversion has at most `maxImages`. */
export async function listImages(ctx: Db, conversionId: string): Promise<ConversionImageRow[]> {
  return ctx.db
    .select()
    .from(conversionImages)
    .where(and(eq(conversionImages.conversionId, conversionId), eq(conversionImages.workspaceId, ctx.workspaceId)))
    .orderBy(asc(conversionImages.index))
    .limit(10_000);
}

export async function findImage(
  ctx: Db,
  conversionId: string,
  which: { index: number } | { fileName: string },
): Promise<ConversionImageRow | null> {
  const [row] = await ctx.db
    .select()
    .from(conversionImages)
    .where(
      and(
        eq(conversionImages.conversionId, conversionId),
        eq(conversionImages.workspaceId, ctx.workspaceId),
        "index" in which ? eq(conversionImages.index, which.index) : eq(conversionImages.fileName, which.fileName),
      ),
    );
  return row ?? null;
}

/** At most 11 at once: D1 binds at most 100 values a statement. */
export function insertImages(ctx: Db, rows: ConversionImageRow[]): Statement {
  return ctx.db.insert(conversionImages).values(rows);
}

export function deleteImages(ctx: Db, conversionId: string): Statement {
  return ctx.db
    .delete(conversionImages)
    .where(and(eq(conversionImages.conversionId, conversionId), eq(conversionImages.workspaceId, ctx.workspaceId)));
}

/** A conversion whose job still wants these images to be there. */
export async function findReader(ctx: Db, conversionId: string): Promise<string | null> {
  const [row] = await ctx.db
    .select({ id: conversions.id })
    .from(conversions)
    .innerJoin(jobs, eq(jobs.id, conversions.jobId))
    .where(
      and(
        eq(conversions.workspaceId, ctx.workspaceId),
        eq(conversions.sourceConversionId, conversionId),
        notInArray(jobs.state, [...endedStates]),
      ),
    )
    .limit(1);
  return row?.id ?? null;
}

/** Deleted conversions whose images should be gone by now: of all workspaces, for the schedule only. */
export async function listUnpurged(
  ctx: { db: Database },
  deletedBefore: number,
  limit: number,
): Promise<{ id: string; workspaceId: string }[]> {
  return ctx.db
    .select({ id: conversions.id, workspaceId: conversions.workspaceId })
    .from(conversions)
    .where(and(lt(conversions.deletedAt, deletedBefore), isNull(conversions.purgedAt)))
    .orderBy(asc(conversions.deletedAt))
    .limit(limit);
}

/** Keys of requests whose jobs ended without their clean-up (a message given up by the queue): of all workspaces, for the sweep only. */
export function eraseLeftKeys(ctx: { db: Database }): Statement {
  const ended = ctx.db
    .select({ id: jobs.id })
    .from(jobs)
    .where(inArray(jobs.state, [...endedStates]));
  return ctx.db
    .update(conversions)
    .set({ requestKey: null })
    .where(and(isNotNull(conversions.requestKey), inArray(conversions.jobId, ended)));
}
