/** The three plans and their enforced limits. `null` means no limit. A superadmin's override of a workspace wins over its plan. */

export const planNames = ["free", "pro", "enterprise"] as const;
export type PlanName = (typeof planNames)[number];

export interface PlanLimits {
  storageBytes: number | null;
  apiKeyRequestsPerMinute: number | null;
  conversionsPerHour: number | null;
}

const gibibyte = 1024 ** 3;

export const plans: Record<PlanName, PlanLimits> = {
  free: { storageBytes: gibibyte, apiKeyRequestsPerMinute: 30, conversionsPerHour: 10 },
  pro: { storageBytes: 10 * gibibyte, apiKeyRequestsPerMinute: 100, conversionsPerHour: 100 },
  enterprise: { storageBytes: 100 * gibibyte, apiKeyRequestsPerMinute: 500, conversionsPerHour: null },
};

/** At most this many bytes a file, on every plan. */
export const maxFileBytes = 524_288_000;
/** A form upload passes through the Worker, whose body limit is 100 MB on most zones. */
export const maxFormBytes = 95 * 1024 * 1024;

export type LimitOverrides = Partial<PlanLimits> & { sessionRequestsPerMinute?: number };

export function limitsOf(plan: PlanName, overrides: LimitOverrides): PlanLimits {
  return { ...plans[plan], ...overrides };
}
