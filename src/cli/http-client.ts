/** The public HTTP API as the commands use it: JSON in, JSON out, and every refusal as an error that keeps the problem body. */

const defaultTimeoutMs = 120_000;

export interface Api {
  url: string;
  /** The access token; null for open operations. */
  token: string | null;
}

export interface Problem {
  status: number;
  code: string;
  title: string;
  detail: string;
}

/** An answer outside 200 to 299. */
export class ApiFailure extends Error {
  readonly status: number;
  /** The body as it came. */
  readonly problem: Partial<Problem>;

  constructor(call: string, status: number, text: string) {
    super(`${call} answered ${status}\n${text.slice(0, 4_000)}`);
    this.status = status;
    this.problem = parseProblem(text);
  }
}

function parseProblem(text: string): Partial<Problem> {
  try {
    return JSON.parse(text) as Partial<Problem>;
  } catch {
    return {};
  }
}

export interface CallOptions {
  body?: unknown;
  /** Makes a repeated call harmless; sent as Idempotency-Key. */
  idempotencyKey?: string;
  headers?: Record<string, string>;
  /** For the whole answer, its body included. Default 120,000. */
  timeoutMs?: number;
}

/** Calls and reads the JSON answer as `Answer`. */
export async function callJson<Answer>(
  api: Api,
  operation: `${string} /${string}`,
  options: CallOptions = {},
): Promise<Answer> {
  const response = await call(api, operation, options);
  return (await response.json()) as Answer;
}

export async function callBytes(api: Api, operation: `${string} /${string}`): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await (await call(api, operation)).arrayBuffer());
}

/** Throws `ApiFailure` unless the status is between 200 and 299. */
export async function call(api: Api, operation: `${string} /${string}`, options: CallOptions = {}): Promise<Response> {
  const [method = "GET", path = "/"] = operation.split(" ");
  const response = await fetch(new URL(path, api.url), {
    method,
    headers: headersOf(api, options),
    body: options.body === undefined ? null : JSON.stringify(options.body),
    signal: AbortSignal.timeout(options.timeoutMs ?? defaultTimeoutMs),
  });
  if (!response.ok) throw new ApiFailure(operation, response.status, await response.text());
  return response;
}

function headersOf(api: Api, options: CallOptions): Record<string, string> {
  return {
    ...(api.token === null ? {} : { authorization: `Bearer ${api.token}` }),
    ...(options.body === undefined ? {} : { "content-type": "application/json" }),
    ...(options.idempotencyKey === undefined ? {} : { "idempotency-key": options.idempotencyKey }),
    ...options.headers,
  };
}
