/** From stretches of sound to words with times: a sample's own where it is a sample, numbers elsewhere, none in silence. */
import type { KnownWord } from "./table.ts";

/** Milliseconds of what was received. */
export type Stretch =
  | { kind: "silence" | "other"; fromMs: number; toMs: number }
  | {
      kind: "sample";
      fromMs: number;
      toMs: number;
      sampleFromMs: number;
      sampleToMs: number;
      words: readonly KnownWord[];
    };

export interface Heard {
  durationMs: number;
  stretches: Stretch[];
}

export interface HeardWord {
  /** As it is written, with its punctuation. */
  text: string;
  startMs: number;
  endMs: number;
  /** Of a sound that nobody knows. */
  isNumber: boolean;
}

const numberEveryMs = 400;
/** Between known sound, what is shorter is no sound of its own but the rest of a packet. */
const shortestOtherMs = 250;

/** A word is heard where its start is: so each is heard in one of two pieces that were cut apart. */
export function wordsOf({ stretches, durationMs }: Heard): HeardWord[] {
  const numbered = numberedWords(stretches, durationMs);
  const known = stretches.flatMap((stretch) =>
    stretch.kind === "sample"
      ? stretch.words
          .filter(({ startMs }) => startMs >= stretch.sampleFromMs && startMs < stretch.sampleToMs)
          .map(({ text, startMs, endMs }) => {
            const shiftMs = stretch.fromMs - stretch.sampleFromMs;
            const end = Math.min(endMs, stretch.sampleToMs) + shiftMs;
            return {
              text,
              startMs: Math.max(Math.round(startMs + shiftMs), 0),
              endMs: Math.round(end),
              isNumber: false,
            };
          })
      : [],
  );
  return known.length === 0 ? numbered : [...known, ...numbered].toSorted((one, other) => one.startMs - other.startMs);
}

/** On one grid through the whole recording; a number counts the words, not the places. */
function numberedWords(stretches: readonly Stretch[], durationMs: number): HeardWord[] {
  const words: HeardWord[] = [];
  const isMixed = stretches.some(({ kind }) => kind === "sample");
  let earliestMs = 0;
  for (const { kind, fromMs, toMs } of stretches) {
    if (kind !== "other" || (isMixed && toMs - fromMs < shortestOtherMs)) continue;
    for (
      let at = Math.max(Math.floor(fromMs / numberEveryMs) * numberEveryMs, earliestMs);
      at < toMs;
      at += numberEveryMs
    ) {
      earliestMs = at + numberEveryMs;
      const endMs = Math.round(Math.min(earliestMs, Math.max(durationMs, numberEveryMs)));
      words.push({ text: numberWord(words.length + 1), startMs: at, endMs, isNumber: true });
    }
  }
  return words.slice(0, mostNumbers);
}

const mostNumbers = 9_999;
const small =
  "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split(
    " ",
  );
const tens = "twenty thirty forty fifty sixty seventy eighty ninety".split(" ");

/** One word without blanks, for numbers below 10,000: "twenty-one", "one-hundred-two". */
export function numberWord(number: number): string {
  if (number < 20) return small[number] ?? "";
  if (number < 100) return joined(tens[Math.floor(number / 10) - 2] ?? "", number % 10);
  if (number < 1_000) return joined(`${numberWord(Math.floor(number / 100))}-hundred`, number % 100);
  return joined(`${numberWord(Math.floor(number / 1_000))}-thousand`, number % 1_000);
}

const joined = (first: string, rest: number) => (rest === 0 ? first : `${first}-${numberWord(rest)}`);
