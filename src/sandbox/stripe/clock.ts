/** What time alone does to the subscriptions of a book: trials end, periods renew, unpaid invoices are tried again and given up. */
import { emit, type Subscription, type Work } from "./book.ts";
import { bill, collect, daySeconds, end, itemOf, periodAfter, release } from "./subscriptions.ts";

/** An unpaid invoice is tried again after so many days; after the last one the subscription ends. */
const retryDays = [3, 8, 13];
const giveUpDays = 21;
const announceSeconds = 3 * daySeconds;
const maxSteps = 200;

/** Plays everything that is due up to `until`, in its order, each at its own time. */
export function playUntil(work: Work, until: number): void {
  for (let step = 0; step < maxSteps; step += 1) {
    const due = work.book.subscriptions
      .flatMap((subscription) => nextOf(work, subscription) ?? [])
      .toSorted((a, b) => a.at - b.at)[0];
    if (!due || due.at > until) break;
    work.at = Math.max(work.at, due.at);
    due.run();
  }
  work.at = until;
}

interface Due {
  at: number;
  run(): void;
}

function nextOf(work: Work, subscription: Subscription): Due | null {
  const item = itemOf(subscription);
  if (subscription.status === "canceled") return null;
  if (subscription.status === "past_due") return nextRetry(work, subscription);
  if (subscription.status === "trialing" && !work.book.announced.includes(subscription.id)) {
    const at = (subscription.trial_end ?? item.current_period_end) - announceSeconds;
    return { at, run: () => announce(work, subscription) };
  }
  return { at: item.current_period_end, run: () => renew(work, subscription) };
}

function announce(work: Work, subscription: Subscription): void {
  work.book.announced.push(subscription.id);
  emit(work, "customer.subscription.trial_will_end", subscription);
}

function renew(work: Work, subscription: Subscription): void {
  if (subscription.cancel_at_period_end) {
    end(work, subscription);
    return;
  }
  const item = itemOf(subscription);
  const start = item.current_period_end;
  enterPhase(work, subscription, start);
  item.current_period_start = start;
  item.current_period_end = periodAfter(start, item.price.recurring.interval, subscription.billing_cycle_anchor);
  subscription.status = "active";
  const { unit_amount: amount } = item.price;
  const invoice = bill(work, subscription, { amount, reason: "subscription_cycle", occasion: "later" });
  if (invoice.status !== "paid") subscription.status = "past_due";
  emit(work, "customer.subscription.updated", subscription);
}

/** The next phase of a schedule, after which the subscription goes on by itself. */
function enterPhase(work: Work, subscription: Subscription, at: number): void {
  const schedule = work.book.schedules.find(({ id }) => id === subscription.schedule);
  const phase = schedule?.phases.find(({ start_date: start }) => start === at);
  if (!schedule || !phase) return;
  const price = work.catalog.prices.find(({ id }) => id === phase.items[0]?.price);
  if (price) itemOf(subscription).price = price;
  Object.assign(subscription.metadata, phase.metadata);
  release(work, schedule);
}

function nextRetry(work: Work, subscription: Subscription): Due | null {
  const invoice = work.book.invoices.find(({ id }) => id === subscription.latest_invoice);
  if (!invoice) return null;
  const days = retryDays[invoice.attempt_count - 1];
  if (days === undefined) return { at: invoice.created + giveUpDays * daySeconds, run: () => end(work, subscription) };
  return {
    at: invoice.created + days * daySeconds,
    run: () => {
      if (!collect(work, invoice, "later")) return;
      subscription.status = "active";
      emit(work, "customer.subscription.updated", subscription);
    },
  };
}

/** A new card pays what is open at once. */
export function payOpenInvoices(work: Work): void {
  for (const subscription of work.book.subscriptions.filter(({ status }) => status === "past_due")) {
    const invoice = work.book.invoices.find(
      ({ id, status }) => id === subscription.latest_invoice && status === "open",
    );
    if (!invoice || !collect(work, invoice, "later")) continue;
    subscription.status = "active";
    emit(work, "customer.subscription.updated", subscription);
  }
}
