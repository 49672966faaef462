/**
 * Reads regular expressions that strangers write, as far as they can be matched in linear time: no look-around, no back-reference, no lazy
 * quantifier. What is left out is refused by name, never taken for something else.
 */

/** Pairs of first and last code point. */
export type Ranges = readonly number[];
/** `word`: between a letter, digit or underscore and something else. */
export type Assertion = "start" | "end" | "word" | "not-word";
export type PatternNode =
  | { kind: "set"; ranges: Ranges }
  | { kind: "sequence" | "choice"; nodes: PatternNode[] }
  | { kind: "repeat"; node: PatternNode; min: number; max: number }
  | { kind: "assert"; what: Assertion };

export class PatternError extends Error {}

const lastPoint = 0x10ffff;
const maxRepeat = 1_000;
const maxDepth = 50;
/** Wider ranges hold both cases of what they hold, or nobody's letters. */
const foldedWidth = 2_000;
const fromMore = "a range from more to less";
const nothingToRepeat = "a quantifier without something to repeat";

const digits: Ranges = [48, 57];
const wordPoints: Ranges = [48, 57, 65, 90, 95, 95, 97, 122];
const spaces: Ranges = [
  9, 13, 32, 32, 0xa0, 0xa0, 0x1680, 0x1680, 0x2000, 0x200a, 0x2028, 0x2029, 0x202f, 0x202f, 0x205f, 0x205f, 0x3000,
  0x3000, 0xfeff, 0xfeff,
];
const lineEnds: Ranges = [10, 10, 13, 13, 0x2028, 0x2029];
const classes: Record<string, Ranges> = { d: digits, w: wordPoints, s: spaces };
const controls: Record<string, number> = { n: 10, r: 13, t: 9, f: 12, v: 11, "0": 0 };

export function without(ranges: Ranges): Ranges {
  const pairs = pairsOf(ranges).toSorted(([one], [other]) => one - other);
  const rest: number[] = [];
  let next = 0;
  for (const [first, last] of pairs) {
    if (first > next) rest.push(next, first - 1);
    next = Math.max(next, last + 1);
  }
  if (next <= lastPoint) rest.push(next, lastPoint);
  return rest;
}

export function pairsOf(ranges: Ranges): [number, number][] {
  return ranges.flatMap((first, index) => (index % 2 === 0 ? [[first, ranges[index + 1] ?? first]] : []));
}

/** With the small letters of what a range holds: the text that is matched has no others. */
function folded(ranges: Ranges): Ranges {
  const more: number[] = [...ranges];
  for (const [first, last] of pairsOf(ranges))
    for (let point = first; last - first <= foldedWidth && point <= last; point += 1) {
      const small = String.fromCodePoint(point).toLowerCase();
      const [only = point] = Array.from(small).map((letter) => letter.codePointAt(0) ?? point);
      if (Array.from(small).length === 1 && only !== point) more.push(only, only);
    }
  return more;
}

interface Parser {
  points: readonly string[];
  at: number;
  depth: number;
  ignoreCase: boolean;
}

/** Throws `PatternError`, which says what is wrong and where. */
export function parsePattern(source: string, { ignoreCase }: { ignoreCase: boolean }): PatternNode {
  const parser: Parser = { points: Array.from(source), at: 0, depth: 0, ignoreCase };
  const whole = choice(parser);
  return parser.at < parser.points.length ? fail(parser, "a bracket that closes nothing") : whole;
}

function fail({ at }: Parser, what: string): never {
  throw new PatternError(`${what} at character ${at + 1}`);
}

function seen({ points, at }: Parser): string {
  return points[at] ?? "";
}

function take(parser: Parser, text: string): boolean {
  const isThere = seen(parser) === text;
  if (isThere) parser.at += 1;
  return isThere;
}

function setOf({ ignoreCase }: Parser, ranges: Ranges): PatternNode {
  return { kind: "set", ranges: ignoreCase ? folded(ranges) : ranges };
}

function choice(parser: Parser): PatternNode {
  parser.depth += 1;
  if (parser.depth > maxDepth) fail(parser, "too many groups");
  const nodes = [sequence(parser)];
  while (take(parser, "|")) nodes.push(sequence(parser));
  parser.depth -= 1;
  return { kind: "choice", nodes };
}

function sequence(parser: Parser): PatternNode {
  const nodes: PatternNode[] = [];
  while (!/^[|)]?$/.test(seen(parser))) nodes.push(repeated(parser, atom(parser)));
  return { kind: "sequence", nodes };
}

const quantifiers: Record<string, [number, number]> = { "*": [0, Infinity], "+": [1, Infinity], "?": [0, 1] };

function repeated(parser: Parser, node: PatternNode): PatternNode {
  const usual = quantifiers[seen(parser)];
  if (!usual && seen(parser) !== "{") return node;
  if (usual) parser.at += 1;
  const [min, max] = usual ?? counted(parser);
  if (seen(parser) === "?") fail(parser, "lazy quantifiers are not available");
  if (node.kind === "assert" || /^[*+]$/.test(seen(parser))) fail(parser, nothingToRepeat);
  return { kind: "repeat", node, min, max };
}

function counted(parser: Parser): [number, number] {
  const { points, at } = parser;
  const [text = "", least, comma, most] = /^\{(\d{1,5})(,)?(\d{1,5})?\}/.exec(points.slice(at, at + 14).join("")) ?? [];
  const min = Number(least);
  const max = comma === undefined ? min : Number(most ?? Infinity);
  if (text === "") fail(parser, "a brace that is no quantifier");
  if (max < min) fail(parser, fromMore);
  if (min > maxRepeat || (max > maxRepeat && max < Infinity)) fail(parser, `more than ${maxRepeat} repetitions`);
  parser.at += text.length;
  return [min, max];
}

function atom(parser: Parser): PatternNode {
  const point = seen(parser);
  if (/^[*+?{]$/.test(point)) fail(parser, nothingToRepeat);
  parser.at += 1;
  if (point === "(") return group(parser);
  if (point === "[") return setOf(parser, bracket(parser));
  if (point === ".") return setOf(parser, without(lineEnds));
  if (point === "^") return { kind: "assert", what: "start" };
  if (point === "$") return { kind: "assert", what: "end" };
  if (point !== "\\") return setOf(parser, single(point));
  if (take(parser, "b")) return { kind: "assert", what: "word" };
  if (take(parser, "B")) return { kind: "assert", what: "not-word" };
  return setOf(parser, escaped(parser));
}

function group(parser: Parser): PatternNode {
  if (take(parser, "?") && !take(parser, ":")) fail(parser, "look-around and names are not available");
  const node = choice(parser);
  return take(parser, ")") ? node : fail(parser, "a group that does not end");
}

function single(text: string): Ranges {
  const point = text.codePointAt(0) ?? 0;
  return [point, point];
}

function escaped(parser: Parser): Ranges {
  const letter = seen(parser);
  if (letter === "") fail(parser, "a backslash at the end");
  const set = classes[letter.toLowerCase()];
  parser.at += 1;
  if (set) return letter === letter.toLowerCase() ? set : without(set);
  const control = controls[letter];
  if (control !== undefined) return [control, control];
  if (letter === "x" || letter === "u") return coded(parser, letter === "x" ? 2 : 4);
  return /[\p{L}\p{N}]/u.test(letter) ? fail(parser, `\\${letter} is not available`) : single(letter);
}

function coded(parser: Parser, length: number): Ranges {
  const hex = parser.points.slice(parser.at, parser.at + length).join("");
  if (hex.length < length || /[^\da-f]/i.test(hex)) fail(parser, "a code that is no character");
  parser.at += length;
  const point = Number.parseInt(hex, 16);
  return [point, point];
}

function bracket(parser: Parser): Ranges {
  const isNegated = take(parser, "^");
  const ranges: number[] = [];
  while (!take(parser, "]")) ranges.push(...span(parser));
  if (ranges.length === 0) fail(parser, "an empty set");
  if (!isNegated) return ranges;
  return without(parser.ignoreCase ? folded(ranges) : ranges);
}

/** A member of a set, or two with all between them. */
function span(parser: Parser): Ranges {
  const from = member(parser);
  const { points, at } = parser;
  const isOne = ([first, last, ...more]: Ranges) => first === last && more.length === 0;
  if (points[at] !== "-" || points[at + 1] === "]" || !isOne(from)) return from;
  parser.at += 1;
  const to = member(parser);
  const [first = 0, last = 0] = [from[0], to[0]];
  return isOne(to) && last >= first ? [first, last] : fail(parser, fromMore);
}

function member(parser: Parser): Ranges {
  const point = seen(parser);
  if (point === "") fail(parser, "a set that does not end");
  parser.at += 1;
  return point === "\\" ? escaped(parser) : single(point);
}

/** Any of the texts, with shared beginnings shared: a list of hundreds costs no more to match than the longest of them. */
export function anyOf(texts: readonly string[]): PatternNode {
  const groups = Map.groupBy(
    texts.filter((text) => text !== ""),
    (text) => text.codePointAt(0) ?? 0,
  );
  const nodes: PatternNode[] = [...groups].map(([point, group]) => {
    const width = point > 0xffff ? 2 : 1;
    const first: PatternNode = { kind: "set", ranges: point === 32 ? spaces : [point, point] };
    // A phrase may be broken over lines, or set in wide spaces.
    const begin: PatternNode = point === 32 ? { kind: "repeat", node: first, min: 1, max: 8 } : first;
    return { kind: "sequence", nodes: [begin, anyOf(group.map((text) => text.slice(width)))] };
  });
  if (texts.includes("")) nodes.push({ kind: "sequence", nodes: [] });
  return { kind: "choice", nodes };
}
