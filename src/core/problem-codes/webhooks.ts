/** Codes of outgoing webhooks and of addresses that tenants name. */
import type { ProblemKind } from "../problem-kind.ts";

export const webhookProblems = {
  "webhook-not-found": {
    status: 404,
    title: "No such webhook",
    suggestion: "See GET /v1/webhooks.",
  },
  "webhook-delivery-not-found": {
    status: 404,
    title: "No such delivery",
    suggestion: "See GET /v1/webhooks/{id}/deliveries; deliveries are kept for 30 days.",
  },
  "webhook-limit-reached": {
    status: 409,
    title: "Too many webhooks",
    suggestion: "Delete webhooks that are not used.",
  },
  "webhook-disabled": {
    status: 409,
    title: "The webhook is off",
    suggestion: "Switch it on with PATCH /v1/webhooks/{id}.",
  },
  "webhook-secret-changed": {
    status: 409,
    title: "The secret changed in the same moment",
    suggestion: "Another rotation was first, and its secret signs. Rotate again if you need one of your own.",
  },
  "address-refused": {
    status: 422,
    title: "The address may not be called",
    suggestion: "Use https, a public host name and port 443, without a user name or password.",
  },
} as const satisfies Record<string, ProblemKind>;
