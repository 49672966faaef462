/** Stripe's objects as billing knows them. Amounts come in hundredths of a unit and times in seconds. */
import type { Stripe } from "stripe";
import { type BillingInterval, isBillingInterval, isPaidPlan, type PaidPlan } from "#core/plan-prices";
import type { Invoice, PaymentEvent, PaymentMethod, Subscribed, SubscriptionState } from "../contract.ts";

export const planKey = "overtone_plan";
export const intervalKey = "overtone_interval";

const microPerCent = 10_000;
const atMs = (seconds: number) => seconds * 1_000;
const atMsOrNull = (seconds: number | null | undefined) => (typeof seconds === "number" ? seconds * 1_000 : null);
const idOf = (value: string | { id: string } | null | undefined) =>
  typeof value === "string" ? value : (value?.id ?? null);

const states: Record<string, SubscriptionState> = {
  trialing: "trialing",
  active: "active",
  past_due: "past-due",
  unpaid: "unpaid",
  incomplete: "incomplete",
  paused: "unpaid",
};

type Words = Readonly<Record<string, string>> | null | undefined;

function planOf(metadata: Words): { plan: PaidPlan | null; interval: BillingInterval } {
  const plan = metadata?.[planKey];
  const interval = metadata?.[intervalKey];
  return { plan: isPaidPlan(plan) ? plan : null, interval: isBillingInterval(interval) ? interval : "month" };
}

export function toSubscribed(subscription: Stripe.Subscription): Subscribed {
  const item = subscription.items.data[0];
  const state = states[subscription.status] ?? "ended";
  const schedule = typeof subscription.schedule === "string" ? null : subscription.schedule;
  return {
    id: subscription.id,
    customerId: idOf(subscription.customer) ?? "",
    ...planOf(item?.price.metadata),
    state,
    createdAt: atMs(subscription.created),
    periodStartsAt: atMs(item?.current_period_start ?? subscription.created),
    periodEndsAt: atMs(item?.current_period_end ?? subscription.created),
    cancelAtPeriodEnd: subscription.cancel_at_period_end,
    trialStartedAt: atMsOrNull(subscription.trial_start),
    trialEndsAt: atMsOrNull(subscription.trial_end),
    overdueSince: null,
    pending: pendingOf(schedule),
    scheduleId: idOf(subscription.schedule),
    itemId: item?.id ?? "",
  };
}

export function finalizedAt(invoice: Stripe.Invoice): number {
  return atMs(invoice.status_transitions.finalized_at ?? invoice.created);
}

export function createdAt(invoice: Stripe.Invoice): number {
  return atMs(invoice.created);
}

export function subscriptionIn(invoice: Stripe.Invoice): string | null {
  return idOf(invoice.parent?.subscription_details?.subscription);
}

/** The phase after the running one, when it is another plan. */
function pendingOf(schedule: Stripe.SubscriptionSchedule | null): Subscribed["pending"] {
  const end = schedule?.current_phase?.end_date;
  const next = schedule?.phases.find((phase) => phase.start_date === end);
  const { plan, interval } = planOf(next?.metadata);
  return next && plan ? { plan, interval, at: atMs(next.start_date) } : null;
}

export function toInvoice(invoice: Stripe.Invoice): Invoice {
  return {
    id: invoice.id ?? "",
    customerId: idOf(invoice.customer) ?? "",
    number: invoice.number,
    status: (invoice.status ?? "draft") as Invoice["status"],
    amountDueMicroUsd: invoice.amount_due * microPerCent,
    amountPaidMicroUsd: invoice.amount_paid * microPerCent,
    currency: invoice.currency.toUpperCase(),
    attempts: invoice.attempt_count,
    periodStartsAt: atMs(invoice.period_start),
    periodEndsAt: atMs(invoice.period_end),
    createdAt: atMs(invoice.created),
    paidAt: atMsOrNull(invoice.status_transitions.paid_at),
    hostedUrl: invoice.hosted_invoice_url ?? null,
    pdfUrl: invoice.invoice_pdf ?? null,
  };
}

export function toPaymentMethod(method: Stripe.PaymentMethod, defaultId: string | null): PaymentMethod {
  return {
    id: method.id,
    kind: method.type,
    brand: method.card?.brand ?? null,
    lastFour: method.card?.last4 ?? null,
    expiryMonth: method.card?.exp_month ?? null,
    expiryYear: method.card?.exp_year ?? null,
    isDefault: method.id === defaultId,
  };
}

export function toEvent(event: Stripe.Event): PaymentEvent {
  const object = event.data.object as unknown as {
    id?: string;
    object?: string;
    customer?: string | { id: string } | null;
  };
  return {
    id: event.id,
    type: event.type,
    createdAt: atMs(event.created),
    customerId: object.object === "customer" ? (object.id ?? null) : idOf(object.customer),
    invoiceId: object.object === "invoice" ? (object.id ?? null) : null,
  };
}
