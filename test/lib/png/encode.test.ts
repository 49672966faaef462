import fc from "fast-check";
import { inflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { decodePng } from "#lib/png/decode";
import { encodePng, pngSizeBytes } from "#lib/png/encode";
import { concat, slowCrc32 } from "./builder.ts";

const options = { rgbBytesMax: 67_108_864 };

describe("encodePng", () => {
  it("writes IHDR, one IDAT and IEND, each with its CRC, and rows with filter 0", () => {
    const png = encodePng({ parts: [Uint8Array.of(1, 2, 3, 4, 5)], width: 2, height: 2 });
    const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
    expect(Array.from(png.subarray(0, 8))).toEqual([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
    const chunks: { type: string; data: Uint8Array }[] = [];
    for (let offset = 8; offset < png.byteLength;) {
      const sizeBytes = view.getUint32(offset);
      const body = png.subarray(offset + 4, offset + 8 + sizeBytes);
      expect(view.getUint32(offset + 8 + sizeBytes)).toBe(slowCrc32(body));
      chunks.push({ type: String.fromCharCode(...body.subarray(0, 4)), data: body.subarray(4) });
      offset += 12 + sizeBytes;
    }
    expect(chunks.map(({ type }) => type)).toEqual(["IHDR", "IDAT", "IEND"]);
    expect(Array.from(chunks[0]?.data ?? [])).toEqual([0, 0, 0, 2, 0, 0, 0, 2, 8, 2, 0, 0, 0]);
    // node:zlib checks block lengths and Adler-32.
    expect(Array.from(inflateSync(chunks[1]?.data ?? new Uint8Array(0)))).toEqual([
      0, 1, 2, 3, 4, 5, 0, 0, 0, 0, 0, 0, 0, 0,
    ]);
  });

  it("gives the parts and then zeros, for any parts and width, in fresh and in used memory", () => {
    const image = fc.record({
      parts: fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 5 }),
      width: fc.integer({ min: 1, max: 300 }),
      dirty: fc.boolean(),
    });
    fc.assert(
      fc.property(image, ({ parts, width, dirty }) => {
        const payload = concat(parts);
        const height = Math.max(1, Math.ceil(payload.byteLength / 3 / width));
        const reuse = dirty ? new Uint8Array(20_000).fill(0xee) : undefined;
        const png = encodePng({ parts, width, height, reuse });
        expect(png.byteLength).toBe(pngSizeBytes({ width, height }));
        const { rgb } = decodePng(png, options);
        expect(rgb.byteLength).toBe(width * height * 3);
        expect(Array.from(rgb.subarray(0, payload.byteLength))).toEqual(Array.from(payload));
        expect(rgb.subarray(payload.byteLength).every((byte) => byte === 0)).toBe(true);
      }),
    );
  });

  it("uses the memory it is given only when that is large enough", () => {
    const large = new Uint8Array(1_000);
    const size = { width: 8, height: 8 };
    expect(encodePng({ parts: [], ...size, reuse: large }).buffer).toBe(large.buffer);
    expect(encodePng({ parts: [], ...size, reuse: new Uint8Array(100) }).byteLength).toBe(pngSizeBytes(size));
  });

  it("spreads rows over many stored blocks", () => {
    const payload = Uint8Array.from({ length: 700_001 }, (_, index) => (index * index) >>> 3);
    const png = encodePng({ parts: [payload.subarray(0, 11), payload.subarray(11)], width: 777, height: 301 });
    expect(decodePng(png, options).rgb.subarray(0, payload.byteLength)).toEqual(payload);
  });

  it("refuses dimensions that PNG cannot hold and parts that do not fit", () => {
    expect(() => encodePng({ parts: [], width: 0, height: 1 })).toThrow(RangeError);
    expect(() => encodePng({ parts: [], width: 1, height: 1.5 })).toThrow(RangeError);
    expect(() => encodePng({ parts: [], width: 0x8000_0000, height: 1 })).toThrow(RangeError);
    expect(() => encodePng({ parts: [], width: 0x7fff_ffff, height: 0x7fff_ffff })).toThrow(RangeError);
    expect(() => encodePng({ parts: [new Uint8Array(4)], width: 1, height: 1 })).toThrow(RangeError);
  });
});
