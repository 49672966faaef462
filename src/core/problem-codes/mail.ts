/** Codes of e-mail verification and mailed codes. */
import type { ProblemKind } from "../problem-kind.ts";

export const mailProblems = {
  "email-not-verified": {
    status: 403,
    title: "The e-mail address is not verified",
    suggestion: "Verify it: POST /v1/email/send-verification, then POST /v1/email/verify.",
  },
  "mail-refused": {
    status: 422,
    title: "The mail was refused",
    suggestion: "Check the address; staff see in GET /v1/admin/outbox what the other side said.",
  },
  "notification-not-found": {
    status: 404,
    title: "No such notification",
    suggestion: "List them with GET /v1/notifications.",
  },
  "unsubscribe-link-invalid": {
    status: 404,
    title: "The unsubscribe link is not valid",
    suggestion: "Use the whole link of the mail, or change PUT /v1/users/preferences.",
  },
} as const satisfies Record<string, ProblemKind>;
