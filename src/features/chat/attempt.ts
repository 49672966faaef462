/**
 * One call of one target: builds it, waits for the headers, and says in one word what went wrong. It never throws for a provider's fault, and
 * never shows a provider's words where they could hold a secret of ours.
 */
import type { Target } from "#adapters/llm/contract";
import { dialectOf } from "#adapters/llm/dialect";
import type { WorkspaceCtx } from "#core/context";
import { type StreamCall, TenantCallError } from "#core/outbound";
import { isObject, type JsonObject } from "#adapters/llm/dialect";
import type { Operation } from "./operations.ts";
import type { Patience } from "./patience.ts";

/**
 * `refused`: the provider does not take this very request, and no other will (4xx about its content). `credentials`: it does not take our key.
 * `invalid-answer`: what came is no answer: empty, cut or no JSON.
 */
export type FaultKind =
  | "unreachable"
  | "timeout"
  | "rate-limited"
  | "overloaded"
  | "credentials"
  | "refused"
  | "invalid-answer";

export interface Fault {
  kind: FaultKind;
  status: number | null;
  retryAfterMs: number | null;
  /** The provider's own account of a `refused` request: it speaks of the caller's input. */
  said: { message: string; type: string | null; code: string | null; param: string | null } | null;
}

/** A body that is no JSON. */
export interface Outgoing {
  open(target: Target): Promise<{ body: BodyInit; type: string }> | { body: BodyInit; type: string };
  /** It has begun to be sent, and cannot be sent again. */
  isSpent(): boolean;
}

export interface Call {
  operation: Operation;
  /** Takes the place of the body. */
  outgoing?: Outgoing;
  body: JsonObject;
  isStream: boolean;
  patience: Patience;
  /** Ends all work of the request: its caller left, or its time is up. */
  signal: AbortSignal;
}

export type Attempt = { ok: true; response: Response } | { ok: false; fault: Fault };

const maxErrorBytes = 16_384;
const maxSaidLength = 1_000;

export async function attempt(ctx: WorkspaceCtx, target: Target, call: Call): Promise<Attempt> {
  const asked = await askedOf(ctx, target, call);
  const options = { headersTimeoutMs: call.patience.firstByteMs };
  let response: Response;
  try {
    response = await (target.isTenantUrl
      ? ctx.outbound.tenantStream(asked, options)
      : ctx.outbound.operatorStream(asked, options));
  } catch (error) {
    // The caller went away: there is nobody to try anything else for.
    if (call.signal.aborted) throw error;
    return { ok: false, fault: faultOf(isTimeout(error) ? "timeout" : "unreachable") };
  }
  if (response.status >= 200 && response.status < 300) return { ok: true, response };
  return { ok: false, fault: await readFault(ctx, target, response) };
}

async function askedOf(ctx: WorkspaceCtx, target: Target, call: Call): Promise<StreamCall> {
  const { operation, isStream, signal, outgoing } = call;
  const dialect = dialectOf(target, operation);
  const json = () => JSON.stringify(dialect.bodyOf(operation, { ...call.body, model: target.model }, target));
  const { body, type } = outgoing ? await outgoing.open(target) : { body: json(), type: "application/json" };
  return {
    url: `${target.baseUrl}${dialect.pathOf(operation)}`,
    method: "POST",
    headers: {
      "content-type": type,
      accept: acceptOf(operation, { isStream }),
      "x-request-id": ctx.requestId,
      ...dialect.headersOf(target),
    },
    body,
    signal,
  };
}

function acceptOf({ name }: Operation, { isStream }: { isStream: boolean }): string {
  if (isStream) return "text/event-stream";
  return name === "speech" || name === "transcriptions" || name === "translations" ? "*/*" : "application/json";
}

function isTimeout(error: unknown): boolean {
  if (error instanceof TenantCallError) return error.fault === "timeout";
  return error instanceof Error && error.name === "TimeoutError";
}

export function faultOf(kind: FaultKind, more: Partial<Fault> = {}): Fault {
  return { kind, status: null, retryAfterMs: null, said: null, ...more };
}

const refusedStatuses = new Set([400, 404, 409, 413, 415, 422]);

function kindOf(status: number): FaultKind {
  if (status === 401 || status === 402 || status === 403) return "credentials";
  if (status === 408 || status === 504) return "timeout";
  if (status === 429) return "rate-limited";
  if (refusedStatuses.has(status)) return "refused";
  return status >= 500 ? "overloaded" : "invalid-answer";
}

async function readFault(ctx: WorkspaceCtx, target: Target, response: Response): Promise<Fault> {
  const { status } = response;
  const kind = kindOf(status);
  const text = await readShort(response);
  ctx.log("warn", "model.refused", { provider: target.provider, model: target.model, status });
  return faultOf(kind, {
    status,
    retryAfterMs: retryAfterOf(response.headers, ctx.now()),
    said: kind === "refused" ? saidIn(target.secret === "" ? text : text.replaceAll(target.secret, "[key]")) : null,
  });
}

/** Seconds or a date (RFC 9110 10.2.3); OpenAI also says milliseconds in a header of its own. */
function retryAfterOf(headers: Headers, nowMs: number): number | null {
  const exact = Number(headers.get("retry-after-ms") ?? Number.NaN);
  if (exact >= 0) return exact;
  const text = headers.get("retry-after");
  if (text === null) return null;
  const seconds = Number(text);
  const waitMs = Number.isFinite(seconds) ? seconds * 1_000 : Date.parse(text) - nowMs;
  return Number.isFinite(waitMs) ? Math.max(waitMs, 0) : null;
}

async function readShort(response: Response): Promise<string> {
  const reader = (response.body as ReadableStream<Uint8Array> | null)?.getReader();
  const parts: Uint8Array[] = [];
  let size = 0;
  try {
    while (reader && size < maxErrorBytes) {
      const { done, value } = await reader.read();
      if (done) break;
      parts.push(value);
      size += value.length;
    }
    await reader?.cancel();
  } catch {
    // What was read so far has to do.
  }
  return Buffer.concat(parts).toString("utf8");
}

function saidIn(text: string): Fault["said"] {
  try {
    const value = JSON.parse(text) as unknown;
    const error = isObject(value) ? value["error"] : null;
    if (!isObject(error) || typeof error["message"] !== "string") return null;
    const word = (name: string) => (typeof error[name] === "string" ? error[name].slice(0, 100) : null);
    return {
      message: error["message"].slice(0, maxSaidLength),
      type: word("type"),
      code: word("code"),
      param: word("param"),
    };
  } catch {
    return null;
  }
}
