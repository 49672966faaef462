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

describe("adler32", () => {
  it("gives the value of RFC 1950 for a known text", () => {
    expect(adler32(new TextEncoder().encode("Wikipedia"), ADLER32_START)).toBe(0x11e6_0398);
  });

  it("is the definition for any bytes, any start in memory and any split", () => {
    const bytes = fc.uint8Array({ maxLength: 12_000, size: "max" });
    fc.assert(
      fc.property(bytes, fc.nat(12_000), fc.nat(8), (input, split, offset) => {
        const memory = new Uint8Array(offset + input.byteLength);
        memory.set(input, offset);
        const view = memory.subarray(offset);
        expect(adler32(view.subarray(split), adler32(view.subarray(0, split), ADLER32_START))).toBe(slowAdler32(input));
      }),
      { numRuns: 60 },
    );
  });

  it("is the definition around the lengths at which the sums are reduced", () => {
    for (const sizeBytes of [0, 1, 15, 16, 17, 5_551, 5_552, 5_553, 5_567, 5_568, 11_104, 65_535, 131_072, 131_073]) {
      const bytes = Uint8Array.from({ length: sizeBytes }, (_, index) => (index * 7) ^ (index >>> 5));
      expect(adler32(bytes, ADLER32_START)).toBe(slowAdler32(bytes));
    }
  });

  it("does not overflow on the largest bytes", () => {
    const bytes = new Uint8Array(300_000).fill(255);
    expect(adler32(bytes, ADLER32_START)).toBe(slowAdler32(bytes));
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
