/**
 * How the operator's providers do, from the calls that were made anyway: nobody is called to find out. What this isolate saw last decides the
 * state; the day's counters, which all isolates write together, tell the figures.
 */
import type { Ctx, WorkspaceCtx } from "#core/context";
import { laterSums } from "#core/later-sums";
import { BoundedMap } from "#lib/bounded-map";
import { addProviderDays, listProviderDays } from "./store.ts";
import type { ProviderDayRow } from "./tables.ts";

/** `ok: false` is a fault of the provider (no answer, 429, 5xx, our key refused), never one of the caller's request. */
export interface ProviderCall {
  provider: string;
  ok: boolean;
  durationMs: number;
  /** A workspace's own key says nothing about the operator's account, so such calls are not counted. */
  ownKeyId: string | null;
}

interface Seen {
  /** The newest last. */
  outcomes: boolean[];
  lastAtMs: number;
}

const seenOf = new BoundedMap<string, Seen>(200);
const maxOutcomes = 20;
/** What was seen longer ago says nothing about now. */
const staleMs = 10 * 60_000;

const days = laterSums<ProviderDayRow>({ merge, statements: addProviderDays });

function merge(one: ProviderDayRow, other: ProviderDayRow): ProviderDayRow {
  return {
    ...one,
    calls: one.calls + other.calls,
    failures: one.failures + other.failures,
    durationMs: one.durationMs + other.durationMs,
    lastSuccessAt: newest(one.lastSuccessAt, other.lastSuccessAt),
    lastFailureAt: newest(one.lastFailureAt, other.lastFailureAt),
  };
}

function newest(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : Math.max(one, other);
}

export function dayOf(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 10);
}

/** After a call of a provider; costs no write of its own. */
export function noteProviderCall(ctx: WorkspaceCtx, { provider, ok, durationMs, ownKeyId }: ProviderCall): void {
  if (ownKeyId !== null) return;
  const nowMs = ctx.now();
  const seen = seenOf.get(provider) ?? { outcomes: [], lastAtMs: 0 };
  seenOf.set(provider, { outcomes: [...seen.outcomes, ok].slice(-maxOutcomes), lastAtMs: nowMs });
  const day = dayOf(nowMs);
  days.add(ctx, `${provider} ${day}`, {
    provider,
    day,
    calls: 1,
    failures: ok ? 0 : 1,
    durationMs: Math.round(durationMs),
    lastSuccessAt: ok ? nowMs : null,
    lastFailureAt: ok ? null : nowMs,
  });
}

export const healthStates = ["healthy", "degraded", "failing", "unknown"] as const;
export type HealthState = (typeof healthStates)[number];

/** Of the last calls: none failed, some, or most with the newest among them. */
export function stateOf(outcomes: readonly boolean[]): HealthState {
  if (outcomes.length === 0) return "unknown";
  const failures = outcomes.filter((ok) => !ok).length;
  if (failures === 0) return "healthy";
  return failures * 2 > outcomes.length && outcomes.at(-1) === false ? "failing" : "degraded";
}

export interface ProviderHealth {
  state: HealthState;
  calls: number;
  failures: number;
  averageMs: number | null;
  lastSuccessAt: number | null;
  lastFailureAt: number | null;
}

/** Today's figures of all providers that were called, by name, those of a moment ago among them. */
export async function healthByProvider(ctx: WorkspaceCtx): Promise<Map<string, ProviderHealth>> {
  const nowMs = ctx.now();
  await days.write(ctx.db);
  const rows = await listProviderDays(ctx.db, dayOf(nowMs));
  return new Map(rows.map((row) => [row.provider, toHealth(row, nowMs)]));
}

export type LastSeen = Pick<ProviderHealth, "state" | "lastSuccessAt" | "lastFailureAt">;

/** How providers did last, without a write: what other isolates wrote, and what this one saw. */
export async function lastSeenByProvider(ctx: Pick<Ctx, "db" | "now">): Promise<(provider: string) => LastSeen> {
  const nowMs = ctx.now();
  const rows = new Map((await listProviderDays(ctx.db, dayOf(nowMs))).map((row) => [row.provider, row]));
  return (provider) => {
    const { lastSuccessAt = null, lastFailureAt = null } = rows.get(provider) ?? {};
    const { outcomes, lastAtMs } = freshOf(provider, nowMs) ?? { outcomes: [], lastAtMs: 0 };
    const ok = outcomes.at(-1);
    return {
      state: ok === undefined ? storedState({ lastSuccessAt, lastFailureAt }, nowMs) : stateOf(outcomes),
      lastSuccessAt: ok === true ? newest(lastSuccessAt, lastAtMs) : lastSuccessAt,
      lastFailureAt: ok === false ? newest(lastFailureAt, lastAtMs) : lastFailureAt,
    };
  };
}

function freshOf(provider: string, nowMs: number): Seen | null {
  const seen = seenOf.get(provider);
  return seen !== undefined && nowMs - seen.lastAtMs < staleMs ? seen : null;
}

function toHealth(row: ProviderDayRow, nowMs: number): ProviderHealth {
  const seen = freshOf(row.provider, nowMs);
  return {
    state: seen ? stateOf(seen.outcomes) : storedState(row, nowMs),
    calls: row.calls,
    failures: row.failures,
    averageMs: row.calls > 0 ? Math.round(row.durationMs / row.calls) : null,
    lastSuccessAt: row.lastSuccessAt,
    lastFailureAt: row.lastFailureAt,
  };
}

/** What other isolates wrote lately: which came last, success or failure. */
function storedState(
  { lastSuccessAt, lastFailureAt }: Pick<ProviderDayRow, "lastSuccessAt" | "lastFailureAt">,
  nowMs: number,
): HealthState {
  const success = lastSuccessAt !== null && nowMs - lastSuccessAt < staleMs;
  const failure = lastFailureAt !== null && nowMs - lastFailureAt < staleMs;
  if (!success && !failure) return "unknown";
  if (!failure) return "healthy";
  return success ? "degraded" : "failing";
}
