/** The texts of a request or an answer, wherever they stand in it: each is shown to a visitor, who may put another in its place. */
import { isObject, type JsonObject } from "#adapters/llm/dialect";
import { OutOfFuel } from "#lib/linear-pattern";

export interface Visitor {
  /** Gives the same text back, or what takes its place. */
  text(text: string): string;
  /** Parts that are read one after the other as one text. */
  parts?(texts: readonly string[]): void;
  /** Input as numbers of tokens, which nobody here can read. */
  tokens?(): void;
}

const maxDepth = 100;
/** Members that say how, not what: their words are the API's. Only where they hold one word. */
const words = new Set(
  "role type model id object finish_reason status detail format quality size style voice language encoding_format tool_choice effort reasoning_effort service_tier verbosity truncation item_id call_id tool_call_id response_format system_fingerprint background moderation".split(
    " ",
  ),
);
const oneWord = /^[\w.:/-]{0,200}$/;
/** Members whose own members are named by whoever asks. */
const namedFreely = new Set(["properties", "metadata", "$defs", "definitions"]);
/** Pictures, sounds and files in letters. */
const binary = new Set([
  "data",
  "url",
  "image_url",
  "file_data",
  "b64_json",
  "encrypted_content",
  "signature",
  "embedding",
]);
const base64 = /^(?:data:[\w/+.;=-]{0,200};base64,)?[A-Za-z0-9+/_-]*={0,2}$/;
const shortestBinary = 64;

interface Place {
  name: string;
  depth: number;
}

/** The same value where the visitor changed nothing, else one that shares what was not changed. Throws `OutOfFuel`. */
export function mapTexts(value: unknown, visitor: Visitor, at: Place = { name: "", depth: 0 }): unknown {
  if (typeof value === "string") return isText(at.name, value) ? visitor.text(value) : value;
  if (at.depth > maxDepth) throw new OutOfFuel();
  if (Array.isArray(value)) return mapList(value, visitor, at);
  return isObject(value) ? mapMembers(value, visitor, at) : value;
}

function mapMembers(value: JsonObject, visitor: Visitor, { name, depth }: Place): JsonObject {
  const isFree = namedFreely.has(name);
  const entries = Object.entries(value).map(([member, inner]): [string, unknown] => [
    isFree ? visitor.text(member) : member,
    mapTexts(inner, visitor, { name: member, depth: depth + 1 }),
  ]);
  const isSame = entries.every(([member, inner]) => Object.hasOwn(value, member) && value[member] === inner);
  return isSame ? value : Object.fromEntries(entries);
}

/** Not one of the API's own words, and no picture. */
export function isText(name: string, text: string): boolean {
  if (words.has(name) && oneWord.test(text)) return false;
  return !(binary.has(name) && text.length >= shortestBinary && base64.test(text));
}

function mapList(list: unknown[], visitor: Visitor, { name, depth }: Place): unknown[] {
  if (typeof list[0] === "number") {
    if (name === "prompt" || name === "input") visitor.tokens?.();
    return list;
  }
  const parts = list.flatMap((part) => (isObject(part) && typeof part["text"] === "string" ? part["text"] : []));
  if (parts.length > 1) visitor.parts?.(parts);
  const mapped = list.map((item) => mapTexts(item, visitor, { name, depth: depth + 1 }));
  return mapped.some((item, index) => item !== list[index]) ? mapped : list;
}

const answerMembers = ["choices", "output", "output_text", "data", "text", "words", "segments"];

/** What of an answer the model said; the rest repeats the request or counts. */
export function mapAnswer(answer: JsonObject, visitor: Visitor): JsonObject {
  const said = Object.fromEntries(Object.entries(answer).filter(([name]) => answerMembers.includes(name)));
  const mapped = mapTexts(said, visitor) as JsonObject;
  return mapped === said ? answer : { ...answer, ...mapped };
}

/** Bytes of all texts in it. */
export function textBytesOf(value: unknown): number {
  let bytes = 0;
  const text = (one: string) => {
    bytes += Buffer.byteLength(one);
    return one;
  };
  mapTexts(value, { text });
  return bytes;
}

/** The answers among which a request with `n` may choose, each as one text; null: it calls tools instead of saying something. */
export function answerTexts({ choices, output }: JsonObject): (string | null)[] {
  if (Array.isArray(choices)) return choices.filter(isObject).map(choiceText);
  if (!Array.isArray(output)) return [];
  const items = output.filter(isObject);
  const said = items.flatMap(({ type, content }) => (type === "message" ? joined(content) : []));
  const calls = items.some(({ type }) => typeof type === "string" && type.endsWith("_call"));
  return [said.length === 0 && calls ? null : said.join("")];
}

function choiceText({ message, text }: JsonObject): string | null {
  if (!isObject(message)) return typeof text === "string" ? text : "";
  const said = joined(message["content"]);
  const calls = message["tool_calls"] ?? message["function_call"];
  return said === "" && calls != null ? null : said;
}

function joined(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content
    .map((part: unknown) => (isObject(part) && typeof part["text"] === "string" ? part["text"] : ""))
    .join("");
}
