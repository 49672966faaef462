/**
 * Holds entries in the memory of the isolate that made them and sends them to the queue together, behind an answer: a request itself waits for nothing. What
 * an isolate had not sent when it was removed is lost, and what is more than it may hold is left out and told of.
 */
import type { Ctx } from "#core/context";
import { laterTimer } from "#core/later-timer";
import type { MessageEntry } from "#core/message-log";

type GatherCtx = Pick<Ctx, "settings" | "now" | "later" | "log" | "tell">;

/** Sent at once when so many are waiting. */
const manyEntries = 500;
const manyCharacters = 1_000_000;
const maxEntries = 2_000;
const maxCharacters = 8_000_000;
/** A message holds 128 KB (Cloudflare, limits of queues). */
const maxMessageBytes = 110_000;
const maxMessageEntries = 100;
/** While the queue takes nothing, not each request tries it anew. */
const restMs = 5_000;

let waiting: MessageEntry[] = [];
let characters = 0;
let leftOut = 0;
let failedAtMs = -restMs;
const timer = laterTimer();

const lengthOf = ({ messages }: MessageEntry) => messages.length + 600;

function hold(entry: MessageEntry): void {
  if (waiting.length >= maxEntries || characters >= maxCharacters) {
    leftOut += 1;
    return;
  }
  waiting.push(entry);
  characters += lengthOf(entry);
}

export function gather(ctx: GatherCtx, entry: MessageEntry): void {
  hold(entry);
  const isMany = waiting.length >= manyEntries || characters >= manyCharacters;
  if (isMany && ctx.now() - failedAtMs >= restMs) return ctx.later(send(ctx));
  timer.start(ctx, () => send(ctx));
}

/** What this isolate holds, which the caller has to write, or to give back. */
export function takeHeld(): MessageEntry[] {
  const taken = waiting;
  waiting = [];
  characters = 0;
  timer.clear();
  return taken;
}

export function giveBack(entries: readonly MessageEntry[]): void {
  for (const entry of entries) hold(entry);
}

async function send(ctx: GatherCtx): Promise<void> {
  const taken = takeHeld();
  if (leftOut > 0) ctx.log("warn", "message-log.left-out", { entries: leftOut });
  leftOut = 0;
  let sent = 0;
  try {
    for (const messageLogs of packed(taken)) {
      await ctx.tell({ v: 1, messageLogs });
      sent += messageLogs.length;
    }
  } catch (error) {
    failedAtMs = ctx.now();
    giveBack(taken.slice(sent));
    throw error;
  }
}

/** In their order, as many to a message as it holds. */
export function packed(entries: readonly MessageEntry[]): MessageEntry[][] {
  const packs: MessageEntry[][] = [];
  let sizeBytes = 0;
  for (const entry of entries) {
    const entryBytes = Buffer.byteLength(JSON.stringify(entry));
    const last = packs.at(-1);
    if (last && last.length < maxMessageEntries && sizeBytes + entryBytes <= maxMessageBytes) {
      last.push(entry);
      sizeBytes += entryBytes;
      continue;
    }
    packs.push([entry]);
    sizeBytes = entryBytes;
  }
  return packs;
}
