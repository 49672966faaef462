/** The recogniser hears exactly what is in the bytes: whole samples, pieces of them, and what was put together of pieces. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { recognise } from "#sandbox/speech/recognise";
import { bare } from "#sandbox/speech/segments";
import { opened } from "./cut.ts";
import { briefingSound, interview, interviews, words, wavOf } from "./samples.ts";
import { briefingWav } from "#test/support/fixtures";

const extensions = Object.keys(interviews) as (keyof typeof interviews)[];

async function heardIn(bytes: Uint8Array<ArrayBuffer>) {
  const heard = await recognise(bytes);
  if (!heard) throw new Error("not a recording");
  return { ...heard, text: heard.words.map(({ text }) => bare(text)) };
}

const wordsOf = (list: readonly { word: string }[]) => list.map(({ word }) => word);

describe("whole samples", () => {
  it("are heard word for word, at their times: wav", async () => {
    const { words: heard, seconds, text } = await heardIn(briefingWav());
    expect(text).toEqual(wordsOf(words.briefing));
    expect(heard.map(({ startMs }) => startMs)).toEqual(words.briefing.map(({ startMs }) => startMs));
    expect(heard[4]).toEqual({ text: "briefing.", startMs: 1_196, endMs: 1_996, isNumber: false });
    expect(seconds).toBe(16.808);
  });

  it.each(extensions)("are heard word for word, at their times: %s", async (extension) => {
    const { words: heard, seconds, text } = await heardIn(interview(extension));
    expect(text).toEqual(wordsOf(words.interview));
    for (const [index, { startMs }] of heard.entries())
      expect(Math.abs(startMs - (words.interview[index]?.startMs ?? 0))).toBeLessThanOrEqual(30);
    expect(seconds).toBeGreaterThan(13.1);
    expect(seconds).toBeLessThan(13.2);
  });
});

describe("pieces of samples", () => {
  it("of PCM lose and double no word, wherever they are cut and joined", async () => {
    const sound = briefingSound();
    const three = new Uint8Array(sound.length * 3);
    for (const index of [0, 1, 2]) three.set(sound, index * sound.length);
    const cut = fc.integer({ min: 0, max: three.length / 2 }).map((sample) => sample * 2);
    await fc.assert(
      fc.asyncProperty(fc.array(cut, { minLength: 1, maxLength: 6 }), async (list) => {
        const cuts = [0, ...list.toSorted((one, other) => one - other), three.length];
        const all: { text: string; startMs: number }[] = [];
        for (const [index, from] of cuts.slice(0, -1).entries()) {
          const piece = three.subarray(from, cuts[index + 1]);
          if (piece.length < 32_000) {
            // Too little to be known by: only whole seconds are asked for.
            return;
          }
          const heard = await heardIn(wavOf(piece));
          all.push(...heard.words.map(({ text, startMs }) => ({ text: bare(text), startMs: startMs + from / 32 })));
        }
        const lengthMs = sound.length / 32;
        const said = [0, 1, 2].flatMap((round) =>
          words.briefing.map(({ word, startMs }) => ({ text: word, startMs: startMs + round * lengthMs })),
        );
        expect(all.map(({ text }) => text)).toEqual(said.map(({ text }) => text));
        for (const [index, { startMs }] of all.entries())
          expect(Math.abs(startMs - (said[index]?.startMs ?? 0))).toBeLessThanOrEqual(21);
      }),
      { numRuns: 40 },
    );
  });

  it.each(extensions)("of %s lose and double no word, also of three samples in a row", async (extension) => {
    const { count, unitMs, write } = await opened(interview(extension), extension);
    // FLAC numbers its frames, and a reader stops where the numbers begin anew: copied frames make no row of samples.
    const rounds = extension === "flac" ? 1 : 3;
    const [least, end] = [Math.ceil(1_000 / unitMs), count * rounds];
    const expected = Array.from({ length: rounds }).flatMap((_, round) =>
      words.interview.map(({ word, startMs }) => ({ word, packet: round * count + Math.floor(startMs / unitMs) })),
    );
    for (const at of [least, Math.floor(end / 2) + 5, count - 3, Math.min(count + 5, end - 20), end - least]) {
      const before = await heardIn(await write(0, at));
      const after = await heardIn(await write(at, end));
      expect(before.text).toEqual(wordsOf(expected.filter(({ packet }) => packet < at)));
      expect(after.text).toEqual(wordsOf(expected.filter(({ packet }) => packet >= at)));
    }
    if (rounds === 1) return;
    const two = await heardIn(await write(count, end));
    expect(Math.abs((two.words[29]?.startMs ?? 0) - count * unitMs)).toBeLessThanOrEqual(30);
  });
});

describe("other sound", () => {
  const tone = (seconds: number) => {
    const samples = Int16Array.from({ length: seconds * 16_000 }, (_, at) => Math.sin(at / 10) * 9_000);
    return new Uint8Array(samples.buffer);
  };

  it("is numbered, a word for each 400 ms, and silence is not", async () => {
    expect((await heardIn(wavOf(tone(2)))).words.map(({ text, startMs, endMs }) => [text, startMs, endMs])).toEqual([
      ["one", 0, 400],
      ["two", 400, 800],
      ["three", 800, 1_200],
      ["four", 1_200, 1_600],
      ["five", 1_600, 2_000],
    ]);
    const silence = new Uint8Array(32_000 * 4);
    expect(await recognise(wavOf(silence))).toEqual({ seconds: 4, words: [] });
    const mixed = wavOf(Buffer.concat([silence, tone(1), briefingSound()]));
    const { text } = await heardIn(mixed);
    expect(text.slice(0, 5)).toEqual(["one", "two", "three", "Welcome", "to"]);
  });

  it("is only heard where there is some", async () => {
    const garbage = Uint8Array.from({ length: 20_000 }, (_, index) => (index * 7_919) % 251);
    expect(await recognise(garbage)).toBeNull();
    expect(await recognise(new Uint8Array(0))).toBeNull();
    for (const extension of extensions) {
      const whole = interview(extension);
      expect(await recognise(whole.slice(0, 20))).toBeNull();
      const half = await recognise(whole.slice(0, whole.length / 2));
      if (half) expect(half.words.length).toBeLessThan(words.interview.length);
    }
  });
});
