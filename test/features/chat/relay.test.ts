/** What becomes of a stream whose caller has left, as time goes by. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { operations } from "#features/chat/operations";
import type { Recorder } from "#features/chat/recorder";
import { type OpenStream, relay } from "#features/chat/relay";
import { numberEvents } from "#lib/event-stream";
import { systemContext } from "#test/support/harness";

const chunk = (content: string) => `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`;
const bytesOf = (text: string) => Uint8Array.from(Buffer.from(text));

/** A provider that has said one word and says nothing more until it is cut off. */
function silentStream(): { open: OpenStream; cutOff: () => boolean } {
  const cut = Promise.withResolvers<null>();
  let isCut = false;
  const source = {
    next: () => cut.promise,
    async cancel() {
      isCut = true;
      cut.resolve(null);
    },
  };
  const delivered = { chunks: 1, textLength: 5, usage: null, isEnded: false };
  return {
    open: {
      source,
      delivered,
      held: [bytesOf(chunk("Hello"))],
      isDone: false,
      isBroken: false,
      tape: null,
      words: null,
    },
    cutOff: () => isCut,
  };
}

function tapeRecorder(): { recorder: Recorder; kept: () => string; hasEnded: () => boolean } {
  let text = "";
  let count = 0;
  let hasEnded = false;
  const recorder: Recorder = {
    id: "stream_1",
    isOpen: Promise.resolve(true),
    number(events) {
      const numbered = numberEvents(Buffer.from(events).toString(), count + 1);
      count += numbered.count;
      text += numbered.text;
      return bytesOf(numbered.text);
    },
    async end() {
      hasEnded = true;
    },
    discard: async () => undefined,
  };
  return { recorder, kept: () => text, hasEnded: () => hasEnded };
}

const rules = {
  operation: operations.chat,
  patience: { firstByteMs: 1_000, idleMs: 60_000, totalMs: 900_000 } as never,
  showsUsage: true,
  isTaped: false,
  isHeard: false,
  headers: {},
  errorEvent: () => ({ error: { code: "model_stream_broken" } }),
  preface: undefined,
};

afterEach(() => void vi.useRealTimers());

describe("a caller who leaves a stream that goes on", () => {
  it.each(["resumable", "plain"])("has it read for 25 seconds, and then cut off in an error (%s)", async (kind) => {
    const { open, cutOff } = silentStream();
    const tape = tapeRecorder();
    const recorder = kind === "resumable" ? tape.recorder : null;
    const caller = new AbortController();
    const { response, ended } = relay(systemContext() as never, open, { ...rules, recorder, signal: caller.signal });
    expect(response.headers.get("x-overtone-stream-id")).toBe(recorder?.id ?? null);
    const reader = response.body?.getReader();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toContain("Hello");
    // A provider that is silent has nothing written, so that the stream itself does not tell.
    // Objects of other tests have timers, too: nothing is awaited while they are faked.
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    caller.abort();
    vi.advanceTimersByTime(24_999);
    expect(cutOff()).toBe(false);
    vi.advanceTimersByTime(1);
    vi.useRealTimers();
    expect(await ended).toMatchObject({ isCut: true, isCancelled: true, textLength: 5 });
    expect(cutOff()).toBe(true);
    const error = `data: ${JSON.stringify(rules.errorEvent())}\nid: 2\n\n`;
    expect(tape.kept()).toBe(recorder ? numberEvents(chunk("Hello"), 1).text + error : "");
    expect(tape.hasEnded()).toBe(recorder !== null);
  });
});

describe("a caller who leaves on reading that a stream broke", () => {
  it("has not left before it did: the stream failed", async () => {
    const { open } = silentStream();
    const left = Promise.withResolvers<void>();
    const source = { next: () => Promise.reject(new Error("broken")), cancel: () => left.promise };
    const caller = new AbortController();
    const broken = { ...open, source };
    const { response, ended } = relay(systemContext() as never, broken, {
      ...rules,
      recorder: null,
      signal: caller.signal,
    });
    const reader = response.body?.getReader();
    const read = async () => Buffer.from((await reader?.read())?.value ?? []).toString();
    expect(await read()).toContain("Hello");
    expect(await read()).toContain("model_stream_broken");
    caller.abort();
    left.resolve();
    expect(await ended).toMatchObject({ isCut: true, isCancelled: false });
  });
});
