/** What guardrails cost: nothing where there are none, and no far-away call where there are. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { clientOf, configured } from "#test/features/chat/client";
import { countingBindings } from "#test/support/counting";
import { type Person, signUp } from "#test/support/harness";
import { ask, secretWord, setGuardrails } from "./support.ts";

afterEach(() => vi.restoreAllMocks());

const { env, counts, reset } = countingBindings();
const nothing = { database: 0, objects: 0, files: 0 };

async function warm(person: Person) {
  const { api } = clientOf(person.token, { ...configured, ...env });
  const asked = () => api.chat.completions.create(ask("Hello there."));
  for (let time = 0; time < 6; time += 1) await asked();
  reset();
  return asked;
}

/** How often JSON was read, and how often made, while one request was answered. */
async function jsonOf(work: () => Promise<unknown>): Promise<{ read: number; made: number }> {
  const [read, made] = [vi.spyOn(JSON, "parse"), vi.spyOn(JSON, "stringify")];
  await work();
  const counted = { read: read.mock.calls.length, made: made.mock.calls.length };
  vi.restoreAllMocks();
  return counted;
}

describe("a warm request", () => {
  it("of a workspace without rules asks nobody, and reads and makes no JSON for their sake", async () => {
    const [free, listed, ruled] = [await signUp(), await signUp(), await signUp()];
    await setGuardrails(listed, { allowedModels: ["gpt-4o*"] });
    await setGuardrails(ruled, { rules: [{ ...secretWord, action: "redact", words: ["Sandbox"] }] });
    const without = await jsonOf(await warm(free));
    expect(counts).toEqual(nothing);
    expect(await jsonOf(await warm(listed))).toEqual(without);
    expect(counts).toEqual(nothing);
    // The count does count: an answer that is looked into is read once more, made anew where it was changed, and the log says so.
    expect(await jsonOf(await warm(ruled))).toEqual({ read: without.read + 1, made: without.made + 2 });
  });

  it("of a workspace with rules asks nobody either", async () => {
    const person = await signUp();
    await setGuardrails(person, { rules: [secretWord] });
    const asked = await warm(person);
    for (let time = 0; time < 5; time += 1) await asked();
    expect(counts).toEqual(nothing);
  });

  it("passes the bytes of a stream on as they came", async () => {
    const person = await signUp();
    const { api } = clientOf(person.token);
    const stream = () => api.chat.completions.create({ ...ask("Count to nine."), stream: true }).asResponse();
    const [free, withList] = [
      await (await stream()).text(),
      await setGuardrails(person, { allowedModels: ["*"] }).then(async () => (await stream()).text()),
    ];
    expect(withList).toBe(free);
    expect(free).toContain("data: [DONE]");
  });
});
