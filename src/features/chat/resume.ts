/**
 * Reads a kept stream again: first what is there behind the event that the caller saw last, then what comes, until its end. Whoever reads asks no
 * provider and pays nothing. A stream of which the end is missing ends in an error event, never as if it were whole.
 */
import type { JsonObject } from "#adapters/llm/dialect";
import type { WorkspaceCtx } from "#core/context";
import { openAiError, Problem, problemBody } from "#core/problem";
import { type Part, type Reading, readStream } from "#durable/stream-buffer/client";
import { skipEvents } from "#lib/event-stream";
import { streamNameOf } from "./recorder.ts";
import { eventOf, streamHeaders } from "./relay.ts";
import { openPart, openStreamKey, type StreamKey } from "./stream-sealing.ts";

const idForm = /^stream_[0-9A-Za-z]{22}$/;
const positionForm = /^\d{1,15}$/;
/** What the caller has seen may still be on its way to the object. */
const catchUpMs = 2_000;
const keepAliveMs = 15_000;
/** Longer than any stream goes on. */
const longestMs = 1_200_000;
const maxTries = 4;
const retryMs = 150;
const keepAlive = ": keep-alive\n\n";

export interface Position {
  request: Request;
  /** Of the query. */
  after: string | undefined;
}

/** Throws `stream-not-found`, `stream-too-long`, `validation-failed`, and `unavailable` while the stream cannot be read. */
export async function resumeStream(ctx: WorkspaceCtx, id: string, position: Position): Promise<Response> {
  const after = positionOf(position);
  const reading = await readAtFirst(ctx, id, after);
  const key = await openStreamKey(ctx, id, reading);
  const { readable, writable } = new IdentityTransformStream();
  ctx.later(follow(ctx, { id, key, after, reading, signal: position.request.signal }, writable.getWriter()));
  return new Response(readable, { headers: { ...streamHeaders, "x-overtone-stream-id": id } });
}

/** 0: from the first event on. */
function positionOf({ request, after }: Position): number {
  const header = request.headers.get("last-event-id");
  const said = header ?? after ?? "0";
  if (header !== null && after !== undefined && header !== after)
    throw new Problem("validation-failed", { detail: "Last-Event-ID and after name different events." });
  if (!positionForm.test(said))
    throw new Problem("validation-failed", {
      detail: "Last-Event-ID is the number of an event: the id of the last one that was read.",
      members: { param: header === null ? "after" : "last-event-id" },
    });
  return Number(said);
}

async function readAtFirst(ctx: WorkspaceCtx, id: string, after: number): Promise<Reading> {
  let reading = idForm.test(id) ? await readSurely(ctx, id, { after, waitMs: 0 }) : null;
  // Any news ends a wait, also of earlier events.
  const untilMs = ctx.now() + catchUpMs;
  while (reading?.state === "running" && after > reading.lastId && ctx.now() < untilMs)
    reading = await readSurely(ctx, id, { after, waitMs: untilMs - ctx.now() });
  if (!reading || (ctx.subUser && reading.userId !== ctx.userId)) throw new Problem("stream-not-found");
  if (reading.state === "too-long") throw new Problem("stream-too-long");
  // Of a stream whose sender vanished the caller may have seen more than was kept.
  if (after > reading.lastId && reading.state !== "lost")
    throw new Problem("validation-failed", {
      detail: `The stream's last event is ${reading.lastId}.`,
      members: { param: "last-event-id" },
    });
  return reading;
}

/** Throws `unavailable`. */
async function readSurely(
  ctx: WorkspaceCtx,
  id: string,
  asked: { after: number; waitMs: number },
): Promise<Reading | null> {
  for (let tries = 1; tries <= maxTries; tries += 1) {
    try {
      return await readStream(ctx.objects.STREAM_BUFFER, streamNameOf(ctx, id), asked);
    } catch (error) {
      // An object that was moved or has crashed has everything on its disk.
      ctx.log("warn", "stream.read-failed", { error });
      await scheduler.wait(tries * retryMs);
    }
  }
  throw new Problem("unavailable", { headers: { "retry-after": "2" } });
}

interface Followed {
  id: string;
  key: StreamKey;
  after: number;
  reading: Reading;
  /** Of the request that reads. */
  signal: AbortSignal;
}

async function follow(
  ctx: WorkspaceCtx,
  followed: Followed,
  writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>,
): Promise<void> {
  const reader = { isGone: false };
  const leave = (): void => void (reader.isGone = true);
  writer.closed.catch(leave);
  followed.signal.addEventListener("abort", leave, { once: true });
  const write = (text: string) => writer.write(Uint8Array.from(Buffer.from(text))).catch(leave);
  try {
    for await (const text of eventsOf(ctx, followed)) {
      await write(text);
      if (reader.isGone) return;
    }
  } catch (error) {
    const problem = error instanceof Problem ? error : new Problem("unavailable");
    if (problem !== error) ctx.log("error", "stream.not-read", { error });
    await write(eventOf(told(ctx, followed.reading, problem)));
  }
  await writer.close().catch(leave);
}

async function* eventsOf(ctx: WorkspaceCtx, followed: Followed): AsyncGenerator<string> {
  const { id, key } = followed;
  const untilMs = ctx.now() + longestMs;
  let { after, reading } = followed;
  for (;;) {
    for (const part of reading.parts) {
      yield await textAfter(key, part, after);
      after = part.firstId + part.count - 1;
    }
    if (reading.state === "too-long") throw new Problem("stream-too-long");
    if (reading.state !== "running" && after >= reading.lastId) break;
    if (reading.state === "running" && reading.parts.length === 0) yield keepAlive;
    const next = ctx.now() < untilMs ? await readSurely(ctx, id, { after, waitMs: keepAliveMs }) : null;
    if (!next) throw new Problem("model-stream-broken");
    reading = next;
  }
  if (reading.state === "lost") throw new Problem("model-stream-broken");
}

async function textAfter(key: StreamKey, part: Part, after: number): Promise<string> {
  return skipEvents(await openPart(key, part), after - part.firstId + 1);
}

function told(ctx: WorkspaceCtx, { errors }: Reading, problem: Problem): JsonObject {
  return (errors === "problem" ? problemBody : openAiError)(problem, ctx.requestId);
}
