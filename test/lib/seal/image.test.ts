import { describe, expect, it } from "vitest";
import { RGB_BYTES_MAX, readImage, readImageStream } from "#lib/seal/image";
import { buildPng, concat } from "../png/builder.ts";
import { noise, refusal } from "./samples.ts";

const ascii = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(text, (character) => character.charCodeAt(0));
const pad = (text: string): Uint8Array => concat([ascii(text), new Uint8Array(40)]);

async function* pieces(bytes: Uint8Array, sizeBytes: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.byteLength; start += sizeBytes) yield bytes.subarray(start, start + sizeBytes);
}

const readers: Record<string, (file: Uint8Array) => unknown> = {
  "in memory": (file) => readImage(file),
  streamed: (file) => readImageStream(pieces(file, 5)),
};

describe.each(Object.entries(readers))("an image file %s", (_name, read) => {
  it.each([
    ["lossy-image", "JPEG", pad("\xff\xd8\xff\xe0\0\x10JFIF")],
    ["lossy-image", "WebP", pad("RIFF\x10\0\0\0WEBPVP8 ")],
    ["image-unsupported", "lossless WebP", pad("RIFF\x10\0\0\0WEBPVP8L")],
    ["lossy-image", "AVIF", pad("\0\0\0\x20ftypavif")],
    ["image-unsupported", "GIF", pad("GIF89a")],
    ["image-unsupported", "BMP", pad("BM")],
    ["not-an-image", "ZIP", pad("PK\x03\x04")],
    ["not-an-image", "text", pad("hello")],
    ["not-an-image", "MP4", pad("\0\0\0\x20ftypisom")],
    ["not-an-image", "nothing", new Uint8Array(0)],
    ["image-unsupported", "grey PNG", buildPng({ width: 1, height: 1, rgb: noise(3), header: { colour: 0 } })],
    ["image-damaged", "cut PNG", buildPng({ width: 9, height: 9, rgb: noise(243) }).subarray(0, 100)],
    ["image-too-large", "huge PNG", buildPng({ width: 4_730, height: 4_730, rgb: noise(3), data: noise(10) })],
    ["image-damaged", "cut TIFF", ascii("II*\0\x08\0\0\0")],
    ["tiff-unsupported", "packed TIFF", tiff({ compression: 5 })],
  ])("is refused as %s: %s", async (reason, _kind, file) => {
    expect(await refusal(() => read(file))).toMatchObject({ reason });
  });

  it("says which unsupported kind it is", async () => {
    const palette = buildPng({ width: 1, height: 1, rgb: noise(3), header: { colour: 3 } });
    expect(await refusal(() => read(palette))).toEqual({ reason: "image-unsupported", detail: "palette" });
    expect(await refusal(() => read(pad("GIF89a")))).toEqual({ reason: "image-unsupported", detail: "gif" });
  });

  it("gives the pixels of PNG and TIFF", async () => {
    const rgb = noise(5 * 4 * 3);
    expect(await read(buildPng({ width: 5, height: 4, rgb }))).toEqual({ width: 5, height: 4, rgb });
    expect(await read(tiff({ rgb }))).toEqual({ width: 5, height: 4, rgb });
  });
});

interface TiffPlan {
  readonly rgb?: Uint8Array;
  readonly little?: boolean;
  readonly channels?: 3 | 4;
  readonly rowsPerStrip?: number;
  readonly compression?: number;
  readonly photometric?: number;
  readonly planar?: number;
  readonly bits?: number;
  readonly width?: number;
  readonly stripBytes?: number;
}

/** A 5 x 4 baseline TIFF: header, directory, values that do not fit into it, strips. */
function tiff(plan: TiffPlan = {}): Uint8Array<ArrayBuffer> {
  const { little = true, channels = 3, rowsPerStrip = 2, rgb = noise(60) } = plan;
  const samples =
    channels === 3
      ? rgb
      : Uint8Array.from({ length: 80 }, (_, index) =>
          index % 4 === 3 ? 9 : (rgb[(index >> 2) * 3 + (index % 4)] ?? 0),
        );
  const strips = Math.ceil(4 / rowsPerStrip);
  const fields: [number, number, number[]][] = [
    [256, 3, [plan.width ?? 5]],
    [257, 4, [4]],
    [258, 3, Array.from({ length: channels }, () => plan.bits ?? 8)],
    [259, 3, [plan.compression ?? 1]],
    [262, 3, [plan.photometric ?? 2]],
    [273, 4, []],
    [277, 3, [channels]],
    [278, 3, [rowsPerStrip]],
    [279, 4, Array.from({ length: strips }, () => plan.stripBytes ?? rowsPerStrip * 5 * channels)],
    [284, 3, [plan.planar ?? 1]],
  ];
  const valuesOffset = 8 + 2 + fields.length * 12 + 4;
  const pixelsOffset = valuesOffset + 200;
  fields[5] = [
    273,
    4,
    Array.from({ length: strips }, (_, strip) => pixelsOffset + strip * rowsPerStrip * 5 * channels),
  ];
  const file = new Uint8Array(pixelsOffset + samples.byteLength);
  const view = new DataView(file.buffer);
  file.set(ascii(little ? "II*\0" : "MM\0*"));
  view.setUint32(4, 8, little);
  view.setUint16(8, fields.length, little);
  let free = valuesOffset;
  for (const [index, [tag, type, values]] of fields.entries()) {
    const entry = 10 + index * 12;
    view.setUint16(entry, tag, little);
    view.setUint16(entry + 2, type, little);
    view.setUint32(entry + 4, values.length, little);
    const valueBytes = type === 3 ? 2 : 4;
    const inline = values.length * valueBytes <= 4;
    const target = inline ? entry + 8 : free;
    if (!inline) {
      view.setUint32(entry + 8, free, little);
      free += values.length * valueBytes;
    }
    for (const [place, value] of values.entries()) {
      if (type === 3) view.setUint16(target + place * 2, value, little);
      else view.setUint32(target + place * 4, value, little);
    }
  }
  file.set(samples, pixelsOffset);
  return file;
}

describe("TIFF", () => {
  const rgb = noise(60, 3);

  it.each([
    ["little-endian RGB", {}],
    ["big-endian RGB", { little: false }],
    ["one strip", { rowsPerStrip: 4 }],
    ["RGBA", { channels: 4 as const }],
    ["RGBA, big-endian, a strip a row", { channels: 4 as const, little: false, rowsPerStrip: 1 }],
  ])("opens: %s", (_name, plan) => {
    expect(readImage(tiff({ ...plan, rgb }))).toEqual({ width: 5, height: 4, rgb });
  });

  it.each([
    ["tiff-unsupported", { bits: 16 }],
    ["tiff-unsupported", { photometric: 3 }],
    ["tiff-unsupported", { planar: 2 }],
    ["image-damaged", { width: 0 }],
    ["image-damaged", { width: 4 }],
    ["image-damaged", { width: 6 }],
    ["image-damaged", { stripBytes: 29 }],
    ["image-damaged", { stripBytes: 3_000 }],
    ["image-damaged", { stripBytes: 3 }],
  ])("refuses as %s: %o", async (reason, plan) => {
    expect(await refusal(() => readImage(tiff(plan)))).toMatchObject({ reason });
  });

  it("refuses large dimensions and a directory outside the file", async () => {
    const file = tiff({});
    const view = new DataView(file.buffer);
    view.setUint32(10 + 12 + 8, RGB_BYTES_MAX, true);
    expect(await refusal(() => readImage(file))).toMatchObject({ reason: "image-too-large" });
    view.setUint32(4, 0xffff_fff0, true);
    expect(await refusal(() => readImage(file))).toMatchObject({ reason: "image-damaged" });
  });

  it("refuses or reads every truncation without reading outside", async () => {
    const file = tiff({ rgb });
    for (let sizeBytes = 4; sizeBytes < file.byteLength; sizeBytes++) {
      expect(await refusal(() => readImage(file.slice(0, sizeBytes)))).toMatchObject({ reason: "image-damaged" });
    }
  });
});

describe("readImageStream", () => {
  it("closes the source when it refuses", async () => {
    let closed = false;
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield ascii("GIF89a");
      } finally {
        closed = true;
      }
    }
    expect(await refusal(() => readImageStream(endless()))).toMatchObject({ reason: "image-unsupported" });
    expect(closed).toBe(true);
  });

  it("does not collect a TIFF without end", async () => {
    async function* endless(): AsyncGenerator<Uint8Array> {
      yield ascii("II*\0");
      for (;;) yield new Uint8Array(16_777_216);
    }
    expect(await refusal(() => readImageStream(endless()))).toMatchObject({ reason: "image-too-large" });
  });
});
