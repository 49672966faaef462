/** Captions keep their limits, and nothing that was said is left out; files of them are read back, and hostile ones refused. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { captionFormatOf, readSrt, readVtt, writeSrt, writeVtt } from "#lib/audio/caption-files";
import { type Caption, captionLimits, captionsOf } from "#lib/audio/captions";
import { joinTexts, type SpokenSegment } from "#lib/audio/spoken";

function said(
  text: string,
  startSeconds: number,
  endSeconds: number,
  more: Partial<SpokenSegment> = {},
): SpokenSegment {
  return { text, startSeconds, endSeconds, speaker: null, confidence: null, words: [], ...more };
}

const graphemes = new Intl.Segmenter("und", { granularity: "grapheme" });
const lengthOf = (text: string) => [...graphemes.segment(text)].length;
const letters = (text: string) => text.replaceAll(/\s/gu, "");

function expectLimits(captions: readonly Caption[]): void {
  let before = 0;
  for (const { startSeconds, endSeconds, lines } of captions) {
    const seconds = Math.round((endSeconds - startSeconds) * 1_000) / 1_000;
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.length).toBeLessThanOrEqual(captionLimits.linesMax);
    for (const line of lines) expect(lengthOf(line)).toBeLessThanOrEqual(captionLimits.lineCharactersMax);
    expect(seconds).toBeGreaterThanOrEqual(captionLimits.secondsMin);
    expect(seconds).toBeLessThanOrEqual(captionLimits.secondsMax);
    expect(lengthOf(lines.join("")) / seconds).toBeLessThanOrEqual(captionLimits.charactersPerSecondMax);
    expect(startSeconds).toBeGreaterThanOrEqual(before);
    before = endSeconds;
  }
}

describe("captions", () => {
  it("break behind sentences and pauses, in two lines of like length", () => {
    const captions = captionsOf([
      said("The harbor bridge reopens on Tuesday after nine weeks of repairs.", 2, 6.5),
      said("Ferry service returns.", 6.5, 8),
      said("Thank you.", 12, 12.4),
    ]);
    expect(captions).toEqual([
      {
        startSeconds: 2,
        endSeconds: 6.5,
        lines: ["The harbor bridge reopens on", "Tuesday after nine weeks of repairs."],
        speaker: null,
      },
      { startSeconds: 6.5, endSeconds: 8, lines: ["Ferry service returns."], speaker: null },
      { startSeconds: 12, endSeconds: 13, lines: ["Thank you."], speaker: null },
    ]);
  });

  it("keep speakers apart, and join what is too short to be read alone", () => {
    const captions = captionsOf([
      said("Yes.", 0, 0.3, { speaker: "A" }),
      said("No.", 0.3, 0.6, { speaker: "A" }),
      said("Why?", 0.6, 2, { speaker: "B" }),
    ]);
    expect(captions.map(({ lines, speaker }) => [lines.join("/"), speaker])).toEqual([
      ["Yes. No.", "A"],
      ["Why?", "B"],
    ]);
    expectLimits(captions);
  });

  it("catch up behind speech that is faster than reading", () => {
    const fast = said("word ".repeat(60).trim(), 0, 6);
    const captions = captionsOf([fast, said("Slowly now.", 60, 62)]);
    expectLimits(captions);
    expect(letters(captions.map(({ lines }) => lines.join("")).join(""))).toBe(`${"word".repeat(60)}Slowlynow.`);
    expect(captions.at(-1)?.startSeconds).toBe(60);
  });

  it("cut only what is longer than a line", () => {
    const long = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft";
    const captions = captionsOf([said(`Die ${long} tagt.`, 0, 6)]);
    expectLimits(captions);
    expect(captions.flatMap(({ lines }) => lines).join("")).toContain(long.slice(42));
    const family = "👩‍👩‍👧".repeat(50);
    expect(
      letters(
        captionsOf([said(family, 0, 9)])
          .flatMap(({ lines }) => lines)
          .join(""),
      ),
    ).toBe(family);
  });

  it("break scripts without spaces between characters, never before punctuation", () => {
    const text = "本日の会議では来年度の予算について話し合いました。".repeat(6);
    const captions = captionsOf([said(text, 0, 40)]);
    expectLimits(captions);
    const lines = captions.flatMap((caption) => caption.lines);
    expect(lines.join("")).toBe(text);
    expect(lines.every((line) => !line.startsWith("。"))).toBe(true);
  });

  it("make nothing of nothing", () => {
    expect(captionsOf([])).toEqual([]);
    expect(captionsOf([said("  ", 0, 3)])).toEqual([]);
  });

  it("hold their limits and every word, by chance", () => {
    const text = fc
      .array(
        fc.constantFrom("a", "harbor", "Tuesday.", "今日は", "—", "extraordinarily", "e\u0301te\u0301", "x".repeat(60)),
        {
          minLength: 1,
          maxLength: 30,
        },
      )
      .map((words) => joinTexts(words));
    const spoken = fc.record({
      text,
      pause: fc.integer({ min: 0, max: 4_000 }),
      length: fc.integer({ min: 0, max: 30_000 }),
      speaker: fc.constantFrom(null, "A", "B"),
    });
    fc.assert(
      fc.property(fc.array(spoken, { maxLength: 12 }), (list) => {
        let atMs = 0;
        const segments = list.map(({ text: words, pause, length, speaker }) => {
          const start = atMs + pause;
          atMs = start + length;
          return said(words, start / 1_000, atMs / 1_000, { speaker });
        });
        const captions = captionsOf(segments);
        expectLimits(captions);
        expect(letters(captions.flatMap(({ lines }) => lines).join(""))).toBe(
          letters(segments.map((segment) => segment.text).join("")),
        );
        expect(readSrt(writeSrt(captions)).ok).toBe(captions.length > 0);
      }),
      { numRuns: 100 },
    );
  });
});

const captions: Caption[] = [
  { startSeconds: 0.5, endSeconds: 2.25, lines: ["R&D is <b> & 3 > 2", "a --> b"], speaker: null },
  { startSeconds: 3_725.004, endSeconds: 3_727, lines: ["Ja."], speaker: "Ada <L>" },
];

describe("caption files", () => {
  it("are written as players read them", () => {
    expect(writeSrt(captions)).toBe(
      "1\n00:00:00,500 --> 00:00:02,250\nR&D is <b> & 3 > 2\na → b\n\n2\n01:02:05,004 --> 01:02:07,000\nAda <L>: Ja.\n",
    );
    expect(writeVtt(captions)).toBe(
      "WEBVTT\n\n00:00:00.500 --> 00:00:02.250\nR&amp;D is &lt;b&gt; &amp; 3 &gt; 2\na --&gt; b\n\n01:02:05.004 --> 01:02:07.000\n<v Ada &lt;L>Ja.\n",
    );
    expect([captionFormatOf(writeVtt([])), captionFormatOf(writeSrt(captions))]).toEqual(["vtt", "srt"]);
  });

  it("are read back as they were", () => {
    const read = readVtt(writeVtt(captions));
    expect(read).toEqual({ ok: true, captions: [captions[0], { ...captions[1], speaker: "Ada <L" }] });
    const plain = captions.map((caption) => ({ ...caption, lines: ["Plain."], speaker: null }));
    expect(readSrt(writeSrt(plain))).toEqual({ ok: true, captions: plain });
  });

  it("are read as editors write them", () => {
    const srt =
      "\uFEFF7\r\n0:00:01.5 --> 0:00:02,000 X1:40\r\n{\\an8}<i>Hello</i>\r\n\r\n\r\n8\r\n00:00:03,000 --> 00:00:04,000\r\n\r\n00:00:05,000 --> 00:00:06,000\r\nBye &amp; so\r\n";
    expect(readSrt(srt)).toEqual({
      ok: true,
      captions: [
        { startSeconds: 1.5, endSeconds: 2, lines: ["Hello"], speaker: null },
        { startSeconds: 5, endSeconds: 6, lines: ["Bye & so"], speaker: null },
      ],
    });
    const vtt =
      "WEBVTT - made by hand\nKind: captions\n\nNOTE a --> b is no cue\n\nSTYLE\n::cue { color: red }\n\nintro\n01:02.000 --> 01:04.000 align:start\n<v.loud Ben>One <00:01:03.000>two</v>\n";
    expect(readVtt(vtt)).toEqual({
      ok: true,
      captions: [{ startSeconds: 62, endSeconds: 64, lines: ["One two"], speaker: "Ben" }],
    });
  });

  it.each([
    ["", "srt", "no-cues", 0],
    ["1\n00:00:01,000 --> 00:00:02,000\n\n", "srt", "no-cues", 0],
    ["hello\nworld\n", "srt", "bad-cue", 2],
    ["1\n00:00:01,000 -> 00:00:02,000\nHi\n", "srt", "bad-cue", 2],
    ["1\n00:00:61,000 --> 00:01:02,000\nHi\n", "srt", "bad-time", 2],
    ["1\nNaN --> Infinity\nHi\n", "srt", "bad-time", 2],
    ["1\n00:00:02,000 --> 00:00:02,000\nHi\n", "srt", "times-reversed", 2],
    ["1\n00:00:01,000 --> 00:00:02,000\nHi\n00:00:03,000 --> 00:00:04,000\nHo\n", "srt", "bad-cue", 4],
    [`1\n00:00:01,000 --> 00:00:02,000\n${"a".repeat(2_001)}\n`, "srt", "bad-cue", 3],
    [`1\n00:00:01,000 --> 00:00:02,000\n${"a\n".repeat(101)}\n`, "srt", "bad-cue", 1],
    ["WEBVTTX\n\n00:01.000 --> 00:02.000\nHi\n", "vtt", "no-header", 1],
    ["\nWEBVTT\n\n00:01.000 --> 00:02.000\nHi\n", "vtt", "no-header", 1],
    ["WEBVTT\n\nNOTE nothing\n", "vtt", "no-cues", 0],
    ["a".repeat(8_000_001), "vtt", "too-large", 0],
    ["00:01.000 --> 00:02.000\na\n\n".repeat(50_001), "srt", "too-many", 150_001],
  ] as const)("refuse a wrong file precisely (%#)", (text, format, kind, line) => {
    const read = format === "srt" ? readSrt(text) : readVtt(text);
    expect(read).toMatchObject({ ok: false, fault: { kind, line } });
  });

  it("never fail otherwise, and never in long time", () => {
    fc.assert(
      fc.property(
        fc.string({
          unit: fc.constantFrom("<", ">", "v ", "-->", "\n", "00:01.000", " ", "&", "lt;", "{\\"),
          maxLength: 400,
        }),
        (text) => {
          expect(typeof readSrt(text).ok).toBe("boolean");
          expect(typeof readVtt(`WEBVTT\n\n${text}`).ok).toBe("boolean");
        },
      ),
    );
    const heavy = `1\n00:00:01,000 --> 00:00:02,000\n${"<v ".repeat(600)}\n\n`.repeat(2_000);
    expect(readSrt(heavy).ok).toBe(true);
  });
});
