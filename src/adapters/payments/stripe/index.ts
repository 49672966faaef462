/** Payments by Stripe, and by its simulator: the same code, another address. */
import { createHash } from "node:crypto";
import { type PlanPrice, priceOf } from "#core/plan-prices";
import type { Stripe } from "#trimmed/stripe";
import type { PaymentEvent, Payments, Subscribed } from "../contract.ts";
import { endCheckout, findCheckout, offerOf, openCheckoutsOf, startCheckout } from "./checkout.ts";
import { calling, connect, findOrNull, isMissing, type StripeAccount } from "./client.ts";
import { cancelNow } from "./ending.ts";
import { ensurePrice } from "./prices.ts";
import {
  finalizedAt,
  intervalKey,
  planKey,
  subscriptionIn,
  toEvent,
  toInvoice,
  toPaymentMethod,
  toSubscribed,
} from "./reading.ts";

const toleranceSeconds = 300;
const maxSubscriptions = 20;

export function makeStripe(account: StripeAccount & { provider: Payments["provider"] }): Payments {
  const call = <Value>(work: (stripe: Stripe) => Promise<Value>) => calling(account, work);
  return {
    provider: account.provider,
    createCustomer: ({ workspaceId, email, name }) =>
      call(async (stripe) => {
        const customer = await stripe.customers.create(
          { email, name, metadata: { overtone_workspace: workspaceId } },
          // Parallel first calls say the same and get the same customer; a later one with another address is not refused for it.
          { idempotencyKey: `overtone-customer-${workspaceId}-${digestOf(`${email}\n${name}`)}` },
        );
        return customer.id;
      }),
    startCheckout: (request) => call((stripe) => startCheckout(stripe, request)),
    offerOf,
    findCheckout: (id) => call((stripe) => findCheckout(stripe, id)),
    openCheckoutsOf: (customerId) => call((stripe) => openCheckoutsOf(stripe, customerId)),
    endCheckout: (id) => call((stripe) => endCheckout(stripe, id)),
    openPortal: ({ customerId, returnUrl }) =>
      call(async (stripe) => {
        const { url } = await stripe.billingPortal.sessions.create({ customer: customerId, return_url: returnUrl });
        return url;
      }),
    subscriptionsOf: (customerId) => call((stripe) => subscriptionsOf(stripe, customerId)),
    changeNow: (subscribed, price, idempotencyKey) =>
      call((stripe) => changeNow(stripe, { subscribed, price, idempotencyKey })),
    changeAtPeriodEnd: (subscribed, price) => call((stripe) => changeAtPeriodEnd(stripe, subscribed, price)),
    cancelAtPeriodEnd: (subscribed) =>
      call(async (stripe) => {
        await releaseSchedule(stripe, subscribed);
        await stripe.subscriptions.update(subscribed.id, { cancel_at_period_end: true });
      }),
    cancelNow: (subscribed, { refundFrom }) => call((stripe) => cancelNow(stripe, subscribed, refundFrom)),
    invoicesOf: (customer, { limit, after }) =>
      call(async (stripe) => {
        const page = await stripe.invoices.list({ customer, limit, ...(after ? { starting_after: after } : {}) });
        return { items: page.data.map(toInvoice), hasMore: page.has_more };
      }),
    findInvoice: (id) =>
      call(async (stripe) => {
        const invoice = await findOrNull(stripe.invoices.retrieve(id));
        return invoice ? toInvoice(invoice) : null;
      }),
    paymentMethodsOf: (customerId) => call((stripe) => paymentMethodsOf(stripe, customerId)),
    readEvent: (rawBody, signature) => readEvent(account, rawBody, signature),
  };
}

const digestOf = (words: string) => createHash("sha256").update(words).digest("hex").slice(0, 16);

/** A customer that is gone at Stripe has no subscription there. */
async function subscriptionsOf(stripe: Stripe, customer: string): Promise<Subscribed[]> {
  try {
    const page = await stripe.subscriptions.list({
      customer,
      status: "all",
      limit: maxSubscriptions,
      expand: ["data.schedule"],
    });
    const all = page.data.map(toSubscribed);
    return all.some(({ state }) => state === "past-due") ? await withOverdue(stripe, customer, all) : all;
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** Since when the oldest unpaid invoice waits: a later one does not begin the time anew. */
async function withOverdue(stripe: Stripe, customer: string, all: Subscribed[]): Promise<Subscribed[]> {
  const { data: open } = await stripe.invoices.list({ customer, status: "open", limit: 100 });
  return all.map((subscribed) => {
    const since = open.filter((invoice) => subscriptionIn(invoice) === subscribed.id).map(finalizedAt);
    const isUnpaid = subscribed.state === "past-due" && since.length > 0;
    return isUnpaid ? { ...subscribed, overdueSince: Math.min(...since) } : subscribed;
  });
}

interface ChangeNow {
  subscribed: Subscribed;
  price: PlanPrice;
  idempotencyKey: string;
}

async function changeNow(stripe: Stripe, { subscribed, price, idempotencyKey }: ChangeNow): Promise<void> {
  const priceId = await ensurePrice(stripe, price);
  await releaseSchedule(stripe, subscribed);
  const change = {
    items: [{ id: subscribed.itemId, price: priceId }],
    cancel_at_period_end: false,
    // What is tried is the plan that was chosen, not the next one.
    ...(subscribed.state === "trialing" ? { trial_end: "now" as const } : {}),
    proration_behavior: "always_invoice" as const,
    // A payment that fails leaves the subscription as it was.
    payment_behavior: "error_if_incomplete" as const,
  };
  try {
    await stripe.subscriptions.update(subscribed.id, change, { idempotencyKey });
  } catch (error) {
    await restorePending(stripe, subscribed);
    throw error;
  }
}

/** A change that was agreed for the end of the period still holds when an upgrade in between was not paid. */
async function restorePending(stripe: Stripe, subscribed: Subscribed): Promise<void> {
  if (!subscribed.pending) return;
  const { plan, interval } = subscribed.pending;
  await changeAtPeriodEnd(stripe, { ...subscribed, scheduleId: null }, priceOf(plan, interval));
}

/** Two phases: what is paid for already, then the other plan; after that the subscription goes on by itself. */
async function changeAtPeriodEnd(stripe: Stripe, subscribed: Subscribed, price: PlanPrice): Promise<void> {
  const priceId = await ensurePrice(stripe, price);
  if (subscribed.cancelAtPeriodEnd) await stripe.subscriptions.update(subscribed.id, { cancel_at_period_end: false });
  const schedule = subscribed.scheduleId
    ? await stripe.subscriptionSchedules.retrieve(subscribed.scheduleId)
    : await stripe.subscriptionSchedules.create({ from_subscription: subscribed.id });
  const running = schedule.phases.find((phase) => phase.start_date === schedule.current_phase?.start_date);
  await stripe.subscriptionSchedules.update(schedule.id, {
    end_behavior: "release",
    proration_behavior: "none",
    phases: [
      {
        items: (running?.items ?? []).map((item) => ({
          price: typeof item.price === "string" ? item.price : item.price.id,
          quantity: item.quantity ?? 1,
        })),
        start_date: Math.floor(running?.start_date ?? subscribed.periodStartsAt / 1_000),
        end_date: Math.floor(subscribed.periodEndsAt / 1_000),
        ...(running?.trial_end ? { trial_end: running.trial_end } : {}),
      },
      {
        items: [{ price: priceId, quantity: 1 }],
        duration: { interval: price.interval, interval_count: 1 },
        metadata: { [planKey]: price.plan, [intervalKey]: price.interval },
      },
    ],
  });
}

async function releaseSchedule(stripe: Stripe, subscribed: Subscribed): Promise<void> {
  if (subscribed.scheduleId) await stripe.subscriptionSchedules.release(subscribed.scheduleId);
}

async function paymentMethodsOf(stripe: Stripe, customerId: string) {
  const customer = await findOrNull(stripe.customers.retrieve(customerId));
  if (!customer || customer.deleted) return [];
  const preferred = customer.invoice_settings.default_payment_method;
  const defaultId = typeof preferred === "string" ? preferred : (preferred?.id ?? null);
  const methods = await stripe.customers.listPaymentMethods(customerId, { limit: 100 });
  return methods.data.map((method) => toPaymentMethod(method, defaultId));
}

async function readEvent(account: StripeAccount, rawBody: string, signature: string): Promise<PaymentEvent | null> {
  const stripe = await connect(account);
  const { Stripe: words } = await import("#trimmed/stripe");
  try {
    const crypto = words.createSubtleCryptoProvider();
    const { webhookSecret } = account;
    return toEvent(
      await stripe.webhooks.constructEventAsync(rawBody, signature, webhookSecret, toleranceSeconds, crypto),
    );
  } catch {
    return null;
  }
}
