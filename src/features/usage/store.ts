/** Every statement about usage: what the ledger tells, sums of days, notices, reports, and overrides of limits. */
import { and, asc, count, desc, eq, exists, gt, gte, inArray, isNull, lt, lte, or, sql } from "drizzle-orm";
import type { Database } from "#core/context";
import type { Statement } from "#core/job";
import type { LimitOverrides } from "#core/plans";
import type { UsageEvent } from "#durable/ledger/client";
import { dayName } from "#lib/usage-period";
import { users } from "#features/accounts/tables";
import { conversions } from "#features/conversions/tables";
import { files } from "#features/media/tables";
import { workspaceMembers, workspaces } from "#features/workspaces/tables";
import { usageDays, usageEvents, usageNotices, type UsageReportRow, usageReports, usageStorageDays } from "./tables.ts";

type Db = { db: Database; now(): number };

/** D1 allows 100 parameters a statement; a row has ten. */
const rowsAStatement = 9;

/** Events with the sums of their days. An event that is known changes nothing, so the same page may come again. */
export function addEvents(ctx: Db, workspaceId: string, events: readonly UsageEvent[]): Statement[] {
  if (events.length === 0) return [];
  const inserts: Statement[] = [];
  for (let start = 0; start < events.length; start += rowsAStatement) {
    const rows = events.slice(start, start + rowsAStatement).map(({ atMs, ...event }) => ({
      ...event,
      workspaceId,
      at: atMs,
      day: dayName(atMs),
    }));
    inserts.push(ctx.db.insert(usageEvents).values(rows).onConflictDoNothing());
  }
  // One transaction: what is not summed yet is what was inserted just now.
  const { day, meter, userId, keyId, model } = usageDays;
  const sum = ctx.db
    .insert(usageDays)
    .select(
      sql`select workspace_id, day, meter, user_id, key_id, model, sum(amount), count(*) from usage_events
        where workspace_id = ${workspaceId} and summed = 0 group by 1, 2, 3, 4, 5, 6`,
    )
    .onConflictDoUpdate({
      target: [usageDays.workspaceId, day, meter, userId, keyId, model],
      set: { amount: sql`${usageDays.amount} + excluded.amount`, events: sql`${usageDays.events} + excluded.events` },
    });
  const mark = ctx.db
    .update(usageEvents)
    .set({ summed: true })
    .where(and(eq(usageEvents.workspaceId, workspaceId), eq(usageEvents.summed, false)));
  return [...inserts, sum, mark];
}

export function purgeEvents(ctx: Db, before: number): Statement {
  return ctx.db.delete(usageEvents).where(lt(usageEvents.at, before));
}

interface NoticeId {
  workspaceId: string;
  meter: string;
  periodStart: number;
  level: number;
}

export async function hasNotice(ctx: Db, id: NoticeId): Promise<boolean> {
  const rows = await ctx.db
    .select({ level: usageNotices.level })
    .from(usageNotices)
    .where(
      and(
        eq(usageNotices.workspaceId, id.workspaceId),
        eq(usageNotices.meter, id.meter),
        eq(usageNotices.periodStart, id.periodStart),
        eq(usageNotices.level, id.level),
      ),
    );
  return rows.length > 0;
}

/** Fails the batch when the notice was given already. */
export function insertNotice(ctx: Db, notice: NoticeId & { used: number; limit: number }): Statement {
  return ctx.db.insert(usageNotices).values({ ...notice, createdAt: ctx.now() });
}

const maxRecipients = 20;

/** Owners and admins: whom a quota concerns. */
export async function recipientsOf(ctx: Db, workspaceId: string) {
  return ctx.db
    .select({ userId: users.id, email: users.email, workspaceName: workspaces.name })
    .from(workspaceMembers)
    .innerJoin(users, eq(users.id, workspaceMembers.userId))
    .innerJoin(workspaces, eq(workspaces.id, workspaceMembers.workspaceId))
    .where(
      and(
        eq(workspaceMembers.workspaceId, workspaceId),
        inArray(workspaceMembers.role, ["owner", "admin"]),
        eq(users.status, "active"),
        isNull(workspaces.deletedAt),
      ),
    )
    .orderBy(asc(workspaceMembers.createdAt))
    .limit(maxRecipients);
}

const amount = sql<number>`sum(${usageDays.amount})`.mapWith(Number);

interface Days {
  workspaceId: string;
  /** Both included. */
  from: string;
  to: string;
}

const within = ({ workspaceId, from, to }: Days) =>
  and(eq(usageDays.workspaceId, workspaceId), sql`${usageDays.day} between ${from} and ${to}`);

export async function sumByDay(ctx: Db, days: Days) {
  return ctx.db
    .select({ day: usageDays.day, meter: usageDays.meter, amount })
    .from(usageDays)
    .where(within(days))
    .groupBy(usageDays.day, usageDays.meter);
}

/** Living workspaces that store something or once did, by id. */
export async function workspacesToMeasure(ctx: Db, page: { after: string; limit: number }): Promise<string[]> {
  const rows = await ctx.db
    .select({ id: workspaces.id })
    .from(workspaces)
    .where(
      and(
        gt(workspaces.id, page.after),
        isNull(workspaces.deletedAt),
        or(
          exists(ctx.db.select({ id: files.id }).from(files).where(eq(files.workspaceId, workspaces.id))),
          exists(
            ctx.db.select({ id: conversions.id }).from(conversions).where(eq(conversions.workspaceId, workspaces.id)),
          ),
        ),
      ),
    )
    .orderBy(asc(workspaces.id))
    .limit(page.limit);
  return rows.map(({ id }) => id);
}

/** A day is measured once: the first measure stays. */
export function keepStorage(
  ctx: Db,
  day: string,
  measured: readonly { workspaceId: string; sizeBytes: number }[],
): Statement {
  return ctx.db
    .insert(usageStorageDays)
    .select(
      sql`select m.value ->> 'workspaceId', ${day}, m.value ->> 'sizeBytes' from json_each(${JSON.stringify(measured)}) m where true`,
    )
    .onConflictDoNothing();
}

export function purgeStorageDays(ctx: Db, before: string): Statement {
  return ctx.db.delete(usageStorageDays).where(lt(usageStorageDays.day, before));
}

/** The measured days, oldest first, and before them the last one that was measured earlier. */
export async function storageDays(ctx: Db, { workspaceId, from, to }: Days) {
  const { day, sizeBytes } = usageStorageDays;
  const own = eq(usageStorageDays.workspaceId, workspaceId);
  const [before, within] = await Promise.all([
    ctx.db
      .select({ day, sizeBytes })
      .from(usageStorageDays)
      .where(and(own, lt(day, from)))
      .orderBy(desc(day))
      .limit(1),
    ctx.db
      .select({ day, sizeBytes })
      .from(usageStorageDays)
      .where(and(own, gte(day, from), lte(day, to)))
      .orderBy(asc(day)),
  ]);
  return [...before, ...within];
}

const columns = { userId: usageDays.userId, keyId: usageDays.keyId, model: usageDays.model } as const;
const maxGroups = 600;

/** The sums of users, keys or models, the busiest first. */
export async function sumBy(ctx: Db, by: keyof typeof columns, days: Days) {
  const column = columns[by];
  return ctx.db
    .select({ name: column, meter: usageDays.meter, amount, events: sql<number>`sum(${usageDays.events})` })
    .from(usageDays)
    .where(and(within(days), sql`${column} <> ''`))
    .groupBy(column, usageDays.meter)
    .orderBy(desc(sql`sum(${usageDays.events})`))
    .limit(maxGroups);
}

export async function countUploads(ctx: Db, workspaceId: string, period: { startMs: number; endMs: number }) {
  const [row] = await ctx.db
    .select({ uploads: count() })
    .from(files)
    .where(
      and(
        eq(files.workspaceId, workspaceId),
        eq(files.origin, "upload"),
        gte(files.createdAt, period.startMs),
        lt(files.createdAt, period.endMs),
      ),
    );
  return row?.uploads ?? 0;
}

export async function findReport(
  ctx: Db,
  workspaceId: string,
  of: Pick<UsageReportRow, "reportType" | "periodStart">,
): Promise<UsageReportRow | null> {
  const [row] = await ctx.db
    .select()
    .from(usageReports)
    .where(
      and(
        eq(usageReports.workspaceId, workspaceId),
        eq(usageReports.reportType, of.reportType),
        eq(usageReports.periodStart, of.periodStart),
      ),
    );
  return row ?? null;
}

/** One report a workspace, type and period: the first one stays. */
export function insertReport(ctx: Db, row: UsageReportRow): Statement {
  return ctx.db.insert(usageReports).values(row).onConflictDoNothing();
}

/** Living workspaces that used something in the days and have no monthly report of them yet, by id. */
export async function workspacesToReport(
  ctx: Db,
  month: { from: string; to: string; startMs: number },
  page: { after: string; limit: number },
): Promise<string[]> {
  const reported = ctx.db
    .select({ workspaceId: usageReports.workspaceId })
    .from(usageReports)
    .where(and(eq(usageReports.reportType, "monthly"), eq(usageReports.periodStart, month.startMs)));
  const rows = await ctx.db
    .selectDistinct({ workspaceId: usageDays.workspaceId })
    .from(usageDays)
    .innerJoin(workspaces, eq(workspaces.id, usageDays.workspaceId))
    .where(
      and(
        sql`${usageDays.day} between ${month.from} and ${month.to}`,
        gt(usageDays.workspaceId, page.after),
        isNull(workspaces.deletedAt),
        sql`${usageDays.workspaceId} not in ${reported}`,
      ),
    )
    .orderBy(asc(usageDays.workspaceId))
    .limit(page.limit);
  return rows.map(({ workspaceId }) => workspaceId);
}

export async function findLimits(ctx: Db, workspaceId: string) {
  const [row] = await ctx.db
    .select({ name: workspaces.name, plan: workspaces.plan, overrides: workspaces.limitOverrides })
    .from(workspaces)
    .where(and(eq(workspaces.id, workspaceId), isNull(workspaces.deletedAt)));
  return row ?? null;
}

export function updateOverrides(ctx: Db, workspaceId: string, overrides: LimitOverrides): Statement {
  return ctx.db.update(workspaces).set({ limitOverrides: overrides }).where(eq(workspaces.id, workspaceId));
}
