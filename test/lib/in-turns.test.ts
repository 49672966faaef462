/** Bounded concurrency: order, the bound, and what happens at a failure. */
import { describe, expect, it } from "vitest";
import { inTurns } from "#lib/in-turns";

describe("work in turns", () => {
  it("keeps the order of results and the bound", async () => {
    let running = 0;
    let most = 0;
    const results = await inTurns([5, 1, 4, 2, 3], 2, async (item, index) => {
      running += 1;
      most = Math.max(most, running);
      for (let turn = 0; turn < item; turn += 1) await Promise.resolve();
      running -= 1;
      return `${index}:${item}`;
    });
    expect(results).toEqual(["0:5", "1:1", "2:4", "3:2", "4:3"]);
    expect(most).toBe(2);
    expect(await inTurns([], 3, async () => 1)).toEqual([]);
  });

  it("starts nothing after a failure, waits for what runs, and throws the first", async () => {
    const begun: number[] = [];
    let hasEnded = false;
    const slow = Promise.withResolvers<void>();
    const work = inTurns([0, 1, 2, 3], 2, async (item) => {
      begun.push(item);
      if (item === 0) {
        await slow.promise;
        hasEnded = true;
        throw new Error("second");
      }
      setTimeout(slow.resolve, 5);
      throw new Error("first");
    });
    await expect(work).rejects.toThrow("first");
    expect(begun).toEqual([0, 1]);
    expect(hasEnded).toBe(true);
  });
});
