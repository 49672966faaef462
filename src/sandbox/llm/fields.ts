/** Reads the members of a request as OpenAI checks them: an unset member and `null` are the same, a wrong one is refused by its name. */
import { missing, wrongType, wrongValue } from "./failure.ts";

export type Fields = Record<string, unknown>;

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function optionalText(fields: Fields, name: string, path = name): string | null {
  const value = fields[name] ?? null;
  if (value === null || typeof value === "string") return value;
  throw wrongType(path, "a string");
}

export function requiredText(fields: Fields, name: string, path = name): string {
  const value = optionalText(fields, name, path);
  if (value === null) throw missing(path);
  return value;
}

export function flag(fields: Fields, name: string): boolean | null {
  const value = fields[name] ?? null;
  if (value === null || typeof value === "boolean") return value;
  throw wrongType(name, "a boolean");
}

interface Range {
  min: number;
  max: number;
}

export function decimal(fields: Fields, name: string, { min, max }: Range): number | null {
  const value = fields[name] ?? null;
  if (value === null) return null;
  if (typeof value !== "number") throw wrongType(name, "a decimal");
  if (value < min) throw wrongValue(name, `Invalid '${name}': expected a value >= ${min}.`, "decimal_below_min_value");
  if (value > max) throw wrongValue(name, `Invalid '${name}': expected a value <= ${max}.`, "decimal_above_max_value");
  return value;
}

export function whole(fields: Fields, name: string, { min, max }: Range): number | null {
  const value = fields[name] ?? null;
  if (value === null) return null;
  if (typeof value !== "number" || !Number.isInteger(value)) throw wrongType(name, "an integer");
  if (value < min) throw wrongValue(name, `Invalid '${name}': expected a value >= ${min}.`, "integer_below_min_value");
  if (value > max) throw wrongValue(name, `Invalid '${name}': expected a value <= ${max}.`, "integer_above_max_value");
  return value;
}

export function optionalFields(fields: Fields, name: string, path = name): Fields | null {
  const value = fields[name] ?? null;
  if (value === null || isFields(value)) return value;
  throw wrongType(path, "an object");
}

interface ListRule {
  path?: string;
  max: number;
}

/** A list of objects; an unset one is empty. */
export function fieldsList(fields: Fields, name: string, { path = name, max }: ListRule): Fields[] {
  const value = fields[name] ?? [];
  if (!Array.isArray(value)) throw wrongType(path, "an array of objects");
  if (value.length > max)
    throw wrongValue(path, `Invalid '${path}': array too long. Expected at most ${max}.`, "array_above_max_length");
  return value.map((entry: unknown, index) => {
    if (!isFields(entry)) throw wrongType(`${path}[${index}]`, "an object");
    return entry;
  });
}

/** One text or several. */
export function textOrTexts(fields: Fields, name: string, { max }: ListRule): string[] {
  const value = fields[name] ?? [];
  const list: unknown[] = Array.isArray(value) ? value : [value];
  if (list.length > max)
    throw wrongValue(name, `Invalid '${name}': array too long. Expected at most ${max}.`, "array_above_max_length");
  return list.map((entry) => {
    if (typeof entry !== "string") throw wrongType(name, "a string or an array of strings");
    return entry;
  });
}

/** One of a few words, or the first of them when it is unset. */
export function oneOf<const Word extends string>(
  fields: Fields,
  name: string,
  words: readonly [Word, ...Word[]],
): Word {
  const value = fields[name] ?? words[0];
  const found = words.find((word) => word === value);
  if (found === undefined)
    throw wrongValue(
      name,
      `Invalid value for '${name}'. Supported values are: ${words.map((word) => `'${word}'`).join(", ")}.`,
    );
  return found;
}
