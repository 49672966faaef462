/** What the simulated model companies refuse, in OpenAI's words and statuses, and the same in Anthropic's shape. */

interface FailureOptions {
  type?: string;
  code?: string | null;
  param?: string | null;
  headers?: Record<string, string>;
}

/** Thrown anywhere below the API. */
export class LlmFailure extends Error {
  readonly status: number;
  readonly options: FailureOptions;

  constructor(status: number, message: string, options: FailureOptions = {}) {
    super(message);
    this.name = "LlmFailure";
    this.status = status;
    this.options = options;
  }
}

/** The connection breaks: nothing more is sent, and nothing is said about it. */
export class ConnectionLost extends Error {
  constructor() {
    super("The sandbox broke the connection.");
    this.name = "ConnectionLost";
  }
}

export function openaiError({ message, options }: LlmFailure) {
  const { type = "invalid_request_error", param = null, code = null } = options;
  return { error: { message, type, param, code } };
}

/** https://docs.claude.com/en/api/errors */
const anthropicTypes: Record<number, string> = {
  400: "invalid_request_error",
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  500: "api_error",
  529: "overloaded_error",
};

/** Anthropic has a status of its own for an overload, and refuses an empty account as a bad request. */
export function anthropicStatus({ status, options }: LlmFailure): number {
  if (options.code === "insufficient_quota") return 400;
  if (status === 503) return 529;
  return anthropicTypes[status] ? status : 400;
}

export function anthropicError(failure: LlmFailure, requestId: string) {
  const type = anthropicTypes[anthropicStatus(failure)] ?? "invalid_request_error";
  return { type: "error", error: { type, message: failure.message }, request_id: requestId };
}

export function missing(param: string): LlmFailure {
  return new LlmFailure(400, `Missing required parameter: '${param}'.`, { code: "missing_required_parameter", param });
}

export function wrongType(param: string, expected: string): LlmFailure {
  return new LlmFailure(400, `Invalid type for '${param}': expected ${expected}.`, { code: "invalid_type", param });
}

export function wrongValue(param: string, message: string, code = "invalid_value"): LlmFailure {
  return new LlmFailure(400, message, { code, param });
}

export function unsupported(param: string): LlmFailure {
  return wrongValue(param, `The sandbox does not simulate '${param}'.`, "unsupported_parameter");
}

export function noModel(model: string): LlmFailure {
  return new LlmFailure(404, `The model '${model.slice(0, 100)}' does not exist or you do not have access to it.`, {
    code: "model_not_found",
    param: "model",
  });
}

export const serverError = () =>
  new LlmFailure(500, "The server had an error while processing your request.", { type: "server_error" });

export const overloaded = () =>
  new LlmFailure(503, "The engine is currently overloaded, please try again later.", { type: "server_error" });

export const rateLimited = () =>
  new LlmFailure(429, "Rate limit reached for requests. Please try again in 1s.", {
    type: "requests",
    code: "rate_limit_exceeded",
    headers: { "retry-after": "1" },
  });

export const quotaExhausted = () =>
  new LlmFailure(429, "You exceeded your current quota, please check your plan and billing details.", {
    type: "insufficient_quota",
    code: "insufficient_quota",
  });

export const badKey = () => new LlmFailure(401, "Incorrect API key provided.", { code: "invalid_api_key" });

export const noKey = () => new LlmFailure(401, "You didn't provide an API key.");

export function contextExceeded(limit: number, found: number | null): LlmFailure {
  const rest = found === null ? "" : ` However, your messages resulted in ${found} tokens.`;
  return new LlmFailure(400, `This model's maximum context length is ${limit} tokens.${rest}`, {
    code: "context_length_exceeded",
    param: "messages",
  });
}
