/** Questions about words: what binds tighter, what is refused, and that length and depth are bounded. */
import { describe, expect, it } from "vitest";
import { isAnsweredBy, readWordQuery, wordsOf } from "#lib/word-query";

function ask(text: string, words: string[]): boolean | null {
  const query = readWordQuery(text);
  return query && isAnsweredBy(query, new Set(words));
}

describe("a question about words", () => {
  it.each([
    ["a", ["a"], true],
    ["a", ["b"], false],
    ["a and b", ["a"], false],
    ["a and b", ["a", "b"], true],
    ["a or b", ["b"], true],
    ["a or b and c", ["a"], true],
    ["a or b and c", ["b"], false],
    ["(a or b) and c", ["a"], false],
    ["(a or b) and c", ["b", "c"], true],
    ["(a OR b) AND c", ["a", "c"], true],
    ["((a))", ["a"], true],
    ["files:read and (jobs:read or api-keys:write)", ["files:read", "api-keys:write"], true],
  ])("%s with %j is %s", (text, words, answer) => {
    expect(ask(text, words)).toBe(answer);
  });

  it.each([
    "",
    " ",
    "a b",
    "a and",
    "or a",
    "(a",
    "a)",
    "()",
    "a and or b",
    "not a",
    "a && b",
    "a;b",
    "and",
    "(a or) b",
  ])("refuses %j", (text) => {
    expect(readWordQuery(text)).toBeNull();
  });

  it("is bounded in length, words and depth", () => {
    expect(readWordQuery(Array.from({ length: 100 }, () => "a").join(" or "))).not.toBeNull();
    expect(readWordQuery(Array.from({ length: 101 }, () => "a").join(" or "))).toBeNull();
    expect(readWordQuery("a".repeat(1_001))).toBeNull();
    expect(readWordQuery(`${"(".repeat(10)}a${")".repeat(10)}`)).not.toBeNull();
    expect(readWordQuery(`${"(".repeat(11)}a${")".repeat(11)}`)).toBeNull();
  });

  it("names its words", () => {
    const query = readWordQuery("(a or b) and c");
    expect(query && wordsOf(query)).toEqual(["a", "b", "c"]);
  });
});
