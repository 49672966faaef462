/** Codes of plans, checkout and subscriptions. */
import type { ProblemKind } from "../problem-kind.ts";

export const billingProblems = {
  "billing-not-configured": {
    status: 503,
    title: "Billing is not configured",
    suggestion: "Ask the deployer to set STRIPE_SECRET_KEY; admins can set plans meanwhile.",
  },
} as const satisfies Record<string, ProblemKind>;
