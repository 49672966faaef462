/** The walk of a model request: who may answer it, what it may cost, the asking, the answer or its stream, the settlement. */
import type { Target } from "#adapters/llm/contract";
import type { WorkspaceCtx } from "#core/context";
import { Problem, openAiError, problemBody } from "#core/problem";
import { levelOf } from "#features/message-logs/service";
import { type TargetsAbout, targetsOf } from "#features/models/service";
import { admit, type Admitted, type Bill, billOf, conclude, withLengthLimit } from "./admission.ts";
import { budgetHeaders, servedHeaders, usageInfoOf, withUsageInfo } from "./bill-shown.ts";
import { closed, keep, type Kept, readKept, type Slot, slotOf } from "./cache.ts";
import { estimate, type Estimate, likelyOutputTokens } from "./estimate.ts";
import { isObject, type JsonObject } from "#adapters/llm/dialect";
import { type Answer, type Begun, noteAnswer, noteCached, noteFailure, type PromptFacts } from "./note.ts";
import type { Operation } from "./operations.ts";
import { readPatience } from "./patience.ts";
import { type PlainAnswer, readPlain } from "./plain-answer.ts";
import { asksToResume, startRecorder } from "./recorder.ts";
import { beginStream, type Delivered, type Ended, eventOf, relay } from "./relay.ts";
import type { Retell } from "./source.ts";
import { tryTargets } from "./try-targets.ts";
import { wordsOfAnswer, wordsOfStream } from "./words.ts";

export interface ModelRequest {
  operation: Operation;
  /** With a `model`; everything that is not known here goes to the provider as it came. */
  body: JsonObject & { model: string };
  request: Request;
  /** Taken in the same hold as tokens and money, and given back when the call fails. */
  credits?: number;
  /** Asked where nobody who has the body's model answers, or nobody has it. */
  fallbackModel?: string;
  /** How a stream that breaks tells it. */
  errors?: "problem";
  /** Names the call, so that one which is repeated is charged once; otherwise each call is a charge. */
  reservationId?: string;
  retelling?: Retelling;
  /** The first event of the stream, before the model's own. */
  preface?: JsonObject;
  /** OpenAI's `store` as the caller said it, where the body says something else. */
  store?: unknown;
  /** For the log, where the request is a prompt. */
  prompt?: PromptFacts;
}

/** What an operation makes of its answers before the caller sees them; what they came to is read before. */
export interface Retelling {
  /** The same request may be told the same answer twice: its answer may be cached. */
  isSame: boolean;
  answer(answer: JsonObject): Promise<JsonObject>;
  event: Retell;
}

interface Walk extends ModelRequest {
  targets: Target[];
  estimate: Estimate;
  admitted: Admitted;
  /** What the provider is sent. */
  sent: JsonObject;
  showsUsage: boolean;
  slot: Slot;
  isResumable: boolean;
  begun: Begun;
}

const neverAborted = new AbortController().signal;

/** Throws a problem when nobody answers; then nothing is charged. */
export async function serveModel(ctx: WorkspaceCtx, asked: ModelRequest): Promise<Response> {
  const { operation, body, request, prompt } = asked;
  const level = levelOf(ctx, { request, store: "store" in asked ? asked.store : body["store"] });
  const isStream = body["stream"] === true;
  const begun = { operation, model: body.model, body, isStream, begunMs: ctx.now(), request, level, prompt };
  try {
    return await serve(ctx, asked, begun);
  } catch (error) {
    noteFailure(ctx, begun, error);
    throw error;
  }
}

async function serve(ctx: WorkspaceCtx, asked: ModelRequest, begun: Begun): Promise<Response> {
  const { operation, body } = asked;
  const { isStream } = begun;
  const isResumable = asksToResume(asked.request) && isStream;
  const guess = estimate(operation, body);
  const targets = await targetsWithFallback(ctx, asked, {
    capability: operation.capability,
    sizeBytes: guess.inputTokensLikely * 4,
    ...(isObject(body["metadata"]) ? { metadata: body["metadata"] } : {}),
    ...(typeof body["user"] === "string" ? { stickTo: body["user"] } : {}),
  });
  const showsUsage = !operation.asksForUsage || asksForUsage(body);
  const slot = asked.retelling?.isSame === false ? closed : slotOf(ctx, { ...asked, showsUsage });
  const kept = await readKept(ctx, slot);
  if (kept) {
    const words = () => (isStream ? wordsOfStream(kept.text) : wordsOfAnswer(kept.text));
    noteCached(ctx, begun, { provider: kept.provider, words });
    return fromCache(kept, { isStream, preface: asked.preface });
  }
  const { credits = 0, reservationId } = asked;
  const named = { operation: operation.name, model: body.model };
  const admitted = await admit(ctx, targets, { ...named, estimate: guess, credits, reservationId });
  const limited = withLengthLimit(operation, body, { estimate: guess, admitted, targets });
  const walk = {
    ...asked,
    begun,
    targets,
    estimate: guess,
    admitted,
    showsUsage,
    slot,
    isResumable,
    sent: isStream ? askingForUsage(operation, limited) : limited,
  };
  try {
    return await (isStream ? stream(ctx, walk) : answer(ctx, walk));
  } catch (error) {
    conclude(ctx, admitted, null);
    throw error;
  }
}

const missing: ReadonlySet<string> = new Set([
  "model-not-found",
  "model-provider-not-configured",
  "model-capability-missing",
]);

/** Those of the fallback come after all of the model's own, and instead of them when there are none. */
async function targetsWithFallback(
  ctx: WorkspaceCtx,
  { body, fallbackModel }: ModelRequest,
  about: TargetsAbout,
): Promise<Target[]> {
  if (fallbackModel === undefined || fallbackModel === body.model) return targetsOf(ctx, body.model, about);
  const [own, others] = await Promise.allSettled([
    targetsOf(ctx, body.model, about),
    targetsOf(ctx, fallbackModel, about),
  ]);
  const fallback = others.status === "fulfilled" ? others.value : [];
  if (own.status === "fulfilled") return [...own.value, ...fallback];
  const isMissing = own.reason instanceof Problem && missing.has(own.reason.code);
  if (isMissing && fallback.length > 0) return fallback;
  throw own.reason;
}

function asksForUsage({ stream_options: options }: JsonObject): boolean {
  return isObject(options) && options["include_usage"] === true;
}

/** Costs nothing, and nobody was asked. */
function fromCache(
  { text, provider, ageSeconds }: Kept,
  { isStream, preface }: { isStream: boolean; preface: JsonObject | undefined },
): Response {
  const headers = {
    "content-type": isStream ? "text/event-stream; charset=utf-8" : "application/json",
    "cache-control": "no-store",
    "x-overtone-cache": "hit",
    "x-overtone-provider": provider,
    "x-overtone-cost-micro-usd": "0",
    age: String(ageSeconds),
  };
  if (isStream) return new Response(preface ? eventOf(preface) + text : text, { headers });
  const nothing = { tokens_used: 0, cost_usd: 0, remaining_tokens: null, estimated: false };
  return new Response(withUsageInfo(text, { ...nothing, provider, cached: true }), { headers });
}

/** Without it the provider keeps the use of a stream to itself. */
function askingForUsage({ asksForUsage }: Operation, body: JsonObject): JsonObject {
  if (!asksForUsage) return body;
  const options = isObject(body["stream_options"]) ? body["stream_options"] : {};
  return { ...body, stream_options: { ...options, include_usage: true } };
}

async function answer(ctx: WorkspaceCtx, walk: Walk): Promise<Response> {
  const { operation, request, sent, targets } = walk;
  const patience = readPatience(request, { isStream: false });
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(patience.totalMs)]);
  const call = { operation, body: sent, isStream: false, patience, signal };
  const answered = await tryTargets(ctx, targets, { call, begin: readPlain(operation) });
  const bill = billOf(answered.target, walk.admitted, usageOfPlain(walk, answered.begun));
  const text = await toldOf(walk, answered.begun.text);
  conclude(ctx, walk.admitted, bill);
  const words = () => wordsOfAnswer(text);
  noteAnswer(ctx, walk.begun, { target: answered.target, usage: bill.usage, end: "whole", words });
  const { provider } = answered.target;
  keep(ctx, walk.slot, { text, provider });
  return new Response(withUsageInfo(text, usageInfoOf(provider, bill)), {
    headers: {
      "content-type": "application/json",
      "cache-control": "no-store",
      ...servedHeaders(answered),
      ...missed(walk),
      ...budgetHeaders(bill),
    },
  });
}

async function toldOf({ retelling }: Walk, text: string): Promise<string> {
  return retelling ? JSON.stringify(await retelling.answer(JSON.parse(text) as JsonObject)) : text;
}

function missed({ slot }: Walk): Record<string, string> {
  return slot.key ? { "x-overtone-cache": "miss" } : {};
}

function usageOfPlain({ estimate: guess, operation, body }: Walk, { usage, textLength }: PlainAnswer) {
  const guessed = estimatedUsage(guess, { chunks: 0, textLength });
  // Pictures have no length to judge by.
  return usage ?? { ...guessed, ...(operation.outputMax ? { outputTokens: operation.outputMax(body) } : {}) };
}

function estimatedUsage(guess: Estimate, delivered: { chunks: number; textLength: number }) {
  const outputTokens = likelyOutputTokens(delivered);
  return { inputTokens: guess.inputTokensLikely, cachedInputTokens: 0, outputTokens, estimated: true };
}

async function stream(ctx: WorkspaceCtx, walk: Walk): Promise<Response> {
  const { operation, request, sent, showsUsage, slot, targets } = walk;
  const patience = readPatience(request, { isStream: true });
  const taping = { isTaped: slot.key !== null, isHeard: walk.begun.level === "contents" };
  const rules = { operation, showsUsage, patience, ...taping, retell: walk.retelling?.event };
  // Not the request's own signal: after a disconnect the rest is read, to learn what it came to.
  const call = { operation, body: sent, isStream: true, patience, signal: neverAborted };
  const errors = walk.errors ?? "openai";
  const opening = walk.isResumable ? await startRecorder(ctx, errors) : null;
  const answered = await tryTargets(ctx, targets, { call, begin: beginStream(rules) }).catch((error: unknown) => {
    if (opening) ctx.later(opening.discard());
    throw error;
  });
  const recorder = opening && (await opening.isOpen) ? opening : null;
  const telling = errors === "problem" ? problemBody : openAiError;
  const errorEvent = telling(new Problem("model-stream-broken"), ctx.requestId);
  const headers = { ...servedHeaders(answered), ...missed(walk) };
  const { preface } = walk;
  const delivery = { ...rules, headers, errorEvent, preface, recorder, signal: request.signal };
  const { response, ended } = relay(ctx, answered.begun, delivery);
  const { target } = answered;
  ctx.later(
    ended.then((delivered) => {
      const bill = billOfStream(walk, target, delivered);
      noteAnswer(ctx, walk.begun, { target, usage: bill.usage, end: endOf(delivered), words: () => delivered.words });
      if (!delivered.isCut && delivered.tape !== null)
        keep(ctx, slot, { text: delivered.tape, provider: target.provider });
      const hasFailed = delivered.isCut && !delivered.isCancelled;
      conclude(ctx, hasFailed ? { ...walk.admitted, credits: 0 } : walk.admitted, { ...bill, isCut: hasFailed });
    }),
  );
  return response;
}

/** Who leaves a stream that then breaks has left it all the same. */
function endOf({ isCancelled, isCut }: Pick<Ended, "isCancelled" | "isCut">): Answer["end"] {
  if (isCancelled) return "left";
  return isCut ? "cut" : "whole";
}

function billOfStream({ admitted, estimate: guess }: Walk, target: Target, delivered: Delivered): Bill {
  return billOf(target, admitted, delivered.usage ?? estimatedUsage(guess, delivered));
}
