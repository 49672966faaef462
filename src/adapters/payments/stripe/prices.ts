/** The plans as Stripe's products and prices. They are made when they are first needed, so a deployer has nothing to click together. */
import type { PlanPrice } from "#core/plan-prices";
import type { Stripe } from "#trimmed/stripe";
import { isMissing } from "./client.ts";
import { intervalKey, planKey } from "./reading.ts";

const microPerCent = 10_000;

/** The id of the price; an amount that was changed here gets a new price, and running subscriptions keep their old one. */
export async function ensurePrice(stripe: Stripe, price: PlanPrice): Promise<string> {
  const lookupKey = `overtone_${price.plan}_${price.interval}`;
  const cents = Math.round(price.amountMicroUsd / microPerCent);
  const found = await stripe.prices.list({ lookup_keys: [lookupKey], active: true, limit: 1 });
  const [known] = found.data;
  if (known && known.unit_amount === cents && known.currency === "usd") return known.id;
  const made = await stripe.prices.create(
    {
      product: await ensureProduct(stripe, price.plan),
      currency: "usd",
      unit_amount: cents,
      recurring: { interval: price.interval },
      lookup_key: lookupKey,
      transfer_lookup_key: true,
      metadata: { [planKey]: price.plan, [intervalKey]: price.interval },
    },
    { idempotencyKey: `overtone-price-${lookupKey}-${cents}` },
  );
  return made.id;
}

async function ensureProduct(stripe: Stripe, plan: string): Promise<string> {
  const id = `overtone_${plan}`;
  try {
    await stripe.products.retrieve(id);
  } catch (error) {
    if (!isMissing(error)) throw error;
    const name = `Overtone ${plan[0]?.toUpperCase()}${plan.slice(1)}`;
    await stripe.products.create(
      { id, name, metadata: { [planKey]: plan } },
      { idempotencyKey: `overtone-product-${id}` },
    );
  }
  return id;
}
