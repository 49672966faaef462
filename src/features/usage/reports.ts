/** History, statistics and reports: sums of what was used, by day, by whom and against the period before. Usable from jobs. */
import type { Ctx } from "#core/context";
import { Problem } from "#core/problem";
import type { LimitOverrides, PlanName } from "#core/plans";
import { type Cell, toCsv } from "#lib/csv";
import { dayName, type Period } from "#lib/usage-period";
import {
  costsOf,
  growthPercent,
  meterLimit,
  type ReportType,
  reportPeriod,
  resourceNames,
  resources,
} from "./rules.ts";
import type { Amounts, UsageReport } from "./shapes.ts";
import { storageAtEnd, storageByDay } from "./storage-days.ts";
import { countUploads, findReport, sumBy, sumByDay } from "./store.ts";
import type { UsageReportRow } from "./tables.ts";

const dayMs = 24 * 3_600_000;
const maxGroupsShown = 100;

export interface ReportCtx extends Ctx {
  workspaceId: string;
  plan: PlanName;
  overrides: LimitOverrides;
}

/** Days as the database names them, both included. */
function daysOf(workspaceId: string, { startMs, endMs }: Period) {
  return { workspaceId, from: dayName(startMs), to: dayName(endMs - 1) };
}

function noAmounts(): Amounts {
  return { apiCalls: 0, aiTokens: 0, transcriptionMinutes: 0, processingMinutes: 0, credits: 0, moneyMicroUsd: 0 };
}

/** Seconds are summed up before they become minutes. */
function toAmounts(rows: readonly { meter: string; amount: number }[]): Amounts {
  const sums = new Map<string, number>();
  for (const { meter, amount } of rows) sums.set(meter, (sums.get(meter) ?? 0) + amount);
  const sum = (meter: string) => sums.get(meter) ?? 0;
  return {
    apiCalls: sum("apiCalls"),
    aiTokens: sum("aiTokens"),
    transcriptionMinutes: Math.round((sum("transcriptionSeconds") / 60) * 100) / 100,
    processingMinutes: sum("processingMinutes"),
    credits: sum("credits"),
    moneyMicroUsd: sum("moneyMicroUsd"),
  };
}

function lastDays(ctx: Ctx, days: number): Period {
  const endMs = (Math.floor(ctx.now() / dayMs) + 1) * dayMs;
  return { startMs: endMs - days * dayMs, endMs };
}

export async function readHistory(ctx: Ctx & { workspaceId: string }, days: number) {
  const period = lastDays(ctx, days);
  const range = daysOf(ctx.workspaceId, period);
  const [rows, storage] = await Promise.all([sumByDay(ctx, range), storageByDay(ctx, period)]);
  const items = Array.from({ length: days }, (_, index) => {
    const date = dayName(period.startMs + index * dayMs);
    return { date, ...toAmounts(rows.filter(({ day }) => day === date)), storageBytes: storage.get(date) ?? 0 };
  });
  return { days, from: range.from, to: range.to, items, totals: toAmounts(rows) };
}

export async function readStats(ctx: Ctx & { workspaceId: string }, days: number) {
  const range = daysOf(ctx.workspaceId, lastDays(ctx, days));
  const [all, users, keys, models] = await Promise.all([
    sumByDay(ctx, range),
    sumBy(ctx, "userId", range),
    sumBy(ctx, "keyId", range),
    sumBy(ctx, "model", range),
  ]);
  const totals = toAmounts(all);
  const average = Object.entries(totals).map(([name, sum]) => [name, Math.round((sum / days) * 100) / 100]);
  return {
    days,
    totals,
    dailyAverage: { ...noAmounts(), ...(Object.fromEntries(average) as Amounts) },
    byUser: grouped(users).map(([userId, amounts]) => ({ userId, ...amounts })),
    byKey: grouped(keys).map(([keyId, amounts]) => ({ keyId, ...amounts })),
    byModel: grouped(models).map(([model, amounts]) => ({ model, ...amounts })),
  };
}

function grouped(rows: readonly { name: string; meter: string; amount: number }[]): [string, Amounts][] {
  const names = [...new Set(rows.map(({ name }) => name))].slice(0, maxGroupsShown);
  return names.map((name) => [name, toAmounts(rows.filter((row) => row.name === name))]);
}

interface Totals extends Amounts {
  uploads: number;
  minutes: number;
  /** Bytes at the end of the period, or now while it runs. */
  storage: number;
}

async function totalsOf(ctx: ReportCtx, period: Period): Promise<Totals> {
  const [rows, uploads, storage] = await Promise.all([
    sumByDay(ctx, daysOf(ctx.workspaceId, period)),
    countUploads(ctx, ctx.workspaceId, period),
    storageAtEnd(ctx, period),
  ]);
  const amounts = toAmounts(rows);
  return { ...amounts, uploads, storage, minutes: amounts.processingMinutes + Math.ceil(amounts.transcriptionMinutes) };
}

/** Makes the report of the period that holds a moment. */
export async function makeReport(ctx: ReportCtx, type: ReportType, atMs: number): Promise<UsageReportRow> {
  const period = reportPeriod(type, atMs);
  const before = reportPeriod(type, period.startMs - 1);
  const [now, then] = await Promise.all([totalsOf(ctx, period), totalsOf(ctx, before)]);
  const { uploads, minutes, storage, ...amounts } = now;
  const costs = costsOf({ ...amounts, storageBytes: storage, minutes });
  const growth = Object.entries(now).map(([name, value]) => [name, growthPercent(value, then[name as keyof Totals])]);
  return {
    id: ctx.newId("report"),
    workspaceId: ctx.workspaceId,
    reportType: type,
    periodStart: period.startMs,
    periodEnd: period.endMs,
    totalUploads: uploads,
    totalMinutes: minutes,
    totalStorage: storage,
    reportData: {
      costs,
      percentUsed: percentsOf(ctx, { ...amounts, storageBytes: storage }),
      ...amounts,
      growthPercent: Object.fromEntries(growth) as Record<string, number | null>,
    },
    createdAt: ctx.now(),
  };
}

/** Of the limits that count now: of a month, of storage, and of a day's credits. */
function percentsOf(ctx: ReportCtx, used: Amounts & { storageBytes: number }): Record<string, number | null> {
  const amountOf = {
    storage: used.storageBytes,
    processing: used.processingMinutes,
    apiCalls: used.apiCalls,
    transcription: used.transcriptionMinutes,
    aiTokens: used.aiTokens,
    credits: used.credits,
    money: used.moneyMicroUsd,
  };
  const percents = resourceNames.map((name) => {
    const limit = meterLimit(name, ctx.plan, ctx.overrides);
    const amount = amountOf[name] * resources[name].perUnit;
    return [name, limit === null || limit === 0 ? null : Math.round((amount / limit) * 10_000) / 100];
  });
  return Object.fromEntries(percents) as Record<string, number | null>;
}

/** The kept report of a month that has ended, else one made now. */
export async function readReport(
  ctx: ReportCtx,
  query: { period: ReportType; date?: string | undefined },
): Promise<UsageReport> {
  const atMs = query.date === undefined ? ctx.now() : Date.parse(query.date);
  if (atMs > ctx.now()) throw new Problem("validation-failed", { detail: "date: lies in the future." });
  const periodStart = reportPeriod(query.period, atMs).startMs;
  const kept = await findReport(ctx, ctx.workspaceId, { reportType: query.period, periodStart });
  return kept ? toReport(kept, kept.id) : toReport(await makeReport(ctx, query.period, atMs), null);
}

function toReport(row: UsageReportRow, id: string | null): UsageReport {
  const { periodStart, periodEnd, createdAt, ...rest } = row;
  const iso = (at: number) => new Date(at).toISOString();
  return { ...rest, id, periodStart: iso(periodStart), periodEnd: iso(periodEnd), createdAt: iso(createdAt) };
}

/** One line a figure: what, how much, of which limit, against before. */
export function reportCsv(report: UsageReport, workspaceName: string): string {
  const { reportData } = report;
  const period: Cell[] = [
    workspaceName,
    report.reportType,
    report.periodStart.slice(0, 10),
    report.periodEnd.slice(0, 10),
  ];
  const figures: [string, string, number, number | null | undefined, string?][] = [
    ["uploads", "files", report.totalUploads, null, "uploads"],
    ["minutes", "minutes", report.totalMinutes, null, "minutes"],
    ["storage", "bytes", report.totalStorage, reportData.percentUsed["storage"], "storage"],
    ["apiCalls", "calls", reportData.apiCalls, reportData.percentUsed["apiCalls"], "apiCalls"],
    ["aiTokens", "tokens", reportData.aiTokens, reportData.percentUsed["aiTokens"], "aiTokens"],
    [
      "transcription",
      "minutes",
      reportData.transcriptionMinutes,
      reportData.percentUsed["transcription"],
      "transcriptionMinutes",
    ],
    ["processing", "minutes", reportData.processingMinutes, reportData.percentUsed["processing"], "processingMinutes"],
    ["credits", "credits", reportData.credits, reportData.percentUsed["credits"], "credits"],
    ["models", "microUsd", reportData.moneyMicroUsd, reportData.percentUsed["money"], "moneyMicroUsd"],
    ["costs", "microUsd", reportData.costs.totalMicroUsd, null],
  ];
  const rows = figures.map(([figure, unit, value, percent, growth]): Cell[] => [
    ...period,
    figure,
    unit,
    value,
    percent ?? null,
    growth === undefined ? null : (reportData.growthPercent[growth] ?? null),
  ]);
  const head = [
    "workspace",
    "reportType",
    "periodStart",
    "periodEnd",
    "figure",
    "unit",
    "value",
    "percentUsed",
    "growthPercent",
  ];
  return toCsv([head, ...rows]);
}
