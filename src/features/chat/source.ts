/**
 * Reads a provider's stream as batches of events. The first bytes are passed on at once; after that, what arrives within two milliseconds is taken
 * together: reading and writing cost the runtime some ten microseconds each, however few the bytes. A burst is read several events at a time.
 */
import type { Target } from "#adapters/llm/contract";
import { dialectOf, isObject, type JsonObject, type Translation } from "#adapters/llm/dialect";
import { byobReaderOf } from "#lib/byte-source";
import type { StreamGuard } from "#features/guardrails/service";
import { type EventBatch, openEventReader } from "#lib/event-stream";
import type { Operation } from "./operations.ts";
import type { Patience } from "./patience.ts";

/** Two events within the time show a stream faster than anybody reads: then it doubles, up to the most. */
const gatherMs = { least: 2, most: 16 };
const gatherBytes = 65_536;

export interface EventSource {
  /** The next events; null at the end. Throws when the stream breaks or is given up. */
  next(): Promise<EventBatch | null>;
  /** Ends it; the provider learns of it. */
  cancel(): Promise<void>;
}

type Bytes = Uint8Array<ArrayBuffer>;

interface Reader {
  /** What has come, as soon as it is at least so much, or the end; null at the end. */
  read(leastBytes: number): Promise<Bytes | null>;
  cancel(): Promise<void>;
}

/** Makes of an event of OpenAI's form what the caller is shown instead; the events of these streams carry their names. */
export type Retell = (data: JsonObject) => JsonObject | Promise<JsonObject>;

interface Rules {
  operation: Operation;
  patience: Patience;
  retell?: Retell | undefined;
  /** What a workspace's rules make of the events, before anybody else sees them. */
  guard?: StreamGuard | null;
}

export function openSource(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  { target, operation, patience, retell, guard }: Rules & { target: Target },
): EventSource {
  const reader = readerOf(body);
  const watch = watchOver(reader, patience);
  const gather = openGathering(reader, watch.noteRead);
  const events = openEventReader();
  const translate = dialectOf(target, operation).openTranslation?.(operation, { nowMs: Date.now() }) ?? null;
  const read = async (): Promise<EventBatch | null> => {
    // A read that is given up rejects on the network, and ends in memory: late either way.
    const bytes = await gather().finally(watch.assertInTime);
    if (bytes === null) {
      watch.stop();
      if (events.restBytes > 0) throw new Error("the stream ended inside an event");
      const last = translate?.end({ isDone: false }) ?? [];
      if (last.length > 0) return told(passed(batchOf(last)));
      const held = guard?.end() ?? null;
      return held && told(held);
    }
    const batch = events.push(bytes);
    return told(passed(translate ? batchOf(translated(batch, translate), batch) : batch));
  };
  const passed = (batch: EventBatch) => (guard ? guard.pass(batch) : batch);
  const told = (batch: EventBatch) => (retell ? retold(batch, retell) : batch);
  return {
    next: read,
    async cancel() {
      watch.stop();
      await reader.cancel();
    },
  };
}

function translated(batch: EventBatch, translate: Translation): JsonObject[] {
  const events = batch.events.flatMap((event) => translate.read(event));
  return batch.isDone ? [...events, ...translate.end({ isDone: true })] : events;
}

function batchOf(all: readonly JsonObject[], flags: Pick<EventBatch, "isDone" | "isBroken"> = whole): EventBatch {
  const events = all.map((data) => ({ name: null, data }));
  const text = all.map((data) => `data: ${JSON.stringify(data)}\n\n`).join("");
  return { isDone: flags.isDone, isBroken: flags.isBroken, events, bytes: Uint8Array.from(Buffer.from(text)) };
}

const whole = { isDone: false, isBroken: false };

async function retold(batch: EventBatch, retell: Retell): Promise<EventBatch> {
  const events: EventBatch["events"] = [];
  for (const { name, data } of batch.events) events.push({ name, data: isObject(data) ? await retell(data) : data });
  const text = events.map(({ data }) => `event: ${nameOf(data)}\ndata: ${JSON.stringify(data)}\n\n`).join("");
  return { ...batch, events, bytes: Uint8Array.from(Buffer.from(text)) };
}

function nameOf(data: unknown): string {
  return isObject(data) && typeof data["type"] === "string" ? data["type"] : "message";
}

/** One timer a stream, not one a read: it looks how long ago the last read was, and sleeps on. */
function watchOver(reader: Reader, { idleMs, totalMs }: Patience) {
  const begunMs = Date.now();
  let lastReadMs = begunMs;
  let isLate = false;
  const look = (): void => {
    const now = Date.now();
    const leftMs = Math.min(lastReadMs + idleMs, begunMs + totalMs) - now;
    if (leftMs > 0) {
      timer = setTimeout(look, leftMs);
      return;
    }
    isLate = true;
    void reader.cancel();
  };
  let timer = setTimeout(look, Math.min(idleMs, totalMs));
  return {
    noteRead() {
      lastReadMs = Date.now();
    },
    stop: () => clearTimeout(timer),
    assertInTime() {
      if (isLate) throw new DOMException("The stream fell silent.", "TimeoutError");
    },
  };
}

/** One buffer for all reads of a stream: a new one for each event is what the collector would be busy with. */
const bufferBytes = 16_384;

function readerOf(body: ReadableStream<Bytes>): Reader {
  const cancelled = (reader: { cancel(): Promise<void> }) => reader.cancel().catch(() => undefined);
  const byob = byobReaderOf(body);
  if (!byob) {
    const reader = body.getReader();
    const read = () => reader.read().then(({ value }) => value ?? null);
    return { read, cancel: () => cancelled(reader) };
  }
  let buffer = new ArrayBuffer(bufferBytes);
  const taken = ({ value }: ReadableStreamReadResult<Bytes>): Bytes | null => {
    if (!value) return null;
    ({ buffer } = value);
    return value.length === 0 ? null : value.slice();
  };
  return {
    read: (leastBytes) => byob.readAtLeast(leastBytes, new Uint8Array(buffer)).then(taken),
    cancel: () => cancelled(byob),
  };
}

/**
 * Each read costs the runtime some ten microseconds, and one read gives one event. After so many reads that each took no time, several events are
 * waited for: at that speed they come within a few milliseconds. The first read that takes longer ends it.
 */
const burst = { reads: 4, withinMs: 4, leastBytes: 1_024 };

/**
 * Reads ahead by itself, with one callback a read and nothing else, and gives what has come when it is asked. Reading stops while nobody asks and
 * enough is there, so that a slow caller slows the provider down.
 */
function openGathering(reader: Reader, noteRead: () => void): () => Promise<Bytes | null> {
  let parts: Bytes[] = [];
  let size = 0;
  let waitMs = 0;
  let isReading = false;
  let quickReads = 0;
  let askedAtMs = 0;
  let end: { error: unknown } | "done" | null = null;
  let wake: (() => void) | null = null;

  const finish = (how: { error: unknown } | "done"): void => {
    end = how;
    wake?.();
  };
  const onRead = (value: Bytes | null): void => {
    isReading = false;
    if (value === null) return finish("done");
    noteRead();
    quickReads = Date.now() - askedAtMs <= burst.withinMs ? quickReads + 1 : 0;
    parts.push(value);
    size += value.length;
    if (size < gatherBytes) read();
    wake?.();
  };
  const onError = (error: unknown): void => finish({ error });
  function read(): void {
    if (isReading || end !== null) return;
    isReading = true;
    askedAtMs = Date.now();
    reader.read(quickReads < burst.reads ? 1 : burst.leastBytes).then(onRead, onError);
  }
  const taken = (): Bytes => {
    waitMs = parts.length > 1 ? Math.min(waitMs * 2, gatherMs.most) : gatherMs.least;
    const [first] = parts;
    const all = first && parts.length === 1 ? first : Uint8Array.from(Buffer.concat(parts, size));
    parts = [];
    size = 0;
    read();
    return all;
  };
  read();
  return async () => {
    if (size === 0 && end === null) await new Promise<void>((resolve) => (wake = resolve));
    wake = null;
    // Whatever came before an end or an error is given first.
    if (waitMs > 0 && end === null && size < gatherBytes)
      await new Promise<void>((resolve) => setTimeout(resolve, waitMs));
    if (size > 0) return taken();
    if (end !== null && end !== "done") throw (end as { error: unknown }).error;
    return null;
  };
}
