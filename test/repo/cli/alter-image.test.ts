/** The tampering of the demo: it must change what it says and nothing else, or the refusals that follow would prove nothing. */
import { crc32, deflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { decodePng } from "#lib/png/decode";
import { changePixel, flipBit } from "../../../src/cli/alter-image.ts";

function chunk(name: string, content: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(name, "latin1"), content]);
  const framed = Buffer.alloc(named.length + 8);
  framed.writeUInt32BE(content.length, 0);
  named.copy(framed, 4);
  framed.writeUInt32BE(crc32(named), named.length + 4);
  return framed;
}

/** 3 x 2 pixels, RGB, filter 0, in two IDAT chunks. */
function smallPng(): Buffer {
  const header = Buffer.from([0, 0, 0, 3, 0, 0, 0, 2, 8, 2, 0, 0, 0]);
  const packed = deflateSync(Buffer.from([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 11, 12, 13, 14, 15, 16, 17, 18, 19]));
  const data = [chunk("IDAT", packed.subarray(0, 7)), chunk("IDAT", packed.subarray(7))];
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    chunk("IHDR", header),
    ...data,
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

const pixelsOf = (png: Uint8Array) => Array.from(decodePng(png, { rgbBytesMax: 1_000 }).rgb);

describe("tampering", () => {
  it("flips one bit of a file and leaves the original alone", () => {
    const file = Uint8Array.of(1, 2, 3);
    expect(Array.from(flipBit(file, 1))).toEqual([1, 3, 3]);
    expect(Array.from(file)).toEqual([1, 2, 3]);
  });

  it("changes one colour of one pixel, in a picture whose checksums are right", () => {
    const png = smallPng();
    const before = pixelsOf(png);
    const after = pixelsOf(changePixel(png));
    expect(after.filter((value, index) => value !== before[index])).toHaveLength(1);
    expect(after).toHaveLength(before.length);
  });

  it("refuses what is no picture", () => {
    expect(() => changePixel(Buffer.from("not a picture at all"))).toThrow("Not a PNG");
  });
});
