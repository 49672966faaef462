/**
 * Makes a text that a regular expression matches, by writing it out from left to right. The expression is a stranger's and is never run:
 * a hostile one could hold the processor. What it cannot write out (look-around, back-references) it refuses with null.
 */

const maxLength = 10_000;
const maxDepth = 20;

interface Reading {
  pattern: string;
  at: number;
  depth: number;
  /** How often something is repeated beyond what its quantifier asks for at least. */
  extra: number;
}

class Unwritable extends Error {}

/** A matching text with at least `minLength` characters, as far as more repetitions lead there; else the longest that was found. */
export function textMatching(pattern: string, minLength: number): string | null {
  let best: string | null = null;
  for (const extra of [0, 1, 2, 4, 8, 16, 32, 64]) {
    const text = written({ pattern, at: 0, depth: 0, extra });
    if (text === null) return best;
    if (best === null || text.length > best.length) best = text;
    if (best.length >= minLength) return best;
  }
  return best;
}

function written(reading: Reading): string | null {
  try {
    const text = alternatives(reading);
    return reading.at < reading.pattern.length ? null : text;
  } catch (error) {
    if (error instanceof Unwritable) return null;
    throw error;
  }
}

const peek = ({ pattern, at }: Reading) => pattern[at] ?? "";

/** The first alternative; the others are read over. */
function alternatives(reading: Reading): string {
  if (reading.depth > maxDepth) throw new Unwritable();
  reading.depth += 1;
  const first = sequence(reading);
  while (peek(reading) === "|") {
    reading.at += 1;
    sequence(reading);
  }
  reading.depth -= 1;
  return first;
}

function sequence(reading: Reading): string {
  let text = "";
  while (reading.at < reading.pattern.length && peek(reading) !== "|" && peek(reading) !== ")") {
    const piece = atom(reading);
    const times = quantity(reading);
    if (text.length + piece.length * times > maxLength) throw new Unwritable();
    text += piece.repeat(times);
  }
  return text;
}

function atom(reading: Reading): string {
  const sign = peek(reading);
  reading.at += 1;
  if (sign === "^" || sign === "$") return "";
  if (sign === ".") return "a";
  if (sign === "\\") return escaped(reading);
  if (sign === "[") return memberOfClass(reading);
  if (sign === "(") return group(reading);
  if ("*+?{}".includes(sign)) throw new Unwritable();
  return sign;
}

function group(reading: Reading): string {
  if (peek(reading) === "?") {
    const head = /^\?(?::|<[A-Za-z_]\w{0,50}>)/.exec(reading.pattern.slice(reading.at, reading.at + 60));
    if (!head) throw new Unwritable();
    reading.at += head[0].length;
  }
  const text = alternatives(reading);
  if (peek(reading) !== ")") throw new Unwritable();
  reading.at += 1;
  return text;
}

const classes: Record<string, string> = {
  d: "7",
  w: "a",
  s: " ",
  D: "a",
  W: "-",
  S: "a",
  n: "\n",
  t: "\t",
  r: "\r",
  b: "",
  B: "",
};

function escaped(reading: Reading): string {
  const sign = peek(reading);
  reading.at += 1;
  if (Object.hasOwn(classes, sign)) return classes[sign] ?? "";
  if (sign === "u" || sign === "x") return codePoint(reading, sign === "u" ? 4 : 2);
  if (sign === "p") return property(reading);
  if (sign === "" || /[1-9kcP]/.test(sign)) throw new Unwritable();
  return sign;
}

function codePoint(reading: Reading, digits: number): string {
  const hex = reading.pattern.slice(reading.at, reading.at + digits);
  if (!/^[0-9a-f]+$/i.test(hex) || hex.length !== digits) throw new Unwritable();
  reading.at += digits;
  return String.fromCharCode(Number.parseInt(hex, 16));
}

function property(reading: Reading): string {
  const name = /^\{([A-Za-z_]{1,20})\}/.exec(reading.pattern.slice(reading.at, reading.at + 24));
  const sample = { L: "a", Ll: "a", Lu: "A", Letter: "a", Alphabetic: "a", N: "7", Nd: "7" }[name?.[1] ?? ""];
  if (!name || sample === undefined) throw new Unwritable();
  reading.at += name[0].length;
  return sample;
}

interface Span {
  from: string;
  to: string;
}

const usual = ["a", "7", "A", "-", "_", " ", ".", "~", "é"];

/** The first member of a class; of a negated one the first of a few usual characters that it does not exclude. */
function memberOfClass(reading: Reading): string {
  const isNegated = peek(reading) === "^";
  if (isNegated) reading.at += 1;
  const spans: Span[] = [];
  while (peek(reading) !== "]") {
    if (reading.at >= reading.pattern.length) throw new Unwritable();
    spans.push(...spanOf(reading));
  }
  reading.at += 1;
  const excluded = (sign: string) => spans.some(({ from, to }) => from <= sign && sign <= to);
  const found = isNegated ? usual.find((sign) => !excluded(sign)) : spans[0]?.from;
  if (found === undefined) throw new Unwritable();
  return found;
}

const wide: Record<string, Span[]> = {
  d: [{ from: "0", to: "9" }],
  w: [
    { from: "a", to: "z" },
    { from: "A", to: "Z" },
    { from: "0", to: "9" },
    { from: "_", to: "_" },
  ],
  s: [
    { from: " ", to: " " },
    { from: "\t", to: "\r" },
  ],
};

function spanOf(reading: Reading): Span[] {
  const isClass = peek(reading) === "\\" && wide[reading.pattern[reading.at + 1] ?? ""];
  if (isClass) {
    reading.at += 2;
    return isClass;
  }
  const from = classSign(reading);
  if (peek(reading) !== "-" || reading.pattern[reading.at + 1] === "]") return [{ from, to: from }];
  reading.at += 1;
  return [{ from, to: classSign(reading) }];
}

function classSign(reading: Reading): string {
  const sign = peek(reading);
  reading.at += 1;
  return sign === "\\" ? escaped(reading) : sign;
}

function quantity(reading: Reading): number {
  const found = /^(?:[*+?]|\{(\d{1,5})(,(\d{0,5}))?\})\??/.exec(reading.pattern.slice(reading.at, reading.at + 16));
  if (!found) return 1;
  reading.at += found[0].length;
  const [least, most] = boundsOf(found);
  return Math.min(least + reading.extra, most);
}

function boundsOf([sign, least, comma, most]: RegExpExecArray): [number, number] {
  if (sign?.startsWith("*")) return [0, Infinity];
  if (sign?.startsWith("+")) return [1, Infinity];
  if (sign?.startsWith("?")) return [0, 1];
  if (comma === undefined) return [Number(least), Number(least)];
  return [Number(least), most === undefined || most === "" ? Infinity : Number(most)];
}
