/** The walk of a model request: who may answer it, what it may cost, the asking, the answer or its stream, the settlement. */
import type { Target } from "#adapters/llm/contract";
import type { WorkspaceCtx } from "#core/context";
import { Problem, openAiError, problemBody } from "#core/problem";
import { type Guard, guardOf, letThrough } from "#features/guardrails/service";
import { levelOf } from "#features/message-logs/service";
import { type TargetsAbout, targetsOf } from "#features/models/service";
import { admit, type Admitted, type Bill, billOf, conclude, withLengthLimit } from "./admission.ts";
import { budgetHeaders, servedHeaders, usageInfoOf, withUsageInfo } from "./bill-shown.ts";
import { closed, keep, type Kept, readKept, type Slot, slotOf } from "./cache.ts";
import { estimate, type Estimate, likelyOutputTokens } from "./estimate.ts";
import { isObject, type JsonObject } from "#adapters/llm/dialect";
import { aboutTold, type Answer, type Begun, noteAnswer, noteCached, noteFailure, type PromptFacts } from "./note.ts";
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
  /** Null: the workspace has no rules. */
  guard: Guard | null;
}

const neverAborted = new AbortController().signal;

/** Throws a problem when nobody answers; then nothing is charged. */
export async function serveModel(ctx: WorkspaceCtx, asked: ModelRequest): Promise<Response> {
  const { operation, body, request, prompt } = asked;
  const level = levelOf(ctx, { request, store: "store" in asked ? asked.store : body["store"] });
  const isStream = body["stream"] === true;
  const begun = { operation, model: body.model, body, isStream, begunMs: ctx.now(), request, level, prompt };
  try {
    const guard = await guardOf(ctx);
    if (guard) begun.body = guard.asked(body);
    return await serve(ctx, { ...asked, body: begun.body }, { begun, guard });
  } catch (error) {
    if (error instanceof AnswerRefused) throw error.problem;
    noteFailure(ctx, begun, error);
    throw error;
  }
}

async function serve(
  ctx: WorkspaceCtx,
  asked: ModelRequest,
  { begun, guard }: Pick<Walk, "begun" | "guard">,
): Promise<Response> {
  const { operation, body } = asked;
  const { isStream } = begun;
  const isResumable = asksToResume(asked.request) && isStream;
  const guess = estimate(operation, body);
  const targets = await targetsWithFallback(ctx, asked, aboutOf(asked, guess));
  const showsUsage = !operation.asksForUsage || asksForUsage(body);
  const slot = asked.retelling?.isSame === false ? closed : slotOf(ctx, { ...asked, showsUsage, guard });
  const kept = await readKept(ctx, slot);
  if (kept) {
    const words = () => (isStream ? wordsOfStream(kept.text) : wordsOfAnswer(kept.text));
    noteCached(ctx, begun, { provider: kept.provider, words });
    return fromCache(kept, { isStream, guard, preface: asked.preface });
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
    guard,
    sent: isStream ? askingForUsage(operation, limited) : limited,
  };
  try {
    return await (isStream ? stream(ctx, walk) : answer(ctx, walk));
  } catch (error) {
    if (!(error instanceof AnswerRefused)) conclude(ctx, admitted, null);
    throw error;
  }
}

function aboutOf({ operation, body }: ModelRequest, { inputTokensLikely }: Estimate): TargetsAbout {
  return {
    capability: operation.capability,
    sizeBytes: inputTokensLikely * 4,
    ...(isObject(body["metadata"]) ? { metadata: body["metadata"] } : {}),
    ...(typeof body["user"] === "string" ? { stickTo: body["user"] } : {}),
  };
}

/** The provider has answered and is paid, although nobody is told what it said: the bill stands. */
class AnswerRefused extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.message);
    this.problem = problem;
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
  { isStream, guard, preface }: { isStream: boolean; guard: Guard | null; preface: JsonObject | undefined },
): Response {
  const headers = {
    "content-type": isStream ? "text/event-stream; charset=utf-8" : "application/json",
    "cache-control": "no-store",
    "x-overtone-cache": "hit",
    "x-overtone-provider": provider,
    "x-overtone-cost-micro-usd": "0",
    age: String(ageSeconds),
    ...guard?.headers(),
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
  const answered = await tryTargets(ctx, targets, { call, begin: readPlain(operation, ctx) });
  const bill = billOf(answered.target, walk.admitted, usageOfPlain(walk, answered.begun));
  const { target } = answered;
  const passed = letThrough(walk.guard, answered.begun);
  if (passed instanceof Problem) throw refused(ctx, walk, { problem: passed, bill, target });
  const text = await toldOf(walk, passed);
  conclude(ctx, walk.admitted, bill);
  noteAnswer(ctx, walk.begun, { target, usage: bill.usage, end: "whole", words: () => wordsOfAnswer(text) });
  const { provider } = target;
  if (walk.guard?.isAnswerMarked() !== true) keep(ctx, walk.slot, { text, provider });
  return new Response(withUsageInfo(text, usageInfoOf(provider, bill)), {
    headers: {
      "content-type": "application/json",
      "cache-control": "no-store",
      ...servedHeaders(answered),
      ...missed(walk),
      ...walk.guard?.headers(),
      ...budgetHeaders(bill),
    },
  });
}

function refused(
  ctx: WorkspaceCtx,
  walk: Walk,
  { problem, bill, target }: { problem: Problem; bill: Bill; target: Target },
): AnswerRefused {
  conclude(ctx, { ...walk.admitted, credits: 0 }, { ...bill, isCut: true });
  noteAnswer(ctx, walk.begun, { target, usage: bill.usage, end: "whole", ...aboutTold(problem, () => null) });
  return new AnswerRefused(problem);
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
  const guard = walk.guard?.openStream() ?? null;
  const taping = { isTaped: slot.key !== null, isHeard: walk.begun.level === "contents" };
  const rules = { operation, showsUsage, patience, ...taping, retell: walk.retelling?.event, guard };
  // Not the request's own signal: after a disconnect the rest is read, to learn what it came to.
  const call = { operation, body: sent, isStream: true, patience, signal: neverAborted };
  const errors = walk.errors ?? "openai";
  const opening = walk.isResumable ? await startRecorder(ctx, errors) : null;
  const discard = () => opening && ctx.later(opening.discard());
  const answered = await tryTargets(ctx, targets, { call, begin: beginStream(rules) }).catch((error: unknown) => {
    discard();
    throw error;
  });
  const { target } = answered;
  const problem = guard?.refusal();
  if (problem) {
    // Nothing was told yet: the caller gets an error as for a plain answer.
    discard();
    ctx.later(answered.begun.source.cancel());
    throw refused(ctx, walk, { problem, bill: billOfStream(walk, target, answered.begun.delivered), target });
  }
  const recorder = opening && (await opening.isOpen) ? opening : null;
  const telling = errors === "problem" ? problemBody : openAiError;
  const errorEvent = (why: Problem) => telling(why, ctx.requestId);
  const headers = { ...servedHeaders(answered), ...missed(walk), ...walk.guard?.headers() };
  const { preface } = walk;
  const delivery = { ...rules, headers, errorEvent, preface, recorder, signal: request.signal };
  const { response, ended } = relay(ctx, answered.begun, delivery);
  ctx.later(
    ended.then((delivered) => {
      const bill = billOfStream(walk, target, delivered);
      const refusal = guard?.refusal() ?? null;
      const words = () => delivered.words;
      noteAnswer(ctx, walk.begun, { target, usage: bill.usage, end: endOf(delivered), words, refusal });
      const isMarked = walk.guard?.isAnswerMarked() === true;
      if (!delivered.isCut && delivered.tape !== null && !isMarked)
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

function billOfStream(
  { admitted, estimate: guess }: Walk,
  target: Target,
  delivered: Pick<Delivered, "usage" | "chunks" | "textLength">,
): Bill {
  return billOf(target, admitted, delivered.usage ?? estimatedUsage(guess, delivered));
}
