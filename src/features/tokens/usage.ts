/** What was asked of models, summed up by day, week, model and provider. What a moment ago was used is told first. */
import type { WorkspaceCtx } from "#core/context";
import { upToDate } from "#features/usage/service";
import { dayName } from "#lib/usage-period";
import type { StatsQuery, Sums, UsageQuery } from "./shapes.ts";
import { countRecords, listRecords, type Range, sumBy, sumByDay, type SumRow } from "./store.ts";

const dayMs = 24 * 3_600_000;

function rangeOf(ctx: WorkspaceCtx, { days, scope }: StatsQuery): Range {
  const nowMs = ctx.now();
  const isOwn = scope === "me" || ctx.subUser !== undefined;
  return {
    workspaceId: ctx.workspaceId,
    userId: isOwn ? ctx.userId : null,
    from: dayName(nowMs - (days - 1) * dayMs),
    to: dayName(nowMs),
  };
}

function toSums(row: SumRow): Sums {
  return {
    requests: row.requests,
    errors: row.errors,
    estimated: row.estimated,
    tokens_used: row.tokens,
    input_tokens: row.inputTokens,
    cached_tokens: row.cachedTokens,
    output_tokens: row.outputTokens,
    cost_micro_usd: row.moneyMicroUsd,
    cost_usd: row.moneyMicroUsd / 1_000_000,
  };
}

const nothing: SumRow = {
  requests: 0,
  errors: 0,
  estimated: 0,
  tokens: 0,
  inputTokens: 0,
  cachedTokens: 0,
  outputTokens: 0,
  moneyMicroUsd: 0,
};

function total(rows: readonly SumRow[]): Sums {
  const names = Object.keys(nothing) as (keyof SumRow)[];
  const sums = names.map((name) => [name, rows.reduce((sum, row) => sum + row[name], 0)]);
  return toSums(Object.fromEntries(sums) as SumRow);
}

type DayRow = SumRow & { day: string };

function everyDay(ctx: WorkspaceCtx, days: number, rows: readonly DayRow[]): DayRow[] {
  const byDay = new Map(rows.map((row) => [row.day, row]));
  return Array.from({ length: days }, (_, index) => {
    const day = dayName(ctx.now() - (days - 1 - index) * dayMs);
    return byDay.get(day) ?? { ...nothing, day };
  });
}

/** The Monday of a day's week. */
function weekOf({ day }: { day: string }): string {
  const atMs = Date.parse(day);
  return dayName(atMs - ((new Date(atMs).getUTCDay() + 6) % 7) * dayMs);
}

const nameOrNull = (name: string) => (name === "" ? null : name);

function totalsOf({ tokens_used, requests, cost_usd }: Sums) {
  return { total_tokens: tokens_used, total_requests: requests, total_cost_usd: cost_usd };
}

async function groupsOf(ctx: WorkspaceCtx, range: Range) {
  const [models, providers] = await Promise.all([sumBy(ctx, "model", range), sumBy(ctx, "provider", range)]);
  return {
    models: models.filter(({ name }) => name !== "").map((row) => ({ model: row.name, ...toSums(row) })),
    providers: providers.map((row) => ({ provider: nameOrNull(row.name), ...toSums(row) })),
  };
}

export async function usageOf(ctx: WorkspaceCtx, query: UsageQuery) {
  await upToDate(ctx);
  const { days, limit, offset } = query;
  const range = rangeOf(ctx, query);
  const [rows, groups, records, totalRecords] = await Promise.all([
    sumByDay(ctx, range),
    groupsOf(ctx, range),
    listRecords(ctx, range, { limit, offset }),
    countRecords(ctx, range),
  ]);
  const shown = everyDay(ctx, days, rows);
  const totals = total(rows);
  return {
    days,
    from: range.from,
    to: range.to,
    ...totalsOf(totals),
    totals,
    daily_usage: shown.map((row) => ({ date: row.day, ...toSums(row) })),
    weekly_usage: [...Map.groupBy(shown, weekOf)].map(([start, week]) => ({ week_start: start, ...total(week) })),
    usage_by_model: groups.models,
    usage_by_provider: groups.providers,
    records: records.map((row) => ({
      date: row.day,
      user_id: nameOrNull(row.userId),
      key_id: nameOrNull(row.keyId),
      model_name: nameOrNull(row.model),
      provider: nameOrNull(row.provider),
      request_type: row.operation,
      ...toSums(row),
    })),
    total_records: totalRecords,
    limit,
    offset,
  };
}

const toPlaces = (value: number) => Math.round(value * 100) / 100;

export async function statsOf(ctx: WorkspaceCtx, query: StatsQuery) {
  await upToDate(ctx);
  const { days } = query;
  const range = rangeOf(ctx, query);
  const [rows, groups, operations] = await Promise.all([
    sumByDay(ctx, range),
    groupsOf(ctx, range),
    sumBy(ctx, "operation", range),
  ]);
  const { requests, errors, tokens_used: tokens, ...totals } = total(rows);
  const peak = rows.toSorted((one, other) => other.tokens - one.tokens)[0];
  return {
    days,
    from: range.from,
    to: range.to,
    ...totalsOf({ ...totals, requests, errors, tokens_used: tokens }),
    total_errors: errors,
    success_rate: requests === 0 ? null : Math.round(((requests - errors) / requests) * 10_000) / 10_000,
    average_tokens_per_request: requests === 0 ? 0 : toPlaces(tokens / requests),
    average_tokens_per_day: toPlaces(tokens / days),
    peak_day: peak ? { date: peak.day, tokens_used: peak.tokens } : null,
    by_model: groups.models,
    by_provider: groups.providers,
    by_request_type: operations.map((row) => ({ request_type: row.name, ...toSums(row) })),
  };
}
