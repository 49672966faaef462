/** Checkout, portal, subscriptions and schedules of the simulated Stripe's API. */
import {
  emit,
  newId,
  type Phase,
  type Price,
  type Schedule,
  type Session,
  type Subscription,
  type Work,
} from "./book.ts";
import { invalid, missing } from "./failure.ts";
import { flag, type Form, forms, inner, record, text, whole } from "./form.ts";
import {
  changePrice,
  daySeconds,
  end,
  endTrial,
  itemOf,
  periodAfter,
  release,
  schedule,
  setCancelAtPeriodEnd,
} from "./subscriptions.ts";
import { listOf } from "./wire.ts";

function priceNamed(work: Work, id: string | undefined): Price {
  const price = work.catalog.prices.find((candidate) => candidate.id === id);
  if (!price) throw missing("price", id ?? "");
  return price;
}

export function subscriptionNamed({ book }: Work, id: string): Subscription {
  const found = book.subscriptions.find((subscription) => subscription.id === id);
  if (!found) throw missing("subscription", id);
  return found;
}

export function scheduleNamed({ book }: Work, id: string): Schedule {
  const found = book.schedules.find((candidate) => candidate.id === id);
  if (!found) throw missing("subscription_schedule", id);
  return found;
}

export function sessionNamed({ book }: Work, id: string): Session {
  const found = book.sessions.find((session) => session.id === id);
  if (!found) throw missing("checkout.session", id);
  return found;
}

export function listSessions({ book }: Work, form: Form) {
  const status = text(form, "status");
  const found = book.sessions.filter((session) => status === undefined || session.status === status);
  return listOf(found, form, "/v1/checkout/sessions");
}

export function createSession(work: Work, form: Form): Session {
  const [line] = forms(form, "line_items");
  const successUrl = text(form, "success_url");
  const data = inner(form, "subscription_data");
  if (text(form, "mode") !== "subscription") throw invalid("mode", "This simulator sells subscriptions only.");
  if (successUrl === undefined) throw invalid("success_url", "Missing required param: success_url.");
  const price = priceNamed(work, text(line, "price"));
  const id = newId(work, "cs_test");
  const session: Session = {
    id,
    object: "checkout.session",
    status: "open",
    payment_status: "unpaid",
    cancel_url: text(form, "cancel_url") ?? successUrl,
    client_reference_id: text(form, "client_reference_id") ?? null,
    created: work.at,
    customer: work.book.customer.id,
    // By the real clock of the page, which the customer's own may be ahead of.
    expires_at: work.at + daySeconds,
    livemode: false,
    metadata: record(form, "metadata"),
    mode: "subscription",
    subscription: null,
    success_url: successUrl,
    url: `${work.baseUrl}/checkout/${id}`,
  };
  work.book.sessions.push(session);
  work.book.plans[id] = { price, trialDays: whole(data, "trial_period_days") ?? 0, metadata: record(data, "metadata") };
  return session;
}

export function expireSession(work: Work, id: string): Session {
  const session = sessionNamed(work, id);
  if (session.status !== "open") throw invalid("session", "Only an open session can be expired.");
  Object.assign(session, { status: "expired", url: null });
  emit(work, "checkout.session.expired", session);
  return session;
}

export function createPortal(work: Work, form: Form) {
  const id = newId(work, "bps");
  const returnUrl = text(form, "return_url") ?? "";
  const { at: created } = work;
  work.book.portals.push({ id, created, return_url: returnUrl });
  return {
    id,
    object: "billing_portal.session",
    created,
    customer: work.book.customer.id,
    livemode: false,
    return_url: returnUrl,
    url: `${work.baseUrl}/portal/${id}`,
  };
}

export function listSubscriptions(work: Work, form: Form) {
  const status = text(form, "status");
  const found = work.book.subscriptions.filter((subscription) =>
    status === undefined ? subscription.status !== "canceled" : status === "all" || subscription.status === status,
  );
  return listOf(found, form, "/v1/subscriptions");
}

export function updateSubscription(work: Work, id: string, form: Form): Subscription {
  const subscription = subscriptionNamed(work, id);
  if (subscription.status === "canceled") throw missing("subscription", id);
  const [item] = forms(form, "items");
  if (item) {
    if (text(item, "id") !== itemOf(subscription).id) throw missing("subscription_item", text(item, "id") ?? "");
    const price = priceNamed(work, text(item, "price"));
    if (text(form, "trial_end") === "now" && subscription.status === "trialing") endTrial(work, subscription, price);
    else if (price.id !== itemOf(subscription).price.id) changePrice(work, subscription, price);
  }
  const cancels = flag(form, "cancel_at_period_end");
  if (cancels !== undefined && cancels !== subscription.cancel_at_period_end)
    setCancelAtPeriodEnd(work, subscription, cancels);
  Object.assign(subscription.metadata, record(form, "metadata"));
  emit(work, "customer.subscription.updated", subscription);
  return subscription;
}

export function cancelSubscription(work: Work, id: string): Subscription {
  const subscription = subscriptionNamed(work, id);
  if (subscription.status === "canceled") throw missing("subscription", id);
  end(work, subscription);
  return subscription;
}

export function createSchedule(work: Work, form: Form): Schedule {
  return schedule(work, subscriptionNamed(work, text(form, "from_subscription") ?? ""));
}

export function updateSchedule(work: Work, id: string, form: Form): Schedule {
  const made = scheduleNamed(work, id);
  if (made.status !== "active") throw invalid("schedule", "The schedule has ended.");
  const phases = readPhases(work, forms(form, "phases"), made);
  if (phases[0]?.start_date !== made.current_phase?.start_date)
    throw invalid("phases[0][start_date]", "The running phase cannot begin at another time.");
  made.phases = phases;
  made.end_behavior = text(form, "end_behavior") ?? made.end_behavior;
  const [running] = phases;
  if (running) made.current_phase = { start_date: running.start_date, end_date: running.end_date };
  const subscription = subscriptionNamed(work, made.subscription ?? "");
  emit(work, "customer.subscription.updated", subscription);
  return made;
}

function readPhases(work: Work, given: Form[], made: Schedule): Phase[] {
  const phases: Phase[] = [];
  for (const form of given.slice(0, 10)) {
    const start = phases.at(-1)?.end_date ?? whole(form, "start_date") ?? made.current_phase?.start_date ?? work.at;
    const items = forms(form, "items").map((item) => ({
      price: priceNamed(work, text(item, "price")).id,
      quantity: whole(item, "quantity") ?? 1,
    }));
    const interval = text(inner(form, "duration"), "interval") === "year" ? "year" : "month";
    const endDate = whole(form, "end_date") ?? periodAfter(start, interval);
    if (items.length === 0 || endDate <= start) throw invalid("phases", "A phase has items and ends after it begins.");
    phases.push({
      items,
      start_date: start,
      end_date: endDate,
      trial_end: whole(form, "trial_end") ?? null,
      metadata: record(form, "metadata"),
    });
  }
  return phases;
}

export function releaseSchedule(work: Work, id: string): Schedule {
  const made = scheduleNamed(work, id);
  if (made.status !== "active") throw invalid("schedule", "The schedule has ended.");
  release(work, made);
  return made;
}
