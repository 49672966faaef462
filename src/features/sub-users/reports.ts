/** What sub-users use: their tokens by the ledger, their requests by day. */
import type { WorkspaceCtx } from "#core/context";
import { type PageQuery, readCursor, toPage } from "#core/page";
import { readScope } from "#durable/ledger/client";
import { countWaitingOf } from "#features/workspaces/invitation-store";
import { dayOf, writePending } from "./check.ts";
import { activityOf, maxSubUsers, percentOf, statusOf, verdictOf } from "./rules.ts";
import { getRow } from "./service.ts";
import { countKeysOf, listDays, listSubUsers, type SubUser } from "./store.ts";

const dayMs = 24 * 3_600_000;
const iso = (at: number | null) => (at === null ? null : new Date(at).toISOString());

interface Used {
  aiTokens: number;
  apiCalls: number;
}

/** In the usage month that runs, by person. */
async function usedBy(ctx: WorkspaceCtx): Promise<(userId: string) => Used> {
  const states = await readScope(ctx.objects.LEDGER, { workspaceId: ctx.workspaceId, scope: "user" });
  const used = new Map<string, Used>();
  for (const { meter, scopeId, used: amount, startMs, endMs } of states) {
    const isMonth = endMs === null || endMs - startMs > 2 * dayMs;
    if ((meter !== "aiTokens" && meter !== "apiCalls") || !isMonth) continue;
    const known = used.get(scopeId) ?? { aiTokens: 0, apiCalls: 0 };
    used.set(scopeId, { ...known, [meter]: amount });
  }
  return (userId) => used.get(userId) ?? { aiTokens: 0, apiCalls: 0 };
}

async function everybody(ctx: WorkspaceCtx): Promise<SubUser[]> {
  const rows = await listSubUsers(ctx.db, ctx.workspaceId, { before: null, limit: maxSubUsers });
  await writePending(
    ctx,
    rows.map(({ id }) => id),
  );
  return listSubUsers(ctx.db, ctx.workspaceId, { before: null, limit: maxSubUsers });
}

const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0);

export async function usageOf(ctx: WorkspaceCtx, id: string) {
  await getRow(ctx, id);
  await writePending(ctx, [id]);
  const today = dayOf(ctx.now());
  const [row, used, days, keys] = await Promise.all([
    getRow(ctx, id),
    usedBy(ctx),
    listDays(ctx.db, ctx.workspaceId, `${today.slice(0, 7)}-01`),
    countKeysOf(ctx.db, [id]),
  ]);
  const own = days.filter(({ userId }) => userId === id);
  const { aiTokens, apiCalls } = used(id);
  return {
    id,
    tokensUsed: aiTokens,
    monthlyTokens: row.limits.monthly_tokens,
    tokensPercent: percentOf(aiTokens, row.limits.monthly_tokens),
    apiCalls,
    requestsToday: sum(own.filter(({ day }) => day === today).map(({ requests }) => requests)),
    requestsThisMonth: sum(own.map(({ requests }) => requests)),
    apiKeys: keys.get(id) ?? 0,
    lastActiveAt: iso(row.lastActiveAt),
  };
}

export async function overview(ctx: WorkspaceCtx) {
  const rows = await everybody(ctx);
  const ids = rows.map(({ id }) => id);
  const [used, days, keys, pendingInvitations] = await Promise.all([
    usedBy(ctx),
    listDays(ctx.db, ctx.workspaceId, dayOf(ctx.now())),
    countKeysOf(ctx.db, ids),
    countWaitingOf(ctx.db, ctx.workspaceId, { kind: "sub-user", at: ctx.now() }),
  ]);
  const withStatus = (status: string) => rows.filter((row) => statusOf(row) === status).length;
  return {
    total: rows.length,
    active: withStatus("active"),
    inactive: withStatus("inactive"),
    suspended: withStatus("suspended"),
    pendingInvitations,
    apiKeys: sum([...keys.values()]),
    tokensUsed: sum(ids.map((id) => used(id).aiTokens)),
    monthlyTokens: sum(rows.map(({ limits }) => limits.monthly_tokens)),
    requestsToday: sum(days.map(({ requests }) => requests)),
  };
}

export async function activityPage(ctx: WorkspaceCtx, query: PageQuery) {
  await everybody(ctx);
  const today = dayOf(ctx.now());
  const [rows, days] = await Promise.all([
    listSubUsers(ctx.db, ctx.workspaceId, { before: readCursor(query), limit: query.limit + 1 }),
    listDays(ctx.db, ctx.workspaceId, today),
  ]);
  const requests = new Map(days.map((day) => [day.userId, day.requests]));
  return toPage(rows, query.limit, (row) => ({
    id: row.id,
    email: row.email,
    name: row.name,
    activity: activityOf(row, ctx.now()),
    requestsToday: requests.get(row.id) ?? 0,
    lastActiveAt: iso(row.lastActiveAt),
  }));
}

/** One entry a day, also for days without any request. */
export async function trends(ctx: WorkspaceCtx, { days: span }: { days: number }) {
  await everybody(ctx);
  const firstMs = ctx.now() - (span - 1) * dayMs;
  const rows = await listDays(ctx.db, ctx.workspaceId, dayOf(firstMs));
  const days = Array.from({ length: span }, (_, index) => {
    const day = dayOf(firstMs + index * dayMs);
    const ofDay = rows.filter((row) => row.day === day);
    return { day, requests: sum(ofDay.map(({ requests }) => requests)), activeSubUsers: ofDay.length };
  });
  const totalRequests = sum(days.map(({ requests }) => requests));
  return { days, totalRequests, averageRequests: Math.round((totalRequests / span) * 100) / 100 };
}

export async function limitsAnalysis(ctx: WorkspaceCtx) {
  const [rows, used] = await Promise.all([everybody(ctx), usedBy(ctx)]);
  const items = rows.map(({ id, email, name, limits }) => {
    const tokensUsed = used(id).aiTokens;
    const percent = percentOf(tokensUsed, limits.monthly_tokens);
    return { id, email, name, tokensUsed, monthlyTokens: limits.monthly_tokens, percent, verdict: verdictOf(percent) };
  });
  const withVerdict = (verdict: string) => items.filter((item) => item.verdict === verdict).length;
  return { items, over: withVerdict("over"), under: withVerdict("under") };
}
