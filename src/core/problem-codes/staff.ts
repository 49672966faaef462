/** Codes of administration and support. */
import type { ProblemKind } from "../problem-kind.ts";

export const staffProblems = {
  "staff-only": {
    status: 403,
    title: "Only for staff",
    suggestion: "Ask a superadmin for the permission named in requiredPermission.",
  },
} as const satisfies Record<string, ProblemKind>;
