/** Stripe's checkout sessions: the pages on which a plan is paid. One idempotency key opens one page, however often it is sent. */
import { createHash } from "node:crypto";
import type { Stripe as Objects } from "stripe";
import { Problem } from "#core/problem";
import type { Stripe } from "#trimmed/stripe";
import type { Checkout, CheckoutRequest } from "../contract.ts";
import { findOrNull, isKeyBusy, isKeySpent } from "./client.ts";
import { ensurePrice } from "./prices.ts";
import { intervalKey, planKey } from "./reading.ts";

const offerKey = "overtone_offer";
const maxOpen = 100;

/** A function of everything that the page shows or leads to. */
export function offerOf({ price, trialDays, successUrl, cancelUrl }: Omit<CheckoutRequest, "idempotencyKey">): string {
  const words = [price.plan, price.interval, price.amountMicroUsd, trialDays, successUrl, cancelUrl].join("\n");
  return createHash("sha256").update(words).digest("hex").slice(0, 32);
}

export async function startCheckout(stripe: Stripe, request: CheckoutRequest): Promise<Checkout | "used"> {
  const { plan, interval } = request.price;
  const metadata = { overtone_workspace: request.workspaceId, [planKey]: plan, [intervalKey]: interval };
  const price = await ensurePrice(stripe, request.price);
  try {
    const session = await stripe.checkout.sessions.create(
      {
        mode: "subscription",
        customer: request.customerId,
        client_reference_id: request.workspaceId,
        line_items: [{ price, quantity: 1 }],
        success_url: request.successUrl,
        cancel_url: request.cancelUrl,
        metadata: { ...metadata, [offerKey]: offerOf(request) },
        subscription_data: {
          metadata,
          ...(request.trialDays > 0 ? { trial_period_days: request.trialDays } : {}),
        },
      },
      { idempotencyKey: request.idempotencyKey },
    );
    // The answer to an earlier request with this key tells how the page was then.
    const isReplay = session.lastResponse.headers["idempotent-replayed"] === "true";
    return toCheckout(isReplay ? await stripe.checkout.sessions.retrieve(session.id) : session);
  } catch (error) {
    // Another request has the key in its hands: what it makes cannot be seen yet.
    if (isKeyBusy(error)) throw new Problem("checkout-under-way", { headers: { "retry-after": "2" } });
    if (isKeySpent(error)) return "used";
    throw error;
  }
}

export async function findCheckout(stripe: Stripe, id: string): Promise<Checkout | null> {
  const session = await findOrNull(stripe.checkout.sessions.retrieve(id));
  return session ? toCheckout(session) : null;
}

export async function openCheckoutsOf(stripe: Stripe, customer: string): Promise<Checkout[]> {
  const page = await findOrNull(stripe.checkout.sessions.list({ customer, status: "open", limit: maxOpen }));
  return (page?.data ?? []).map(toCheckout);
}

export async function endCheckout(stripe: Stripe, id: string): Promise<void> {
  const session = await findOrNull(stripe.checkout.sessions.retrieve(id));
  if (session?.status !== "open") return;
  try {
    await stripe.checkout.sessions.expire(id);
  } catch (error) {
    // It was paid or ran out in this very moment: then it is no longer open either.
    const now = await findOrNull(stripe.checkout.sessions.retrieve(id));
    if (now?.status === "open") throw error;
  }
}

const states: Readonly<Record<string, Checkout["state"]>> = { open: "open", complete: "paid" };

function toCheckout(session: Objects.Checkout.Session): Checkout {
  return {
    id: session.id,
    url: session.url ?? "",
    expiresAt: session.expires_at * 1_000,
    state: states[session.status ?? "expired"] ?? "ended",
    offer: session.metadata?.[offerKey] ?? null,
  };
}
