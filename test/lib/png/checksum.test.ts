import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ADLER32_START, adler32 } from "#lib/png/checksum";
import { crc32 } from "#lib/png/crc";
import { slowCrc32 } from "./builder.ts";

function slowAdler32(bytes: Uint8Array): number {
  let low = 1;
  let high = 0;
  for (const byte of bytes) {
    low = (low + byte) % 65_521;
    high = (high + low) % 65_521;
  }
  return ((high << 16) | low) >>> 0;
}

const wholeOf = (bytes: Uint8Array<ArrayBuffer>): number =>
  adler32(bytes, { offset: 0, sizeBytes: bytes.byteLength }, ADLER32_START);

describe("adler32", () => {
  it("gives the value of RFC 1950 for a known text", () => {
    expect(wholeOf(new TextEncoder().encode("Wikipedia") as Uint8Array<ArrayBuffer>)).toBe(0x11e6_0398);
  });

  it("is the definition for any bytes, any start and any split", () => {
    const bytes = fc.uint8Array({ maxLength: 3_000 });
    fc.assert(
      fc.property(bytes, fc.nat(3_000), fc.nat(8), (input, split, offset) => {
        const memory = new Uint8Array(offset + input.byteLength);
        memory.set(input, offset);
        const middle = Math.min(split, input.byteLength);
        const first = adler32(memory, { offset, sizeBytes: middle }, ADLER32_START);
        const rest = { offset: offset + middle, sizeBytes: input.byteLength - middle };
        expect(adler32(memory, rest, first)).toBe(slowAdler32(input));
      }),
    );
  });

  it("does not overflow on the largest bytes", () => {
    for (const offset of [0, 1]) {
      const bytes = new Uint8Array(200_000 + offset).fill(255);
      const sum = adler32(bytes, { offset, sizeBytes: 200_000 }, ADLER32_START);
      expect(sum).toBe(slowAdler32(bytes.subarray(offset)));
    }
  });

  it("sums a view that does not begin at the start of its memory", () => {
    const memory = Uint8Array.from({ length: 1_000 }, (_, index) => index * 7);
    const view = new Uint8Array(memory.buffer, 3, 900);
    expect(wholeOf(view)).toBe(slowAdler32(view));
  });
});

describe("crc32", () => {
  it("is the definition of PNG's annex", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => {
        expect(crc32(bytes)).toBe(slowCrc32(bytes));
      }),
    );
  });
});
