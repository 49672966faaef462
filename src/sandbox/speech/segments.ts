/** What was heard, as the formats of transcripts want it: sentences, speakers, subtitles. */
import type { HeardWord } from "./heard.ts";

/** Seconds. */
export interface Segment {
  start: number;
  end: number;
  text: string;
  words: HeardWord[];
}

const mostNumbersInSegment = 10;
const sentenceEnd = /[.?!]$/;

/** A sentence each, and ten numbers where nothing is a sentence. */
export function segmentsOf(words: readonly HeardWord[]): Segment[] {
  const parts: HeardWord[][] = [];
  for (const word of words) {
    const open = parts.at(-1);
    const last = open?.at(-1);
    const isOver =
      last === undefined ||
      sentenceEnd.test(last.text) ||
      last.isNumber !== word.isNumber ||
      (last.isNumber && (open?.length ?? 0) >= mostNumbersInSegment);
    if (isOver) parts.push([word]);
    else open?.push(word);
  }
  return parts.map((part) => ({
    start: (part[0]?.startMs ?? 0) / 1_000,
    end: (part.at(-1)?.endMs ?? 0) / 1_000,
    text: textOf(part),
    words: part,
  }));
}

export const textOf = (words: readonly HeardWord[]) => words.map(({ text }) => text).join(" ");

/** Without the punctuation that a sentence gave it. */
export const bare = (text: string) => text.replace(/[.,?!]+$/, "");

/** The sentences of a request are spoken by two in turn. */
export const speakerOf = (index: number) => (index % 2 === 0 ? "A" : "B");

/** @param mark between seconds and thousandths: a comma in SubRip, a point in WebVTT */
export function subtitles(words: readonly HeardWord[], mark: "," | "."): string {
  const cues = segmentsOf(words).map(({ start, end, text }, index) => {
    const times = `${clock(start, mark)} --> ${clock(end, mark)}`;
    return mark === "," ? `${index + 1}\n${times}\n${text}\n` : `${times}\n${text}\n`;
  });
  return `${mark === "." ? "WEBVTT\n\n" : ""}${cues.join("\n")}\n`;
}

function clock(seconds: number, mark: string): string {
  const ms = Math.round(seconds * 1_000);
  const part = (value: number, digits: number) => String(value).padStart(digits, "0");
  const [hours, minutes] = [Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60];
  return `${part(hours, 2)}:${part(minutes, 2)}:${part(Math.floor(ms / 1_000) % 60, 2)}${mark}${part(ms % 1_000, 3)}`;
}
