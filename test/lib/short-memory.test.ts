import { describe, expect, it } from "vitest";
import { shortMemory } from "#lib/short-memory";

/** A store whose value counts its reads, and the work that was put off. */
function setUp() {
  const memory = shortMemory<number>({ capacity: 2, maxAgeMs: 10_000 });
  const put: Promise<unknown>[] = [];
  const state = { reads: 0 };
  const at = (nowMs: number, name = "a") =>
    memory.get(name, { nowMs, read: async () => (state.reads += 1), later: (work) => void put.push(work) });
  return { memory, at, state, settle: () => Promise.all(put) };
}

describe("a short memory", () => {
  it("answers from memory, refreshes behind an answer in its second half, and waits when it is too old", async () => {
    const { at, state, settle } = setUp();
    expect(await at(1_000)).toBe(1);
    expect(await at(5_999)).toBe(1);
    expect(state.reads).toBe(1);
    // The one that starts the refresh, and those that come while it is under way, still get what is known.
    expect(await Promise.all([at(6_000), at(6_001)])).toEqual([1, 1]);
    await settle();
    expect(state.reads).toBe(2);
    expect(await at(6_002)).toBe(2);
    expect(await at(16_000)).toBe(3);
  });

  it("forgets what changed, and does not keep what was being read at that moment", async () => {
    const { memory, at } = setUp();
    let letRead = (): void => undefined;
    const reading = memory.get("a", {
      nowMs: 0,
      read: async () => {
        await new Promise<void>((resolve) => (letRead = resolve));
        return 77;
      },
      later: () => undefined,
    });
    memory.forget("a");
    letRead();
    expect(await reading).toBe(77);
    expect(await at(1)).toBe(1);
  });

  it("is bounded, and does not trust an entry of the future", async () => {
    const { at, state } = setUp();
    for (const name of ["a", "b", "c"]) await at(0, name);
    expect(await at(1, "c")).toBe(3);
    expect(await at(1, "a")).toBe(4);
    await at(50_000, "b");
    const { reads } = state;
    await at(40_000, "b");
    expect(state.reads).toBe(reads + 1);
  });

  it("can be cleared, and tells of how much", async () => {
    const { memory, at } = setUp();
    await at(0, "a");
    await at(0, "b");
    expect(memory.clear()).toBe(2);
    expect(await at(1, "a")).toBe(3);
    expect(memory.clear()).toBe(1);
  });

  it("keeps nothing of a read that failed", async () => {
    const { memory, at } = setUp();
    const failing = { nowMs: 0, read: () => Promise.reject(new Error("no database")), later: () => undefined };
    await expect(memory.get("a", failing)).rejects.toThrow("no database");
    expect(await at(1)).toBe(1);
  });
});
