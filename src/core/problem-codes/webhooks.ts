/** Codes of outgoing webhooks and of addresses that tenants name. */
import type { ProblemKind } from "../problem-kind.ts";

export const webhookProblems = {
  "webhook-not-found": {
    status: 404,
    title: "No such webhook",
    suggestion: "See GET /v1/webhooks.",
  },
} as const satisfies Record<string, ProblemKind>;
