/** What each resource is called, measured in and limited by, what it costs in a report, and what to do when it is used up. No storage. */
import type { LimitOverrides, PlanLimits, PlanName } from "#core/plans";
import { limitsOf } from "#core/plans";
import type { MeteredName } from "#durable/ledger/client";
import type { Period } from "#lib/usage-period";
import { dayOf, monthOf } from "#lib/usage-period";

interface Resource {
  meter: MeteredName | "storage";
  limit: keyof PlanLimits;
  unit: string;
  /** The meter's units in one of those that are shown. */
  perUnit: number;
  suggestion: string;
}

export const resourceNames = [
  "storage",
  "processing",
  "apiCalls",
  "transcription",
  "aiTokens",
  "credits",
  "money",
] as const;
export type ResourceName = (typeof resourceNames)[number];

export const resources: Readonly<Record<ResourceName, Resource>> = {
  storage: {
    meter: "storage",
    limit: "storageBytes",
    unit: "bytes",
    perUnit: 1,
    suggestion: "Delete files that are no longer needed, or take a larger plan.",
  },
  processing: {
    meter: "processingMinutes",
    limit: "processingMinutesPerMonth",
    unit: "minutes",
    perUnit: 1,
    suggestion: "Process shorter media, wait for the next period, or take a larger plan.",
  },
  apiCalls: {
    meter: "apiCalls",
    limit: "apiCallsPerMonth",
    unit: "calls",
    perUnit: 1,
    suggestion: "Ask less often (webhooks instead of polling), wait for the next period, or take a larger plan.",
  },
  transcription: {
    meter: "transcriptionSeconds",
    limit: "transcriptionMinutesPerMonth",
    unit: "minutes",
    perUnit: 60,
    suggestion: "Transcribe shorter recordings, wait for the next period, or take a larger plan.",
  },
  aiTokens: {
    meter: "aiTokens",
    limit: "aiTokensPerMonth",
    unit: "tokens",
    perUnit: 1,
    suggestion: "Send shorter prompts or a smaller max_tokens, wait for the next period, or take a larger plan.",
  },
  credits: {
    meter: "credits",
    limit: "creditsPerDay",
    unit: "credits",
    perUnit: 1,
    suggestion: "Credits return at 00:00 UTC; a larger plan has more a day.",
  },
  money: {
    meter: "moneyMicroUsd",
    limit: "moneyMicroUsdPerMonth",
    unit: "microUsd",
    perUnit: 1,
    suggestion: "Raise the budget, use a cheaper model, or wait for the next period.",
  },
};

export function resourceOf(meter: MeteredName | "storage"): ResourceName {
  const found = resourceNames.find((name) => resources[name].meter === meter);
  if (!found) throw new RangeError("no resource has this meter");
  return found;
}

/** In the unit of the meter; null: none. */
export function meterLimit(resource: ResourceName, plan: PlanName, overrides: LimitOverrides): number | null {
  const { limit, perUnit } = resources[resource];
  const quota = limitsOf(plan, overrides)[limit];
  return quota === null ? null : quota * perUnit;
}

/** An amount of a meter in the unit that is shown, to two places. */
export function shown(resource: ResourceName, amount: number): number {
  return Math.round((amount / resources[resource].perUnit) * 100) / 100;
}

interface Counted {
  used: number;
  reserved: number;
  limit: number | null;
  bonus: number;
}

/** What is left to reserve, and how much of the limit is used up. A limit of nothing is used up. */
export function standingOf({ used, reserved, limit, bonus }: Counted) {
  if (limit === null) return { available: null, percentUsed: null, exceeded: false };
  const ceiling = bonus > 0 ? Math.max(limit, used) + bonus : limit;
  const percentUsed = limit === 0 ? 100 : Math.round((used / limit) * 10_000) / 100;
  return { available: Math.max(ceiling - used - reserved, 0), percentUsed, exceeded: used >= ceiling };
}

export const reportTypes = ["daily", "weekly", "monthly"] as const;
export type ReportType = (typeof reportTypes)[number];

const dayMs = 24 * 3_600_000;

/** The day, the week from Monday, or the calendar month (all UTC) that holds a moment. */
export function reportPeriod(type: ReportType, atMs: number): Period {
  if (type === "monthly") return monthOf(atMs);
  const day = dayOf(atMs);
  if (type === "daily") return day;
  const sinceMonday = (new Date(day.startMs).getUTCDay() + 6) % 7;
  const startMs = day.startMs - sinceMonday * dayMs;
  return { startMs, endMs: startMs + 7 * dayMs };
}

/** What the older system's reports reckon with: a cost estimate for the reader, nothing that is charged. In micro-dollars. */
const rates = { gigabyte: 20_000, minute: 1_000, apiCall: 10 } as const;

export function costsOf(totals: { storageBytes: number; minutes: number; apiCalls: number; moneyMicroUsd: number }) {
  const storageMicroUsd = Math.round((totals.storageBytes / 1e9) * rates.gigabyte);
  const minutesMicroUsd = Math.round(totals.minutes * rates.minute);
  const apiCallsMicroUsd = totals.apiCalls * rates.apiCall;
  const modelsMicroUsd = totals.moneyMicroUsd;
  return {
    currency: "usd" as const,
    storageMicroUsd,
    minutesMicroUsd,
    apiCallsMicroUsd,
    modelsMicroUsd,
    totalMicroUsd: storageMicroUsd + minutesMicroUsd + apiCallsMicroUsd + modelsMicroUsd,
  };
}

/** In percent of what was before; null when there was nothing before. */
export function growthPercent(now: number, before: number): number | null {
  return before === 0 ? null : Math.round(((now - before) / before) * 10_000) / 100;
}
