/** Schemas that strangers write for the answers of models. */
import { describe, expect, it } from "vitest";
import { schemaCheck } from "#lib/json-schema";
import { OutOfFuel } from "#lib/linear-pattern";

const check = (schema: unknown, value: unknown) => schemaCheck(schema)(value, { left: 100_000 });
const list = {
  type: "object",
  properties: { next: { anyOf: [{ type: "null" }, { $ref: "#/$defs/a~1b" }] } },
  required: ["next"],
};

describe("a schema", () => {
  it.each<[object | boolean, unknown[], unknown[]]>([
    [true, [1], []],
    [false, [], [1, null]],
    [{ type: "integer" }, [1, 2.0], [1.5, "1"]],
    [{ type: ["string", "null"] }, ["a", null], [0, {}, []]],
    [{ type: "object" }, [{}], [[], null]],
    [{ enum: [1, { a: [1] }] }, [1, { a: [1] }], [2, { a: [2] }, { a: [1], b: 1 }]],
    [{ const: [1, null] }, [[1, null]], [[1], { 0: 1, 1: null }]],
    [{ minLength: 2, maxLength: 3 }, ["ab", "😀😀😀"], ["a", "abcd"]],
    [{ pattern: "^\\d+$" }, ["12", 1], ["1a"]],
    [{ minimum: 0, exclusiveMaximum: 10, multipleOf: 2 }, [0, 8], [-2, 10, 3]],
    [{ items: { type: "number" }, minItems: 1, maxItems: 2 }, [[1]], [[], [1, 2, 3], ["a"]]],
    [{ prefixItems: [{ type: "string" }], items: false }, [["a"], []], [["a", 1], [1]]],
    [
      { properties: { a: { type: "string" } }, required: ["a"], additionalProperties: false },
      [{ a: "" }],
      [{}, { a: 1 }, { a: "", b: 1 }],
    ],
    [{ additionalProperties: { type: "number" } }, [{ x: 1 }], [{ x: "1" }]],
    [{ anyOf: [{ type: "string" }, { minimum: 5 }] }, ["a", 5], [4]],
    [{ oneOf: [{ minimum: 5 }, { multipleOf: 2 }] }, [4, 7], [8, 3]],
    [{ allOf: [{ minimum: 5 }, { not: { const: 6 } }] }, [5], [4, 6]],
    [
      { ...list, $defs: { "a/b": list } },
      [{ next: null }, { next: { next: null } }],
      [{ next: {} }, { next: { next: 1 } }],
    ],
    [{ properties: { toString: { type: "number" } } }, [{}, { toString: 1 }], [{ toString: "1" }]],
    [{ required: ["constructor"] }, [], [{}]],
  ])("%j takes what it says", (schema, right, wrong) => {
    expect(right.filter((value) => !check(schema, value))).toEqual([]);
    expect(wrong.filter((value) => check(schema, value))).toEqual([]);
  });

  it.each([
    [null],
    [[]],
    [{ contains: {} }],
    [{ constructor: {} }],
    [{ minimum: "1" }],
    [{ anyOf: {} }],
    [{ properties: { a: 1 } }],
    [{ items: { patternProperties: {} } }],
    [{ $ref: "https://example.com/schema" }],
    [{ $ref: "#/$defs/none" }],
    [{ pattern: "(?=a)" }],
  ])("%j is refused, because it would not be kept to", (schema) => {
    expect(() => schemaCheck(schema)).toThrow();
  });

  it("that leads in a ring, or multiplies its own work, ends", () => {
    expect(() => check({ $ref: "#" }, 1)).toThrow(OutOfFuel);
    const twice = (name: string) => ({ allOf: [{ $ref: name }, { $ref: name }] });
    const $defs = Object.fromEntries(
      Array.from({ length: 40 }, (_, at) => [`d${at}`, at === 39 ? true : twice(`#/$defs/d${at + 1}`)]),
    );
    expect(() => check({ $ref: "#/$defs/d0", $defs }, 1)).toThrow(OutOfFuel);
  });
});
