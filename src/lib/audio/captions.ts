/**
 * Makes captions of what was said: at most two lines of 42 characters, at most 17 characters a second, one to seven seconds long, one after the other.
 * Words are not cut, but for those that are longer than a line. Where people speak faster than others read, captions fall behind and catch up in the
 * next pause: nothing that was said is left out.
 */
import { type SpokenSegment, type SpokenToken, tokensOf } from "./spoken.ts";

export interface Caption {
  startSeconds: number;
  endSeconds: number;
  lines: string[];
  speaker: string | null;
}

export const captionLimits = {
  linesMax: 2,
  lineCharactersMax: 42,
  charactersPerSecondMax: 17,
  secondsMin: 1,
  secondsMax: 7,
} as const;

/** A silence that a caption does not stand through. */
const pauseSeconds = 1.5;
const sentenceEnd = /[.!?。！？…]["'”’»)\]]*$/u;

interface Group {
  tokens: SpokenToken[];
  speaker: string | null;
  lines: string[];
}

export function captionsOf(segments: readonly SpokenSegment[]): Caption[] {
  const captions: Caption[] = [];
  let freeFromSeconds = 0;
  for (const group of groupsOf(segments)) {
    const caption = placed(group, freeFromSeconds);
    captions.push(caption);
    freeFromSeconds = caption.endSeconds;
  }
  return captions;
}

function groupsOf(segments: readonly SpokenSegment[]): Group[] {
  const groups: Group[] = [];
  for (const segment of segments) {
    for (const token of tokensOf(segment).flatMap(fittingALine)) {
      const last = groups.at(-1);
      const lines = last && goesInto(last, token, segment.speaker) ? linesOf([...last.tokens, token]) : null;
      if (last && lines) {
        last.tokens.push(token);
        last.lines = lines;
      } else groups.push({ tokens: [token], speaker: segment.speaker, lines: [token.text] });
    }
  }
  return groups;
}

function goesInto(group: Group, token: SpokenToken, speaker: string | null): boolean {
  const [first, last] = [group.tokens[0], group.tokens.at(-1)];
  if (!first || !last || group.speaker !== speaker) return false;
  if (token.startSeconds - last.endSeconds >= pauseSeconds) return false;
  if (token.endSeconds - first.startSeconds > captionLimits.secondsMax) return false;
  const isLongEnough = last.endSeconds - first.startSeconds >= captionLimits.secondsMin;
  return !(isLongEnough && sentenceEnd.test(last.text));
}

/** As people count: an accent or an emoji's parts are no characters of their own. */
const graphemes = new Intl.Segmenter("und", { granularity: "grapheme" });
const charactersOf = (text: string) => [...graphemes.segment(text)].map(({ segment }) => segment);
// The segmenter is slow, and most text has one unit for each character.
const plain = /^[\x20-\x7E\u00A0-\u02FF\u3040-\u30FF\u4E00-\u9FFF]*$/;
const lengthOf = (text: string) => (plain.test(text) ? text.length : charactersOf(text).length);

/** A word that is longer than a line is the only one that is cut; its time is shared out. */
function fittingALine(token: SpokenToken): SpokenToken[] {
  const { lineCharactersMax } = captionLimits;
  if (lengthOf(token.text) <= lineCharactersMax) return [token];
  const characters = charactersOf(token.text);
  const seconds = (token.endSeconds - token.startSeconds) / characters.length;
  return Array.from({ length: Math.ceil(characters.length / lineCharactersMax) }, (_, index) => {
    const from = index * lineCharactersMax;
    const to = Math.min(from + lineCharactersMax, characters.length);
    return {
      text: characters.slice(from, to).join(""),
      startSeconds: token.startSeconds + from * seconds,
      endSeconds: token.startSeconds + to * seconds,
      isSpaced: index === 0 && token.isSpaced,
      words: token.words,
    };
  });
}

/** The lines that the tokens need, or null when two are not enough. Of two, the break is where they are most alike. */
function linesOf(tokens: readonly SpokenToken[]): string[] | null {
  const { lineCharactersMax } = captionLimits;
  const widths = tokens.map(({ text, isSpaced }) => ({ text: lengthOf(text), space: isSpaced ? 1 : 0 }));
  const whole = widths.reduce((sum, { text, space }, index) => sum + text + (index > 0 ? space : 0), 0);
  if (whole <= lineCharactersMax) return [lineOf(tokens)];
  let [before, bestAt, bestOver] = [0, 0, Number.POSITIVE_INFINITY];
  for (const [index, { text, space }] of widths.entries()) {
    const after = whole - before - space;
    const longer = Math.max(before, after);
    if (index > 0 && longer <= lineCharactersMax && longer < bestOver) [bestAt, bestOver] = [index, longer];
    before += text + (index > 0 ? space : 0);
  }
  return bestAt === 0 ? null : [lineOf(tokens.slice(0, bestAt)), lineOf(tokens.slice(bestAt))];
}

const lineOf = (tokens: readonly SpokenToken[]) =>
  tokens.map(({ text, isSpaced }, index) => (isSpaced && index > 0 ? ` ${text}` : text)).join("");

/** As long as it was said, longer when it needs to be read, and never before the last one is gone. */
function placed({ tokens, lines, speaker }: Group, freeFromSeconds: number): Caption {
  const { charactersPerSecondMax, secondsMin, secondsMax } = captionLimits;
  const characters = lines.reduce((sum, line) => sum + lengthOf(line), 0);
  const startMs = Math.round(Math.max(tokens[0]?.startSeconds ?? 0, freeFromSeconds) * 1_000);
  const saidMs = Math.round((tokens.at(-1)?.endSeconds ?? 0) * 1_000);
  const neededMs = Math.max(Math.ceil((characters / charactersPerSecondMax) * 1_000), secondsMin * 1_000);
  const endMs = Math.min(Math.max(saidMs, startMs + neededMs), startMs + secondsMax * 1_000);
  return { startSeconds: startMs / 1_000, endSeconds: endMs / 1_000, lines, speaker };
}
