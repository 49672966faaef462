/** Values for schemas and texts for patterns, held against independent readers of both; and the token rule. */
import fc from "fast-check";
import { z } from "zod";
import { describe, expect, it } from "vitest";
import { diceOf } from "#sandbox/llm/dice";
import { textMatching } from "#sandbox/llm/pattern-text";
import { valueFitting } from "#sandbox/llm/schema-value";
import { countTokens, splitTokens } from "#sandbox/llm/tokens";
import { numberWord } from "#sandbox/speech/heard";

const valuesFor = (schema: object) =>
  Array.from({ length: 10 }, (_, index) => valueFitting(schema as Record<string, unknown>, diceOf(String(index))));

describe("a value for a schema", () => {
  const schemas: Record<string, object> = {
    texts: {
      type: "object",
      properties: { a: { type: "string", minLength: 12, maxLength: 14 }, b: { type: "string", maxLength: 2 } },
      required: ["a", "b"],
    },
    formats: {
      type: "object",
      properties: Object.fromEntries(
        ["date-time", "date", "email", "uuid", "ipv4", "ipv6", "uri"].map((format) => [
          format,
          { type: "string", format },
        ]),
      ),
    },
    numbers: {
      type: "object",
      properties: {
        a: { type: "integer", minimum: 3, maximum: 4 },
        b: { type: "number", exclusiveMinimum: 0, exclusiveMaximum: 0.1 },
        c: { type: "integer", multipleOf: 7, minimum: 8 },
        d: { type: "number", maximum: -5 },
        e: { type: "integer", exclusiveMinimum: 1, exclusiveMaximum: 3 },
      },
      required: ["a", "b", "c", "d", "e"],
    },
    lists: {
      type: "object",
      properties: {
        a: { type: "array", items: { type: "integer" }, minItems: 3, maxItems: 3 },
        b: { type: "array", items: { enum: ["x", "y", "z"] }, minItems: 3, uniqueItems: true },
        c: { type: "array", prefixItems: [{ type: "string" }, { type: "boolean" }], items: false },
      },
      required: ["a", "b", "c"],
    },
    choices: {
      type: "object",
      properties: {
        a: { anyOf: [{ type: "integer" }, { type: "null" }] },
        b: { oneOf: [{ const: 1 }, { const: 2 }] },
        c: { type: ["string", "null"] },
        d: { enum: [null, "on", 5] },
        e: {
          allOf: [
            { type: "object", properties: { x: { type: "string" } }, required: ["x"] },
            { properties: { y: { type: "null" } }, required: ["y"] },
          ],
        },
      },
      required: ["a", "b", "c", "d", "e"],
      additionalProperties: false,
    },
    references: {
      type: "object",
      properties: { tree: { $ref: "#/$defs/node" } },
      required: ["tree"],
      $defs: {
        node: {
          type: "object",
          properties: {
            left: { anyOf: [{ $ref: "#/$defs/node" }, { type: "null" }] },
            tags: { type: "array", items: { $ref: "#/$defs/node" } },
          },
          required: ["left", "tags"],
        },
      },
    },
    patterns: {
      type: "object",
      properties: {
        a: { type: "string", pattern: "^[A-Z]{2}-\\d{4,6}(?:x|y)?$" },
        b: { type: "string", pattern: "^\\w+$", minLength: 9 },
      },
      required: ["a", "b"],
    },
    maps: { type: "object", additionalProperties: { type: "integer" }, minProperties: 3 },
  };

  it.each(Object.entries(schemas))("fits %s", (_, schema) => {
    const reader = z.fromJSONSchema(schema as never);
    for (const value of valuesFor(schema)) expect(reader.safeParse(value)).toMatchObject({ success: true });
  });

  it("comes to an end for schemas that cannot", () => {
    const endless = { type: "object", properties: { next: { $ref: "#" } }, required: ["next"] };
    const wide = {
      type: "object",
      properties: Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`p${index}`, { $ref: "#" }])),
    };
    const circle = { $ref: "#/$defs/a", $defs: { a: { $ref: "#/$defs/b" }, b: { $ref: "#/$defs/a" } } };
    const many = { type: "array", items: { $ref: "#" }, minItems: 1_000_000 };
    for (const schema of [endless, wide, circle, many])
      expect(JSON.stringify(valuesFor(schema)[0]).length).toBeLessThan(200_000);
  });

  it("is not led astray by names of the language or broken keywords", () => {
    const odd = JSON.parse(
      '{"type":"object","properties":{"__proto__":{"type":"integer"},"a":true,"b":{"$ref":"#/constructor"},"c":{"enum":[]},"d":{"type":"nothing"}},"required":7}',
    );
    expect(Object.keys(valuesFor(odd)[0] as object)).toEqual(expect.arrayContaining(["a", "b", "c", "d"]));
  });
});

describe("a text for a pattern", () => {
  it.each([
    "^a$",
    "^(foo|bar)+$",
    "^[^a-z]{3}$",
    "^\\d{3}-\\d{2}$",
    "^[\\w.]+@[a-z]+\\.(com|org)$",
    "^\\u0041\\x42$",
    "^\\p{Lu}\\p{Ll}*$",
    "a*?b+?",
    "^(?<year>\\d{4})$",
    "^[-a]$",
    "^[a\\-z]{2}$",
    "^.{5,}$",
    "^\\S+\\s\\S+$",
  ])("matches %s", (pattern) => {
    for (const length of [0, 6]) expect(textMatching(pattern, length)).toMatch(new RegExp(pattern, "u"));
  });

  it("grows to the length that is asked for", () => {
    expect(textMatching("^[a-z]+$", 40)?.length).toBeGreaterThanOrEqual(40);
    expect(textMatching("^[a-z]{0,3}$", 40)).toBe("aaa");
  });

  it.each(["(?=a)b", "(a)\\1", "(", ")", "[a", "*", "a{99999}", "(".repeat(50) + ")".repeat(50)])(
    "is not made for %s",
    (pattern) => {
      expect(textMatching(pattern, 0)).toBe(null);
    },
  );
});

describe("the token rule", () => {
  it("splits any text into pieces that make it up, alike for every beginning of it", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.nat(), (text, at) => {
        const tokens = splitTokens(text);
        expect(tokens.join("")).toBe(text);
        expect(countTokens(text)).toBe(tokens.length);
        const sizes = tokens.map((token) => new TextEncoder().encode(token).length);
        expect(sizes.every((size) => size >= 1 && size <= 4)).toBe(true);
        const kept = tokens.slice(0, at % (tokens.length + 1));
        expect(splitTokens(kept.join(""))).toEqual(kept);
      }),
    );
  });

  it("counts four bytes, and no character in two", () => {
    expect(splitTokens("abcdefghi")).toEqual(["abcd", "efgh", "i"]);
    expect(splitTokens("aé€🎧")).toEqual(["aé", "€", "🎧"]);
    expect(splitTokens("")).toEqual([]);
  });
});

it("numbers are one word each", () => {
  expect([1, 19, 20, 45, 100, 119, 2_345].map(numberWord)).toEqual([
    "one",
    "nineteen",
    "twenty",
    "forty-five",
    "one-hundred",
    "one-hundred-nineteen",
    "two-thousand-three-hundred-forty-five",
  ]);
});
