/**
 * Passes a stream on to its caller and counts it. A stream that breaks ends in an error event, never as if it were whole. When the caller goes away,
 * the rest is read for a while to learn what it came to; then the provider is cut off, too.
 */
import type { TokenUsage } from "#adapters/llm/contract";
import type { WorkspaceCtx } from "#core/context";
import { Problem } from "#core/problem";
import type { StreamGuard } from "#features/guardrails/service";
import { type EventBatch, firstEvents, type StreamEvent, withoutEvents } from "#lib/event-stream";
import { type Begin } from "./try-targets.ts";
import { openTape, type Tape } from "./cache.ts";
import type { JsonObject } from "#adapters/llm/dialect";
import { faultOf } from "./attempt.ts";
import type { Operation } from "./operations.ts";
import type { Patience } from "./patience.ts";
import type { Recorder } from "./recorder.ts";
import { type EventSource, openSource, type Retell } from "./source.ts";
import { openWords, type Words } from "./words.ts";

/** The platform ends what runs after a disconnect at 30 s: this leaves time for the settlement. */
const drainMs = 25_000;
const maxHeldBytes = 262_144;
const doneEvent = Uint8Array.from(Buffer.from("data: [DONE]\n\n"));

/** What of a stream has been read from the provider. */
export interface Delivered {
  chunks: number;
  textLength: number;
  usage: TokenUsage | null;
  isEnded: boolean;
}

export interface OpenStream {
  source: EventSource;
  delivered: Delivered;
  /** Read, counted and not passed on yet. */
  held: Uint8Array<ArrayBuffer>[];
  isDone: boolean;
  /** It goes no further, whatever the provider still sends. */
  isBroken: boolean;
  /** What the caller was sent, for the cache; null: it is not kept. */
  tape: Tape | null;
  /** What a reader read of it, for the message log; null: it is not kept. */
  words: Words | null;
}

interface Rules {
  operation: Operation;
  patience: Patience;
  /** The caller asked for the event that tells the use. */
  showsUsage: boolean;
  isTaped: boolean;
  isHeard: boolean;
  retell?: Retell | undefined;
  guard?: StreamGuard | null;
}

/**
 * Reads up to the first token, so that a stream which fails before it can be asked of somebody else: nobody has seen anything yet.
 */
export function beginStream(rules: Rules): Begin<OpenStream> {
  return async (target, response) => {
    const body = response.body as ReadableStream<Uint8Array<ArrayBuffer>> | null;
    if (!body) return { ok: false, fault: faultOf("invalid-answer", { status: response.status }) };
    const source = openSource(body, { target, ...rules });
    const open: OpenStream = {
      source,
      delivered: nothingYet(),
      held: [],
      isDone: false,
      isBroken: false,
      tape: rules.isTaped ? openTape() : null,
      words: rules.isHeard ? openWords() : null,
    };
    try {
      await readToFirstToken(open, rules);
      // It was answered, and is paid for: nobody else is asked.
      if (rules.guard?.refusal()) return { ok: true, begun: open };
    } catch (error) {
      await source.cancel();
      const isLate = error instanceof DOMException && error.name === "TimeoutError";
      return { ok: false, fault: faultOf(isLate ? "timeout" : "invalid-answer") };
    }
    if (hasBegun(open)) return { ok: true, begun: open };
    await source.cancel();
    return { ok: false, fault: faultOf("invalid-answer") };
  };
}

async function readToFirstToken(open: OpenStream, rules: Rules): Promise<void> {
  let heldBytes = 0;
  while (!hasBegun(open) && !open.isDone && heldBytes < maxHeldBytes) {
    const batch = await open.source.next();
    if (!batch) return;
    // Tokens that came in the same bytes are passed on before the error, as if the break had come a moment later.
    open.isBroken = !take(open, batch, rules);
    if (open.isBroken) return;
    heldBytes += batch.bytes.length;
  }
}

function hasBegun({ delivered }: OpenStream): boolean {
  return delivered.textLength > 0 || delivered.isEnded || delivered.usage !== null;
}

function nothingYet(): Delivered {
  return { chunks: 0, textLength: 0, usage: null, isEnded: false };
}

/** Counts a batch and keeps its bytes for the caller; false when the stream is broken there. */
function take(open: OpenStream, batch: EventBatch, rules: Rules): boolean {
  const { operation, showsUsage } = rules;
  const isHidden = (event: StreamEvent): boolean => !showsUsage && operation.eventFacts(event).isUsageOnly;
  const { goodEvents, hides } = count(open, batch, rules);
  // A provider's own error would show its words, and whatever follows it would look like a good end: ours takes the place of both.
  const good = goodEvents < batch.events.length ? firstEvents(batch, goodEvents) : batch;
  open.isDone ||= good.isDone;
  hold(open, good.events, hides ? withoutEvents(good, isHidden) : good.bytes);
  return !good.isBroken;
}

function hold({ held, tape, words }: OpenStream, events: readonly StreamEvent[], shown: Uint8Array<ArrayBuffer>): void {
  held.push(shown);
  tape?.add(shown);
  words?.add(events);
}

/** How many events come before a provider's error, and whether one of them is not for the caller. */
function count({ delivered }: OpenStream, { events }: EventBatch, { operation, showsUsage, guard }: Rules) {
  let hides = false;
  let goodEvents = 0;
  for (const event of events) {
    const facts = operation.eventFacts(event);
    if (facts.isError) break;
    goodEvents += 1;
    if (facts.textLength > 0) delivered.chunks += 1;
    delivered.textLength += facts.textLength;
    delivered.usage = facts.usage ?? delivered.usage;
    delivered.isEnded ||= facts.isEnd;
    hides ||= facts.isUsageOnly && !showsUsage;
  }
  // A guard holds some of it back; the provider has said it all the same.
  if (guard) Object.assign(delivered, guard.read());
  return { goodEvents, hides };
}

export interface Relayed {
  response: Response;
  /** Resolves with what was delivered, once the stream is over for the provider, too. */
  ended: Promise<Ended>;
}

export interface Ended extends Delivered {
  isCut: boolean;
  isCancelled: boolean;
  tape: string | null;
  words: string | null;
}

export interface Delivery extends Rules {
  headers: Record<string, string>;
  /** What a caller reads when the stream breaks. */
  errorEvent(why: Problem): JsonObject;
  /** What the caller is told before the model's first word. */
  preface: JsonObject | undefined;
  /** Keeps the stream so that it can be resumed. */
  recorder: Recorder | null;
  /** The request's own: it tells that the caller has left, also while the provider is silent and nothing is written. */
  signal: AbortSignal;
}

export const streamHeaders = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache, no-transform",
};

export function eventOf(data: JsonObject): string {
  return `data: ${JSON.stringify(data)}\n\n`;
}

export function relay(ctx: WorkspaceCtx, open: OpenStream, rules: Delivery): Relayed {
  const { readable, writable } = new IdentityTransformStream();
  const writer = writable.getWriter();
  if (rules.preface) open.held.unshift(bytesOf(rules.preface));
  const ended = passOn(ctx, open, { writer, rules });
  ctx.later(ended);
  const resuming: Record<string, string> = rules.recorder ? { "x-overtone-stream-id": rules.recorder.id } : {};
  return { response: new Response(readable, { headers: { ...streamHeaders, ...resuming, ...rules.headers } }), ended };
}

interface Way {
  writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  rules: Delivery;
}

async function passOn(ctx: WorkspaceCtx, open: OpenStream, { writer, rules }: Way): Promise<Ended> {
  const caller = watchCaller(writer, open.source, rules);
  const { isWhole, isCancelled } = await passEvents(open, caller, rules).catch((error: unknown) => {
    if (!caller.isGone()) ctx.log("warn", "model.stream-broken", { error });
    return { isWhole: false, isCancelled: caller.isGone() };
  });
  const { delivered, source } = open;
  const isCut = !isWhole || !(open.isDone || delivered.isEnded);
  await caller.write(open.held.splice(0));
  await caller.write(lastWords(open, rules, { isCut }));
  await caller.close();
  if (rules.recorder) ctx.later(rules.recorder.end());
  await source.cancel();
  const kept = { tape: open.tape?.text() ?? null, words: open.words?.text() ?? null };
  return { ...delivered, isCut, isCancelled, ...kept };
}

/** Was it passed on to its end, and had the caller left before that? Who leaves because of the end, good or bad, has not left the stream. */
async function passEvents(open: OpenStream, caller: Caller, rules: Rules) {
  let isCancelled = caller.isGone();
  await caller.write(open.held.splice(0));
  if (open.isBroken) return { isWhole: false, isCancelled };
  while (!open.isDone) {
    const batch = await open.source.next();
    isCancelled = caller.isGone();
    if (!batch) break;
    if (isCancelled) open.words?.stop();
    if (!take(open, batch, rules)) return { isWhole: false, isCancelled };
    await caller.write(open.held.splice(0));
  }
  return { isWhole: true, isCancelled };
}

/** The error of a stream that broke off, or the end that a provider forgot. */
function lastWords(open: OpenStream, rules: Delivery, { isCut }: { isCut: boolean }): Uint8Array<ArrayBuffer>[] {
  if (isCut) return [bytesOf(rules.errorEvent(rules.guard?.refusal() ?? new Problem("model-stream-broken")))];
  if (open.isDone || !rules.operation.endsWithDone) return [];
  open.tape?.add(doneEvent);
  return [doneEvent];
}

function bytesOf(event: JsonObject): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(eventOf(event)));
}

type Caller = ReturnType<typeof watchCaller>;

/**
 * After the caller has left, nothing is written any more, only kept for its return, and the provider is cut off when its time is up.
 */
function watchCaller(writer: Way["writer"], source: EventSource, { recorder, signal }: Delivery) {
  let isGone = false;
  let isClosing = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const leave = (): void => {
    if (isGone || isClosing) return;
    isGone = true;
    timer = setTimeout(() => void source.cancel(), drainMs);
  };
  writer.closed.catch(leave);
  signal.addEventListener("abort", leave, { once: true });
  if (signal.aborted) leave();
  return {
    isGone: () => isGone,
    async write(parts: Uint8Array<ArrayBuffer>[]): Promise<void> {
      for (const part of parts) {
        if (part.length === 0) continue;
        const told = recorder ? recorder.number(part) : part;
        if (!isGone) await writer.write(told).catch(leave);
      }
    },
    async close(): Promise<void> {
      isClosing = true;
      clearTimeout(timer);
      signal.removeEventListener("abort", leave);
      await writer.close().catch(() => undefined);
    },
  };
}
