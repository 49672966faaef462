/**
 * Puts the transcripts of a recording's chunks together: times count from the start of the recording, and what two chunks heard in their overlap is
 * kept once. The seam lies behind a word that both heard, because the times that a recogniser gives near an edge are not good enough to cut by.
 */
import {
  joinTexts,
  keyOf,
  type SpeechResult,
  type SpokenSegment,
  type SpokenToken,
  textOfTokens,
  tokensOf,
} from "./spoken.ts";

/** Where a chunk lies in the recording; the overlap with its neighbours is in it. */
export interface ChunkSpan {
  index: number;
  startSeconds: number;
  endSeconds: number;
  overlapSeconds: number;
}

export interface ChunkTranscript {
  plan: ChunkSpan;
  result: SpeechResult;
}

export interface MergeOptions {
  /** Labels that mean the same person in every chunk. Any other is told apart by its chunk, as `c2:A`. */
  knownSpeakers?: readonly string[];
}

/** Of more words than any overlap has, only those next to the seam are compared. */
const mostCompared = 300;
/** Times of the same word in two chunks differ by less than this. */
const wordToleranceSeconds = 0.6;
/** Where times are only shared out over a segment. */
const sharedToleranceSeconds = 4;

interface HeardSegment extends Omit<SpokenSegment, "words" | "text"> {
  tokens: SpokenToken[];
}

export function mergeChunks(parts: readonly ChunkTranscript[], options: MergeOptions = {}): SpeechResult {
  const ordered = parts.toSorted((one, other) => one.plan.startSeconds - other.plan.startSeconds);
  const isAlone = ordered.length === 1;
  const known = new Set(options.knownSpeakers ?? []);
  let heard: HeardSegment[] = [];
  let heardUntil = 0;
  for (const { plan, result } of ordered) {
    const label = (speaker: string) => (isAlone || known.has(speaker) ? speaker : `c${plan.index}:${speaker}`);
    const next = segmentsOf({ plan, result }).map((segment) => shifted(segment, plan, label));
    heard = joinedAt(heard, next, { fromSeconds: plan.startSeconds, toSeconds: heardUntil });
    heardUntil = Math.max(heardUntil, plan.endSeconds);
  }
  const segments = heard.map(segmentOf);
  return {
    text: textOf(ordered, segments),
    language: languageOf(ordered),
    durationSeconds: durationOf(ordered),
    segments,
  };
}

/** A provider that gives a text without times has said it somewhere in the chunk. */
function segmentsOf({ plan, result }: ChunkTranscript): SpokenSegment[] {
  const text = result.text.trim();
  if (result.segments.length > 0 || text === "") return result.segments;
  const endSeconds = plan.endSeconds - plan.startSeconds;
  return [{ text, startSeconds: 0, endSeconds, speaker: null, confidence: null, words: [] }];
}

function shifted(segment: SpokenSegment, plan: ChunkSpan, label: (speaker: string) => string): HeardSegment {
  const within = (seconds: number) =>
    Math.min(
      Math.max(plan.startSeconds + (Number.isFinite(seconds) ? seconds : 0), plan.startSeconds),
      plan.endSeconds,
    );
  const timed = <Timed extends { startSeconds: number; endSeconds: number }>(given: Timed): Timed => {
    const startSeconds = toMilliseconds(within(given.startSeconds));
    return { ...given, startSeconds, endSeconds: Math.max(startSeconds, toMilliseconds(within(given.endSeconds))) };
  };
  const { speaker, confidence } = segment;
  return {
    ...timed({ startSeconds: segment.startSeconds, endSeconds: segment.endSeconds }),
    speaker: speaker === null ? null : label(speaker),
    confidence,
    tokens: tokensOf(segment).map((token) => ({ ...timed(token), words: token.words.map(timed) })),
  };
}

/** Sums of binary fractions have tails that nobody measured. */
const toMilliseconds = (seconds: number) => Math.round(seconds * 1_000) / 1_000;

interface Overlap {
  fromSeconds: number;
  toSeconds: number;
}

function joinedAt(before: HeardSegment[], after: HeardSegment[], overlap: Overlap): HeardSegment[] {
  if (before.length === 0 || overlap.toSeconds <= overlap.fromSeconds) return [...before, ...after];
  const { isKeptBefore, isKeptAfter } = seamOf(flat(before), flat(after), overlap);
  return [...filtered(before, isKeptBefore), ...filtered(after, isKeptAfter)];
}

const flat = (segments: readonly HeardSegment[]) => segments.flatMap(({ tokens }) => tokens);

function filtered(segments: readonly HeardSegment[], isKept: (token: SpokenToken) => boolean): HeardSegment[] {
  return segments.flatMap((segment) => {
    const tokens = segment.tokens.filter(isKept);
    const [first, last] = [tokens[0], tokens.at(-1)];
    if (!first || !last) return [];
    if (tokens.length === segment.tokens.length) return [segment];
    // The edge that lost nothing stays where it was.
    const startSeconds = first === segment.tokens[0] ? segment.startSeconds : first.startSeconds;
    const endSeconds = last === segment.tokens.at(-1) ? segment.endSeconds : last.endSeconds;
    return [{ ...segment, tokens, startSeconds, endSeconds: Math.max(startSeconds, endSeconds) }];
  });
}

interface Seam {
  isKeptBefore(token: SpokenToken): boolean;
  isKeptAfter(token: SpokenToken): boolean;
}

const middleOf = ({ startSeconds, endSeconds }: SpokenToken) => (startSeconds + endSeconds) / 2;

function seamOf(before: readonly SpokenToken[], after: readonly SpokenToken[], overlap: Overlap): Seam {
  const cutSeconds = (overlap.fromSeconds + overlap.toSeconds) / 2;
  const tail = before
    .filter(({ endSeconds }) => endSeconds >= overlap.fromSeconds - slackOf(before))
    .slice(-mostCompared);
  const head = after
    .filter(({ startSeconds }) => startSeconds <= overlap.toSeconds + slackOf(after))
    .slice(0, mostCompared);
  const [both] = commonTokens(tail, head).toSorted(
    (one, other) => Math.abs(middleOf(one.before) - cutSeconds) - Math.abs(middleOf(other.before) - cutSeconds),
  );
  if (!both) {
    return {
      // Only one of the two can have heard the whole of a word that reaches out of the overlap.
      isKeptBefore: (token) => token.startSeconds < overlap.fromSeconds || middleOf(token) < cutSeconds,
      isKeptAfter: (token) => token.endSeconds > overlap.toSeconds || middleOf(token) >= cutSeconds,
    };
  }
  const dropped = new Set<SpokenToken>(tail.slice(tail.indexOf(both.before) + 1));
  for (const token of head.slice(0, head.indexOf(both.after) + 1)) dropped.add(token);
  const isKept = (token: SpokenToken) => !dropped.has(token);
  return { isKeptBefore: isKept, isKeptAfter: isKept };
}

const hasOwnTimes = ({ words }: SpokenToken) => words.length > 0;
const slackOf = (tokens: readonly SpokenToken[]) =>
  tokens.every(hasOwnTimes) ? wordToleranceSeconds : sharedToleranceSeconds;

interface Common {
  before: SpokenToken;
  after: SpokenToken;
}

/** The pairs of a longest common subsequence, where a pair counts the more the nearer its times are: "very, very" is aligned by time. */
function commonTokens(tail: readonly SpokenToken[], head: readonly SpokenToken[]): Common[] {
  const width = head.length + 1;
  const best = new Float64Array((tail.length + 1) * width);
  const [tailKeys, headKeys] = [tail.map(keyOf), head.map(keyOf)];
  const tolerance = Math.max(slackOf(tail), slackOf(head));
  const weigh = (row: number, column: number): number => {
    const [one, other] = [tail[row], head[column]];
    if (!one || !other || tailKeys[row] !== headKeys[column]) return 0;
    return Math.max(0, 1 - Math.abs(one.startSeconds - other.startSeconds) / tolerance);
  };
  const at = (row: number, column: number) => best[row * width + column] ?? 0;
  for (let row = tail.length - 1; row >= 0; row -= 1) {
    for (let column = head.length - 1; column >= 0; column -= 1) {
      const weight = weigh(row, column);
      const paired = weight > 0 ? weight + at(row + 1, column + 1) : 0;
      best[row * width + column] = Math.max(paired, at(row + 1, column), at(row, column + 1));
    }
  }
  const pairs: Common[] = [];
  let [row, column] = [0, 0];
  while (row < tail.length && column < head.length) {
    const [one, other] = [tail[row], head[column]];
    const weight = weigh(row, column);
    if (one && other && weight > 0 && at(row, column) === weight + at(row + 1, column + 1)) {
      pairs.push({ before: one, after: other });
      row += 1;
      column += 1;
    } else if (at(row, column) === at(row + 1, column)) row += 1;
    else column += 1;
  }
  return pairs;
}

function segmentOf({ tokens, ...segment }: HeardSegment): SpokenSegment {
  const { startSeconds, endSeconds, speaker, confidence } = segment;
  const words = tokens.flatMap((token) => token.words);
  return { text: textOfTokens(tokens), startSeconds, endSeconds, speaker, confidence, words };
}

/** The provider's own spacing and line breaks, where nothing was put together. */
function textOf(parts: readonly ChunkTranscript[], segments: readonly SpokenSegment[]): string {
  const [first] = parts;
  return first && parts.length === 1 ? first.result.text.trim() : joinTexts(segments.map(({ text }) => text));
}

/** The language of most of the words. */
function languageOf(parts: readonly ChunkTranscript[]): string | null {
  const letters = new Map<string, number>();
  for (const { result } of parts)
    if (result.language !== null)
      letters.set(result.language, (letters.get(result.language) ?? 0) + result.text.length);
  const [most] = [...letters].toSorted((one, other) => other[1] - one[1]);
  return most?.[0] ?? null;
}

function durationOf(parts: readonly ChunkTranscript[]): number | null {
  const [only] = parts;
  if (!only) return null;
  if (parts.length === 1) return only.result.durationSeconds ?? only.plan.endSeconds - only.plan.startSeconds;
  return Math.max(...parts.map(({ plan }) => plan.endSeconds));
}
