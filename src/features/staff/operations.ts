/** The figures and the switches of the whole product. Says counts, never who they are about. */
import { auditEntry } from "#core/audit";
import type { WorkspaceCtx } from "#core/context";
import { priceOf } from "#core/plan-prices";
import { forgetSessions } from "#durable/session-store/client";
import { forgetAccessTokens } from "#features/accounts/access-token";
import { forgetAllKeys } from "#features/api-keys/check";
import { status } from "#features/monitoring/service";
import { forgetOverrides } from "#features/models/service";
import { forgetAllOwnKeys } from "#features/provider-keys/service";
import { forgetAllMemberships } from "#features/workspaces/service";
import { dayName } from "#lib/usage-period";
import { asStaff } from "./acting.ts";
import type { RevenueQuery, UsageStatsQuery } from "./operation-shapes.ts";
import * as store from "./stats-store.ts";

const dayMs = 24 * 3_600_000;
const hourMs = 3_600_000;
const startOfDay = (at: number) => at - (at % dayMs);

export async function stats(ctx: WorkspaceCtx) {
  const now = ctx.now();
  const today = startOfDay(now);
  const [people, conversions, messages, calls, tokens, keys, storage, workspaces, sessionsBegun, jobs] =
    await Promise.all([
      store.peopleFigures(ctx.db, today),
      store.conversionFigures(ctx.db),
      store.messageFigures(ctx.db, today),
      store.meterFigures(ctx.db, "apiCalls", new Date(today).toISOString().slice(0, 10)),
      store.meterFigures(ctx.db, "aiTokens", new Date(today).toISOString().slice(0, 10)),
      store.keyFigures(ctx.db, today),
      store.storageFigures(ctx.db),
      store.workspaceFigures(ctx.db),
      store.countActions(ctx.db, "account.signed-in", now - dayMs),
      store.jobFigures(ctx.db, now - dayMs),
    ]);
  const timestamp = new Date(now).toISOString();
  return {
    success: true as const,
    timestamp,
    conversions: { ...conversions, successRate: rate(conversions) },
    users: people,
    tokens: { totalTokensUsed: tokens.total, tokensToday: tokens.today },
    api: {
      totalApiCalls: calls.total,
      apiCallsToday: calls.today,
      totalMessages: messages.totalMessages,
      messagesToday: messages.messagesToday,
      apiKeys: keys.total,
      apiKeysUsedToday: keys.usedToday,
    },
    system: {
      sessionsBegunLastDay: sessionsBegun,
      files: storage.files,
      storedBytes: storage.bytes,
      workspacesByPlan: Object.fromEntries(workspaces.map((row) => [row.plan, row.workspaces])),
      jobs,
    },
    data: {
      user_statistics: {
        total: people.total,
        active: people.active,
        verified: people.verified,
        new_users_today: people.newToday,
      },
      api_statistics: {
        total_api_calls: calls.total,
        api_calls_today: calls.today,
        total_messages: messages.totalMessages,
        total_tokens_used: tokens.total,
      },
      system_statistics: { active_sessions: sessionsBegun, timestamp },
    },
  };
}

/** Of those that ended, by themselves; null when none has. */
function rate(figures: { completedConversions: number; failedConversions: number }): number | null {
  const ended = figures.completedConversions + figures.failedConversions;
  return ended === 0 ? null : figures.completedConversions / ended;
}

export async function health(ctx: WorkspaceCtx) {
  const [parts, jobs, logs, failures] = await Promise.all([
    status(ctx),
    store.jobFigures(ctx.db, ctx.now() - dayMs),
    store.logFigures(ctx.db, ctx.now() - hourMs),
    store.countActions(ctx.db, "account.sign-in-failed", ctx.now() - hourMs),
  ]);
  return {
    ...parts,
    environment: ctx.settings.environment,
    jobs,
    lastHour: { errors: logs.errors, warnings: logs.warnings, failedSignIns: failures },
  };
}

/** What this isolate remembers. Others forget by themselves within ten seconds, and nothing that is remembered is older than that. */
export async function clearCaches(ctx: WorkspaceCtx) {
  const cleared = {
    memberships: forgetAllMemberships(),
    apiKeys: forgetAllKeys(),
    sessions: forgetSessions(),
    accessTokens: forgetAccessTokens(),
    models: forgetOverrides(),
    providerKeys: forgetAllOwnKeys(),
  };
  await ctx.db.batch([auditEntry(asStaff(ctx), "staff.caches-cleared", { details: { cleared } })]);
  const message = "This isolate forgot what it remembered; all others do so by themselves within ten seconds.";
  return { success: true, message, cleared };
}

/** What was asked of models, by day, provider or model. */
export async function usageStats(ctx: WorkspaceCtx, query: UsageStatsQuery) {
  const to = query.to ?? ctx.now() + 1;
  const from = query.from ?? startOfDay(to) - (query.days - 1) * dayMs;
  const items = await store.usageBy(ctx.db, query.group_by, { from: dayName(from), to: dayName(to - 1) });
  const sum = (of: (item: (typeof items)[number]) => number) => items.reduce((total, item) => total + of(item), 0);
  return {
    groupBy: query.group_by,
    from: new Date(startOfDay(from)).toISOString(),
    to: new Date(to).toISOString(),
    items,
    totals: {
      requests: sum((item) => item.requests),
      tokens: sum((item) => item.tokens),
      costMicroUsd: sum((item) => item.costMicroUsd),
    },
  };
}

/** The beginning of the running calendar month, quarter or year (UTC). */
function beginOf(period: RevenueQuery["period"], nowMs: number): number {
  if (period === "all") return 0;
  const now = new Date(nowMs);
  const month = { month: now.getUTCMonth(), quarter: now.getUTCMonth() - (now.getUTCMonth() % 3), year: 0 }[period];
  return Date.UTC(now.getUTCFullYear(), month, 1);
}

/** Paid invoices. Money of the simulator is told apart and never counted as revenue. */
export async function revenue(ctx: WorkspaceCtx, query: RevenueQuery) {
  const from = beginOf(query.period, ctx.now());
  const [rows, subscriptions] = await Promise.all([
    store.revenueByMonth(ctx.db, from),
    store.subscriptionFigures(ctx.db),
  ]);
  const real = rows.filter((row) => row.provider === "stripe");
  const sandbox = rows.filter((row) => row.provider !== "stripe");
  const sum = (of: typeof rows) => of.reduce((total, row) => total + row.amountMicroUsd, 0);
  return {
    period: query.period,
    from: from === 0 ? null : new Date(from).toISOString(),
    currency: "usd" as const,
    totalMicroUsd: sum(real),
    invoices: real.reduce((total, row) => total + row.invoices, 0),
    months: real.map(({ month, invoices, amountMicroUsd }) => ({ month, invoices, amountMicroUsd })),
    sandboxMicroUsd: sum(sandbox),
    monthlyRecurringMicroUsd: recurring(subscriptions),
    subscriptions: subscriptions.map(({ state, ...row }) => ({ ...row, state: state ?? "ended" })),
  };
}

type Subscriptions = Awaited<ReturnType<typeof store.subscriptionFigures>>;

/** What the paid subscriptions of the real provider bring a month at list prices; a year counts a twelfth. */
function recurring(subscriptions: Subscriptions): number {
  return subscriptions
    .filter((row) => row.provider === "stripe" && row.state === "active")
    .reduce((total, { plan, interval, subscriptions: number }) => {
      if (plan === null || interval === null) return total;
      const price = priceOf(plan, interval).amountMicroUsd;
      return total + Math.round(price / (interval === "year" ? 12 : 1)) * number;
    }, 0);
}
