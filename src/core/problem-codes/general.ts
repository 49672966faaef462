/** Codes that any operation may answer with. */
import type { ProblemKind } from "../problem-kind.ts";

export const generalProblems = {
  internal: { status: 500, title: "Internal error", suggestion: "Try again; if it stays, report the requestId." },
  unavailable: { status: 503, title: "Temporarily unavailable", suggestion: "Try again after Retry-After seconds." },
  "route-not-found": { status: 404, title: "No such route", suggestion: "See /openapi.json for what is published." },
  "method-not-allowed": { status: 405, title: "Method not allowed", suggestion: "Use a method of the Allow header." },
  "invalid-json": { status: 400, title: "Body is not JSON", suggestion: "Send a JSON document in UTF-8." },
  "unsupported-content-type": {
    status: 415,
    title: "Unsupported content type",
    suggestion: "Send one of the content types that the operation documents.",
  },
  "body-too-large": {
    status: 413,
    title: "Body too large",
    suggestion: "Send less; files go straight to storage by POST /v1/uploads.",
  },
  "validation-failed": { status: 422, title: "Validation failed", suggestion: "Correct the members listed in errors." },
  "server-owned-member": { status: 422, title: "Member is set by the server", suggestion: "Leave the member out." },
  "invalid-cursor": {
    status: 422,
    title: "Invalid cursor",
    suggestion: "Use nextCursor of the page before, unchanged.",
  },
  "rate-limited": { status: 429, title: "Too many requests", suggestion: "Wait for Retry-After seconds." },
  "idempotency-key-invalid": {
    status: 422,
    title: "Idempotency-Key is invalid",
    suggestion: "Send 1 to 255 printable ASCII characters.",
  },
  "idempotency-key-reused": {
    status: 422,
    title: "Idempotency-Key was used with another request",
    suggestion: "Use a new key for a new request.",
  },
  "idempotency-key-running": {
    status: 409,
    title: "The same request is still running",
    suggestion: "Ask again after Retry-After seconds.",
  },
  "job-not-found": { status: 404, title: "No such job", suggestion: "See GET /v1/jobs." },
  "job-not-cancellable": {
    status: 409,
    title: "The job has ended",
    suggestion: "A job can be cancelled until it ends.",
  },
  "job-not-retryable": {
    status: 409,
    title: "The job cannot be retried",
    suggestion: "Only failed and cancelled jobs can be retried.",
  },
  "job-lost": { status: 500, title: "The job was interrupted too often", suggestion: "Retry the job." },
  "job-payload-invalid": {
    status: 500,
    title: "The job's payload cannot be read",
    suggestion: "Start the work again.",
  },
  "job-dead-letter": { status: 500, title: "The job's message could not be handled", suggestion: "Retry the job." },
  "job-cancelled": { status: 409, title: "The job was cancelled", suggestion: "Retry it to run it again." },
} as const satisfies Record<string, ProblemKind>;
