/**
 * Sends an answer, or as much of it as the fault lets through. A stream's pieces are made when the client asks for them and no sooner, so
 * what was made is what was delivered, and a client that leaves ends the work at once.
 */
import type { Tally } from "./counters.ts";
import { ConnectionLost, serverError } from "./failure.ts";
import type { Fault } from "./faults.ts";
import { wait } from "./wait.ts";

/** One event on the wire. Each piece with `isToken` carries exactly one token; the others carry none. */
export interface Piece {
  data: string;
  isToken: boolean;
}

export interface StreamAnswer {
  kind: "stream";
  pieces: Iterable<Piece>;
  tokens: number;
  /** How this dialect says in mid-stream that it failed. */
  errorEvent: string;
}

export type Answer =
  | StreamAnswer
  | { kind: "json"; body: unknown; tokens: number }
  | { kind: "bytes"; body: Uint8Array | string; type: string; tokens: number };

export interface Delivery {
  fault: Fault;
  signal: AbortSignal;
  tally: Tally;
  headers: Record<string, string>;
}

/** A client that waits longer for a silent server has no time-out at all. */
const longestSilenceMs = 600_000;
const longestPaceMs = 10_000;
/** The runtime drops what it has not written yet when a body fails; this long it needs to write it. */
const beforeCutMs = 20;
const brokenLine = 'data: {"id":"broken","choices":[{"index":0,"delta":{"content":\n\n';
const shredBytes = 7;
const encoder = new TextEncoder();
const encode = (text: string) => encoder.encode(text) as Uint8Array<ArrayBuffer>;

export async function send(answer: Answer, delivery: Delivery): Promise<Response> {
  return answer.kind === "stream" ? sendStream(answer, delivery) : sendWhole(answer, delivery);
}

/** Never answers; throws when the client leaves, or after ten minutes. */
export async function stayAway(signal: AbortSignal): Promise<never> {
  await wait(longestSilenceMs, signal);
  throw new ConnectionLost();
}

function sendStream(answer: StreamAnswer, delivery: Delivery): Response {
  const type = "text/event-stream; charset=utf-8";
  if (delivery.fault.kind === "html") return page(type, delivery);
  const body = flowOf((signal) => paced(answer, { ...delivery, signal }), delivery);
  return respond(body, type, delivery);
}

type Source = (signal: AbortSignal) => AsyncGenerator<Uint8Array<ArrayBuffer> | string, void, undefined>;

function flowOf(source: Source, { signal, tally }: Delivery): ReadableStream<Uint8Array> {
  const gone = new AbortController();
  const either = AbortSignal.any([signal, gone.signal]);
  const pieces = source(either);
  const fail = (controller: ReadableStreamDefaultController<Uint8Array>, error: unknown) => {
    tally.end(either.aborted ? "aborted" : "broken");
    controller.error(error);
  };
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        either.addEventListener("abort", () => fail(controller, either.reason), { once: true });
      },
      async pull(controller) {
        try {
          if (either.aborted) throw either.reason as Error;
          const { done, value } = await pieces.next();
          if (done !== true) {
            controller.enqueue(typeof value === "string" ? encode(value) : value);
            return;
          }
          tally.end("finished");
          controller.close();
        } catch (error) {
          fail(controller, error);
        }
      },
      cancel() {
        tally.end("aborted");
        gone.abort();
      },
    },
    { highWaterMark: 0 },
  );
}

async function* paced(answer: StreamAnswer, delivery: Delivery): ReturnType<Source> {
  const { fault, signal, tally } = delivery;
  if (fault.kind === "empty") return;
  for await (const piece of faulty(answer, delivery)) {
    if (fault.kind === "slow" && piece.isToken) await wait(fault.everyMs, signal);
    if (piece.isToken) tally.tokens(1);
    if (fault.kind === "shredded") yield* shreds(encode(piece.data));
    else yield piece.data;
  }
}

function* shreds(bytes: Uint8Array<ArrayBuffer>): Generator<Uint8Array<ArrayBuffer>, void, undefined> {
  for (let start = 0; start < bytes.length; start += shredBytes) yield bytes.slice(start, start + shredBytes);
}

/** The pieces up to the break; a break that the answer is too short for comes after its last token. */
async function* faulty(answer: StreamAnswer, { fault, signal }: Delivery): AsyncGenerator<Piece, void, undefined> {
  if (!("after" in fault)) {
    yield* answer.pieces;
    return;
  }
  const limit = fault.after === "start" && answer.tokens > 0 ? null : Math.min(Number(fault.after) || 0, answer.tokens);
  let sent = 0;
  let isBroken = false;
  for (const piece of answer.pieces) {
    if (!isBroken && (limit === null ? piece.isToken : sent >= limit)) {
      isBroken = true;
      if (fault.kind === "bad-json") yield { data: brokenLine, isToken: false };
      else {
        if (fault.kind === "error-event") yield { data: answer.errorEvent, isToken: false };
        return breakOff(fault.kind, signal);
      }
    }
    if (piece.isToken) sent += 1;
    yield piece;
  }
}

async function breakOff(kind: "cut" | "end" | "silent" | "error-event", signal: AbortSignal): Promise<void> {
  if (kind === "silent") await stayAway(signal);
  if (kind !== "cut") return;
  await wait(beforeCutMs, signal);
  throw new ConnectionLost();
}

async function sendWhole(answer: Exclude<Answer, StreamAnswer>, delivery: Delivery): Promise<Response> {
  const { fault, signal, tally } = delivery;
  const type = answer.kind === "json" ? "application/json" : answer.type;
  if (fault.kind === "error-event") throw serverError();
  if (fault.kind === "html") return page(type, delivery);
  const text = answer.kind === "json" ? JSON.stringify(answer.body) : answer.body;
  const bytes = typeof text === "string" ? encode(text) : new Uint8Array(text);
  if (fault.kind === "slow") await wait(Math.min(fault.everyMs * Math.max(answer.tokens, 1), longestPaceMs), signal);
  if (fault.kind === "shredded") {
    tally.tokens(answer.tokens);
    return respond(
      flowOf(() => shredded(bytes), delivery),
      type,
      delivery,
    );
  }
  if ("after" in fault && fault.kind !== "bad-json")
    return respond(
      flowOf((either) => partOf(bytes, fault, either), delivery),
      type,
      delivery,
    );
  tally.end("finished");
  if (fault.kind === "empty") return respond("", type, delivery);
  tally.tokens(answer.tokens);
  return respond(fault.kind === "bad-json" ? damaged(bytes) : bytes, type, delivery);
}

async function* shredded(bytes: Uint8Array<ArrayBuffer>): ReturnType<Source> {
  yield* shreds(bytes);
}

/** Half of the body, or nothing of it when the break is at the very start. */
async function* partOf(
  bytes: Uint8Array<ArrayBuffer>,
  fault: Extract<Fault, { after: unknown }>,
  signal: AbortSignal,
): ReturnType<Source> {
  if (fault.after !== 0 && fault.after !== "start") yield bytes.slice(0, Math.ceil(bytes.length / 2));
  if (fault.kind === "bad-json" || fault.kind === "error-event") return;
  await breakOff(fault.kind, signal);
}

/** A comma where the last character was: no JSON ends so. */
function damaged(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const copy = bytes.slice();
  copy[copy.length - 1] = 0x2c;
  return copy;
}

/** What a proxy in front of a server says, under the content type that was asked for. */
function page(type: string, delivery: Delivery): Response {
  delivery.tally.end("finished");
  return respond("<!doctype html><title>Sandbox</title><p>This is no answer.</p>", type, delivery);
}

function respond(body: BodyInit, type: string, { headers }: Delivery): Response {
  return new Response(body, { status: 200, headers: { ...headers, "content-type": type } });
}
