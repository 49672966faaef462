/** Reads an input that is a text, several texts, the numbers of tokens, or several such lists. */
import { missing, wrongType, wrongValue } from "./failure.ts";
import type { Fields } from "./fields.ts";
import { countTokens } from "./tokens.ts";

export interface Input {
  text: string;
  tokens: number;
}

export function readInputs(fields: Fields, name: string, max: number): Input[] {
  const value = fields[name] ?? null;
  if (value === null) throw missing(name);
  const list: unknown[] = Array.isArray(value) ? value : [value];
  if (list.length === 0) throw wrongValue(name, `Invalid '${name}': empty array.`, "empty_array");
  if (typeof list[0] === "number") return [tokenList(list, name)];
  if (list.length > max)
    throw wrongValue(name, `Invalid '${name}': array too long. Expected at most ${max}.`, "array_above_max_length");
  return list.map((entry) => {
    if (Array.isArray(entry)) return tokenList(entry, name);
    if (typeof entry !== "string") throw wrongType(name, "a string or an array of strings");
    return { text: entry, tokens: countTokens(entry) };
  });
}

/** Numbers of tokens stand for no text here, but as many as they are they count. */
function tokenList(list: unknown[], name: string): Input {
  if (list.length === 0 || !list.every((entry) => Number.isInteger(entry)))
    throw wrongType(name, "an array of integers");
  return { text: `tokens ${list.join(" ")}`, tokens: list.length };
}
