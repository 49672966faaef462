/** How the older clients of plans and subscriptions name things. Pure renamings. */

type Json = Record<string, unknown>;

const list = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : []);

export const moneyAnswers = {
  /** The older list of plans is a bare array, with the plan's name for its id. */
  barePlans: (value: Json): unknown =>
    list(value["plans"]).map((plan) => ({
      id: plan["name"],
      name: plan["name"],
      display_name: plan["display_name"],
      price_monthly: plan["price_monthly"],
      monthly_tokens: plan["monthly_tokens"],
      // Pages to pay on are opened here: no client needs the payment company's own name of a price.
      stripe_price_id: null,
      rate_limit_per_minute: plan["rate_limit_per_minute"],
      features: plan["features"],
      is_active: true,
    })),
  subscribed: (value: Json): unknown => ({
    success: true,
    checkout_url: value["checkout_url"],
    session_id: value["id"],
    client_secret: null,
    sandbox: value["sandbox"],
  }),
  changedPlan: (value: Json): unknown => ({ success: true, ...value }),
} as const;
