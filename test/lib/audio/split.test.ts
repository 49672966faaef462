import { describe, expect, it } from "vitest";
import { parseMp3Header, readMp3 } from "#lib/audio/mp3";
import { probe } from "#lib/audio/probe";
import type { MediaFacts } from "#lib/audio/probe";
import type { ByteRanges } from "#lib/audio/ranges";
import { planChunks, readChunk } from "#lib/audio/split";
import type { ChunkPlan, SplitLimits } from "#lib/audio/split";
import { counted, joinBytes, makeWav, media } from "#test/lib/audio/media";
import { briefingWav } from "#test/support/fixtures";

const limits: SplitLimits = { chunkBytesMax: 16 * 1_024 * 1_024, chunkSecondsMax: 5, overlapSeconds: 1 };

async function factsOf(source: ByteRanges): Promise<MediaFacts> {
  const outcome = await probe(source, "");
  if (!outcome.ok) throw new Error(outcome.detail);
  return outcome.facts;
}

/** The plan as it comes back from a database. */
async function plansOf(source: ByteRanges, given: SplitLimits): Promise<ChunkPlan[]> {
  const plans = await planChunks(source, await factsOf(source), given);
  return JSON.parse(JSON.stringify(plans)) as ChunkPlan[];
}

function expectSeamless(plans: readonly ChunkPlan[], given: SplitLimits, durationSeconds: number): void {
  plans.forEach((plan, index) => {
    expect(plan.index).toBe(index);
    expect(plan.endSeconds - plan.startSeconds).toBeLessThanOrEqual(given.chunkSecondsMax + 1e-6);
    const before = plans[index - 1];
    expect(plan.overlapSeconds).toBeCloseTo(before ? before.endSeconds - plan.startSeconds : 0, 6);
    expect(plan.endSeconds).toBeGreaterThan(before?.endSeconds ?? 0);
    if (before) expect(plan.overlapSeconds).toBeGreaterThanOrEqual(0.9 * given.overlapSeconds);
  });
  const covered = plans.reduce((sum, plan) => sum + plan.endSeconds - plan.startSeconds - plan.overlapSeconds, 0);
  expect(Math.abs(covered - durationSeconds)).toBeLessThan(0.03);
}

describe.each([
  "interview.mp3",
  "interview.aac",
  "interview.m4a",
  "interview.ogg",
  "interview.webm",
  "interview.flac",
  "clip.mp4",
  "fragmented.mp4",
  "vbr.mp3",
] as const)("%s", (name) => {
  it("is cut into files of their own that add up", async () => {
    const source = counted(media(name));
    const facts = await factsOf(source);
    const own =
      name === "fragmented.mp4" || name === "vbr.mp3" ? { ...limits, chunkSecondsMax: 1, overlapSeconds: 0.2 } : limits;
    const plans = await plansOf(source, own);
    expect(plans.length).toBeGreaterThanOrEqual(3);
    // The pictures of the clip go on after its sound.
    expectSeamless(plans, own, name === "clip.mp4" ? 13.137 : (facts.durationSeconds ?? 0));
    for (const plan of plans) {
      const chunk = counted(await readChunk(source, plan));
      const { durationSeconds, audio, video } = await factsOf(chunk);
      expect(Math.abs((durationSeconds ?? 0) - (plan.endSeconds - plan.startSeconds))).toBeLessThan(0.03);
      expect({ audio, video }).toEqual({ audio: facts.audio, video: null });
    }
  });

  it("gives the same chunk again, whatever was read before", async () => {
    const source = counted(media(name));
    const plans = await plansOf(source, { ...limits, chunkSecondsMax: 1.2, overlapSeconds: 0.2 });
    const last = plans.at(-1);
    if (!last) throw new Error("no chunk");
    const [one, other] = [await readChunk(source, last), await readChunk(counted(media(name)), last)];
    // A new container has a time or a number of its own in its head.
    if (last.how.kind === "bytes") expect(other).toEqual(one);
    expect(other.length).toBe(one.length);
    expect(await factsOf(counted(other))).toEqual(await factsOf(counted(one)));
  });
});

it("leaves a file alone that is small enough, and has nothing to say of one without sound", async () => {
  const wide = { ...limits, chunkSecondsMax: 600 };
  const source = counted(media("interview.ogg"));
  const plans = await plansOf(source, wide);
  expect(plans).toMatchObject([{ index: 0, startSeconds: 0, overlapSeconds: 0, fileExtension: "ogg" }]);
  expect(plans[0] && (await readChunk(source, plans[0]))).toEqual(media("interview.ogg"));
  expect(await plansOf(counted(media("silent-film.mov")), wide)).toEqual([]);
  expect(await plansOf(counted(media("encrypted.mp4")), wide)).toEqual([]);
});

it("takes the sound alone out of a small film", async () => {
  const source = counted(media("clip.mp4"));
  const [only, ...others] = await plansOf(source, { ...limits, chunkSecondsMax: 600 });
  expect(others).toEqual([]);
  expect(only?.contentType).toBe("audio/mp4");
  expect(only && (await readChunk(source, only)).length).toBeLessThan(200_000);
});

describe("limits in bytes", () => {
  it.each([
    "interview.mp3",
    "interview.aac",
    "interview.m4a",
    "interview.ogg",
    "interview.webm",
    "interview.flac",
  ] as const)("hold for %s", async (name) => {
    const source = counted(media(name));
    const given = { chunkBytesMax: 70_000, chunkSecondsMax: 600, overlapSeconds: 0.1 };
    const plans = await plansOf(source, given);
    expect(plans.length).toBeGreaterThan(1);
    for (const plan of plans) expect((await readChunk(source, plan)).length).toBeLessThanOrEqual(given.chunkBytesMax);
    expect(plans.at(-1)?.endSeconds).toBeGreaterThan(13.1);
  });
});

/** Where the samples begin in a file as the splitter writes it. */
function dataOf(wav: Uint8Array): Uint8Array {
  const at = new TextDecoder("latin1").decode(wav.subarray(0, 100)).indexOf("data");
  const lengthBytes = new DataView(wav.buffer, wav.byteOffset).getUint32(at + 4, true);
  return wav.subarray(at + 8, at + 8 + lengthBytes);
}

describe("WAVE", () => {
  it("loses and doubles no sample", async () => {
    const source = counted(briefingWav());
    const plans = await plansOf(source, limits);
    expectSeamless(plans, limits, 16.8076875);
    const parts: Uint8Array[] = [];
    for (const plan of plans) {
      const data = dataOf(await readChunk(source, plan));
      expect(data.length).toBe(Math.round((plan.endSeconds - plan.startSeconds) * 32_000));
      parts.push(data.subarray(Math.round(plan.overlapSeconds * 32_000)));
    }
    expect(joinBytes(...parts)).toEqual(dataOf(briefingWav()));
  });

  it.each([
    { tag: 1, bits: 8 },
    { tag: 1, bits: 24 },
    { tag: 3, bits: 32 },
    { tag: 6, bits: 8 },
    { tag: 7, bits: 8, channels: 2 },
    { tag: 1, bits: 16, channels: 2, isExtensible: true },
  ])("cuts where it is quiet, keeps the format: $tag/$bits", async (shape) => {
    const channels = shape.channels ?? 1;
    const sampleBytes = shape.bits / 8;
    const quietByte = { 6: 0xd5, 7: 0xff }[shape.tag] ?? (shape.bits === 8 ? 0x80 : 0);
    const loudByte = { 6: 0x2a, 7: 0x00 }[shape.tag] ?? 0x41;
    // Twenty seconds, quiet from 4.86 to 4.94 s and from 9.7 to 9.8 s.
    const isQuiet = (seconds: number) => (seconds > 4.86 && seconds < 4.94) || (seconds > 9.7 && seconds < 9.8);
    const frame = sampleBytes * channels;
    const data = Uint8Array.from({ length: 160_000 * frame }, (_, index) =>
      isQuiet(Math.floor(index / frame) / 8_000) ? quietByte : loudByte,
    );
    const source = counted(makeWav({ ...shape, data, sampleRateHz: 8_000 }));
    const plans = await plansOf(source, { ...limits, overlapSeconds: 0 });
    expect(plans[0]?.endSeconds).toBeGreaterThan(4.87);
    expect(plans[0]?.endSeconds).toBeLessThan(4.93);
    const [first] = plans;
    if (!first) throw new Error("no chunk");
    const before = await factsOf(source);
    expect((await factsOf(counted(await readChunk(source, first)))).audio).toEqual(before.audio);
  });

  it("pads a chunk of odd length", async () => {
    const data = Uint8Array.from({ length: 24_001 }, (_, index) => index & 0xff);
    const source = counted(makeWav({ bits: 8, data }));
    const plans = await plansOf(source, { ...limits, chunkSecondsMax: 1.4, overlapSeconds: 0 });
    const chunks = [];
    for (const plan of plans) chunks.push(await readChunk(source, plan));
    expect(chunks.every((chunk) => chunk.length % 2 === 0)).toBe(true);
    expect(joinBytes(...chunks.map(dataOf))).toEqual(data);
    expect(chunks.some((chunk) => dataOf(chunk).length % 2 === 1)).toBe(true);
  });

  it("cuts silence into long chunks, and reads a sixteenth more at most", async () => {
    const seconds = 700;
    const source = counted(makeWav({ data: new Uint8Array(0), declaredBytes: 0 }), 44 + seconds * 16_000);
    const plans = await plansOf(source, { chunkBytesMax: 1_000_000, chunkSecondsMax: 600, overlapSeconds: 1 });
    expect(plans.length).toBe(12);
    source.bytesRead = 0;
    await plansOf(source, { chunkBytesMax: 1_000_000, chunkSecondsMax: 600, overlapSeconds: 1 });
    expect(source.bytesRead).toBeLessThan(seconds * 16_000 * 0.09);
  });
});

describe("MP3", () => {
  /** 2,756 seconds: the same frames a few hundred times. */
  async function longMp3(times: number): Promise<Uint8Array> {
    const bytes = media("interview.mp3");
    const layout = await readMp3(counted(bytes));
    if (!layout) throw new Error("no layout");
    return joinBytes(...Array.from({ length: times }, () => bytes.subarray(layout.startByte)));
  }

  it("of constant bit rate is planned without reading it", async () => {
    const source = counted(await longMp3(50));
    const facts = await factsOf(source);
    source.bytesRead = 0;
    const plans = await planChunks(source, facts, { ...limits, chunkSecondsMax: 60 });
    expect(plans.length).toBeGreaterThan(10);
    expect(source.bytesRead).toBeLessThan(300_000);
    for (const { how } of plans) {
      if (how.kind !== "bytes") throw new Error("not cut");
      expect(parseMp3Header(await source.read(how.startByte, how.startByte + 4), 0)).not.toBeNull();
    }
  });

  it("with rubbish in the middle is walked", async () => {
    const long = await longMp3(4);
    const source = counted(
      joinBytes(long.subarray(0, 200_000), new Uint8Array(777).fill(0x11), long.subarray(200_000)),
    );
    const plans = await plansOf(source, limits);
    expect(Math.abs((plans.at(-1)?.endSeconds ?? 0) - 4 * 13.14)).toBeLessThan(0.3);
    for (const plan of plans) expect((await factsOf(counted(await readChunk(source, plan)))).container).toBe("mp3");
  });
});

it("refuses a source that has become shorter than its plan", async () => {
  const plans = await plansOf(counted(briefingWav()), limits);
  const last = plans.at(-1);
  if (!last) throw new Error("no chunk");
  await expect(readChunk(counted(briefingWav().subarray(0, 400_000)), last)).rejects.toThrow("ends inside");
});
