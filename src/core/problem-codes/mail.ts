/** Codes of e-mail verification and mailed codes. */
import type { ProblemKind } from "../problem-kind.ts";

export const mailProblems = {
  "email-not-verified": {
    status: 403,
    title: "The e-mail address is not verified",
    suggestion: "Verify it: POST /v1/email/send-verification, then POST /v1/email/verify.",
  },
} as const satisfies Record<string, ProblemKind>;
