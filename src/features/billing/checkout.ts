/**
 * The one page on which a workspace can pay. Whoever asks while it is open gets that one; for another plan it is closed first. A second page
 * is never opened beside it, however parallel the requests: the payment company opens one for each turn, and a turn ends with its page.
 */
import type { Checkout, CheckoutRequest, Payments } from "#adapters/payments/contract";
import { auditEntry } from "#core/audit";
import type { WorkspaceCtx } from "#core/context";
import { type BillingInterval, isPaidPlan, priceOf } from "#core/plan-prices";
import { type PlanName, plans } from "#core/plans";
import { Problem } from "#core/problem";
import { chooseSubscription, earliest, isLive } from "./rules.ts";
import { ensureAccount, ownPage, requirePayments } from "./service.ts";
import { isOvertaken, nextCheckoutTurn, noteCheckout } from "./store.ts";
import type { BillingAccountRow } from "./tables.ts";

/** Each try looks anew; one that is overtaken finds what the other one did. */
const maxTries = 6;
/** A page that ends sooner is not handed out again: paying takes its time. */
const leastMs = 15 * 60_000;

interface CheckoutAsked {
  plan: PlanName;
  interval: BillingInterval;
  successUrl: string | undefined;
  cancelUrl: string | undefined;
}

/** Throws `not-an-upgrade`, `return-url-not-allowed`, `subscription-exists`, `checkout-under-way`, and what the payment company's calls throw. */
export async function startCheckout(ctx: WorkspaceCtx, asked: CheckoutAsked) {
  const payments = requirePayments(ctx);
  const { plan, interval } = asked;
  if (!isPaidPlan(plan)) throw new Problem("not-an-upgrade", { detail: "The free plan is not bought." });
  const pages = {
    successUrl: ownPage(ctx, asked.successUrl, "checkout=done"),
    cancelUrl: ownPage(ctx, asked.cancelUrl, "checkout=cancelled"),
  };
  for (let attempt = 0; attempt < maxTries; attempt += 1) {
    const account = await ensureAccount(ctx, payments);
    const page = await pageOf(ctx, payments, { account, price: priceOf(plan, interval), ...pages });
    if (!page) continue;
    return {
      checkout_url: page.url,
      id: page.id,
      plan,
      interval,
      expiresAt: new Date(page.expiresAt).toISOString(),
      sandbox: payments.provider === "sandbox",
    };
  }
  throw new Problem("checkout-under-way", { headers: { "retry-after": "2" } });
}

interface Wanted extends Pick<CheckoutRequest, "price" | "successUrl" | "cancelUrl"> {
  account: BillingAccountRow;
}

/** Null: something was put in order, or somebody else was first; look again. */
async function pageOf(ctx: WorkspaceCtx, payments: Payments, wanted: Wanted): Promise<Checkout | null> {
  const { account, ...rest } = wanted;
  // The page before the subscriptions: one that was paid in between shows among these.
  const known = account.checkoutId === null ? null : await payments.findCheckout(account.checkoutId);
  const all = await payments.subscriptionsOf(account.customerId);
  const { chosen } = chooseSubscription(all);
  if (chosen && isLive(chosen.state)) {
    if (known?.state === "open") await payments.endCheckout(known.id);
    throw new Problem("subscription-exists");
  }
  const hasTried = earliest(account.trialUsedAt, ...all.map(({ trialStartedAt }) => trialStartedAt)) !== null;
  const request = {
    ...rest,
    workspaceId: ctx.workspaceId,
    customerId: account.customerId,
    trialDays: hasTried ? 0 : plans[rest.price.plan].trialDays,
  };
  if (account.checkoutId === null) return openPage(ctx, payments, { account, request });
  if (known?.state !== "open") return endTurn(ctx, account);
  const isUsable = known.expiresAt > ctx.now() + leastMs && known.offer === payments.offerOf(request);
  if (isUsable) return known;
  await payments.endCheckout(known.id);
  return null;
}

interface Opening {
  account: BillingAccountRow;
  request: Omit<CheckoutRequest, "idempotencyKey">;
}

async function openPage(
  ctx: WorkspaceCtx,
  payments: Payments,
  { account, request }: Opening,
): Promise<Checkout | null> {
  const { workspaceId, checkoutTurn } = account;
  const idempotencyKey = `overtone-checkout-${workspaceId}-${checkoutTurn}`;
  const made = await payments.startCheckout({ ...request, idempotencyKey });
  // Of the turn's page only the payment company knows: whoever asked for it was for another plan, or died before it was noted.
  const page = made === "used" ? (await payments.openCheckoutsOf(account.customerId))[0] : made;
  if (!page) return endTurn(ctx, account);
  const { plan, interval } = request.price;
  const details = made === "used" ? {} : { plan, interval };
  const started = auditEntry(ctx, "subscription.checkout-started", { target: page.id, details });
  const isNoted = await unlessOvertaken(ctx.db.batch([noteCheckout(ctx, account, page.id), started]));
  return isNoted && made !== "used" && page.state === "open" ? page : null;
}

async function endTurn(ctx: WorkspaceCtx, account: BillingAccountRow): Promise<null> {
  await unlessOvertaken(ctx.db.batch([nextCheckoutTurn(ctx, account)]));
  return null;
}

/** False: the account was written meanwhile, and nothing was done. */
async function unlessOvertaken(work: Promise<unknown>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (isOvertaken(error)) return false;
    throw error;
  }
}
