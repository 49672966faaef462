/** Shapes cost a start nothing: they are made when they are first asked for. */
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { shape } from "#core/shape";

describe("a shape", () => {
  it("is made once, when it is first asked for", () => {
    let made = 0;
    const size = shape(() => {
      made += 1;
      return z.number();
    });
    expect(made).toBe(0);
    expect(size()).toBe(size());
    expect(size().safeParse("12").success).toBe(false);
    expect(made).toBe(1);
  });
});
