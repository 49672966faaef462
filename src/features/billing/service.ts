/** What a person does with the workspace's subscription. Each act asks the payment company first and writes what it then says. */
import type { Payments, Subscribed } from "#adapters/payments/contract";
import { paymentsOf } from "#adapters/payments/index";
import { auditEntry } from "#core/audit";
import type { Ctx, WorkspaceCtx } from "#core/context";
import type { Enqueued } from "#core/job";
import { type BillingInterval, isPaidPlan, type PlanPrice, priceOf } from "#core/plan-prices";
import { limitsOf, type PlanName } from "#core/plans";
import { Problem } from "#core/problem";
import { optionsFrom } from "./catalogue.ts";
import { endSubscriptionJob } from "./jobs/end-subscription.ts";
import { chooseSubscription, direction, isLive, isOwnPage } from "./rules.ts";
import { countMembers, findAccount, findBilled, keepAccount, nextTry } from "./store.ts";
import { syncAccount } from "./sync.ts";
import type { BillingAccountRow } from "./tables.ts";

/** Throws `billing-not-configured`: then admins set the plans. */
export function requirePayments(ctx: Ctx): Payments {
  const payments = paymentsOf(ctx);
  if (!payments) throw new Problem("billing-not-configured");
  return payments;
}

/** The account of the deployment's payment company; null when the workspace never had to do with it. */
export async function accountOf(ctx: WorkspaceCtx): Promise<BillingAccountRow | null> {
  const payments = paymentsOf(ctx);
  if (!payments) return null;
  return findAccount(ctx, { workspaceId: ctx.workspaceId, provider: payments.provider });
}

export async function ensureAccount(ctx: WorkspaceCtx, payments: Payments): Promise<BillingAccountRow> {
  const id = { workspaceId: ctx.workspaceId, provider: payments.provider };
  const known = await findAccount(ctx, id);
  if (known) return known;
  const billed = await findBilled(ctx, ctx.workspaceId);
  const customerId = await payments.createCustomer({
    workspaceId: ctx.workspaceId,
    email: billed?.ownerEmail ?? "",
    name: billed?.name ?? "",
  });
  return keepAccount(ctx, id, customerId);
}

/** The page to come back to: one of this deployment, or the console's. */
export function ownPage(ctx: Ctx, asked: string | undefined, outcome: string): string {
  const { publicUrl, allowedOrigins } = ctx.settings;
  if (asked === undefined) return `${publicUrl}/console/billing?${outcome}`;
  if (!isOwnPage(asked, [new URL(publicUrl).origin, ...allowedOrigins])) throw new Problem("return-url-not-allowed");
  return asked;
}

export async function openPortal(ctx: WorkspaceCtx, returnUrl: string | undefined) {
  const payments = requirePayments(ctx);
  const back = ownPage(ctx, returnUrl, "portal=closed");
  const account = await ensureAccount(ctx, payments);
  const url = await payments.openPortal({ customerId: account.customerId, returnUrl: back });
  await ctx.db.batch([auditEntry(ctx, "subscription.portal-opened", { target: ctx.workspaceId })]);
  return { portal_url: url, url, sandbox: payments.provider === "sandbox" };
}

type Rate = { plan: PlanName; interval: BillingInterval };

interface Change {
  plan: PlanName;
  interval: BillingInterval | undefined;
}

interface Live {
  payments: Payments;
  account: BillingAccountRow;
  live: Subscribed;
}

/** The subscription as the payment company has it now, never our copy: what is decided here costs money. */
async function liveSubscription(ctx: WorkspaceCtx): Promise<Live> {
  const payments = requirePayments(ctx);
  const account = await findAccount(ctx, { workspaceId: ctx.workspaceId, provider: payments.provider });
  if (!account) throw new Problem("subscription-required");
  const { chosen } = chooseSubscription(await payments.subscriptionsOf(account.customerId));
  if (!chosen?.plan || !isLive(chosen.state)) throw new Problem("subscription-required");
  return { payments, account, live: chosen };
}

/** At once; the difference is charged now. A payment that is declined changes nothing. */
export async function upgrade(ctx: WorkspaceCtx, change: Change): Promise<void> {
  const found = await liveSubscription(ctx);
  const { payments, live } = found;
  const to = { plan: change.plan, interval: change.interval ?? live.interval };
  const from: Rate = { plan: live.plan ?? "free", interval: live.interval };
  // A repeated request finds what its first run did.
  if (!isPaidPlan(to.plan) || (direction(from, to) !== "up" && !ctx.isReplay)) throw new Problem("not-an-upgrade");
  if (direction(from, to) === "up") await changeOnce(ctx, found, priceOf(to.plan, to.interval));
  await record(ctx, payments, { act: "upgraded", live, to });
}

/**
 * One change for each state that was read: of parallel requests one charges, and one that wants another plan is refused. A refusal has
 * its answer kept with its key, so the next try gets another key; after an unknown outcome it gets the same.
 */
async function changeOnce(ctx: WorkspaceCtx, { payments, account, live }: Live, price: PlanPrice): Promise<void> {
  try {
    await payments.changeNow(live, price, `overtone-change-${live.id}-${account.version}`);
  } catch (error) {
    const isRefused = error instanceof Problem && error.code !== "billing-unavailable";
    if (isRefused) await ctx.db.batch([nextTry(ctx, account)]);
    throw error;
  }
}

/** At the end of the paid period. To `free`: the subscription is cancelled then. */
export async function downgrade(ctx: WorkspaceCtx, change: Change): Promise<void> {
  const { payments, live } = await liveSubscription(ctx);
  const to = { plan: change.plan, interval: change.interval ?? live.interval };
  if (direction({ plan: live.plan ?? "free", interval: live.interval }, to) !== "down")
    throw new Problem("not-a-downgrade");
  await refuseAboveLimits(ctx, to.plan);
  if (isPaidPlan(to.plan)) await payments.changeAtPeriodEnd(live, priceOf(to.plan, to.interval));
  else await payments.cancelAtPeriodEnd(live);
  await record(ctx, payments, { act: "downgraded", live, to });
}

/** What cannot be left readable and simply not grow: people. Stored files above the lower limit stay, and nothing new is taken. */
async function refuseAboveLimits(ctx: WorkspaceCtx, plan: PlanName): Promise<void> {
  const limit = limitsOf(plan, ctx.overrides).members;
  const used = await countMembers(ctx, ctx.workspaceId);
  if (limit !== null && used > limit)
    throw new Problem("downgrade-below-use", {
      detail: `The workspace has ${used} members, the plan ${plan} allows ${limit}.`,
      members: { over: [{ resource: "members", used, limit }] },
    });
}

/** At the end of the paid period, never at once: what was paid for stays. Harmless when it is cancelled already. */
export async function cancel(ctx: WorkspaceCtx): Promise<void> {
  const { payments, live } = await liveSubscription(ctx);
  if (!live.cancelAtPeriodEnd) await payments.cancelAtPeriodEnd(live);
  await record(ctx, payments, { act: "cancelled", live, to: { plan: "free", interval: live.interval } });
}

interface Act {
  act: "upgraded" | "downgraded" | "cancelled";
  live: Subscribed;
  to: Rate;
}

/** Who asked for it; what it came to is recorded by the reading that follows. */
async function record(ctx: WorkspaceCtx, payments: Payments, { act, live, to }: Act): Promise<void> {
  const before = { plan: live.plan, interval: live.interval, cancelAtPeriodEnd: live.cancelAtPeriodEnd };
  const after = act === "cancelled" ? { ...before, cancelAtPeriodEnd: true } : { ...before, ...to };
  await ctx.db.batch([auditEntry(ctx, `subscription.${act}`, { target: live.id, before, after })]);
  await syncAccount(ctx, payments, ctx.workspaceId);
}

export async function upgradeOptions(ctx: WorkspaceCtx) {
  const account = await accountOf(ctx);
  return optionsFrom(ctx, { plan: ctx.plan, interval: account?.interval ?? "month" });
}

/**
 * Ends what the workspace pays for, at once, and pays back the rest of the period; a job sees to it until it is done. For the batch of its
 * cause, so that nobody goes on paying for what is gone, and nobody loses what is not.
 */
export async function cancellationOf(ctx: Ctx, workspaceId: string): Promise<Enqueued[]> {
  const payments = paymentsOf(ctx);
  if (!payments || !(await findAccount(ctx, { workspaceId, provider: payments.provider }))) return [];
  return [endSubscriptionJob.row({ ...ctx, workspaceId }, {})];
}
