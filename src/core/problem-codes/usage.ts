/** Codes of the ledger, quotas and credits. */
import type { ProblemKind } from "../problem-kind.ts";

export const usageProblems = {
  "quota-exceeded": {
    status: 429,
    title: "The quota is used up",
    suggestion: "See GET /v1/usage; wait for the next period or take a larger plan.",
  },
} as const satisfies Record<string, ProblemKind>;
