/** Texts as they read, and where each part of them stood. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { plainText } from "#lib/plain-letters";

const plain = (text: string, readsEscapes = false) => plainText(text, { ignoreCase: true, readsEscapes });

function found(text: string, word: string, readsEscapes = false): string {
  const read = plain(text, readsEscapes);
  const at = read.text.indexOf(word);
  return at === -1 ? "" : text.slice(read.startOf(at), read.endOf(at + word.length));
}

describe("a text as it reads", () => {
  it.each([
    ["a SECRET here", "secret", "SECRET"],
    ["a ｓｅｃｒｅｔ here", "secret", "ｓｅｃｒｅｔ"],
    ["a s\u200be\u00adcret here", "secret", "s\u200be\u00adcret"],
    ["an oﬃce here", "office", "oﬃce"],
    ["an oﬃce here", "off", "oﬃ"],
    ["𝐬𝐞𝐜𝐫𝐞𝐭!", "secret", "𝐬𝐞𝐜𝐫𝐞𝐭"],
    ["cafe\u0301 here", "café", "cafe\u0301"],
    ["ΟΔΟΣ", "οδοσ", "ΟΔΟΣ"],
    ["\u1112\u1161\u11ab글", "한글", "\u1112\u1161\u11ab글"],
    ["İstanbul x", "stanbul", "stanbul"],
  ])("%s holds %s, and knows where", (text, word, where) => {
    expect(found(text, word)).toBe(where);
  });

  it("is read as JSON where that is asked for", () => {
    expect(found('{"a":"s\\u0065cret"}', "secret", true)).toBe("s\\u0065cret");
    expect(found('{"a":"\\nsecret"}', "\nsecret", true)).toBe("\\nsecret");
    expect(found("C:\\secret", "\\secret", true)).toBe("\\secret");
    expect(plain('"\\ud83d\\ude00"', true).text).toBe('"😀"');
    expect(plain("\\u0065").text).toBe("\\u0065");
  });

  it("loses no place, whatever it holds", () => {
    const unit = fc.constantFrom(
      "a",
      "B",
      "ﬁ",
      "Ａ",
      "\u0301",
      "\u200b",
      "\\",
      "n",
      "u0041",
      "😀",
      "한",
      "\u1112",
      "\u1161",
      " ",
      "\ud800",
      "İ",
      "ß",
    );
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 12 }), fc.boolean(), (parts, readsEscapes) => {
        const text = parts.join("");
        const read = plain(text, readsEscapes);
        expect(read.startOf(read.text.length)).toBe(text.length);
        let before = 0;
        for (let at = 0; at < read.text.length; at += 1) {
          expect(read.startOf(at)).toBeGreaterThanOrEqual(before);
          expect(read.endOf(at + 1)).toBeGreaterThan(read.startOf(at));
          before = read.startOf(at);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
