/** The plans as clients read them: what they cost, what they allow, and how one compares with the next. */
import type { Ctx, WorkspaceCtx } from "#core/context";
import { type BillingInterval, billingIntervals, isPaidPlan, priceOf } from "#core/plan-prices";
import { type PlanLimits, type PlanName, planNames, plans } from "#core/plans";
import { paymentProvider } from "#adapters/payments/index";
import { direction } from "./rules.ts";

interface LimitWords {
  name: keyof PlanLimits;
  label: string;
  say(amount: number): string;
}

const gibibyte = 1024 ** 3;
const grouped = (amount: number) => amount.toLocaleString("en-US");
const words = (name: keyof PlanLimits, label: string, unit: string): LimitWords => ({
  name,
  label,
  say: (amount) => `${grouped(amount)} ${unit}`,
});

const limitWords: LimitWords[] = [
  { name: "storageBytes", label: "Storage", say: (amount) => `${amount / gibibyte} GiB of storage` },
  words("processingMinutesPerMonth", "Processing minutes a month", "processing minutes a month"),
  words("transcriptionMinutesPerMonth", "Transcription minutes a month", "transcription minutes a month"),
  words("apiCallsPerMonth", "API calls a month", "API calls a month"),
  words("aiTokensPerMonth", "AI tokens a month", "AI tokens a month"),
  words("creditsPerDay", "Credits a day", "credits a day"),
  words("apiKeyRequestsPerMinute", "Requests a minute", "requests a minute"),
  words("conversionsPerHour", "Conversions an hour", "conversions an hour"),
  words("members", "Members", "members"),
];

/** One sentence a limit; without a limit: "unlimited". */
export function featuresOf(plan: PlanName): string[] {
  const { limits } = plans[plan];
  return limitWords.map(({ name, label, say }) => {
    const amount = limits[name];
    return amount === null ? `Unlimited ${label.toLowerCase()}` : say(amount);
  });
}

function toPlan(name: PlanName) {
  const plan = plans[name];
  return {
    name,
    display_name: plan.displayName,
    price_monthly: plan.monthlyMicroUsd / 1_000_000,
    price_yearly: plan.yearlyMicroUsd / 1_000_000,
    monthly_tokens: plan.limits.aiTokensPerMonth,
    monthly_requests: plan.limits.apiCallsPerMonth,
    rate_limit_per_minute: plan.limits.apiKeyRequestsPerMinute,
    features: featuresOf(name),
    monthlyMicroUsd: plan.monthlyMicroUsd,
    yearlyMicroUsd: plan.yearlyMicroUsd,
    currency: "USD",
    trialDays: plan.trialDays,
    limits: { ...plan.limits },
  };
}

export function listPlans(ctx: Ctx) {
  return { plans: planNames.map(toPlan), ...billingMode(ctx) };
}

/** Can plans be bought here, and is it play money? */
export function billingMode(ctx: Pick<Ctx, "settings">): { billingConfigured: boolean; sandbox: boolean } {
  const provider = paymentProvider(ctx.settings);
  return { billingConfigured: provider !== null, sandbox: provider === "sandbox" };
}

export function comparePlans() {
  return {
    plans: planNames.map((name) => ({
      name,
      display_name: plans[name].displayName,
      price_monthly: plans[name].monthlyMicroUsd / 1_000_000,
      price_yearly: plans[name].yearlyMicroUsd / 1_000_000,
    })),
    features: limitWords.map(({ name, label }) => ({
      name,
      label,
      free: plans.free.limits[name],
      pro: plans.pro.limits[name],
      enterprise: plans.enterprise.limits[name],
    })),
  };
}

/** Every plan and interval but the one the workspace has, each with the way to it. */
export function optionsFrom(ctx: WorkspaceCtx, current: { plan: PlanName; interval: BillingInterval }) {
  const bought = planNames.filter(isPaidPlan).flatMap((plan) =>
    billingIntervals.map((interval) => ({
      plan: plan as PlanName,
      interval,
      amount: priceOf(plan, interval).amountMicroUsd,
    })),
  );
  const options = [{ plan: "free" as PlanName, interval: "month" as BillingInterval, amount: 0 }, ...bought].flatMap(
    ({ plan, interval, amount }) => {
      const way = direction(current, { plan, interval });
      if (way === "same") return [];
      return [
        {
          plan,
          display_name: plans[plan].displayName,
          interval,
          direction: way === "up" ? ("upgrade" as const) : ("downgrade" as const),
          amountMicroUsd: amount,
          currency: "USD",
          monthly_tokens: plans[plan].limits.aiTokensPerMonth,
          features: featuresOf(plan),
        },
      ];
    },
  );
  return { current_plan: current.plan, options, ...billingMode(ctx) };
}
