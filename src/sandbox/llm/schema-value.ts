/**
 * Makes a value that fits a JSON schema, for structured output and the arguments of tools. It knows the keywords that OpenAI's structured
 * output allows and refuses nothing: what it does not know it leaves out of account.
 */
import { type Dice, wordFrom } from "./dice.ts";
import { type Fields, isFields } from "./fields.ts";
import { textMatching } from "./pattern-text.ts";

/** Deeper than this only what is required is filled in, so that a schema that names itself comes to an end. */
const roomyDepth = 5;
const maxDepth = 24;
const maxValues = 2_000;
const maxHops = 32;
const maxItems = 50;
const maxTextLength = 10_000;

interface Work {
  root: Fields;
  dice: Dice;
  values: number;
}

export function valueFitting(schema: Fields, dice: Dice): unknown {
  return fit({ root: schema, dice, values: 0 }, schema, 0);
}

function fit(work: Work, given: unknown, depth: number): unknown {
  work.values += 1;
  if (!isFields(given) || depth > maxDepth || work.values > maxValues * 2) return given === false ? null : "";
  const schema = flatten(work, given, depth);
  if (Object.hasOwn(schema, "const")) return schema["const"];
  const { enum: choices } = schema;
  if (Array.isArray(choices) && choices.length > 0) return choices[work.dice.below(choices.length)] as unknown;
  return makers[typeOf(work, schema, depth)]?.(work, schema, depth) ?? null;
}

type Maker = (work: Work, schema: Fields, depth: number) => unknown;

const isTight = (work: Work, depth: number) => depth > roomyDepth || work.values > maxValues;

/** Follows references and puts `allOf` and one of `anyOf` or `oneOf` into the schema itself. */
function flatten(work: Work, given: Fields, depth: number): Fields {
  let schema = given;
  for (let hop = 0; hop < maxHops; hop += 1) {
    const { $ref: reference, allOf, anyOf, oneOf, ...rest } = schema;
    const options = anyOf ?? oneOf;
    if (typeof reference === "string") schema = merged(target(work.root, reference), { ...rest, allOf, anyOf, oneOf });
    else if (Array.isArray(allOf)) schema = allOf.filter(isFields).reduce(merged, { ...rest, anyOf, oneOf });
    else if (Array.isArray(options)) schema = merged(choose(work, options.filter(isFields), depth), rest);
    else return rest;
  }
  return {};
}

/** The first option; where there is little room, one that ends. */
function choose(work: Work, options: Fields[], depth: number): Fields {
  const ends = (option: Fields) =>
    !["$ref", "properties", "items", "anyOf", "oneOf", "allOf"].some((key) => key in option);
  return (isTight(work, depth) ? options.find(ends) : undefined) ?? options[0] ?? {};
}

function merged(base: Fields, over: Fields): Fields {
  const set = Object.fromEntries(Object.entries(over).filter(([, value]) => value !== undefined));
  const result: Fields = { ...base, ...set };
  if (isFields(base["properties"]) && isFields(over["properties"]))
    result["properties"] = { ...base["properties"], ...over["properties"] };
  for (const name of ["required", "allOf"]) {
    const [first, second] = [base[name], over[name]];
    if (Array.isArray(first) && Array.isArray(second))
      result[name] = [...(first as unknown[]), ...(second as unknown[])];
  }
  return result;
}

/** A JSON pointer into the schema itself (RFC 6901); anything else leads to a schema that allows all. */
function target(root: Fields, reference: string): Fields {
  let found: unknown = reference.startsWith("#") ? root : {};
  for (const part of reference.split("/").slice(1, maxHops)) {
    const name = part.replaceAll("~1", "/").replaceAll("~0", "~");
    if (Array.isArray(found)) found = found[Number(name)] as unknown;
    else found = isFields(found) && Object.hasOwn(found, name) ? found[name] : {};
  }
  return isFields(found) ? found : {};
}

const hints: [type: string, keywords: string[]][] = [
  ["object", ["properties", "required", "additionalProperties"]],
  ["array", ["items", "prefixItems", "minItems", "maxItems"]],
  ["number", ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]],
];

function typeOf(work: Work, schema: Fields, depth: number): string {
  const { type } = schema;
  if (Array.isArray(type)) {
    if (isTight(work, depth) && type.includes("null")) return "null";
    return String(type.find((name) => name !== "null") ?? "null");
  }
  if (typeof type === "string") return type;
  return hints.find(([, keywords]) => keywords.some((keyword) => keyword in schema))?.[0] ?? "string";
}

function numberIn(schema: Fields, name: string): number | null {
  const value = schema[name];
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

function countIn(schema: Fields, name: string, otherwise: number): number {
  return Math.max(0, Math.trunc(numberIn(schema, name) ?? otherwise));
}

function objectFor(work: Work, schema: Fields, depth: number): Fields {
  const properties = isFields(schema["properties"]) ? schema["properties"] : {};
  const required = new Set(Array.isArray(schema["required"]) ? schema["required"].map(String) : []);
  const names = [...new Set([...Object.keys(properties), ...required])].filter(
    (name) => required.has(name) || !isTight(work, depth),
  );
  const entries = names
    .slice(0, maxValues)
    .map((name) => [name, fit(work, Object.hasOwn(properties, name) ? properties[name] : {}, depth + 1)] as const);
  const missing = Math.min(countIn(schema, "minProperties", 0), maxItems) - entries.length;
  const more = schema["additionalProperties"] ?? {};
  for (let index = 0; index < missing && more !== false; index += 1)
    entries.push([`extra_${index + 1}`, fit(work, more, depth + 1)]);
  return Object.fromEntries(entries);
}

function arrayFor(work: Work, schema: Fields, depth: number): unknown[] {
  const first = Array.isArray(schema["prefixItems"]) ? (schema["prefixItems"] as unknown[]).slice(0, maxItems) : [];
  const least = countIn(schema, "minItems", isTight(work, depth) ? 0 : 1);
  const most = Math.min(countIn(schema, "maxItems", maxItems), maxItems);
  const count = Math.min(Math.max(least, first.length), Math.max(most, first.length));
  const items: unknown[] = first.map((item) => fit(work, item, depth + 1));
  const seen = new Set(items.map((item) => JSON.stringify(item)));
  const more = schema["items"] ?? {};
  // Values of a small enumeration repeat; some more throws find the others.
  for (let tries = 0; items.length < count && tries < maxItems * 8 && more !== false; tries += 1) {
    const item = fit(work, more, depth + 1);
    const sign = JSON.stringify(item);
    if (schema["uniqueItems"] === true && seen.has(sign)) continue;
    seen.add(sign);
    items.push(item);
  }
  return items;
}

const defaultSpan = 100;

function numberFor(work: Work, schema: Fields, { isWhole }: { isWhole: boolean }): number {
  const step = Math.abs(numberIn(schema, "multipleOf") ?? (isWhole ? 1 : 0.25)) || 1;
  const above = numberIn(schema, "exclusiveMinimum");
  const below = numberIn(schema, "exclusiveMaximum");
  const top = Math.min(numberIn(schema, "maximum") ?? Infinity, below ?? Infinity);
  const bottom = Math.max(numberIn(schema, "minimum") ?? -Infinity, above ?? -Infinity);
  const floor = Number.isFinite(bottom) ? bottom : Math.min(0, top - step);
  const first = firstStep(floor / step, floor === above);
  const last = Number.isFinite(top) ? -firstStep(-top / step, top === below) : first + defaultSpan;
  if (last >= first) return (first + work.dice.below(Math.min(last - first + 1, defaultSpan))) * step;
  // No step lies between the limits.
  return (floor + top) / 2;
}

/** The first whole number from here on; the next one where this one itself is excluded. */
function firstStep(from: number, isExcluded: boolean): number {
  const first = Math.ceil(from);
  return isExcluded && first === from ? first + 1 : first;
}

const formats: Record<string, string> = {
  "date-time": "2026-01-01T00:00:00Z",
  date: "2026-01-01",
  time: "00:00:00Z",
  duration: "PT1H",
  email: "sandbox@example.com",
  hostname: "example.com",
  ipv4: "192.0.2.1",
  ipv6: "2001:db8::1",
  uuid: "00000000-0000-4000-8000-000000000000",
  uri: "https://example.com/sandbox",
  url: "https://example.com/sandbox",
};

function stringFor(work: Work, schema: Fields): string {
  const { format, pattern } = schema;
  // Long texts are as costly as many values.
  work.values += Math.ceil(countIn(schema, "minLength", 0) / 100);
  const least = Math.min(countIn(schema, "minLength", 0), maxTextLength);
  if (typeof format === "string" && Object.hasOwn(formats, format)) return formats[format] ?? "";
  const matching = typeof pattern === "string" ? textMatching(pattern.slice(0, 1_000), least) : null;
  if (matching !== null) return matching;
  const word = wordFrom(work.dice);
  return word.padEnd(least, "a").slice(0, Math.max(least, countIn(schema, "maxLength", maxTextLength)));
}

const makers: Partial<Record<string, Maker>> = {
  object: objectFor,
  array: arrayFor,
  integer: (work, schema) => numberFor(work, schema, { isWhole: true }),
  number: (work, schema) => numberFor(work, schema, { isWhole: false }),
  boolean: (work) => work.dice.below(2) === 1,
  string: stringFor,
};
