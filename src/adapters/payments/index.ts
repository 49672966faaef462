/** Which company takes this deployment's payments: the configured one; outside production, without one, its simulator. */
import type { Outbound } from "#core/outbound";
import type { Settings } from "#core/env";
import { sandboxBase, sandboxSecrets } from "#core/sandbox-secrets";
import type { Payments } from "./contract.ts";
import { makeStripe } from "./stripe/index.ts";

export type PaymentProvider = Payments["provider"];

/** Null: billing is not configured. A live deployment never takes the simulator's word for money. */
export function paymentProvider(settings: Settings): PaymentProvider | null {
  if (settings.stripe) return "stripe";
  return settings.sandbox && settings.environment !== "production" ? "sandbox" : null;
}

export function paymentsOf(ctx: { settings: Settings; outbound: Outbound }): Payments | null {
  const { settings, outbound } = ctx;
  const provider = paymentProvider(settings);
  if (provider === null) return null;
  const account =
    provider === "stripe" && settings.stripe
      ? { ...settings.stripe, baseUrl: settings.stripeApiBase }
      : { ...sandboxSecrets(settings, "stripe"), baseUrl: sandboxBase(settings, "stripe") };
  return makeStripe({ ...account, provider, outbound });
}
