/** The cut of the tests into parts knows files by name: it must not know names that are gone. */
import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { heavyFiles } from "../support/shards.ts";

describe("the heavy test files", () => {
  it("exist", () => {
    const gone = Object.keys(heavyFiles).filter((name) => !existsSync(`test/${name}.test.ts`));
    expect(gone).toEqual([]);
  });
});
