/** Uses of a workspace's own keys: added up in memory, written by day, never on the path of a request. */
import type { WorkspaceCtx } from "#core/context";
import { laterSums } from "#core/later-sums";
import { addUses, type KeyUse, listDays } from "./store.ts";
import type { KeyDayRow, ProviderKeyRow } from "./tables.ts";

export interface OwnKeyUse {
  keyId: string;
  /** The operation, such as `chat`. */
  endpoint: string;
  status: number;
  durationMs: number;
  tokens: number;
  costMicroUsd: number;
  /** In one word or code; never a provider's text, which may hold the key. */
  error: string | null;
}

const maxTextLength = 60;
const dayMs = 86_400_000;

const uses = laterSums<KeyUse>({ merge, statements: addUses });

function merge(one: KeyUse, other: KeyUse): KeyUse {
  return {
    ...one,
    calls: one.calls + other.calls,
    errors: one.errors + other.errors,
    tokens: one.tokens + other.tokens,
    costMicroUsd: one.costMicroUsd + other.costMicroUsd,
    durationMs: one.durationMs + other.durationMs,
    lastStatus: other.lastStatus,
    lastError: other.lastError ?? one.lastError,
    lastUsedAt: Math.max(one.lastUsedAt, other.lastUsedAt),
  };
}

export function dayOf(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 10);
}

/** After a call with an own key. */
export function noteOwnKeyUse(ctx: WorkspaceCtx, use: OwnKeyUse): void {
  const nowMs = ctx.now();
  const day = dayOf(nowMs);
  const endpoint = use.endpoint.slice(0, maxTextLength);
  uses.add(ctx, `${use.keyId} ${day} ${endpoint}`, {
    workspaceId: ctx.workspaceId,
    keyId: use.keyId,
    day,
    endpoint,
    calls: 1,
    errors: use.error === null ? 0 : 1,
    tokens: use.tokens,
    costMicroUsd: use.costMicroUsd,
    durationMs: Math.round(use.durationMs),
    lastStatus: use.status,
    lastError: use.error?.slice(0, maxTextLength) ?? null,
    lastUsedAt: nowMs,
  });
}

/** What this isolate still holds, so that whoever asks sees it. */
export function writeOwnKeyUses(ctx: Pick<WorkspaceCtx, "db">): Promise<void> {
  return uses.write(ctx.db);
}

/** The key's totals, and its last `days` days, days without any use among them. */
export async function usageOf(ctx: WorkspaceCtx, key: ProviderKeyRow, days: number) {
  const last = ctx.now();
  const shown = Array.from({ length: days }, (_, index) => dayOf(last - (days - 1 - index) * dayMs));
  const rows = await listDays(ctx.db, key.id, shown[0] ?? dayOf(last));
  const endpoints = Map.groupBy(rows, ({ endpoint }) => endpoint);
  const failed = rows.filter(({ lastError }) => lastError !== null);
  const newest = failed.toSorted((one, other) => other.lastUsedAt - one.lastUsedAt)[0];
  return {
    keyId: key.id,
    provider: key.provider,
    totalCalls: key.calls,
    totalTokens: key.tokens,
    totalCost: key.costMicroUsd / 1_000_000,
    totalCostMicroUsd: key.costMicroUsd,
    errorCount: key.errors,
    successRate: key.calls === 0 ? null : (key.calls - key.errors) / key.calls,
    lastUsed: key.lastUsedAt === null ? null : new Date(key.lastUsedAt).toISOString(),
    lastError: newest?.lastError ?? null,
    from: shown[0] ?? "",
    to: shown.at(-1) ?? "",
    items: shown.map((day) => ({ day, ...summed(rows.filter((row) => row.day === day)) })),
    endpoints: [...endpoints].map(([endpoint, group]) => ({ endpoint, ...summed(group) })),
  };
}

function summed(rows: readonly KeyDayRow[]) {
  const sum = (of: (row: KeyDayRow) => number) => rows.reduce((total, row) => total + of(row), 0);
  const calls = sum((row) => row.calls);
  return {
    calls,
    errors: sum((row) => row.errors),
    tokens: sum((row) => row.tokens),
    costMicroUsd: sum((row) => row.costMicroUsd),
    averageMs: calls === 0 ? null : Math.round(sum((row) => row.durationMs) / calls),
  };
}
