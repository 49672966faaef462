/**
 * Questions about a set of words, as `(files:read or files:write) and jobs:read`. `and` binds tighter than `or`; there is no `not`,
 * so having more words never takes a permission away. Bounded in length, words and depth.
 */

export type WordQuery = { word: string } | { all: WordQuery[] } | { any: WordQuery[] };

const maxLength = 1_000;
const maxTokens = 200;
const maxDepth = 10;
const wordPattern = /^[a-z][a-z0-9:_.-]*$/i;

interface Reader {
  tokens: string[];
  at: number;
}

/** Null for what is no question. */
export function readWordQuery(text: string): WordQuery | null {
  if (text.length > maxLength) return null;
  const tokens = text.match(/[()]|[^\s()]+/g) ?? [];
  if (tokens.length > maxTokens) return null;
  const reader: Reader = { tokens, at: 0 };
  const query = readAny(reader, 0);
  return reader.at === tokens.length ? query : null;
}

/** Every word that the question names. */
export function wordsOf(query: WordQuery): string[] {
  if ("word" in query) return [query.word];
  return ("all" in query ? query.all : query.any).flatMap(wordsOf);
}

export function isAnsweredBy(query: WordQuery, words: ReadonlySet<string>): boolean {
  if ("word" in query) return words.has(query.word);
  return "all" in query
    ? query.all.every((part) => isAnsweredBy(part, words))
    : query.any.some((part) => isAnsweredBy(part, words));
}

function readAny(reader: Reader, depth: number): WordQuery | null {
  const any = readJoined(reader, "or", () => readAll(reader, depth));
  return any && (any.length === 1 ? (any[0] ?? null) : { any });
}

function readAll(reader: Reader, depth: number): WordQuery | null {
  const all = readJoined(reader, "and", () => readPart(reader, depth));
  return all && (all.length === 1 ? (all[0] ?? null) : { all });
}

function readJoined(reader: Reader, joint: string, read: () => WordQuery | null): WordQuery[] | null {
  const parts: WordQuery[] = [];
  for (;;) {
    const part = read();
    if (!part) return null;
    parts.push(part);
    if (reader.tokens[reader.at]?.toLowerCase() !== joint) return parts;
    reader.at += 1;
  }
}

function readPart(reader: Reader, depth: number): WordQuery | null {
  const token = reader.tokens[reader.at];
  if (token === undefined || depth > maxDepth) return null;
  reader.at += 1;
  if (token === "(") {
    const inner = readAny(reader, depth + 1);
    const closed = reader.tokens[reader.at] === ")";
    reader.at += 1;
    return closed ? inner : null;
  }
  const isWord = wordPattern.test(token) && !["and", "or"].includes(token.toLowerCase());
  return isWord ? { word: token } : null;
}
