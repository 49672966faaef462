import fc from "fast-check";
import { deflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { readPngSize } from "#lib/png/chunks";
import { type PngPixels, decodePng } from "#lib/png/decode";
import { decodePngStream } from "#lib/png/decode-stream";
import { PngError } from "#lib/png/error";
import { buildPng, chunk, concat } from "./builder.ts";

const options = { rgbBytesMax: 67_108_864 };
const pixels = (sizeBytes: number): Uint8Array<ArrayBuffer> =>
  Uint8Array.from({ length: sizeBytes }, (_, index) => (index * 31) ^ (index >>> 3));
const small = { width: 5, height: 4, rgb: pixels(60) };

/** Each piece is overwritten when the next is asked for, as in a stream that reads into one memory. */
async function* pieces(bytes: Uint8Array, sizeBytes: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.byteLength; start += sizeBytes) {
    const piece = bytes.slice(start, start + sizeBytes);
    yield piece;
    piece.fill(0xaa);
  }
}

/** Both decoders must agree: each test runs with the one in memory and with the streaming one in odd pieces. */
const decoders: Record<string, (png: Uint8Array) => Promise<PngPixels>> = {
  "in memory": async (png) => decodePng(png, options),
  "streamed by 7": (png) => decodePngStream(pieces(png, 7), options),
  "streamed whole": (png) => decodePngStream(pieces(png, png.byteLength), options),
};

async function reasonOf(run: Promise<unknown>): Promise<string> {
  try {
    await run;
  } catch (error) {
    if (error instanceof PngError) return error.reason;
    throw error;
  }
  return "no error";
}

describe.each(Object.entries(decoders))("decoding %s", (_name, decode) => {
  it("reads every filter, RGB and RGBA, any level and any number of IDATs", async () => {
    const plan = fc.record({
      width: fc.integer({ min: 1, max: 40 }),
      height: fc.integer({ min: 1, max: 12 }),
      channels: fc.constantFrom(3 as const, 4 as const),
      filters: fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 12, maxLength: 12 }),
      level: fc.integer({ min: 0, max: 9 }),
      idatBytes: fc.integer({ min: 1, max: 200 }),
      seed: fc.nat(),
    });
    await fc.assert(
      fc.asyncProperty(plan, async ({ width, height, channels, filters, level, idatBytes, seed }) => {
        const rgb = Uint8Array.from(
          { length: width * height * 3 },
          (_, index) => Math.imul(index + seed, 2_654_435_761) >>> 24,
        );
        const png = buildPng({ width, height, rgb, channels, level, idatBytes, filterOf: (row) => filters[row] ?? 0 });
        const decoded = await decode(png);
        expect([decoded.width, decoded.height]).toEqual([width, height]);
        expect(decoded.rgb).toEqual(rgb);
      }),
      { numRuns: 60 },
    );
  });

  it("skips ancillary chunks, a palette suggestion and empty IDATs", async () => {
    const before = [
      chunk("gAMA", new Uint8Array(4)),
      chunk("PLTE", new Uint8Array(3)),
      chunk("IDAT", new Uint8Array(0)),
    ];
    expect((await decode(buildPng({ ...small, before }))).rgb).toEqual(small.rgb);
  });

  it.each([
    ["interlaced", { interlace: 1 }],
    ["unknown-kind", { interlace: 2 }],
    ["palette", { colour: 3 }],
    ["grey", { colour: 0 }],
    ["grey", { colour: 4 }],
    ["unknown-kind", { colour: 5 }],
    ["sixteen-bit", { depth: 16 }],
    ["unknown-kind", { depth: 4 }],
  ])("refuses %s images by %o", async (reason, header) => {
    expect(await reasonOf(decode(buildPng({ ...small, header })))).toBe(reason);
  });

  it("refuses what is no PNG", async () => {
    expect(await reasonOf(decode(Uint8Array.of(0xff, 0xd8, 0xff, 0xe0)))).toBe("not-png");
    expect(await reasonOf(decode(new Uint8Array(0)))).toBe("not-png");
  });

  it("refuses every truncation and anything after the end", async () => {
    const png = buildPng(small);
    for (let sizeBytes = 8; sizeBytes < png.byteLength; sizeBytes++) {
      expect(await reasonOf(decode(png.subarray(0, sizeBytes)))).toBe("damaged");
    }
    expect(await reasonOf(decode(concat([png, new Uint8Array(1)])))).toBe("damaged");
  });

  it("refuses wrong order, unknown critical chunks and a missing image", async () => {
    const rows = deflateSync(new Uint8Array(64));
    const twice = [chunk("IDAT", rows.subarray(0, 4)), chunk("tEXt", new Uint8Array(0))];
    expect(await reasonOf(decode(buildPng({ ...small, before: twice, data: rows.subarray(4) })))).toBe("damaged");
    expect(await reasonOf(decode(buildPng({ ...small, before: [chunk("IHDR", new Uint8Array(13))] })))).toBe("damaged");
    expect(await reasonOf(decode(buildPng({ ...small, before: [chunk("ABCD", new Uint8Array(0))] })))).toBe(
      "unknown-kind",
    );
    expect(await reasonOf(decode(buildPng({ ...small, data: new Uint8Array(0) })))).toBe("damaged");
    const head = buildPng(small).subarray(0, 33);
    expect(await reasonOf(decode(concat([head, chunk("IEND", new Uint8Array(0))])))).toBe("damaged");
  });

  it("refuses too few, too many and wrongly filtered pixels, and data after them", async () => {
    const rows = (sizeBytes: number): Uint8Array => deflateSync(new Uint8Array(sizeBytes));
    expect(await reasonOf(decode(buildPng({ ...small, data: rows(63) })))).toBe("damaged");
    expect(await reasonOf(decode(buildPng({ ...small, data: rows(65) })))).toBe("damaged");
    expect(await reasonOf(decode(buildPng({ ...small, data: rows(0) })))).toBe("damaged");
    expect(await reasonOf(decode(buildPng({ ...small, filterOf: () => 5 })))).toBe("damaged");
    expect(await reasonOf(decode(buildPng({ ...small, data: concat([rows(64), Uint8Array.of(9)]) })))).toBe("damaged");
    expect(await reasonOf(decode(buildPng({ ...small, data: rows(64).subarray(0, -1) })))).toBe("damaged");
  });

  it("refuses a file of endless tiny chunks", async () => {
    const tiny = chunk("tEXt", new Uint8Array(0));
    const before = [concat(Array.from({ length: 65_536 }, () => tiny))];
    expect(await reasonOf(decode(buildPng({ ...small, before })))).toBe("damaged");
  });

  it("stops a bomb: 64 MiB of zeros in an image of twenty pixels", async () => {
    const bomb = deflateSync(new Uint8Array(67_108_864), { level: 9 });
    expect(await reasonOf(decode(buildPng({ ...small, data: bomb })))).toBe("damaged");
  });

  it("refuses dimensions over the cap before it reads on", async () => {
    const png = buildPng({ ...small, width: 8_192, height: 2_731, data: new Uint8Array(1) });
    expect(await reasonOf(decode(png))).toBe("too-large");
  });

  it("refuses every flipped bit of the file", async () => {
    const png = buildPng({ ...small, before: [chunk("tIME", new Uint8Array(7))], filterOf: (row) => row });
    for (let bit = 0; bit < png.byteLength * 8; bit++) {
      const flipped = png.slice();
      flipped[bit >>> 3] = (flipped[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
      expect(await reasonOf(decode(flipped))).not.toBe("no error");
    }
  });
});

describe("readPngSize", () => {
  const head = (width: number, height: number): Uint8Array =>
    buildPng({ ...small, width, height, data: new Uint8Array(1) }).subarray(0, 33);

  it("reads 33 bytes and compares the RGB bytes with the cap", () => {
    expect(readPngSize(head(8_192, 2_730), options)).toEqual({ width: 8_192, height: 2_730, channels: 3 });
    expect(() => readPngSize(head(8_192, 2_731), options)).toThrow(PngError);
    expect(() => readPngSize(head(0x7fff_ffff, 0x7fff_ffff), options)).toThrow(/ x /u);
    expect(() => readPngSize(head(0, 1), options)).toThrow("dimensions");
  });
});

describe("decodePngStream", () => {
  it("passes errors of the source through and closes it", async () => {
    let closed = false;
    async function* broken(): AsyncGenerator<Uint8Array> {
      try {
        yield buildPng(small).subarray(0, 50);
        throw new Error("source failed");
      } finally {
        closed = true;
      }
    }
    await expect(decodePngStream(broken(), options)).rejects.toThrow("source failed");
    expect(closed).toBe(true);
  });

  it("closes a source that it refuses half-way", async () => {
    let closed = false;
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield new Uint8Array(100);
      } finally {
        closed = true;
      }
    }
    expect(await reasonOf(decodePngStream(endless(), options))).toBe("not-png");
    expect(closed).toBe(true);
  });
});
