/** What can be bought: the paid plans, by the month or by the year. Amounts are millionths of a US dollar. */
import { type PlanName, plans } from "./plans.ts";

export type PaidPlan = Exclude<PlanName, "free">;
export const paidPlans = ["pro", "enterprise"] as const satisfies readonly PaidPlan[];

export const billingIntervals = ["month", "year"] as const;
export type BillingInterval = (typeof billingIntervals)[number];

export interface PlanPrice {
  plan: PaidPlan;
  interval: BillingInterval;
  amountMicroUsd: number;
}

export function priceOf(plan: PaidPlan, interval: BillingInterval): PlanPrice {
  const { monthlyMicroUsd, yearlyMicroUsd } = plans[plan];
  return { plan, interval, amountMicroUsd: interval === "month" ? monthlyMicroUsd : yearlyMicroUsd };
}

export function isPaidPlan(plan: string | null | undefined): plan is PaidPlan {
  return (paidPlans as readonly string[]).includes(plan ?? "");
}

export function isBillingInterval(interval: string | null | undefined): interval is BillingInterval {
  return (billingIntervals as readonly string[]).includes(interval ?? "");
}
