/**
 * Keeps a stream while it passes, for who asked for one that can be resumed. Its events get numbers, and go to the stream's object in parts, a quarter
 * of a second of them together and behind the caller's back: no event waits for it. What cannot be kept (the object does not answer, the stream is too
 * long) costs the caller nothing but the way back.
 */
import type { WorkspaceCtx } from "#core/context";
import { resumableLimit } from "#core/limits";
import { Problem } from "#core/problem";
import {
  type Addition,
  appendToStream,
  discardStream,
  heartbeatMs,
  maxStreamBytes,
  openStream,
  type StreamName,
} from "#durable/stream-buffer/client";
import { encodeBase62 } from "#lib/base62";
import { numberEvents } from "#lib/event-stream";
import { modeOf } from "./store.ts";
import { newStreamKey, sealPart, type StreamKey } from "./stream-sealing.ts";

const maxTries = 4;
const usualPace = {
  /** As much of a stream goes to its object together. */
  gatherMs: 250,
  heartbeatMs,
  /** A caller does not wait for its first byte because an object does not answer. */
  openMs: 1_000,
  retryMs: 150,
};

export type Pace = typeof usualPace;

/** Of all streams of this isolate together, waiting for their objects: its memory is everybody's. */
const maxWaitingBytes = 16 * 1_048_576;
let waitingBytes = 0;

export interface Recorder {
  id: string;
  /** False: the stream cannot be kept, and nobody is told that it can. */
  isOpen: Promise<boolean>;
  /** The same events with their numbers, as the caller is sent them. */
  number(events: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>;
  /** After the last event. */
  end(): Promise<void>;
  /** There will be no stream. */
  discard(): Promise<void>;
}

/** `X-Overtone-Resumable: true` asks for it; streams only heed it. */
export function asksToResume(request: Request): boolean {
  const wish = request.headers.get("x-overtone-resumable") ?? "false";
  if (wish !== "true" && wish !== "false")
    throw new Problem("validation-failed", { detail: "X-Overtone-Resumable is true or false." });
  return wish === "true";
}

export function streamNameOf(ctx: WorkspaceCtx, id: string): StreamName {
  return { workspaceId: ctx.workspaceId, mode: modeOf(ctx), id };
}

/** Opens while the provider is being asked. Throws `rate-limited`. `pace` is for tests. */
export async function startRecorder(
  ctx: WorkspaceCtx,
  errors: "openai" | "problem",
  pace: Pace = usualPace,
): Promise<Recorder> {
  await ctx.takeLimit(resumableLimit, `workspace:${ctx.workspaceId}`);
  // No id like others: it says nothing, and nobody finds it by trying.
  const id = `stream_${encodeBase62(ctx.random(16))}`;
  const name = streamNameOf(ctx, id);
  const buffers = ctx.objects.STREAM_BUFFER;
  const { key, ...wrapped } = await newStreamKey(ctx, id);
  const append = (addition: Addition) => appendSurely(ctx, { name, addition, pace });
  const sender = openSender(ctx, { key, append, pace });
  const opened = openStream(buffers, name, { userId: ctx.userId, errors, ...wrapped });
  const isOpen = inTime(opened, pace.openMs).catch((error: unknown) => {
    sender.stop();
    ctx.log("warn", "stream.not-kept", { error });
    return false;
  });
  const discard = async (): Promise<void> => {
    sender.stop();
    await discardStream(buffers, name);
  };
  return { id, isOpen, ...recording(sender), discard };
}

async function inTime(opened: Promise<void>, openMs: number): Promise<true> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("the object did not answer")), openMs);
  });
  await Promise.race([opened, late]).finally(() => clearTimeout(timer));
  return true;
}

function recording(sender: Sender): Pick<Recorder, "number" | "end"> {
  let nextId = 1;
  let sizeBytes = 0;
  return {
    number(events) {
      const { text, count } = numberEvents(Buffer.from(events).toString("utf8"), nextId);
      const bytes = Uint8Array.from(Buffer.from(text));
      sizeBytes += bytes.length;
      if (sizeBytes > maxStreamBytes) void sender.finish("too-long");
      else if (count > 0) sender.add({ firstId: nextId, count, text, sizeBytes: bytes.length });
      nextId += count;
      return bytes;
    },
    end: () => sender.finish("ended"),
  };
}

interface Waiting {
  firstId: number;
  count: number;
  text: string;
  sizeBytes: number;
}

interface Sender {
  add(more: Waiting): void;
  /** Sends what is waiting, unless nothing of the stream is kept. The first call counts. */
  finish(state: "ended" | "too-long"): Promise<void>;
  /** Nothing is sent any more. */
  stop(): void;
}

interface Line {
  key: StreamKey;
  append: (addition: Addition) => Promise<boolean>;
  pace: Pace;
}

function openSender(ctx: WorkspaceCtx, { key, append, pace }: Line): Sender {
  let waiting: Waiting | null = null;
  let isOpen = true;
  /** With a part missing, what follows must not make a whole stream of it. */
  let isKept = true;
  let turn = Promise.resolve();
  let timer: ReturnType<typeof setTimeout> | undefined;

  const take = (): Waiting | null => {
    const taken = waiting;
    waiting = null;
    return taken;
  };
  const stop = (): void => {
    isOpen = false;
    clearTimeout(timer);
    clearInterval(beat);
    waitingBytes -= take()?.sizeBytes ?? 0;
  };
  const send = async (taken: Waiting | null, state: "running" | "ended" | "too-long"): Promise<void> => {
    try {
      const part = taken && (await sealPart(ctx, key, taken));
      isKept &&= await append({ part, state });
    } catch (error) {
      // Its readers will find that nobody sends any more.
      ctx.log("warn", "stream.not-kept", { error });
      isKept = false;
    }
    waitingBytes -= taken?.sizeBytes ?? 0;
    if (!isKept) stop();
  };
  /** One after the other; what comes meanwhile goes with the next. */
  const sendInTurn = (): void => {
    timer = undefined;
    turn = turn.then(() => (isOpen ? send(take(), "running") : undefined));
  };
  // From the beginning: a model may think for longer than a silent sender is waited for.
  const beat = setInterval(sendInTurn, pace.heartbeatMs);
  return {
    stop,
    add({ firstId, count, text, sizeBytes }) {
      if (!isOpen) return;
      if (waitingBytes + sizeBytes > maxWaitingBytes) return stop();
      waitingBytes += sizeBytes;
      waiting ??= { firstId, count: 0, text: "", sizeBytes: 0 };
      waiting.count += count;
      waiting.text += text;
      waiting.sizeBytes += sizeBytes;
      timer ??= setTimeout(sendInTurn, pace.gatherMs);
    },
    finish(state) {
      if (!isOpen) return turn;
      const last = state === "ended" ? take() : null;
      stop();
      turn = turn.then(() => (isKept ? send(last, state) : undefined));
      return turn;
    },
  };
}

/** A part that arrives twice is taken once. */
async function appendSurely(
  ctx: WorkspaceCtx,
  { name, addition, pace }: { name: StreamName; addition: Addition; pace: Pace },
): Promise<boolean> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await appendToStream(ctx.objects.STREAM_BUFFER, name, addition);
    } catch (error) {
      if (tries === maxTries) throw error;
      await new Promise((resolve) => setTimeout(resolve, tries * pace.retryMs));
    }
  }
}
