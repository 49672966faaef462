/**
 * The one way to tell a client what went wrong: RFC 9457 problem details from one closed table of codes.
 * Refuses to carry anything a stranger should not see: an unknown error leaves as `internal` with the request id and nothing else.
 */
import { billingProblems } from "./problem-codes/billing.ts";
import { generalProblems } from "./problem-codes/general.ts";
import { identityProblems } from "./problem-codes/identity.ts";
import { mailProblems } from "./problem-codes/mail.ts";
import { mediaProblems } from "./problem-codes/media.ts";
import { modelProblems } from "./problem-codes/models.ts";
import { promptProblems } from "./problem-codes/prompts.ts";
import { sealingProblems } from "./problem-codes/sealing.ts";
import { signInMethodProblems } from "./problem-codes/sign-in-methods.ts";
import { staffProblems } from "./problem-codes/staff.ts";
import { usageProblems } from "./problem-codes/usage.ts";
import { gatewayProblems } from "./problem-codes/gateway.ts";
import { webhookProblems } from "./problem-codes/webhooks.ts";
import { workspaceProblems } from "./problem-codes/workspaces.ts";
import type { ProblemKind } from "./problem-kind.ts";

export const problemKinds = {
  ...generalProblems,
  ...identityProblems,
  ...signInMethodProblems,
  ...mailProblems,
  ...workspaceProblems,
  ...usageProblems,
  ...billingProblems,
  ...staffProblems,
  ...webhookProblems,
  ...gatewayProblems,
  ...mediaProblems,
  ...modelProblems,
  ...promptProblems,
  ...sealingProblems,
} as const satisfies Record<string, ProblemKind>;

export type ProblemCode = keyof typeof problemKinds;

export interface ProblemOptions {
  /** One sentence about this occurrence; shown to the caller, so it never holds a secret or a vendor's words. */
  detail?: string;
  /** Extra members of the body, for programs. */
  members?: Record<string, unknown>;
  headers?: Record<string, string>;
}

/** Thrown anywhere below an endpoint or a job; `app/http.ts` turns it into the answer. */
export class Problem extends Error {
  readonly code: ProblemCode;
  readonly options: ProblemOptions;

  constructor(code: ProblemCode, options: ProblemOptions = {}) {
    super(options.detail ?? problemKinds[code].title);
    this.name = "Problem";
    this.code = code;
    this.options = options;
  }

  get status(): ProblemKind["status"] {
    return problemKinds[this.code].status;
  }
}

/** The members of a problem body (RFC 9457 section 3.1, with the names that the older clients read: `error`, `message`). */
export function problemBody(problem: Problem, requestId: string): Record<string, unknown> {
  const kind = problemKinds[problem.code];
  return {
    type: `https://overtone.dev/problems/${problem.code}`,
    title: kind.title,
    status: kind.status,
    code: problem.code,
    detail: problem.message,
    suggestion: kind.suggestion,
    requestId,
    error: kind.title,
    message: problem.message,
    ...problem.options.members,
  };
}

export function problemResponse(problem: Problem, requestId: string): Response {
  return new Response(JSON.stringify(problemBody(problem, requestId)), {
    status: problem.status,
    headers: { "content-type": "application/problem+json", "cache-control": "no-store", ...problem.options.headers },
  });
}

/** OpenAI's words for what kind of error a status is; its clients choose their exception by the status itself. */
function openAiTypeOf(status: number): string {
  if (status === 401) return "authentication_error";
  if (status === 403) return "permission_error";
  if (status === 429) return "rate_limit_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

/**
 * The same problem as OpenAI's API would tell it: `{error: {message, type, code, param}}`, with the request id beside it. What a provider
 * said of the caller's input keeps its own code.
 */
export function openAiError(problem: Problem, requestId: string): Record<string, unknown> {
  const { providerCode, providerType, param = paramOf(problem), ...members } = problem.options.members ?? {};
  return {
    error: {
      message: problem.message,
      type: providerType ?? openAiTypeOf(problem.status),
      code: providerCode ?? problem.code.replaceAll("-", "_"),
      param: param ?? null,
      ...members,
      suggestion: problemKinds[problem.code].suggestion,
    },
    requestId,
  };
}

/** The first member of the body that is wrong, written as OpenAI writes it: `messages[0].role`. */
function paramOf({ options }: Problem): string | null {
  const errors = options.members?.["errors"];
  const [first] = Array.isArray(errors) ? (errors as { in?: unknown; path?: unknown }[]) : [];
  if (first?.in !== "body" || typeof first.path !== "string" || first.path === "") return null;
  return first.path.replaceAll(/\.(\d+)(?=\.|$)/g, "[$1]");
}

/** OpenAI answers 400 where a member is wrong, and its clients take 422 for nothing they could mend. */
export function openAiErrorResponse(problem: Problem, requestId: string): Response {
  return new Response(JSON.stringify(openAiError(problem, requestId)), {
    status: problem.status === 422 ? 400 : problem.status,
    headers: { "content-type": "application/json", "cache-control": "no-store", ...problem.options.headers },
  });
}

/** As Uppy's Companion answers: `error` is the code, `message` is what Uppy shows. */
export function companionErrorResponse(problem: Problem, requestId: string): Response {
  const body = {
    ...problem.options.members,
    error: problem.code,
    message: problem.message,
    suggestion: problemKinds[problem.code].suggestion,
    requestId,
  };
  return new Response(JSON.stringify(body), {
    status: problem.status,
    headers: { "content-type": "application/json", "cache-control": "no-store", ...problem.options.headers },
  });
}
