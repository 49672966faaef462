/** The long recording that the demo makes out of a short one. */
import { describe, expect, it } from "vitest";
import { lengthOfWav, repeatWav } from "../../../src/cli/recording.ts";

function wav(samples: Buffer, extra: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(44);
  head.write("RIFF", 0, "latin1");
  head.writeUInt32LE(36 + extra.length + samples.length, 4);
  head.write("WAVEfmt ", 8, "latin1");
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(16_000, 24);
  head.writeUInt32LE(32_000, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write("data", 36, "latin1");
  head.writeUInt32LE(samples.length, 40);
  return Buffer.concat([head.subarray(0, 36), extra, head.subarray(36), samples]);
}

const samples = Buffer.from(Array.from({ length: 100 }, (_, index) => index));

describe("repeating a recording", () => {
  it("fills the size as far as whole repetitions go, as the same kind of file", () => {
    expect(repeatWav(wav(samples), 44 + 350)).toEqual(wav(Buffer.concat([samples, samples, samples])));
  });

  it("leaves out chunks that are neither format nor sound", () => {
    const list = Buffer.concat([Buffer.from("LIST"), Buffer.from([3, 0, 0, 0]), Buffer.from("abc\0")]);
    expect(repeatWav(wav(samples, list), 144)).toEqual(wav(samples));
  });

  it("knows how long the sound is", () => {
    expect(lengthOfWav(wav(Buffer.alloc(64_000)))).toBe(2);
  });

  it("refuses what is no WAV file, or too long already", () => {
    expect(() => repeatWav(Buffer.from("ID3 not a wav file at all"), 1_000)).toThrow("Not a WAV file");
    expect(() => repeatWav(wav(Buffer.alloc(0)), 1_000)).toThrow("Not a PCM WAV file");
    expect(() => repeatWav(wav(samples), 100)).toThrow("does not fit");
  });
});
