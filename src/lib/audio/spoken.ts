/** What was said in a recording, and the pieces of text that can be moved or dropped one by one. Seconds count from the start of the recording. */

export interface SpokenWord {
  text: string;
  startSeconds: number;
  endSeconds: number;
  /** 0 to 1, null where nobody measured it. */
  confidence: number | null;
}

export interface SpokenSegment {
  text: string;
  startSeconds: number;
  endSeconds: number;
  speaker: string | null;
  confidence: number | null;
  /** Empty where the times of words are not known. */
  words: SpokenWord[];
}

export interface SpeechResult {
  text: string;
  language: string | null;
  durationSeconds: number | null;
  segments: SpokenSegment[];
}

/** One word, or one character of a script that writes no spaces, with the punctuation that clings to it. */
export interface SpokenToken {
  text: string;
  startSeconds: number;
  endSeconds: number;
  /** A space stands before it. */
  isSpaced: boolean;
  /** Empty where the times were not told, but shared out over the segment. */
  words: SpokenWord[];
}

/** Scripts that write no spaces between words. Hangul does. */
const unspaced =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
const clinging = /^[\p{P}\p{S}\p{M}\u30FC]+$/u;

/** Joins texts by a space, and those of scripts without spaces by nothing. */
export function joinTexts(texts: readonly string[]): string {
  let joined = "";
  for (const text of texts) {
    if (text === "") continue;
    const isGlued =
      joined === "" || (unspaced.test(lastOf(joined)) && unspaced.test(firstOf(text))) || /[。！？、]$/u.test(joined);
    joined += isGlued ? text : ` ${text}`;
  }
  return joined;
}

const lastOf = (text: string) => Array.from(text.slice(-2)).at(-1) ?? "";
const firstOf = (text: string) => Array.from(text.slice(0, 2))[0] ?? "";

/** The text of tokens, spaced as it was. */
export function textOfTokens(tokens: readonly SpokenToken[]): string {
  return tokens.map(({ text, isSpaced }, index) => (isSpaced && index > 0 ? ` ${text}` : text)).join("");
}

/** A segment's text in tokens: with the times of its words when it has them, else with its own time shared out by length. */
export function tokensOf(segment: SpokenSegment): SpokenToken[] {
  const pieces = piecesOf(segment.text);
  return segment.words.length > 0 ? timedByWords(pieces, segment) : timedByLength(pieces, segment);
}

interface Piece {
  text: string;
  isSpaced: boolean;
}

function piecesOf(text: string): Piece[] {
  return text
    .split(/\s+/u)
    .filter(Boolean)
    .flatMap((run) => charactersOf(run).map((piece, index) => ({ text: piece, isSpaced: index === 0 })));
}

/** A run without a space is one piece, but for scripts that have none: there, each character is one. */
function charactersOf(run: string): string[] {
  if (!unspaced.test(run)) return [run];
  const pieces: string[] = [];
  let isOpen = false;
  for (const character of run) {
    const isOwn = unspaced.test(character);
    const isClinging = clinging.test(character);
    const last = pieces.length - 1;
    if (last >= 0 && (isClinging || (isOpen && !isOwn))) pieces[last] += character;
    else pieces.push(character);
    isOpen = !isOwn && (!isClinging || isOpen);
  }
  return pieces;
}

const bare = (text: string) =>
  text
    .normalize("NFKC")
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\p{M}]+/gu, "");

/** How two tokens are compared: case and punctuation do not matter. */
export function keyOf(token: Pick<SpokenToken, "text">): string {
  return bare(token.text) || token.text;
}

/**
 * Words and pieces are both a walk along the same letters, so a word that covers several pieces, or a piece of several words, is found by
 * counting them. Where the letters differ, the words are the text.
 */
function timedByWords(pieces: readonly Piece[], segment: SpokenSegment): SpokenToken[] {
  const { words } = segment;
  const said = words.map(({ text }) => bare(text));
  const isSame = said.every(Boolean) && said.join("") === pieces.map(({ text }) => bare(text)).join("");
  if (!isSame) return words.map(tokenOfWord);
  const tokens: SpokenToken[] = [];
  const queue = words.map((word, index) => ({ word, letters: said[index]?.length ?? 0 }));
  let lettersAhead = 0;
  let isOpen = false;
  for (const { text, isSpaced } of pieces) {
    const last = tokens.at(-1);
    if (isOpen && last) last.text += isSpaced ? ` ${text}` : text;
    else tokens.push({ text, isSpaced, startSeconds: 0, endSeconds: 0, words: [] });
    lettersAhead -= bare(text).length;
    while (lettersAhead < 0) {
      const taken = queue.shift();
      if (!taken) break;
      lettersAhead += taken.letters;
      tokens.at(-1)?.words.push(taken.word);
    }
    isOpen = lettersAhead > 0;
  }
  return settled(tokens.map((token) => withTimes(token, segment.startSeconds)));
}

function withTimes(token: SpokenToken, startOtherwise: number): SpokenToken {
  const startSeconds = token.words[0]?.startSeconds ?? startOtherwise;
  return { ...token, startSeconds, endSeconds: token.words.at(-1)?.endSeconds ?? startSeconds };
}

/** Punctuation that stands alone has no time of its own: it clings to what is before it. */
function settled(tokens: readonly SpokenToken[]): SpokenToken[] {
  const kept: SpokenToken[] = [];
  for (const token of tokens) {
    const before = kept.at(-1);
    if (token.words.length > 0 || !before) kept.push(token);
    else before.text += token.isSpaced ? ` ${token.text}` : token.text;
  }
  return kept;
}

function tokenOfWord(word: SpokenWord, index: number, words: readonly SpokenWord[]): SpokenToken {
  const before = words[index - 1]?.text ?? "";
  const isSpaced = !(unspaced.test(lastOf(before)) && unspaced.test(firstOf(word.text)));
  return { text: word.text, startSeconds: word.startSeconds, endSeconds: word.endSeconds, isSpaced, words: [word] };
}

function timedByLength(pieces: readonly Piece[], { startSeconds, endSeconds }: SpokenSegment): SpokenToken[] {
  const letters = pieces.reduce((sum, { text }) => sum + text.length, 0);
  const secondsPerLetter = letters === 0 ? 0 : Math.max(endSeconds - startSeconds, 0) / letters;
  let before = 0;
  return pieces.map((piece) => {
    const start = startSeconds + before * secondsPerLetter;
    before += piece.text.length;
    return { ...piece, startSeconds: start, endSeconds: startSeconds + before * secondsPerLetter, words: [] };
  });
}
