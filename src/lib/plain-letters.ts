/**
 * A text as it reads, for comparing: what is not seen is left out, what looks like a letter is that letter (Unicode NFKC), and what JSON writes as
 * an escape is what it stands for. Each place of it knows where in the text it came from.
 */

export interface PlainText {
  text: string;
  /** Where in the given text a part begins that begins here, and where one ends that ends here. */
  startOf(at: number): number;
  endOf(at: number): number;
}

export interface PlainRules {
  ignoreCase: boolean;
  /** `\u0041` is A, as it is for who reads the text as JSON. */
  readsEscapes: boolean;
}

/** From a place of the plain text on. `isEven`: letter for letter; else what is given there is one. */
interface Segment {
  at: number;
  offset: number;
  isEven: boolean;
}

/** Format characters, joiners, selectors, fillers: nobody sees them. */
const unseen = /[\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]/gu;
/** An escape, syllables of Hangul in parts, many letters without marks, or a letter with its marks. */
const pieces =
  /\\(?:u[\da-fA-F]{4}|["\\/bfnrt])|[\u1100-\u11ff]+|[^\\\p{M}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800\u1100-\u11ff]+(?!\p{M})|[^\p{M}]\p{M}*|\p{M}+/gsu;
/** What does not fall apart into letters: marks belong to the letter before, parts of Hangul to each other. */
const joined = /[\p{M}\u1100-\u11ff]/u;
const maxKnown = 5_000;
const shortPiece = 8;
const escapes: Record<string, string> = { n: "\n", r: "\r", t: "\t", b: "\b", f: "\f" };

export function plainLetters(text: string, { ignoreCase }: { ignoreCase: boolean }): string {
  const plain = text.replace(unseen, "").normalize("NFKC");
  // The sigma at the end of a word is the same letter.
  return ignoreCase ? plain.toLowerCase().normalize("NFKC").replaceAll("ς", "σ") : plain;
}

export function plainText(text: string, rules: PlainRules): PlainText {
  if (!/[^\0-\x7f]/.test(text) && !(rules.readsEscapes && text.includes("\\")))
    return { text: rules.ignoreCase ? text.toLowerCase() : text, startOf: (at) => at, endOf: (at) => at };
  const parts: string[] = [];
  const segments: Segment[] = [];
  let length = 0;
  for (const { plain, offset, isEven } of partsOf(text, rules)) {
    if (plain === "") continue;
    segments.push({ at: length, offset, isEven });
    parts.push(plain);
    length += plain.length;
  }
  return { text: parts.join(""), ...placesIn(segments, text.length, length) };
}

interface Part extends Omit<Segment, "at"> {
  plain: string;
}

function* partsOf(text: string, rules: PlainRules): Generator<Part> {
  const known = new Map<string, string>();
  // Most letters of a text come again and again.
  const plainOf = (letter: string): string => {
    const plain = known.get(letter) ?? plainLetters(letter, rules);
    if (known.size < maxKnown && letter.length < shortPiece) known.set(letter, plain);
    return plain;
  };
  for (const { 0: piece, index: offset } of text.matchAll(pieces)) {
    const isEscape = piece.length > 1 && piece.startsWith("\\");
    const plain = plainOf(isEscape && rules.readsEscapes ? unescaped(piece) : piece);
    const isEven = plain.length === piece.length && piece.normalize("NFKC") === piece;
    // One that became longer or shorter as a whole is taken letter by letter, so that each keeps its place.
    if (isEven || isEscape || joined.test(piece)) yield { plain, offset, isEven };
    else
      for (const { 0: letter, index } of piece.matchAll(/./gsu))
        yield { plain: plainOf(letter), offset: offset + index, isEven: false };
  }
}

function placesIn(segments: readonly Segment[], givenLength: number, length: number) {
  const indexOf = (at: number): number => {
    let [low, high] = [0, segments.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((segments[middle]?.at ?? 0) <= at) low = middle;
      else high = middle;
    }
    return low;
  };
  return {
    startOf(at: number): number {
      const segment = segments[indexOf(at)];
      if (!segment || at >= length) return givenLength;
      return segment.offset + (segment.isEven ? at - segment.at : 0);
    },
    endOf(at: number): number {
      const index = indexOf(Math.max(at - 1, 0));
      const segment = segments[index];
      return segment?.isEven ? segment.offset + at - segment.at : (segments[index + 1]?.offset ?? givenLength);
    },
  };
}

function unescaped(piece: string): string {
  const letter = piece[1] ?? "";
  return letter === "u" ? String.fromCharCode(Number.parseInt(piece.slice(2), 16)) : (escapes[letter] ?? letter);
}
