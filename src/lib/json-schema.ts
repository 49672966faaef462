/**
 * Checks JSON against a schema that a stranger wrote (JSON Schema 2020-12, the keywords that structured answers use). A keyword that is not checked
 * here is refused when the schema is read: nothing that it demands passes unseen. Patterns are matched in linear time, and all work has a bound.
 */
import { type Fuel, type LinearPattern, linearPattern, OutOfFuel } from "./linear-pattern.ts";
import { parsePattern } from "./pattern-syntax.ts";

/** Throws `OutOfFuel`. */
export type SchemaCheck = (value: unknown, fuel: Fuel) => boolean;

type Json = Record<string, unknown>;

interface About {
  schema: Json;
  /** Does the schema hold for the value? Nothing is demanded by one that is left out. */
  under(schema: unknown, value: unknown): boolean;
  root: unknown;
  patterns: ReadonlyMap<unknown, LinearPattern>;
  fuel: Fuel;
}

/** Does the value keep to what the keyword demands? */
type Keeps = (demanded: never, value: unknown, about: About) => boolean;

const maxDepth = 64;

function kindOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

const isJson = (value: unknown): value is Json => kindOf(value) === "object";
const always: Keeps = () => true;

/** Of a kind of values; all others keep to it. */
function ofNumbers(keeps: (value: number, demanded: number) => boolean): Keeps {
  return (demanded, value) => typeof value !== "number" || keeps(value, demanded);
}

function ofCounts(kind: "string" | "array", keeps: (count: number, demanded: number) => boolean): Keeps {
  return (demanded, value) => kindOf(value) !== kind || keeps(Array.from(value as ArrayLike<unknown>).length, demanded);
}

const atLeast = (one: number, other: number) => one >= other;
const atMost = (one: number, other: number) => one <= other;

/** What the value of a keyword has to be ("": anything that is read further below), and what it demands. */
const keywords: Record<string, [kind: string, keeps: Keeps]> = {
  type: ["", (types: unknown, value) => [types].flat().some((type) => isOfType(value, type))],
  enum: ["array", (all: unknown[], value) => all.some((one) => isSame(one, value))],
  const: ["", (one: unknown, value) => isSame(one, value)],
  $ref: ["string", (ref: string, value, { under, root }) => under(pointed(root, ref), value)],
  allOf: ["array", (all: unknown[], value, { under }) => all.every((one) => under(one, value))],
  anyOf: ["array", (all: unknown[], value, { under }) => all.some((one) => under(one, value))],
  oneOf: ["array", (all: unknown[], value, { under }) => all.filter((one) => under(one, value)).length === 1],
  not: ["", (one: unknown, value, { under }) => !under(one, value)],
  pattern: [
    "string",
    (text: string, value, { patterns, fuel }) =>
      typeof value !== "string" || patterns.get(text)?.find(value, 0, { isWhole: true, fuel }) != null,
  ],
  minLength: ["number", ofCounts("string", atLeast)],
  maxLength: ["number", ofCounts("string", atMost)],
  minItems: ["number", ofCounts("array", atLeast)],
  maxItems: ["number", ofCounts("array", atMost)],
  minimum: ["number", ofNumbers(atLeast)],
  maximum: ["number", ofNumbers(atMost)],
  exclusiveMinimum: ["number", ofNumbers((value, bound) => value > bound)],
  exclusiveMaximum: ["number", ofNumbers((value, bound) => value < bound)],
  multipleOf: ["number", ofNumbers((value, step) => Number.isInteger(value / step))],
  required: ["array", (names: string[], value) => !isJson(value) || names.every((name) => Object.hasOwn(value, name))],
  prefixItems: ["array", always],
  items: ["", always],
  properties: ["object", always],
  additionalProperties: ["", always],
  $defs: ["object", always],
  definitions: ["object", always],
};
/** Said for people, or for others than who checks. */
const silent = ["$schema", "$id", "$comment", "title", "description", "default", "examples", "format"];
const holdingSchemas = ["anyOf", "oneOf", "allOf", "prefixItems", "properties", "$defs", "definitions"];
const holdingOne = ["items", "additionalProperties", "not"];

/** Throws an error that says what is wrong with the schema. */
export function schemaCheck(root: unknown): SchemaCheck {
  const patterns = new Map<unknown, LinearPattern>();
  const read = (schema: unknown, depth: number): void => {
    if (typeof schema === "boolean") return;
    if (!isJson(schema) || depth > maxDepth) throw new Error(`no schema, or one of more than ${maxDepth} levels`);
    for (const [name, value] of Object.entries(schema)) {
      requireKeyword(root, name, value);
      if (name === "pattern") patterns.set(value, linearPattern(parsePattern(String(value), { ignoreCase: false })));
      for (const inner of schemasIn(name, value)) read(inner, depth + 1);
    }
  };
  read(root, 0);
  return (value, fuel) => holds(root, value, { about: { root, patterns, fuel }, depth: 0 });
}

function requireKeyword(root: unknown, name: string, value: unknown): void {
  if (silent.includes(name)) return;
  const kind = Object.hasOwn(keywords, name) ? keywords[name]?.[0] : "unknown";
  if (kind !== "" && kind !== kindOf(value))
    throw new Error(`the keyword ${JSON.stringify(name.slice(0, 50))} is not checked here, or has a wrong value`);
  if (name === "$ref" && pointed(root, value) === undefined) throw new Error("a $ref leads nowhere in the schema");
}

function schemasIn(name: string, value: unknown): unknown[] {
  if (holdingOne.includes(name)) return [value];
  return holdingSchemas.includes(name) ? Object.values(value as Json) : [];
}

/** Of a reference into the same schema (RFC 6901). */
function pointed(root: unknown, ref: unknown): unknown {
  const [first, ...names] = String(ref).split("/");
  const step = (at: unknown, name: string) => (isJson(at) && Object.hasOwn(at, name) ? at[name] : undefined);
  const found = names.map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~")).reduce(step, root);
  return first === "#" && (isJson(found) || typeof found === "boolean") ? found : undefined;
}

interface Walk {
  about: Omit<About, "schema" | "under">;
  depth: number;
}

function holds(schema: unknown, value: unknown, { about, depth }: Walk): boolean {
  if (!isJson(schema)) return schema !== false;
  about.fuel.left -= 10;
  if (about.fuel.left < 0 || depth > maxDepth * 4) throw new OutOfFuel();
  const under = (inner: unknown, at: unknown) => holds(inner, at, { about, depth: depth + 1 });
  const whole = { ...about, schema, under };
  return (
    Object.entries(schema).every(([name, demanded]) =>
      (keywords[name]?.[1] ?? always)(demanded as never, value, whole),
    ) && insideHolds(schema, value, under)
  );
}

/** Of lists and objects: what is in them. */
function insideHolds(schema: Json, value: unknown, under: About["under"]): boolean {
  const { prefixItems = [], items, properties = {}, additionalProperties } = schema;
  if (Array.isArray(value)) return value.every((item, at) => under((prefixItems as unknown[])[at] ?? items, item));
  if (!isJson(value)) return true;
  const of = (name: string) =>
    Object.hasOwn(properties as Json, name) ? (properties as Json)[name] : additionalProperties;
  return Object.entries(value).every(([name, member]) => under(of(name), member));
}

function isOfType(value: unknown, type: unknown): boolean {
  return type === "integer" ? Number.isInteger(value) : type === kindOf(value);
}

function isSame(one: unknown, other: unknown): boolean {
  if (typeof one !== "object" || typeof other !== "object" || !one || !other) return one === other;
  const names = Object.keys(one);
  return (
    kindOf(one) === kindOf(other) &&
    names.length === Object.keys(other).length &&
    names.every((name) => Object.hasOwn(other, name) && isSame((one as Json)[name], (other as Json)[name]))
  );
}
