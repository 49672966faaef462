/** What follows from a subscription: the plan it grants, which of several counts, and which way a change goes. No I/O. */
import type { Subscribed, SubscriptionState } from "#adapters/payments/contract";
import { type BillingInterval, type PaidPlan, priceOf } from "#core/plan-prices";
import { type PlanName, planNames } from "#core/plans";
import { monthOf } from "#lib/usage-period";
import type { BillingAccountRow } from "./tables.ts";

const dayMs = 24 * 3_600_000;
/** So long an unpaid subscription still grants its plan. */
export const graceMs = 7 * dayMs;
/** Checkout pages are open for a day; what was bought on one is looked for a week longer. */
export const checkoutWatchedMs = 8 * dayMs;

const order: SubscriptionState[] = ["active", "trialing", "past-due", "unpaid", "incomplete", "ended"];

export function isLive(state: SubscriptionState | null): boolean {
  return state !== null && state !== "ended" && state !== "incomplete";
}

/** The one that counts: the best state, then the newest. The others that live were bought by mistake. */
export function chooseSubscription(all: readonly Subscribed[]): { chosen: Subscribed | null; extra: Subscribed[] } {
  const ours = all.filter(({ plan }) => plan !== null);
  const [chosen = null, ...others] = ours.toSorted(
    (a, b) => order.indexOf(a.state) - order.indexOf(b.state) || b.createdAt - a.createdAt || b.id.localeCompare(a.id),
  );
  return { chosen, extra: others.filter(({ state }) => isLive(state)) };
}

interface Standing {
  state: SubscriptionState | null;
  plan: PaidPlan | null;
  overdueSince: number | null;
}

export function grantedPlan({ state, plan, overdueSince }: Standing, nowMs: number): PlanName {
  if (plan === null) return "free";
  if (state === "active" || state === "trialing") return plan;
  if (state === "past-due") return nowMs < (overdueSince ?? nowMs) + graceMs ? plan : "free";
  return "free";
}

export type AccountState = Pick<
  BillingAccountRow,
  | "grantedPlan"
  | "subscriptionId"
  | "plan"
  | "interval"
  | "state"
  | "periodStartsAt"
  | "periodEndsAt"
  | "cancelAtPeriodEnd"
  | "trialEndsAt"
  | "trialUsedAt"
  | "overdueSince"
  | "pending"
>;

/** The account's copy after a reading. Depends on what was read, and not on what was seen on the way there. */
export function accountAfter(
  before: AccountState,
  { chosen, triedAt }: { chosen: Subscribed | null; triedAt: number | null },
  nowMs: number,
): AccountState {
  const trialUsedAt = earliest(before.trialUsedAt, triedAt);
  const none = { subscriptionId: null, plan: null, interval: null, state: null, periodStartsAt: null };
  if (!chosen)
    return {
      ...none,
      periodEndsAt: null,
      cancelAtPeriodEnd: false,
      trialEndsAt: null,
      overdueSince: null,
      pending: null,
      grantedPlan: "free",
      trialUsedAt,
    };
  const overdueSince = chosen.state === "past-due" ? (chosen.overdueSince ?? before.overdueSince ?? nowMs) : null;
  return {
    subscriptionId: chosen.id,
    plan: chosen.plan,
    interval: chosen.interval,
    state: chosen.state,
    periodStartsAt: chosen.periodStartsAt,
    periodEndsAt: chosen.periodEndsAt,
    cancelAtPeriodEnd: chosen.cancelAtPeriodEnd,
    trialEndsAt: chosen.trialEndsAt,
    trialUsedAt,
    overdueSince,
    pending: chosen.pending,
    grantedPlan: grantedPlan({ state: chosen.state, plan: chosen.plan, overdueSince }, nowMs),
  };
}

/**
 * Where the months of usage begin while a subscription grants a plan; null: with the calendar's. A period that begins on the last day of a
 * short month tells only by its end which day of the month is meant: with February's, the month after it would end days too soon.
 */
export function usageAnchor(
  state: Pick<AccountState, "grantedPlan" | "periodStartsAt" | "periodEndsAt">,
): number | null {
  const { grantedPlan, periodStartsAt, periodEndsAt } = state;
  if (grantedPlan === "free" || periodStartsAt === null) return null;
  if (periodEndsAt === null || periodEndsAt <= periodStartsAt) return periodStartsAt;
  return monthOf(periodStartsAt, periodEndsAt).startMs === periodStartsAt ? periodEndsAt : periodStartsAt;
}

export function earliest(...times: (number | null)[]): number | null {
  const known = times.filter((time) => time !== null);
  return known.length === 0 ? null : Math.min(...known);
}

/** A higher plan, or the same by the year instead of by the month, costs more now. */
export function direction(
  from: { plan: PlanName; interval: BillingInterval },
  to: { plan: PlanName; interval: BillingInterval },
): "up" | "down" | "same" {
  const steps = planNames.indexOf(to.plan) - planNames.indexOf(from.plan);
  if (steps !== 0) return steps > 0 ? "up" : "down";
  if (to.plan === "free" || from.plan === "free" || to.interval === from.interval) return "same";
  return priceOf(to.plan, to.interval).amountMicroUsd > priceOf(from.plan, from.interval).amountMicroUsd
    ? "up"
    : "down";
}

/** What older clients call the standing of a workspace. */
export function legacyStatus(state: SubscriptionState | null): "active" | "inactive" | "cancelled" | "past_due" {
  switch (state) {
    case null:
    case "active":
    case "trialing":
      return "active";
    case "past-due":
      return "past_due";
    case "ended":
      return "cancelled";
    case "unpaid":
    case "incomplete":
      return "inactive";
  }
}

/** A page of this deployment: anywhere else would make our checkout a way to send people to strangers. */
export function isOwnPage(url: string, origins: readonly string[]): boolean {
  return URL.canParse(url) && origins.includes(new URL(url).origin);
}
