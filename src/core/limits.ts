/** The named rate limits. Each is exact over all isolates (durable/rate-limiter) and counted for one principal. */
import type { LimitOverrides, PlanLimits, PlanName } from "./plans.ts";
import { limitsOf } from "./plans.ts";
import type { SubUserGrant } from "./sub-user.ts";

export interface Limit {
  name: string;
  quota: number;
  windowSeconds: number;
}

export const budgetMeters = [
  "aiTokens",
  "transcriptionSeconds",
  "processingMinutes",
  "credits",
  "moneyMicroUsd",
] as const;
export const budgetPeriods = ["day", "month", "total"] as const;

/** What all uses of one API key together may come to, in the ledger's words. */
export interface KeyBudget {
  meter: (typeof budgetMeters)[number];
  limit: number;
  period: (typeof budgetPeriods)[number];
}

/** Limits of open operations, counted for the network address that the platform reports. */
export const openLimits = {
  "sign-in": { name: "sign-in", quota: 100, windowSeconds: 60 },
  register: { name: "register", quota: 60, windowSeconds: 60 },
  "mailed-code": { name: "mailed-code", quota: 30, windowSeconds: 60 },
  open: { name: "open", quota: 600, windowSeconds: 60 },
} as const satisfies Record<string, Limit>;

/** Changes of one person's password: each costs two hashes, for which everybody's sign-ins wait. */
export const passwordChangeLimit: Limit = { name: "password-change", quota: 10, windowSeconds: 60 };

/** Exports of one person: each reads everything there is of them. */
export const exportLimit: Limit = { name: "export", quota: 10, windowSeconds: 3_600 };

export type OpenLimitName = keyof typeof openLimits;

/** Which of a key's limits an operation takes from: those that ask a model and those that take many tasks have their own. */
export type LimitClass = "default" | "chat" | "batch";

interface Subject {
  kind: "user" | "api-key";
  plan: PlanName;
  overrides: LimitOverrides;
  limitClass: LimitClass;
}

const quotaOfClass = {
  default: "apiKeyRequestsPerMinute",
  chat: "chatRequestsPerMinute",
  batch: "batchRequestsPerMinute",
} as const satisfies Record<LimitClass, keyof PlanLimits>;

/** The limit on all requests of one person's sessions, or on one API key's requests of a class; null: none. */
export function requestLimit(subject: Subject): Limit | null {
  if (subject.kind === "user") {
    return { name: "session", quota: subject.overrides.sessionRequestsPerMinute ?? 600, windowSeconds: 60 };
  }
  const quota = limitsOf(subject.plan, subject.overrides)[quotaOfClass[subject.limitClass]];
  return quota === null ? null : { name: subject.limitClass, quota, windowSeconds: 60 };
}

/** Streams of one workspace that are kept to be resumed: together with their time it bounds how much lies there. */
export const resumableLimit: Limit = { name: "resumable-streams", quota: 600, windowSeconds: 300 };

/** Calls with one upload ticket: each part of a file is one. */
export const uploadTicketLimit: Limit = { name: "upload-ticket", quota: 3_000, windowSeconds: 60 };

/** Conversions an hour of one workspace; null: none. */
export function conversionLimit(plan: PlanName, overrides: LimitOverrides): Limit | null {
  const quota = limitsOf(plan, overrides).conversionsPerHour;
  return quota === null ? null : { name: "conversions", quota, windowSeconds: 3_600 };
}

/** Beside the limits of its sessions and keys. */
export function subUserLimits({ limits }: SubUserGrant): Limit[] {
  return [
    { name: "sub-user-minute", quota: limits.requests_per_minute, windowSeconds: 60 },
    { name: "sub-user-hour", quota: limits.requests_per_hour, windowSeconds: 3_600 },
  ];
}
