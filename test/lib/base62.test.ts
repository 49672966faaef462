import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { base62Width, decodeBase62, encodeBase62 } from "#lib/base62";

const bytes = fc.uint8Array({ maxLength: 64 });

describe("base62", () => {
  it("gives back every byte array at its fixed width", () => {
    fc.assert(
      fc.property(bytes, (value) => {
        const text = encodeBase62(value);
        expect(text).toMatch(/^[0-9A-Za-z]*$/);
        expect(text.length).toBe(base62Width(value.length));
        expect(decodeBase62(text, value.length)).toEqual(value);
      }),
    );
  });

  it("knows the widths of the ids and keys in use", () => {
    expect([0, 1, 16, 32, 49].map(base62Width)).toEqual([0, 2, 22, 43, 66]);
  });

  it("agrees with values worked out by hand", () => {
    expect(encodeBase62(new Uint8Array([0, 0]))).toBe("000");
    expect(encodeBase62(new Uint8Array([61]))).toBe("0z");
    expect(encodeBase62(new Uint8Array([62]))).toBe("10");
    expect(encodeBase62(new Uint8Array([255]))).toBe("47");
    expect(encodeBase62(new Uint8Array([255, 255]))).toBe("H31");
  });

  it("sorts as the bytes do", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 16, maxLength: 16 }),
        fc.uint8Array({ minLength: 16, maxLength: 16 }),
        (left, right) => {
          expect(encodeBase62(left) < encodeBase62(right)).toBe(left.toHex() < right.toHex());
        },
      ),
    );
  });

  it("refuses a second spelling: other lengths, foreign characters, values that do not fit", () => {
    expect(decodeBase62("47", 1)).toEqual(new Uint8Array([255]));
    for (const text of ["", "7", "047", "48", "zz", "4-", "4 ", "4７", "-1", "0_"])
      expect(decodeBase62(text, 1)).toBeNull();
    expect(decodeBase62("0".repeat(10_000), 7_000)).toBeNull();
  });

  it("takes no text but its own", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 22, maxLength: 22, unit: "grapheme-ascii" }), (text) => {
        const value = decodeBase62(text, 16);
        expect(value === null ? text : encodeBase62(value)).toBe(text);
      }),
    );
  });

  it("refuses a width that the byte count does not call for", () => {
    expect(() => encodeBase62(new Uint8Array(16), 23)).toThrow(RangeError);
    expect(() => encodeBase62(new Uint8Array(16), 21)).toThrow(RangeError);
    expect(encodeBase62(new Uint8Array(49), 66)).toBe("0".repeat(66));
    expect(() => encodeBase62(new Uint8Array(1_025))).toThrow(RangeError);
  });
});
