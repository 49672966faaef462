import fc from "fast-check";
import { deflateRawSync, deflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { PngError } from "#lib/png/error";
import { createZlibReader } from "#lib/png/zlib-reader";
import { concat } from "./builder.ts";

async function read(stream: Uint8Array, pieceBytes: number, bytesMax = Number.MAX_SAFE_INTEGER): Promise<Uint8Array> {
  const out: Uint8Array[] = [];
  let sizeBytes = 0;
  const reader = createZlibReader((piece) => {
    sizeBytes += piece.byteLength;
    if (sizeBytes > bytesMax) throw new PngError("too-large", "test");
    out.push(new Uint8Array(piece));
  });
  // One memory for all pieces, as a stream of bytes has.
  const memory = new Uint8Array(pieceBytes);
  try {
    for (let start = 0; start < stream.byteLength; start += pieceBytes) {
      const piece = memory.subarray(0, Math.min(pieceBytes, stream.byteLength - start));
      piece.set(stream.subarray(start, start + pieceBytes));
      await reader.write(piece);
      memory.fill(0xaa);
    }
    await reader.end();
  } finally {
    reader.close();
  }
  return concat(out);
}

function storedBlock(bytes: Uint8Array, isLast: boolean): Uint8Array {
  const { byteLength } = bytes;
  const inverse = ~byteLength & 0xffff;
  return concat([Uint8Array.of(isLast ? 1 : 0, byteLength & 255, byteLength >> 8, inverse & 255, inverse >> 8), bytes]);
}

const header = Uint8Array.of(0x78, 0x01);
const adler = Uint8Array.of(1, 2, 3, 4);
const text = (sizeBytes: number): Uint8Array =>
  Uint8Array.from({ length: sizeBytes }, (_, index) => 65 + (((index * index) >>> 4) % 23));

describe("createZlibReader", () => {
  it("inflates any zlib stream in pieces of any size", async () => {
    const plan = fc.record({
      bytes: fc.uint8Array({ maxLength: 2_000 }),
      repeat: fc.integer({ min: 1, max: 40 }),
      level: fc.integer({ min: 0, max: 9 }),
      pieceBytes: fc.oneof(fc.integer({ min: 1, max: 50 }), fc.constant(70_000)),
    });
    await fc.assert(
      fc.asyncProperty(plan, async ({ bytes, repeat, level, pieceBytes }) => {
        const whole = concat(Array.from({ length: repeat }, () => bytes));
        expect(await read(deflateSync(whole, { level }), pieceBytes)).toEqual(whole);
      }),
      { numRuns: 60 },
    );
  });

  it("hands over to zlib behind stored blocks, with what later blocks refer to", async () => {
    const sizes = fc.record({
      stored: fc.array(fc.integer({ min: 0, max: 65_535 }), { minLength: 1, maxLength: 4 }),
      rest: fc.integer({ min: 1, max: 60_000 }),
      pieceBytes: fc.oneof(fc.integer({ min: 100, max: 999 }), fc.constantFrom(32_768, 40_000, 1_000_000)),
    });
    await fc.assert(
      fc.asyncProperty(sizes, async ({ stored, rest, pieceBytes }) => {
        const whole = text(stored.reduce((sum, size) => sum + size, 0) + rest);
        const blocks: Uint8Array[] = [];
        let offset = 0;
        for (const size of stored) {
          blocks.push(storedBlock(whole.subarray(offset, offset + size), false));
          offset += size;
        }
        const dictionary = whole.slice(Math.max(0, offset - 32_768), offset);
        const packed = deflateRawSync(whole.subarray(offset), offset === 0 ? {} : { dictionary });
        expect(await read(concat([header, ...blocks, packed, adler]), pieceBytes)).toEqual(whole);
      }),
      { numRuns: 40 },
    );
  });

  const stored = concat([header, storedBlock(text(10), false), storedBlock(text(5), true), adler]);
  const mixed = concat([header, storedBlock(text(10), false), deflateRawSync(text(500)), adler]);
  const packed = deflateSync(text(500));

  it.each([
    ["stored", stored],
    ["mixed", mixed],
    ["packed", packed],
  ])("refuses a %s stream that is cut off, goes on, or is empty", async (_name, stream) => {
    for (const pieceBytes of [1, 3, 1_000]) {
      expect((await read(stream, pieceBytes)).byteLength).toBeGreaterThan(0);
      for (const sizeBytes of [0, 1, 2, 6, 7, stream.byteLength - 5, stream.byteLength - 1]) {
        await expect(read(stream.subarray(0, sizeBytes), pieceBytes)).rejects.toThrow(PngError);
      }
      await expect(read(concat([stream, Uint8Array.of(0)]), pieceBytes)).rejects.toThrow(PngError);
    }
  });

  it("refuses headers and blocks that do not exist", async () => {
    await expect(read(concat([Uint8Array.of(0x78, 0x02), stored.subarray(2)]), 100)).rejects.toThrow(PngError);
    await expect(read(concat([Uint8Array.of(0x79, 0x01), stored.subarray(2)]), 100)).rejects.toThrow(PngError);
    await expect(read(concat([header, Uint8Array.of(7, 1, 2, 3, 4, 5)]), 100)).rejects.toThrow(PngError);
    const wrongLength = new Uint8Array(stored);
    wrongLength[3] = 11;
    await expect(read(wrongLength, 100)).rejects.toThrow(PngError);
  });

  it.each([
    ["packed", deflateSync(new Uint8Array(5_000_000))],
    ["mixed", concat([header, storedBlock(text(10), false), deflateRawSync(new Uint8Array(5_000_000)), adler])],
    ["stored", deflateSync(text(200_000), { level: 0 })],
  ])("stops when %s bytes are more than the taker wants", async (_name, stream) => {
    await expect(read(stream, 1_000_000, 100_000)).rejects.toMatchObject({ reason: "too-large" });
    await expect(read(stream, 10, 100)).rejects.toMatchObject({ reason: "too-large" });
  });
});
