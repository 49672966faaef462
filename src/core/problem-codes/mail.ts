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
  "email-verification-disabled": {
    status: 400,
    title: "E-mail verification is switched off",
    suggestion: "Nothing has to be verified on this server.",
  },
  "email-already-verified": {
    status: 409,
    title: "The e-mail address is verified already",
    suggestion: "There is nothing left to do.",
  },
  "code-wrong": {
    status: 422,
    title: "The code is wrong or has expired",
    suggestion: "Check it; after five wrong tries or when it has expired, ask for a new one.",
  },
  "code-sent-recently": {
    status: 429,
    title: "A code was sent a moment ago",
    suggestion: "Use that one, or ask again after retryAfter seconds.",
  },
  "code-limit-reached": {
    status: 429,
    title: "No more codes today",
    suggestion: "Ask again after retryAfter seconds, or sign in another way.",
  },
} as const satisfies Record<string, ProblemKind>;
