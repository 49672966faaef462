/** Who hears of a change of the subscription: the owner by mail and in the product, the workspace's endpoints by an event. */
import type { Invoice } from "#adapters/payments/contract";
import type { Ctx } from "#core/context";
import type { Enqueued, Statement } from "#core/job";
import { plans } from "#core/plans";
import { mailJob, notify } from "#features/notifications/service";
import { webhookEvent } from "#features/webhooks/service";
import { type AccountState, legacyStatus } from "./rules.ts";
import type { Billed } from "./store.ts";

/** Statements and jobs for the batch of the change. */
export interface Told {
  statements: Statement[];
  enqueued: Enqueued[];
}

type Scoped = Ctx & { workspaceId: string };

const to = (ctx: Scoped, billed: Billed) => ({
  to: billed.ownerEmail,
  userId: billed.ownerUserId,
  workspaceId: ctx.workspaceId,
});

function notice(ctx: Scoped, billed: Billed, words: { title: string; body: string }): Statement[] {
  const { workspaceId } = ctx;
  return notify(ctx, {
    userId: billed.ownerUserId,
    workspaceId,
    kind: "billing",
    ...words,
    data: { path: "/console/billing" },
  });
}

export function tellOfChange(
  ctx: Scoped,
  billed: Billed,
  { before, after }: { before: AccountState; after: AccountState },
): Told {
  const isEnd = after.state === "ended" && before.state !== "ended";
  const event = webhookEvent(ctx, isEnd ? "subscription.cancelled" : "subscription.updated", {
    plan: after.grantedPlan,
    status: legacyStatus(after.state),
    subscriptionId: after.subscriptionId,
    currentPeriodEndsAt: after.periodEndsAt === null ? null : new Date(after.periodEndsAt).toISOString(),
    cancelAtPeriodEnd: after.cancelAtPeriodEnd,
  });
  // Whoever deleted the workspace knows that its plan has ended, and may have no address any more.
  if (before.grantedPlan === after.grantedPlan || billed.deletedAt !== null) return { statements: [], enqueued: event };
  const plan = plans[after.grantedPlan].displayName;
  return {
    statements: notice(ctx, billed, {
      title: `Your plan is now ${plan}`,
      body: `${billed.name} has the plan ${plan}.`,
    }),
    enqueued: [...event, mailJob(ctx, { template: "subscription-changed", data: { plan }, ...to(ctx, billed) })],
  };
}

export function tellOfInvoice(ctx: Scoped, billed: Billed, invoice: Invoice): Told {
  const { amountDueMicroUsd, currency } = invoice;
  const data = { invoiceId: invoice.id, amountDueMicroUsd, currency: currency.toLowerCase() };
  if (invoice.status === "paid") return { statements: [], enqueued: webhookEvent(ctx, "invoice.paid", data) };
  const amount = `${(amountDueMicroUsd / 1_000_000).toFixed(2)} ${currency}`;
  const link = invoice.hostedUrl ?? `${ctx.settings.publicUrl}/console/billing`;
  return {
    statements: notice(ctx, billed, {
      title: "A payment has failed",
      body: `${amount} for ${billed.name} could not be collected.`,
    }),
    enqueued: [
      ...webhookEvent(ctx, "invoice.payment-failed", data),
      mailJob(ctx, { template: "payment-failed", data: { amount, link }, ...to(ctx, billed) }),
    ],
  };
}

export function tellOfTrialEnd(ctx: Scoped, billed: Billed, { trialEndsAt }: AccountState): Told {
  if (trialEndsAt === null) return { statements: [], enqueued: [] };
  const data = { endsAt: trialEndsAt };
  return { statements: [], enqueued: [mailJob(ctx, { template: "trial-ending", data, ...to(ctx, billed) })] };
}
