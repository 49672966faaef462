/** What happens to a subscription of the simulated Stripe: it begins, is billed, changes and ends. Pure: it changes the given book only. */
import {
  emit,
  type Invoice,
  newId,
  type Price,
  type Schedule,
  type Session,
  type SessionPlan,
  type Subscription,
  type Work,
} from "./book.ts";
import { declined, StripeFailure } from "./failure.ts";

export const daySeconds = 86_400;

/** A month or a year later, on the anchor's day or the last one of a shorter month. */
export function periodAfter(start: number, interval: "month" | "year", anchor = start): number {
  const from = new Date(start * 1_000);
  const months = interval === "month" ? 1 : 12;
  const day = new Date(anchor * 1_000).getUTCDate();
  const to = new Date(from);
  to.setUTCDate(1);
  to.setUTCMonth(to.getUTCMonth() + months);
  const lastDay = new Date(Date.UTC(to.getUTCFullYear(), to.getUTCMonth() + 1, 0)).getUTCDate();
  to.setUTCDate(Math.min(day, lastDay));
  return Math.floor(to.getTime() / 1_000);
}

export const itemOf = (subscription: Subscription) => subscription.items.data[0];

/** True when the default card pays; `declined` refuses always, `fails-later` all but the payment at checkout. */
function cardPays({ book }: Work, occasion: "checkout" | "later"): boolean {
  const id = book.customer.invoice_settings.default_payment_method;
  const behaviour = id === null ? "declined" : (book.behaviours[id] ?? "pays");
  return behaviour === "pays" || (behaviour === "fails-later" && occasion === "checkout");
}

export function begin(work: Work, session: Session, plan: SessionPlan): Subscription {
  const { book, at } = work;
  if (!cardPays(work, "checkout")) throw declined("generic_decline");
  const id = newId(work, "sub");
  const isTrial = plan.trialDays > 0;
  const end = isTrial ? at + plan.trialDays * daySeconds : periodAfter(at, plan.price.recurring.interval);
  const subscription: Subscription = {
    id,
    object: "subscription",
    status: isTrial ? "trialing" : "active",
    billing_cycle_anchor: isTrial ? end : at,
    cancel_at_period_end: false,
    canceled_at: null,
    created: at,
    currency: "usd",
    customer: book.customer.id,
    ended_at: null,
    items: {
      object: "list",
      data: [
        {
          id: newId(work, "si"),
          object: "subscription_item",
          created: at,
          current_period_start: at,
          current_period_end: end,
          metadata: {},
          price: plan.price,
          quantity: 1,
          subscription: id,
        },
      ],
      has_more: false,
      url: `/v1/subscription_items?subscription=${id}`,
    },
    latest_invoice: null,
    livemode: false,
    metadata: plan.metadata,
    schedule: null,
    start_date: at,
    trial_start: isTrial ? at : null,
    trial_end: isTrial ? end : null,
  };
  book.subscriptions.push(subscription);
  bill(work, subscription, {
    amount: isTrial ? 0 : plan.price.unit_amount,
    reason: "subscription_create",
    occasion: "checkout",
  });
  emit(work, "customer.subscription.created", subscription);
  Object.assign(session, {
    status: "complete",
    payment_status: isTrial ? "no_payment_required" : "paid",
    subscription: id,
    url: null,
  });
  emit(work, "checkout.session.completed", session);
  return subscription;
}

interface Bill {
  amount: number;
  reason: string;
  occasion: "checkout" | "later";
}

/** Makes an invoice and tries to collect it. */
export function bill(work: Work, subscription: Subscription, { amount, reason, occasion }: Bill): Invoice {
  const { book, at } = work;
  const item = itemOf(subscription);
  const id = newId(work, "in");
  const due = Math.max(0, amount);
  const invoice: Invoice = {
    id,
    object: "invoice",
    amount_due: due,
    amount_paid: 0,
    amount_remaining: due,
    attempt_count: 0,
    attempted: false,
    billing_reason: reason,
    created: at,
    currency: "usd",
    customer: book.customer.id,
    hosted_invoice_url: `${work.baseUrl}/invoice/${id}`,
    invoice_pdf: null,
    lines: {
      object: "list",
      data: [
        {
          id: newId(work, "il"),
          object: "line_item",
          amount,
          currency: "usd",
          description: `${item.price.lookup_key ?? item.price.id} (${reason})`,
          period: { start: item.current_period_start, end: item.current_period_end },
        },
      ],
      has_more: false,
      url: `/v1/invoices/${id}/lines`,
    },
    livemode: false,
    number: `SANDBOX-${String(book.invoices.length + 1).padStart(4, "0")}`,
    parent: {
      type: "subscription_details",
      subscription_details: { subscription: subscription.id, metadata: subscription.metadata },
    },
    period_start: item.current_period_start,
    period_end: item.current_period_end,
    status: "open",
    status_transitions: { finalized_at: at, paid_at: null, voided_at: null },
    total: amount,
  };
  book.invoices.push(invoice);
  subscription.latest_invoice = id;
  emit(work, "invoice.finalized", invoice);
  collect(work, invoice, occasion);
  return invoice;
}

/** One try to collect an open invoice. */
export function collect(work: Work, invoice: Invoice, occasion: "checkout" | "later"): boolean {
  const isPaid = invoice.amount_due === 0 || cardPays(work, occasion);
  if (invoice.amount_due > 0) invoice.attempt_count += 1;
  invoice.attempted = true;
  if (isPaid) {
    Object.assign(invoice, { status: "paid", amount_paid: invoice.amount_due, amount_remaining: 0 });
    invoice.status_transitions.paid_at = work.at;
    emit(work, "invoice.paid", invoice);
    emit(work, "invoice.payment_succeeded", invoice);
    return true;
  }
  emit(work, "invoice.payment_failed", invoice);
  return false;
}

/** The first period is paid now instead of at the end of the trial. A refused card changes nothing. */
export function endTrial(work: Work, subscription: Subscription, price: Price): void {
  if (!cardPays(work, "later")) throw declined("insufficient_funds");
  Object.assign(itemOf(subscription), {
    price,
    current_period_start: work.at,
    current_period_end: periodAfter(work.at, price.recurring.interval),
  });
  Object.assign(subscription, { status: "active", trial_end: work.at, billing_cycle_anchor: work.at });
  bill(work, subscription, { amount: price.unit_amount, reason: "subscription_update", occasion: "later" });
}

/** Another price from now on; the difference for the rest of the period is billed at once. A refused card changes nothing. */
export function changePrice(work: Work, subscription: Subscription, price: Price): void {
  const item = itemOf(subscription);
  const old = { price: item.price, start: item.current_period_start, end: item.current_period_end };
  if (subscription.status === "trialing") {
    item.price = price;
    return;
  }
  const left = Math.max(0, old.end - work.at) / Math.max(1, old.end - old.start);
  const credit = old.price.unit_amount * left;
  const isSameInterval = price.recurring.interval === old.price.recurring.interval;
  const charge = isSameInterval ? price.unit_amount * left : price.unit_amount;
  const amount = Math.round(charge - credit);
  if (amount > 0 && !cardPays(work, "later")) throw declined("insufficient_funds");
  item.price = price;
  if (!isSameInterval) {
    subscription.billing_cycle_anchor = work.at;
    item.current_period_start = work.at;
    item.current_period_end = periodAfter(work.at, price.recurring.interval);
  }
  bill(work, subscription, { amount, reason: "subscription_update", occasion: "later" });
}

export function setCancelAtPeriodEnd(work: Work, subscription: Subscription, cancels: boolean): void {
  if (subscription.schedule !== null)
    throw new StripeFailure(400, "invalid_request_error", {
      message: "The subscription is managed by a subscription schedule: release the schedule first.",
    });
  subscription.cancel_at_period_end = cancels;
  subscription.canceled_at = cancels ? work.at : null;
}

export function end(work: Work, subscription: Subscription): void {
  const schedule = work.book.schedules.find(({ id }) => id === subscription.schedule);
  if (schedule) Object.assign(schedule, { status: "canceled", current_phase: null });
  Object.assign(subscription, {
    status: "canceled",
    ended_at: work.at,
    canceled_at: subscription.canceled_at ?? work.at,
    schedule: null,
  });
  for (const invoice of work.book.invoices) {
    const isOurs = invoice.parent.subscription_details.subscription === subscription.id;
    if (isOurs && invoice.status === "open") {
      invoice.status = "void";
      invoice.status_transitions.voided_at = work.at;
      emit(work, "invoice.voided", invoice);
    }
  }
  emit(work, "customer.subscription.deleted", subscription);
}

export function schedule(work: Work, subscription: Subscription): Schedule {
  if (subscription.schedule !== null || subscription.status === "canceled")
    throw new StripeFailure(400, "invalid_request_error", {
      param: "from_subscription",
      message: "The subscription has ended or has a schedule.",
    });
  const item = itemOf(subscription);
  const phase = {
    items: [{ price: item.price.id, quantity: 1 }],
    start_date: item.current_period_start,
    end_date: item.current_period_end,
    trial_end: subscription.trial_end !== null && subscription.trial_end > work.at ? subscription.trial_end : null,
    metadata: {},
  };
  const made: Schedule = {
    id: newId(work, "subsched"),
    object: "subscription_schedule",
    status: "active",
    created: work.at,
    current_phase: { start_date: phase.start_date, end_date: phase.end_date },
    customer: work.book.customer.id,
    end_behavior: "release",
    livemode: false,
    phases: [phase],
    released_subscription: null,
    subscription: subscription.id,
  };
  work.book.schedules.push(made);
  subscription.schedule = made.id;
  emit(work, "customer.subscription.updated", subscription);
  return made;
}

export function release(work: Work, made: Schedule): void {
  const subscription = work.book.subscriptions.find(({ id }) => id === made.subscription);
  Object.assign(made, {
    status: "released",
    current_phase: null,
    released_subscription: made.subscription,
    subscription: null,
  });
  if (!subscription) return;
  subscription.schedule = null;
  emit(work, "customer.subscription.updated", subscription);
}
