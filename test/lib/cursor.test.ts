import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeCursor, encodeCursor } from "#lib/cursor";

const base64url = (text: string) =>
  new TextEncoder().encode(text).toBase64({ alphabet: "base64url", omitPadding: true });

describe("cursor", () => {
  it("gives back what was put in, in URL-safe text", () => {
    const parts = fc.array(fc.string({ unit: "binary", maxLength: 12 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(parts, (value) => {
        const text = encodeCursor(value);
        expect(text).toMatch(/^[\w-]+$/);
        expect(decodeCursor(text)).toEqual(value);
      }),
    );
  });

  it("returns null for junk of any shape", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 600 }), (text) => {
        const parts = decodeCursor(text);
        expect(parts === null ? text : encodeCursor(parts)).toBe(text);
      }),
    );
  });

  it.each([
    ["nothing", ""],
    ["not base64", "???"],
    ["no JSON", base64url("abc")],
    ["no array", base64url('{"0":"a","length":1}')],
    ["an empty array", base64url("[]")],
    ["a number", base64url("[1]")],
    ["a nested array", base64url('[["a"]]')],
    ["too many parts", base64url(JSON.stringify(Array.from({ length: 9 }, () => "a")))],
    ["spaces in the JSON", base64url('[ "a"]')],
    ["an escape that JSON does not need", base64url('["\\u0061"]')],
    ["invalid UTF-8", new Uint8Array([0x5b, 0x22, 0xff, 0x22, 0x5d]).toBase64({ alphabet: "base64url" })],
    ["a byte order mark", base64url('\uFEFF["a"]')],
    ["padding", `${base64url('["ab"]')}==`],
    ["spaces around", ` ${encodeCursor(["a"])}`],
    ["the other alphabet", encodeCursor(["\u00ff\u00ff\u00fe?>"]).replaceAll("-", "+").replaceAll("_", "/")],
    ["more than 500 characters", base64url(JSON.stringify(["a".repeat(400)]))],
  ])("refuses %s", (_, text) => {
    expect(decodeCursor(text)).toBeNull();
  });

  it("refuses to make a cursor that it would not read", () => {
    expect(() => encodeCursor([])).toThrow(RangeError);
    expect(() => encodeCursor(["a".repeat(400)])).toThrow(RangeError);
    expect(() => encodeCursor(Array.from({ length: 9 }, () => ""))).toThrow(RangeError);
  });
});
