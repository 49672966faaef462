/** Whatever pieces and pauses a provider's stream comes in, every event is read once, in order, and none waits for one that never comes. */
import { describe, expect, it } from "vitest";
import type { Target } from "#adapters/llm/contract";
import { operations } from "#features/chat/operations";
import { openSource } from "#features/chat/source";

const target = { dialect: "openai", facts: { capabilities: ["chat"] } } as unknown as Target;
const patience = { firstByteMs: 1_000, idleMs: 5_000, totalMs: 10_000 };
const event = (n: number) => `data: ${JSON.stringify({ choices: [{ delta: { content: `word ${n} ` } }] })}\n\n`;
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** As the network gives it, and as the sandbox does. */
const kinds = {
  "of the platform": () => new IdentityTransformStream(),
  "of values": () => new TransformStream<Uint8Array, Uint8Array>(),
};

function begin(kind: keyof typeof kinds) {
  const { readable, writable } = kinds[kind]();
  const writer = writable.getWriter();
  const source = openSource(readable as ReadableStream<Uint8Array<ArrayBuffer>>, {
    target,
    patience,
    operation: operations.chat,
  });
  return { source, writer, send: (text: string) => writer.write(new TextEncoder().encode(text)) };
}

async function readAll(source: ReturnType<typeof openSource>): Promise<string> {
  let text = "";
  for (let batch = await source.next(); batch; batch = await source.next()) text += Buffer.from(batch.bytes).toString();
  return text;
}

describe.each(Object.keys(kinds) as (keyof typeof kinds)[])("a stream %s", (kind) => {
  it.each([1, 2, 3])("is read whole in whatever pieces it comes (seed %i)", async (seed) => {
    let state = seed;
    const chance = (most: number) => (state = (state * 48_271) % 2_147_483_647) % most;
    const { source, writer, send } = begin(kind);
    const events = Array.from({ length: 200 }, (_, n) => event(n));
    const text = `${events.join("")}data: [DONE]\n\n`;
    const sending = (async () => {
      for (let at = 0; at < text.length;) {
        const size = chance(3) === 0 ? 1 + chance(900) : 90;
        await send(text.slice(at, at + size));
        at += size;
        if (chance(40) === 0) await pause(chance(12));
      }
      await writer.close();
    })();
    expect(await readAll(source)).toBe(text);
    await sending;
  });

  it("that ends inside an event is broken, however fast it came", async () => {
    const { source, writer, send } = begin(kind);
    const sending = (async () => {
      for (let n = 0; n < 40; n += 1) await send(event(n));
      await send(event(40).slice(0, 20));
      await writer.close();
    })();
    await expect(readAll(source)).rejects.toThrow("inside an event");
    await sending;
  });

  it("shows what came slowly as it comes, also after a burst", async () => {
    const { source, send } = begin(kind);
    let seen = "";
    const reading = (async () => {
      for (let batch = await source.next(); batch; batch = await source.next())
        seen += Buffer.from(batch.bytes).toString();
    })();
    for (let n = 0; n < 60; n += 1) await send(event(n));
    // The next piece ends the burst, if it still lasts; from then on nothing waits.
    for (let n = 60; n < 75; n += 1) {
      await send(event(n));
      await pause(8);
    }
    await expect.poll(() => seen, { interval: 5, timeout: 2_000 }).toContain("word 74 ");
    await source.cancel();
    await reading.catch(() => undefined);
  });
});
