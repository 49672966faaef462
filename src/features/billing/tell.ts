/** Who hears of a change of the subscription: the owner by mail. It only makes statements for the batch of the change. */
import type { Invoice } from "#adapters/payments/contract";
import type { Ctx } from "#core/context";
import type { Enqueued, Statement } from "#core/job";
import { plans } from "#core/plans";
import { mailJob } from "#features/notifications/service";
import type { AccountState } from "./rules.ts";
import type { Billed } from "./store.ts";

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

export function tellOfChange(
  ctx: Scoped,
  billed: Billed,
  { before, after }: { before: AccountState; after: AccountState },
): Told {
  const isOtherPlan = before.grantedPlan !== after.grantedPlan;
  const plan = plans[after.grantedPlan].displayName;
  return {
    statements: [],
    enqueued: isOtherPlan
      ? [mailJob(ctx, { template: "subscription-changed", data: { plan }, ...to(ctx, billed) })]
      : [],
  };
}

export function tellOfInvoice(ctx: Scoped, billed: Billed, invoice: Invoice): Told {
  if (invoice.status === "paid") return { statements: [], enqueued: [] };
  const amount = `${(invoice.amountDueMicroUsd / 1_000_000).toFixed(2)} ${invoice.currency}`;
  const link = invoice.hostedUrl ?? `${ctx.settings.publicUrl}/console/billing`;
  return {
    statements: [],
    enqueued: [mailJob(ctx, { template: "payment-failed", data: { amount, link }, ...to(ctx, billed) })],
  };
}

export function tellOfTrialEnd(ctx: Scoped, billed: Billed, { trialEndsAt }: AccountState): Told {
  if (trialEndsAt === null) return { statements: [], enqueued: [] };
  const data = { endsAt: trialEndsAt };
  return { statements: [], enqueued: [mailJob(ctx, { template: "trial-ending", data, ...to(ctx, billed) })] };
}
