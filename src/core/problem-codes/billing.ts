/** Codes of plans, checkout and subscriptions. */
import type { ProblemKind } from "../problem-kind.ts";

export const billingProblems = {
  "billing-not-configured": {
    status: 503,
    title: "Billing is not configured",
    suggestion: "Ask the deployer to set STRIPE_SECRET_KEY; admins can set plans meanwhile.",
  },
  "billing-unavailable": {
    status: 503,
    title: "The payment company does not answer",
    suggestion: "Try again after the time in Retry-After; with the same Idempotency-Key nothing happens twice.",
  },
  "billing-refused": {
    status: 409,
    title: "The payment company refused the change",
    suggestion: "Read the subscription again with GET /v1/subscriptions/current, and send what still applies.",
  },
  "payment-declined": {
    status: 402,
    title: "The payment was declined",
    suggestion: "Choose another card on the page that POST /v1/subscriptions/portal opens; nothing was changed.",
  },
  "subscription-exists": {
    status: 409,
    title: "The workspace has a subscription",
    suggestion: "Change it with POST /v1/subscriptions/upgrade or /downgrade instead of buying a second one.",
  },
  "checkout-under-way": {
    status: 409,
    title: "Another request is opening the workspace's payment page",
    suggestion: "Send the request again after the time in Retry-After; a workspace has one page to pay on.",
  },
  "subscription-required": {
    status: 409,
    title: "The workspace has no subscription",
    suggestion: "Buy one with POST /v1/subscriptions/checkout.",
  },
  "not-an-upgrade": {
    status: 422,
    title: "The plan is not above the current one",
    suggestion:
      "GET /v1/subscriptions/upgrade-options lists what is above; for less use POST /v1/subscriptions/downgrade.",
  },
  "not-a-downgrade": {
    status: 422,
    title: "The plan is not below the current one",
    suggestion:
      "GET /v1/subscriptions/upgrade-options lists what is below; for more use POST /v1/subscriptions/upgrade.",
  },
  "downgrade-below-use": {
    status: 409,
    title: "More is in use than the lower plan allows",
    suggestion: "Reduce what `over` lists, then downgrade.",
  },
  "return-url-not-allowed": {
    status: 422,
    title: "The page to return to is not one of this deployment",
    suggestion: "Name a page of PUBLIC_URL or of one of the ALLOWED_ORIGINS.",
  },
  "payment-event-unsigned": {
    status: 400,
    title: "The event is not signed, or too old",
    suggestion: "Only the payment company sends events; check STRIPE_WEBHOOK_SECRET if it did.",
  },
} as const satisfies Record<string, ProblemKind>;
