/** Where a workspace stands with its subscription, in the names of older clients and in ours. */
import type { WorkspaceCtx } from "#core/context";
import { billingMode, featuresOf } from "./catalogue.ts";
import { graceMs, legacyStatus } from "./rules.ts";
import { accountOf } from "./service.ts";
import { findBilled } from "./store.ts";
import type { BillingAccountRow } from "./tables.ts";

const iso = (at: number | null) => (at === null ? null : new Date(at).toISOString());

export async function standing(ctx: WorkspaceCtx) {
  const account = await accountOf(ctx);
  // The plan of the request's own check may be the one before this very request.
  const plan = (await findBilled(ctx, ctx.workspaceId))?.plan ?? ctx.plan;
  return {
    tier: plan,
    plan,
    status: legacyStatus(account?.state ?? null),
    features: featuresOf(plan),
    subscription: account?.subscriptionId ? toSubscription(account, account.subscriptionId) : null,
    ...billingMode(ctx),
  };
}

function toSubscription(account: BillingAccountRow, id: string) {
  const { overdueSince, pending } = account;
  return {
    id,
    plan: account.plan,
    interval: account.interval,
    state: account.state ?? ("ended" as const),
    currentPeriodStartsAt: iso(account.periodStartsAt),
    currentPeriodEndsAt: iso(account.periodEndsAt),
    cancelAtPeriodEnd: account.cancelAtPeriodEnd,
    trialEndsAt: iso(account.trialEndsAt),
    graceEndsAt: iso(overdueSince === null ? null : overdueSince + graceMs),
    pendingChange: pending ? { plan: pending.plan, interval: pending.interval, at: iso(pending.at) } : null,
  };
}
