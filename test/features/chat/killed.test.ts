/** A stream whose reservation lapses before anybody told what it came to: its isolate died, or was cut off for long. */
import { describe, expect, it } from "vitest";
import { readMeters } from "#durable/ledger/client";
import { bindings, type Person, signUp } from "#test/support/harness";
import { clientOf } from "./client.ts";

/** Longer than a reservation of a stream. */
const lapseMs = 1_201_000;

async function tokens({ workspaceId }: Person, afterMs = 0): Promise<{ used: number; reserved: number }> {
  const { meters } = await readMeters(bindings.LEDGER, { workspaceId, nowMs: Date.now() + afterMs });
  const state = meters.find(({ meter }) => meter === "aiTokens");
  return { used: state?.used ?? 0, reserved: state?.reserved ?? 0 };
}

const question = {
  model: "or/sandbox-slow-15",
  messages: [{ role: "user" as const, content: "Tell me a long story." }],
  max_tokens: 500,
};

describe("a stream of which nobody tells the end", () => {
  it("costs nothing, and what was set aside for it returns; told after all, it is charged once", async () => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const whole = await api.chat.completions.create(question);
    await settled();
    const price = whole.usage?.total_tokens ?? 0;
    expect(await tokens(person)).toEqual({ used: price, reserved: 0 });
    const stream = await api.chat.completions.create({ ...question, stream: true });
    const chunks = stream[Symbol.asyncIterator]();
    for (let read = 0; read < 4; read += 1) await chunks.next();
    expect(await tokens(person)).toEqual({ used: price, reserved: expect.toSatisfy((held) => held > 500) });
    expect(await tokens(person, lapseMs)).toEqual({ used: price, reserved: 0 });
    while (!(await chunks.next()).done);
    await settled();
    expect(await tokens(person)).toEqual({ used: 2 * price, reserved: 0 });
  });
});
