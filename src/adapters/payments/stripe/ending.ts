/** Ends a subscription at once. The money for the time that is left goes back first: an ended subscription is not looked at again. */
import type { Stripe } from "#trimmed/stripe";
import type { Subscribed } from "../contract.ts";
import { findOrNull, isKeySpent, isRefused } from "./client.ts";
import { createdAt } from "./reading.ts";
import { unusedCents } from "./unused.ts";

const endedKey = "overtone_ended";
const maxInvoices = 100;

export async function cancelNow(stripe: Stripe, subscribed: Subscribed, refundFrom: number | null): Promise<void> {
  // Where nothing can be sent back (it was paid outside, or the charge is disputed), the customer's account is credited instead.
  const prorate = refundFrom !== null && !(await refundRest(stripe, subscribed, refundFrom));
  await findOrNull(stripe.subscriptions.cancel(subscribed.id, { prorate, invoice_now: prorate }));
}

/** False: the company refuses to send money back. */
async function refundRest(stripe: Stripe, subscribed: Subscribed, from: number): Promise<boolean> {
  const { id: subscription, customerId: customer } = subscribed;
  const paid = await stripe.invoices.list({ customer, subscription, status: "paid", limit: maxInvoices });
  let refunds = 0;
  for (const invoice of paid.data) {
    const cents = unusedCents(subscribed, { paidCents: invoice.amount_paid, createdAt: createdAt(invoice) }, from);
    if (cents === 0) continue;
    try {
      await refundOnce(stripe, { subscription, invoice: invoice.id ?? "", cents });
      refunds += 1;
    } catch (error) {
      if (!isRefused(error)) throw error;
      return refunds > 0;
    }
  }
  return true;
}

interface Refund {
  subscription: string;
  invoice: string;
  cents: number;
}

/** The note on the invoice tells a later run, and the key a parallel one, that it was done: at another moment another amount would be left. */
async function refundOnce(stripe: Stripe, { subscription, invoice, cents }: Refund): Promise<void> {
  const notes = await stripe.creditNotes.list({ invoice, limit: 100 });
  if (notes.data.some(({ metadata }) => metadata?.[endedKey] === subscription)) return;
  try {
    await stripe.creditNotes.create(
      { invoice, amount: cents, refund_amount: cents, metadata: { [endedKey]: subscription } },
      { idempotencyKey: `overtone-refund-${subscription}-${invoice}` },
    );
  } catch (error) {
    if (!isKeySpent(error)) throw error;
  }
}
