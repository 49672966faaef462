import { describe, expect, it } from "vitest";
import { encodePeaks, makePeaks, wavPeaks } from "#lib/audio/peaks";
import type { Peaks } from "#lib/audio/peaks";
import { probe } from "#lib/audio/probe";
import { readWav } from "#lib/audio/wav";
import { counted, makeWav, media } from "#test/lib/audio/media";
import { briefingWav } from "#test/support/fixtures";

async function peaksOf(bytes: Uint8Array): Promise<Peaks | null> {
  const source = counted(bytes);
  const outcome = await probe(source, "");
  if (!outcome.ok) throw new Error(outcome.detail);
  source.bytesRead = 0;
  const peaks = await makePeaks(source, outcome.facts);
  expect(source.bytesRead).toBeLessThan(bytes.length * 1.2 + 300_000);
  return peaks;
}

/** The mean level of each tenth of a second. */
function tenths({ sampleRateHz, samplesPerPixel, pairs }: Peaks, seconds: number): number[] {
  const sums = Array.from({ length: Math.floor(seconds * 10) }, () => ({ sum: 0, count: 0 }));
  for (let pixel = 0; pixel < pairs.length / 2; pixel += 1) {
    const tenth = sums[Math.floor((pixel * samplesPerPixel * 10) / sampleRateHz)];
    if (!tenth) continue;
    tenth.sum += pairs[pixel * 2 + 1] ?? 0;
    tenth.count += 1;
  }
  return sums.map(({ sum, count }) => sum / Math.max(1, count));
}

/** Tenths of a second of the interview in which nobody speaks: the decoded samples are at most 10 of 32,768 there. */
const pauses = new Set([9, 10, 11, 36, 37, 38, 54, 62, 63, 64, 74, 75, 76, 92, 93, 94, 111, 128, 129]);

describe("uncompressed sound", () => {
  it("has the exact extremes of every pixel, however the bytes come", async () => {
    const bytes = briefingWav();
    const wav = await readWav(counted(bytes));
    if (!wav.ok) throw new Error(wav.detail);
    async function* inPieces(sizeBytes: number) {
      for (let from = 0; from < bytes.length; from += sizeBytes) yield bytes.subarray(from, from + sizeBytes);
    }
    const peaks = await wavPeaks(inPieces(4_097), wav.layout);
    const view = new DataView(bytes.buffer);
    const samples = Array.from({ length: (bytes.length - wav.layout.dataStartByte) >> 1 }, (_, index) =>
      view.getInt16(wav.layout.dataStartByte + index * 2, true),
    );
    expect(peaks).toMatchObject({ approximate: false, sampleRateHz: 16_000, samplesPerPixel: 160 });
    const expected = Array.from({ length: Math.ceil(samples.length / 160) }, (_, pixel) => {
      const part = samples.slice(pixel * 160, (pixel + 1) * 160);
      return [Math.min(...part), Math.max(...part)];
    });
    expect([...peaks.pairs]).toEqual(expected.flat());
    expect(await wavPeaks(inPieces(1), wav.layout)).toEqual(peaks);
    expect(await peaksOf(bytes)).toEqual(peaks);
  });

  it("takes a megabyte at most for two hours", async () => {
    const wav = await readWav(counted(makeWav({ data: new Uint8Array(0), declaredBytes: 0 }), 44 + 7_200 * 16_000));
    if (!wav.ok) throw new Error(wav.detail);
    const zeros = new Uint8Array(1_000_000);
    async function* silence() {
      for (let left = 44 + 7_200 * 16_000; left > 0; left -= zeros.length) yield zeros.subarray(0, left);
    }
    const encoded = encodePeaks(await wavPeaks(silence(), wav.layout));
    expect(encoded.length).toBeLessThanOrEqual(1_000_000);
    expect(encoded.length).toBeGreaterThan(900_000);
  });

  it.each([
    [{ bits: 8 }, [0x80, 0xff, 0x00, 0x80], [-32_768, 32_512]],
    [{ bits: 24 }, [0, 0, 0x40, 0, 0, 0xc0], [-16_384, 16_384]],
    [{ tag: 3, bits: 32 }, [0, 0, 0, 0x3f, 0, 0, 0x80, 0xbe], [-8_192, 16_384]],
    [{ tag: 3, bits: 32 }, [0, 0, 0xc0, 0x7f, 0, 0, 0, 0x40], [0, 32_767]],
    [{ tag: 6, bits: 8 }, [0xaa, 0x2a], [-32_256, 32_256]],
    [{ tag: 7, bits: 8 }, [0x80, 0x00], [-32_124, 32_124]],
  ] as const)("reads %j", async (shape, data, pair) => {
    const peaks = await peaksOf(makeWav({ ...shape, data: Uint8Array.from(data) }));
    expect([...(peaks?.pairs ?? [])]).toEqual(pair);
  });

  it("is written as audiowaveform writes it", () => {
    const pairs = Int16Array.from([-1, 2, -300, 400]);
    const encoded = encodePeaks({ approximate: false, sampleRateHz: 48_000, samplesPerPixel: 480, pairs });
    const view = new DataView(encoded.buffer);
    expect([0, 4, 8, 12, 16, 20].map((offset) => view.getInt32(offset, true))).toEqual([2, 0, 48_000, 480, 2, 1]);
    expect([24, 26, 28, 30].map((offset) => view.getInt16(offset, true))).toEqual([-1, 2, -300, 400]);
  });
});

describe("compressed sound has an outline in which pauses are seen", () => {
  // By gain they are nothing; by size they are smaller, because packets of silence are not empty.
  it.each([
    ["interview.mp3", 0.05],
    ["interview.aac", 0.05],
    ["interview.m4a", 0.05],
    ["interview.ogg", 0.75],
    ["interview.webm", 0.75],
    ["interview.flac", 0.75],
  ] as const)("%s", async (name, most) => {
    const peaks = await peaksOf(media(name));
    if (!peaks) throw new Error("no peaks");
    expect(peaks.approximate).toBe(true);
    expect(Math.abs((peaks.pairs.length / 2) * (peaks.samplesPerPixel / peaks.sampleRateHz) - 13.15)).toBeLessThan(
      0.05,
    );
    const levels = tenths(peaks, 13);
    const meanOf = (isPause: boolean) => {
      const part = levels.filter((_, tenth) => pauses.has(tenth) === isPause);
      return part.reduce((sum, level) => sum + level, 0) / part.length;
    };
    expect(meanOf(true) / meanOf(false)).toBeLessThan(most);
  });

  it("and none without sound", async () => {
    expect(await peaksOf(media("silent-film.mov"))).toBeNull();
    expect(await peaksOf(media("encrypted.mp4"))).toBeNull();
  });
});
