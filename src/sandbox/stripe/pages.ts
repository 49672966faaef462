/** Stand-ins for Stripe's own pages: paying, managing the subscription, and an invoice. Whoever has the link may use it, as with Stripe. */
import { html } from "hono/html";
import { sandboxBase } from "#core/sandbox-secrets";
import type { SandboxCtx } from "../context.ts";
import { page, seeOther } from "../page.ts";
import { attachCard, cards, isCard } from "./api-customers.ts";
import { sessionNamed } from "./api-subscriptions.ts";
import {
  customerOf,
  emit,
  type Book,
  type Portal,
  type Price,
  type Session,
  type Subscription,
  type Work,
} from "./book.ts";
import { payOpenInvoices, playUntil } from "./clock.ts";
import { missing, StripeFailure } from "./failure.ts";
import { bodyOf, parseForm, text } from "./form.ts";
import { nowSeconds, onBook } from "./run.ts";
import { readCatalog } from "./store.ts";
import { begin, changePrice, daySeconds, itemOf, release, setCancelAtPeriodEnd } from "./subscriptions.ts";

const dollars = (cents: number) => `$${(cents / 100).toFixed(2)}`;
const day = (seconds: number) => new Date(seconds * 1_000).toISOString().slice(0, 16).replace("T", " ");

export async function answerPage(ctx: SandboxCtx, request: Request, path: string): Promise<Response> {
  const [kind = "", id = ""] = path.split("/");
  const customerId = customerOf(id);
  try {
    if (customerId === null) throw missing("page", id);
    const form = request.method === "POST" ? parseForm((await bodyOf(request)).slice(0, 4_096)) : null;
    const sent = form && { action: text(form, "action") ?? "", choice: text(form, "choice") ?? "" };
    return await answerKind({ ctx, customerId, id }, kind, sent);
  } catch (error) {
    if (!(error instanceof StripeFailure)) throw error;
    return page({ title: "Not found", status: 404, body: html`<p class="problem">${error.message}</p>` });
  }
}

interface Sent {
  action: string;
  choice: string;
}

function answerKind(at: At, kind: string, sent: Sent | null): Promise<Response> {
  switch (kind) {
    case "checkout":
      return sent ? actOnCheckout(at, sent.action, sent.choice) : showCheckout(at, null);
    case "portal":
      return sent ? actOnPortal(at, sent.action, sent.choice) : showPortal(at, null);
    case "invoice":
      return showInvoice(at);
    default:
      throw missing("page", at.id);
  }
}

interface At {
  ctx: SandboxCtx;
  customerId: string;
  id: string;
}

const look = <Value>({ ctx, customerId }: At, see: (work: Work) => Value) => onBook(ctx, customerId, { act: see });

function cardChoices() {
  return html`<fieldset>
    <legend>Card</legend>
    ${Object.entries(cards).map(
      ([name, { label }], index) =>
        html`<label
          ><input type="radio" name="choice" value="${name}" ${index === 0 ? "checked" : ""} /> ${label}</label
        >`,
    )}
  </fieldset>`;
}

async function showCheckout(at: At, problem: string | null): Promise<Response> {
  const { session, plan } = await look(at, (work) => {
    const found = sessionNamed(work, at.id);
    return { session: found, plan: work.book.plans[at.id] };
  });
  if (session.status !== "open" || !plan || session.expires_at < nowSeconds(at.ctx))
    return page({
      title: "This page has ended",
      status: 410,
      body: html`<p>It was paid, closed or left for too long. <a href="${session.cancel_url}">Back</a></p>`,
    });
  const { price, trialDays } = plan;
  return page({
    title: "Pay for a plan",
    status: problem === null ? 200 : 402,
    mayLeadTo: [session.success_url, session.cancel_url],
    body: html`${problem === null ? "" : html`<p class="problem" role="alert">${problem}</p>`}
      <p>${price.lookup_key}: ${dollars(price.unit_amount)} a ${price.recurring.interval}.</p>
      ${trialDays > 0 ? html`<p>${trialDays} days to try first; nothing is charged before.</p>` : ""}
      <form method="post">
        ${cardChoices()}
        <button name="action" value="pay">Pay</button>
        <button name="action" value="decline">Let the bank decline</button>
        <button name="action" value="cancel">Cancel</button>
      </form>`,
  });
}

async function actOnCheckout(at: At, action: string, choice: string): Promise<Response> {
  if (action === "cancel") return seeOther((await look(at, (work) => sessionNamed(work, at.id))).cancel_url);
  const card = action === "decline" ? "declined" : choice;
  if (!isCard(card)) return showCheckout(at, "Choose a card.");
  try {
    const session = await look(at, (work) => pay(work, sessionNamed(work, at.id), card));
    return seeOther(session.success_url.replaceAll("{CHECKOUT_SESSION_ID}", session.id));
  } catch (error) {
    if (error instanceof StripeFailure && error.type === "card_error") return showCheckout(at, error.message);
    throw error;
  }
}

/** A page that was paid already stays paid, however often the form is sent. */
function pay(work: Work, session: Session, card: keyof typeof cards): Session {
  if (session.status === "complete") return session;
  const plan = work.book.plans[session.id];
  if (session.status !== "open" || !plan) throw missing("page", session.id);
  attachCard(work, card);
  begin(work, session, plan);
  return session;
}

function portalNamed(book: Book, id: string): Portal {
  const found = book.portals.find((portal) => portal.id === id);
  if (!found) throw missing("page", id);
  return found;
}

const livingOf = (book: Book) => book.subscriptions.findLast(({ status }) => status !== "canceled") ?? null;

async function showPortal(at: At, problem: string | null): Promise<Response> {
  const seen = await look(at, ({ book, at: time }) => ({
    portal: portalNamed(book, at.id),
    subscription: livingOf(book),
    ahead: book.aheadSeconds,
    time,
  }));
  const { prices } = (await readCatalog(at.ctx)).value;
  const { subscription, portal } = seen;
  return page({
    title: "Your subscription",
    status: problem === null ? 200 : 402,
    body: html`${problem === null ? "" : html`<p class="problem" role="alert">${problem}</p>`}
      ${subscription ? subscriptionForm(subscription, prices) : html`<p>There is no subscription.</p>`}
      <form method="post">
        <h2>Card</h2>
        ${cardChoices()}<button name="action" value="card">Use this card</button>
      </form>
      <form method="post">
        <h2>Clock</h2>
        <p>The simulated Stripe's time for this customer: ${day(seen.time)} UTC.</p>
        <button name="action" value="day">One day on</button>
        <button name="action" value="period">To the end of the period</button>
      </form>
      <p><a href="${portal.return_url}">Back</a></p>`,
  });
}

function subscriptionForm(subscription: Subscription, prices: Price[]) {
  const item = itemOf(subscription);
  const others = prices.filter(({ lookup_key: key, id }) => key !== null && id !== item.price.id);
  return html`<p>
      ${item.price.lookup_key ?? item.price.id}: ${subscription.status}, ${dollars(item.price.unit_amount)} a
      ${item.price.recurring.interval}, until ${day(item.current_period_end)} UTC.
      ${subscription.cancel_at_period_end ? "It ends then." : ""}
      ${subscription.schedule === null ? "" : "It changes to another plan then."}
    </p>
    <form method="post">
      ${
        subscription.cancel_at_period_end
          ? html`<button name="action" value="resume">Resume</button>`
          : html`<button name="action" value="cancel">Cancel at the end of the period</button>`
      }
    </form>
    <form method="post">
      <h2>Plan</h2>
      ${others.map(
        (price) =>
          html`<label
            ><input type="radio" name="choice" value="${price.id}" /> ${price.lookup_key}:
            ${dollars(price.unit_amount)}</label
          >`,
      )}
      <button name="action" value="plan">Change now</button>
    </form>`;
}

async function actOnPortal(at: At, action: string, choice: string): Promise<Response> {
  try {
    await look(at, (work) => {
      portalNamed(work.book, at.id);
      change(work, action, { choice, realNow: nowSeconds(at.ctx) });
    });
  } catch (error) {
    if (error instanceof StripeFailure && error.type === "card_error") return showPortal(at, error.message);
    throw error;
  }
  return seeOther(`${sandboxBase(at.ctx.settings, "stripe")}/portal/${at.id}`);
}

function change(work: Work, action: string, { choice, realNow }: { choice: string; realNow: number }): void {
  const subscription = livingOf(work.book);
  if (action === "card") {
    if (!isCard(choice)) throw missing("card", choice);
    attachCard(work, choice);
    payOpenInvoices(work);
    return;
  }
  if (action === "day" || action === "period") {
    const periodEnd = subscription ? itemOf(subscription).current_period_end : work.at;
    const until = action === "day" ? work.at + daySeconds : Math.max(work.at, periodEnd + 1);
    playUntil(work, until);
    work.book.aheadSeconds = until - realNow;
    return;
  }
  if (subscription) changeSubscription(work, subscription, { action, choice });
}

function changeSubscription(work: Work, subscription: Subscription, asked: { action: string; choice: string }): void {
  const schedule = work.book.schedules.find(({ id }) => id === subscription.schedule);
  if (schedule) release(work, schedule);
  if (asked.action === "plan") {
    const price = work.catalog.prices.find(({ id }) => id === asked.choice);
    if (!price) throw missing("price", asked.choice);
    changePrice(work, subscription, price);
  } else if (asked.action === "cancel" || asked.action === "resume")
    setCancelAtPeriodEnd(work, subscription, asked.action === "cancel");
  else throw missing("action", asked.action);
  emit(work, "customer.subscription.updated", subscription);
}

async function showInvoice(at: At): Promise<Response> {
  const invoice = await look(at, ({ book }) => book.invoices.find(({ id }) => id === at.id) ?? null);
  if (!invoice) throw missing("invoice", at.id);
  return page({
    title: `Invoice ${invoice.number}`,
    body: html`<p>${dollars(invoice.amount_due)}, ${invoice.status}, ${day(invoice.created)} UTC.</p>`,
  });
}
