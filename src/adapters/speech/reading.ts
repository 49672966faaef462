/** Reads the members of a provider's answer: what has not the type that it should have is not there. */
import { joinTexts } from "#lib/audio/spoken";
import type { SpokenSegment, SpokenWord } from "./contract.ts";

export type Json = Record<string, unknown>;

/** More than hours of speech have. */
const mostEntries = 200_000;

export function objectOf(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

export function listOf(value: unknown): Json[] {
  return Array.isArray(value) ? value.slice(0, mostEntries).map(objectOf) : [];
}

export const textOf = (value: unknown): string | null => (typeof value === "string" ? value : null);

export function numberOf(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

/** Seconds never lie before the start, and nothing ends before it begins. */
export function spanOf({ start, end }: Json): { startSeconds: number; endSeconds: number } | null {
  const [from, to] = [numberOf(start), numberOf(end)];
  if (from === null || to === null) return null;
  const startSeconds = Math.max(from, 0);
  return { startSeconds, endSeconds: Math.max(to, startSeconds) };
}

/** @param name of the member that holds the word */
export function wordOf(entry: Json, name: string): SpokenWord | null {
  const text = textOf(entry[name])?.trim() ?? "";
  const span = spanOf(entry);
  return span && text !== "" ? { text, ...span, confidence: shareOf(entry["confidence"]) } : null;
}

/** A confidence from 0 to 1, or none. */
export function shareOf(value: unknown): number | null {
  const number = numberOf(value);
  return number !== null && number >= 0 && number <= 1 ? number : null;
}

/** "English" and "english" as "en", "eng" as "en"; codes as they are. */
export function languageCodeOf(value: unknown): string | null {
  const text = textOf(value)?.trim().toLowerCase() ?? "";
  if (text === "" || text.length > 30) return null;
  if (/^[a-z]{2}(?:-[a-z]{2,4})?$/.test(text)) return text.slice(0, 2);
  try {
    if (/^[a-z]{3}$/.test(text)) return new Intl.Locale(text).language;
  } catch {
    return null;
  }
  return codesByName().get(text) ?? null;
}

let byName: ReadonlyMap<string, string> | null = null;

/** Whisper calls languages by their English names. */
function codesByName(): ReadonlyMap<string, string> {
  if (byName) return byName;
  const names = new Intl.DisplayNames("en", { type: "language" });
  const letters = Array.from({ length: 26 }, (_, index) => String.fromCharCode(97 + index));
  const codes = letters.flatMap((first) => letters.map((second) => first + second));
  byName = new Map(codes.map((code) => [names.of(code)?.toLowerCase() ?? code, code]));
  return byName;
}

/** Every word to the segment in which its middle lies, or to the nearest. */
export function withWords(segments: readonly SpokenSegment[], words: readonly SpokenWord[]): SpokenSegment[] {
  const filled = segments.map((segment) => ({ ...segment, words: [] as SpokenWord[] }));
  let at = 0;
  for (const word of words) {
    const middle = (word.startSeconds + word.endSeconds) / 2;
    while (at + 1 < filled.length && middle >= (filled[at + 1]?.startSeconds ?? 0)) at += 1;
    filled[at]?.words.push(word);
  }
  return filled;
}

const sentenceEnd = /[.?!。？！]["'”’)]*$/u;

/** Segments of words that belong together: of one speaker, and a sentence each. */
export function segmentsOfWords(
  words: readonly { word: SpokenWord; speaker: string | null; written: string }[],
): SpokenSegment[] {
  const segments: SpokenSegment[] = [];
  let isOpen = false;
  for (const { word, speaker, written } of words) {
    const last = segments.at(-1);
    if (last && isOpen && last.speaker === speaker) {
      last.words.push(word);
      last.text = joinTexts([last.text, written]);
      last.endSeconds = Math.max(last.endSeconds, word.endSeconds);
    } else {
      const { startSeconds, endSeconds } = word;
      segments.push({ text: written, startSeconds, endSeconds, speaker, confidence: null, words: [word] });
    }
    isOpen = !sentenceEnd.test(written);
  }
  return segments;
}
