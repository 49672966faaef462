import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { packWords, unpackWords } from "#lib/packed-words";
import packedPasswords from "#trimmed/common-passwords";
import listedPasswords from "../../src/features/accounts/common-passwords.txt";

describe("packed words", () => {
  it("are the words, sorted and once each", () => {
    expect(packWords(["pass", "abc", "password", "pass"])).toBe("AabcApassEword");
    expect(unpackWords("AabcApassEword")).toEqual(["abc", "pass", "password"]);
    expect(unpackWords(packWords([]))).toEqual([]);
    const long = ["a".repeat(40), `${"a".repeat(40)}b`];
    expect(unpackWords(packWords(long))).toEqual(long);
  });

  it("come back, whatever they are", () => {
    const word = fc
      .string({ unit: "binary", maxLength: 40 })
      .map((text) => text.toLowerCase().replaceAll(/[A-Z\n]/g, ""));
    fc.assert(
      fc.property(fc.array(word.filter(Boolean)), (words) => {
        expect(unpackWords(packWords(words))).toEqual([...new Set(words)].sort());
      }),
    );
  });

  it("have no capital letters", () => {
    expect(() => packWords(["Pass"])).toThrow("Pass");
  });

  it("hold every common password of the list", () => {
    const listed = listedPasswords.split("\n").filter(Boolean);
    expect(listed.length).toBeGreaterThan(5_000);
    expect(unpackWords(packedPasswords)).toEqual(listed.sort());
  });
});
