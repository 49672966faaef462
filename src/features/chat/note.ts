/** What is kept of a model request beside its money, once it is over: behind the answer, out of memory, and nothing is decided by it. */
import type { Target, TokenUsage } from "#adapters/llm/contract";
import type { JsonObject } from "#adapters/llm/dialect";
import type { WorkspaceCtx } from "#core/context";
import { leastLevel, type LogLevel, type RequestStatus } from "#core/message-log";
import { Problem, type ProblemCode, problemKinds } from "#core/problem";
import { type LoggedRequest, logRequest } from "#features/message-logs/service";
import { costMicroUsd, listCostMicroUsd } from "#features/models/service";
import { noteOwnKeyUse } from "#features/provider-keys/service";
import type { Operation } from "./operations.ts";

/** A request, as it stands before anybody has answered it. */
export interface Begun {
  operation: Operation;
  model: string;
  body: JsonObject;
  isStream: boolean;
  begunMs: number;
  request: Request;
  level: LogLevel;
  prompt?: PromptFacts | undefined;
}

/** Of a request that is a prompt. */
export interface PromptFacts {
  style: string | null;
  isResearched: boolean;
}

export interface Answer {
  target: Target;
  /** Null: it failed, and costs nothing. */
  usage: TokenUsage | null;
  end: "whole" | "cut" | "left";
  /** Asked for only where contents are kept. */
  words(): string | null;
  /** It was answered, and the workspace's rules did not let the answer through. */
  refusal?: Problem | null;
}

/** Of an answer as it may be told, or of why it may not. */
export function aboutTold(
  told: string | Problem,
  wordsOf: (text: string) => string | null,
): Pick<Answer, "words" | "refusal"> {
  return told instanceof Problem ? { words: () => null, refusal: told } : { words: () => wordsOf(told) };
}

const statuses = { whole: "succeeded", cut: "cut", left: "cancelled" } as const satisfies Record<string, RequestStatus>;

/** Hears of every answer of a provider. */
export function noteAnswer(ctx: WorkspaceCtx, begun: Begun, { target, usage, end, words, refusal }: Answer): void {
  const durationMs = ctx.now() - begun.begunMs;
  if (target.ownKeyId !== null)
    noteOwnKeyUse(ctx, {
      keyId: target.ownKeyId,
      endpoint: begun.operation.name,
      status: end === "cut" ? 502 : 200,
      durationMs,
      tokens: usage ? usage.inputTokens + usage.outputTokens : 0,
      costMicroUsd: usage ? listCostMicroUsd(target, usage) : 0,
      error: end === "cut" ? "stream-broken" : null,
    });
  logRequest(ctx, {
    ...logged(begun, { durationMs, words }),
    ...(usage ? measuredOf(usage) : unused),
    model: target.publicModel,
    provider: target.provider,
    ...outcomeOf(end, refusal ?? null),
    costMicroUsd: usage ? costMicroUsd(target, usage) : 0,
  });
}

/** A stream that is refused in its middle is one that was cut. */
function outcomeOf(end: Answer["end"], refusal: Problem | null) {
  const brokenBy: ProblemCode | null = end === "cut" ? "model-stream-broken" : null;
  const errorCode = refusal?.code ?? brokenBy;
  if (refusal && end === "whole") return { status: "failed", httpStatus: refusal.status, errorCode } as const;
  return { status: statuses[end], httpStatus: 200, errorCode };
}

/** Hears of every request that was answered from the cache. */
export function noteCached(
  ctx: WorkspaceCtx,
  begun: Begun,
  { provider, words }: Pick<Answer, "words"> & { provider: string },
): void {
  const facts = { provider, isCached: true, httpStatus: 200, status: "succeeded" } as const;
  logRequest(ctx, { ...logged(begun, { durationMs: ctx.now() - begun.begunMs, words }), ...facts });
}

/** Hears of every request that nobody answered. */
export function noteFailure(ctx: WorkspaceCtx, begun: Begun, error: unknown): void {
  const code = codeOf(begun, error);
  // What the workspace's rules keep from being sent is not kept here either.
  const level = code === "guardrail-blocked" ? leastLevel(begun.level, "metadata") : begun.level;
  logRequest(ctx, {
    ...logged({ ...begun, level }, { durationMs: ctx.now() - begun.begunMs, words: () => null }),
    status: code === null ? "cancelled" : "failed",
    errorCode: code,
    httpStatus: code === null ? null : problemKinds[code].status,
  });
}

/** Null: the caller went away. */
function codeOf({ request }: Begun, error: unknown): ProblemCode | null {
  if (error instanceof Problem) return error.code;
  if (error instanceof Error && error.name === "TimeoutError") return "model-timeout";
  return request.signal.aborted ? null : "internal";
}

function measuredOf({ inputTokens, cachedInputTokens, outputTokens, estimated }: TokenUsage) {
  return { inputTokens, cachedInputTokens, outputTokens, isEstimated: estimated };
}

const unused = measuredOf({ inputTokens: 0, cachedInputTokens: 0, outputTokens: 0, estimated: false });

/** An entry in which nothing has come of the request yet. */
function logged(
  begun: Begun,
  { durationMs, words }: { durationMs: number; words: () => string | null },
): LoggedRequest {
  const { operation, model, isStream, level, prompt, body } = begun;
  return {
    ...unused,
    level,
    operation: operation.name,
    model: model.slice(0, 300),
    provider: "",
    status: "failed",
    httpStatus: null,
    errorCode: null,
    isStream,
    isCached: false,
    costMicroUsd: 0,
    durationMs: Math.max(durationMs, 0),
    promptStyle: prompt?.style ?? null,
    isResearched: prompt?.isResearched ?? false,
    said: () => ({ request: askedIn(body), response: words() }),
  };
}

/** What the model was told: a conversation, or a text. */
function askedIn({ messages, prompt, input, instructions }: JsonObject): unknown {
  if (messages !== undefined || prompt !== undefined) return messages ?? prompt;
  return instructions === undefined || instructions === null ? input : { instructions, input };
}
