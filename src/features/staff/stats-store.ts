/** The questions behind the figures of administration: counts and sums over the whole product, never about one person. */
import { and, count, eq, gte, isNotNull, isNull, lte, ne, type SQL, sql } from "drizzle-orm";
import type { Database } from "#core/context";
import { auditLog, jobs } from "#core/tables";
import { users } from "#features/accounts/tables";
import { apiKeys } from "#features/api-keys/tables";
import { systemLogs } from "#features/audit-log/tables";
import { billingAccounts, billingInvoices } from "#features/billing/tables";
import { conversions } from "#features/conversions/tables";
import { files } from "#features/media/tables";
import { messageLogs } from "#features/message-logs/tables";
import { modelUseDays, usageDays } from "#features/usage/tables";
import { workspaces } from "#features/workspaces/tables";

const countIf = (condition: SQL | undefined) => sql<number>`coalesce(sum(case when ${condition} then 1 else 0 end), 0)`;

export async function peopleFigures(db: Database, dayStart: number) {
  const [row] = await db
    .select({
      total: count(),
      active: countIf(eq(users.status, "active")),
      verified: countIf(isNotNull(users.emailVerifiedAt)),
      newToday: countIf(gte(users.createdAt, dayStart)),
      subUsers: countIf(isNotNull(users.parentWorkspaceId)),
    })
    .from(users)
    .where(ne(users.status, "deleted"));
  return row ?? { total: 0, active: 0, verified: 0, newToday: 0, subUsers: 0 };
}

const none = {
  totalConversions: 0,
  completedConversions: 0,
  failedConversions: 0,
  audioToImageCount: 0,
  imageToAudioCount: 0,
  totalDataProcessed: 0,
  averageConversionTime: null,
};

export async function conversionFigures(db: Database) {
  const done = eq(jobs.state, "succeeded");
  const [row] = await db
    .select({
      totalConversions: count(),
      completedConversions: countIf(done),
      failedConversions: countIf(eq(jobs.state, "failed")),
      audioToImageCount: countIf(eq(conversions.conversionType, "audio-to-image")),
      imageToAudioCount: countIf(eq(conversions.conversionType, "image-to-audio")),
      totalDataProcessed: sql<number>`coalesce(sum(case when ${done} then coalesce(${conversions.inputFileSize}, 0) else 0 end), 0)`,
      averageConversionTime: sql<
        number | null
      >`cast(round(avg(case when ${done} then ${jobs.endedAt} - ${jobs.startedAt} end)) as integer)`,
    })
    .from(conversions)
    .innerJoin(jobs, eq(jobs.id, conversions.jobId));
  return row ?? none;
}

export async function messageFigures(db: Database, dayStart: number) {
  const [row] = await db
    .select({
      totalMessages: count(),
      messagesToday: countIf(gte(messageLogs.at, dayStart)),
    })
    .from(messageLogs)
    .where(eq(messageLogs.mode, "live"));
  return row ?? { totalMessages: 0, messagesToday: 0 };
}

/** What the ledger has delivered of a meter (`usage_days`): all of it, and of the given day (UTC). */
export async function meterFigures(db: Database, meter: "apiCalls" | "aiTokens", day: string) {
  const [row] = await db
    .select({
      total: sql<number>`coalesce(sum(${usageDays.amount}), 0)`,
      today: sql<number>`coalesce(sum(case when ${usageDays.day} = ${day} then ${usageDays.amount} else 0 end), 0)`,
    })
    .from(usageDays)
    .where(eq(usageDays.meter, meter));
  return row ?? { total: 0, today: 0 };
}

export async function keyFigures(db: Database, dayStart: number) {
  const [row] = await db
    .select({ total: count(), usedToday: countIf(gte(apiKeys.lastUsedAt, dayStart)) })
    .from(apiKeys)
    .where(isNull(apiKeys.deletedAt));
  return row ?? { total: 0, usedToday: 0 };
}

export async function storageFigures(db: Database) {
  const [row] = await db
    .select({ files: count(), bytes: sql<number>`coalesce(sum(${files.sizeBytes}), 0)` })
    .from(files)
    .where(isNull(files.deletedAt));
  return row ?? { files: 0, bytes: 0 };
}

export async function workspaceFigures(db: Database): Promise<{ plan: string; workspaces: number }[]> {
  return db
    .select({ plan: workspaces.plan, workspaces: count() })
    .from(workspaces)
    .where(isNull(workspaces.deletedAt))
    .groupBy(workspaces.plan)
    .limit(20);
}

/** How often an action was recorded since then. */
export async function countActions(db: Database, action: string, since: number): Promise<number> {
  const [row] = await db
    .select({ times: sql<number>`coalesce(sum(${auditLog.repeats}), 0)` })
    .from(auditLog)
    .where(and(eq(auditLog.action, action), gte(auditLog.createdAt, since)));
  return row?.times ?? 0;
}

export async function jobFigures(db: Database, since: number) {
  const [row] = await db
    .select({
      waiting: countIf(sql`${jobs.state} in ('queued', 'scheduled')`),
      running: countIf(eq(jobs.state, "running")),
      failedLastDay: countIf(and(eq(jobs.state, "failed"), gte(jobs.endedAt, since))),
    })
    .from(jobs);
  return row ?? { waiting: 0, running: 0, failedLastDay: 0 };
}

export async function logFigures(db: Database, since: number) {
  const [row] = await db
    .select({ errors: countIf(eq(systemLogs.level, "error")), warnings: countIf(eq(systemLogs.level, "warn")) })
    .from(systemLogs)
    .where(gte(systemLogs.at, since));
  return row ?? { errors: 0, warnings: 0 };
}

const groups = {
  day: modelUseDays.day,
  provider: modelUseDays.provider,
  model: modelUseDays.model,
} as const;
export type UsageGroup = keyof typeof groups;

/** What was asked of models on days (both included), as the ledger delivered it; at most 400 groups. */
export async function usageBy(db: Database, groupBy: UsageGroup, between: { from: string; to: string }) {
  const key = groups[groupBy];
  return db
    .select({
      key,
      requests: sql<number>`sum(${modelUseDays.requests})`,
      tokens: sql<number>`sum(${modelUseDays.tokens})`,
      costMicroUsd: sql<number>`sum(${modelUseDays.moneyMicroUsd})`,
    })
    .from(modelUseDays)
    .where(and(gte(modelUseDays.day, between.from), lte(modelUseDays.day, between.to)))
    .groupBy(key)
    .orderBy(key)
    .limit(400);
}

/** Paid invoices by month of their payment; `provider` keeps real money and the sandbox's apart. */
export async function revenueByMonth(db: Database, since: number) {
  const month = sql<string>`strftime('%Y-%m', ${billingInvoices.updatedAt} / 1000, 'unixepoch')`;
  return db
    .select({
      month,
      provider: billingInvoices.provider,
      invoices: count(),
      amountMicroUsd: sql<number>`coalesce(sum(${billingInvoices.amountDueMicroUsd}), 0)`,
    })
    .from(billingInvoices)
    .where(and(eq(billingInvoices.status, "paid"), gte(billingInvoices.updatedAt, since)))
    .groupBy(month, billingInvoices.provider)
    .orderBy(month)
    .limit(400);
}

export async function subscriptionFigures(db: Database) {
  return db
    .select({
      provider: billingAccounts.provider,
      state: billingAccounts.state,
      plan: billingAccounts.plan,
      interval: billingAccounts.interval,
      subscriptions: count(),
    })
    .from(billingAccounts)
    .where(isNotNull(billingAccounts.state))
    .groupBy(billingAccounts.provider, billingAccounts.state, billingAccounts.plan, billingAccounts.interval)
    .limit(100);
}
