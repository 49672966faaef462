/**
 * The three plans: what they cost and what they enforce. `null` means no limit. A superadmin's override of a workspace wins over its plan.
 */

export const planNames = ["free", "pro", "enterprise"] as const;
export type PlanName = (typeof planNames)[number];

/** Months are usage periods (core of the ledger), days are days of UTC. */
export interface PlanLimits {
  storageBytes: number | null;
  processingMinutesPerMonth: number | null;
  transcriptionMinutesPerMonth: number | null;
  apiCallsPerMonth: number | null;
  aiTokensPerMonth: number | null;
  creditsPerDay: number | null;
  moneyMicroUsdPerMonth: number | null;
  /** Of one API key: on most operations, on those that ask a model, and on those that take many tasks at once. */
  apiKeyRequestsPerMinute: number | null;
  chatRequestsPerMinute: number | null;
  batchRequestsPerMinute: number | null;
  conversionsPerHour: number | null;
  members: number | null;
}

/** Prices are what the product says; what is charged is what Stripe's price of the plan says. */
export interface Plan {
  name: PlanName;
  displayName: string;
  currency: "usd";
  monthlyMicroUsd: number;
  yearlyMicroUsd: number;
  trialDays: number;
  limits: PlanLimits;
}

const gibibyte = 1024 ** 3;

export const plans: Readonly<Record<PlanName, Plan>> = {
  free: {
    name: "free",
    displayName: "Free",
    currency: "usd",
    monthlyMicroUsd: 0,
    yearlyMicroUsd: 0,
    trialDays: 0,
    limits: {
      storageBytes: gibibyte,
      processingMinutesPerMonth: 60,
      transcriptionMinutesPerMonth: 30,
      apiCallsPerMonth: 1_000,
      aiTokensPerMonth: 50_000,
      creditsPerDay: 10,
      moneyMicroUsdPerMonth: null,
      apiKeyRequestsPerMinute: 30,
      chatRequestsPerMinute: 10,
      batchRequestsPerMinute: 5,
      conversionsPerHour: 10,
      members: 3,
    },
  },
  pro: {
    name: "pro",
    displayName: "Pro",
    currency: "usd",
    monthlyMicroUsd: 29_990_000,
    yearlyMicroUsd: 287_900_000,
    trialDays: 14,
    limits: {
      storageBytes: 10 * gibibyte,
      processingMinutesPerMonth: 600,
      transcriptionMinutesPerMonth: 300,
      apiCallsPerMonth: 30_000,
      aiTokensPerMonth: 1_000_000,
      creditsPerDay: 100,
      moneyMicroUsdPerMonth: null,
      apiKeyRequestsPerMinute: 100,
      chatRequestsPerMinute: 50,
      batchRequestsPerMinute: 20,
      conversionsPerHour: 100,
      members: 10,
    },
  },
  enterprise: {
    name: "enterprise",
    displayName: "Enterprise",
    currency: "usd",
    monthlyMicroUsd: 99_990_000,
    yearlyMicroUsd: 899_910_000,
    trialDays: 0,
    limits: {
      storageBytes: 100 * gibibyte,
      processingMinutesPerMonth: null,
      transcriptionMinutesPerMonth: null,
      apiCallsPerMonth: null,
      aiTokensPerMonth: null,
      creditsPerDay: null,
      moneyMicroUsdPerMonth: null,
      apiKeyRequestsPerMinute: 500,
      chatRequestsPerMinute: 200,
      batchRequestsPerMinute: 100,
      conversionsPerHour: null,
      members: null,
    },
  },
};

/** At most this many bytes a file, on every plan. */
export const maxFileBytes = 524_288_000;
/** A form upload passes through the Worker, whose body limit is 100 MB on most zones. */
export const maxFormBytes = 95 * 1024 * 1024;

export type LimitOverrides = Partial<PlanLimits> & { sessionRequestsPerMinute?: number };

export function limitsOf(plan: PlanName, overrides: LimitOverrides): PlanLimits {
  return { ...plans[plan].limits, ...overrides };
}
