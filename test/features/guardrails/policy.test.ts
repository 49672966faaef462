/** Reading and changing a workspace's guardrails: who may, what is refused, what is written down, and two changes at once. */
import { describe, expect, it } from "vitest";
import { call, type Person, signUp } from "#test/support/harness";
import { secretWord, setGuardrails } from "./support.ts";

async function trailOf(person: Person, action: string): Promise<unknown[]> {
  const { body } = await person.call("GET", `/v1/workspaces/${person.workspaceId}/audit-log?action=${action}`);
  return body.items;
}

const put = (person: Person, body: Record<string, unknown>) => person.call("PUT", "/v1/guardrails", { body });

describe("the guardrails of a workspace", () => {
  it("are open at first, and each change is one version further, with its old and new values in the trail", async () => {
    const person = await signUp();
    expect((await person.call("GET", "/v1/guardrails")).body).toEqual({
      version: 0,
      allowedModels: ["*"],
      rules: [],
      changedBy: null,
      changedAt: null,
    });
    const changed = await put(person, { version: 0, allowedModels: ["gpt-4o*"], rules: [secretWord] });
    expect(changed).toMatchObject({ status: 200, body: { version: 1, changedBy: person.userId } });
    expect(changed.body.rules).toEqual([{ ...secretWord, whole: true, replacement: "[redacted]" }]);
    expect((await person.call("GET", "/v1/guardrails")).body).toEqual(changed.body);
    await put(person, { version: 1, rules: [] });
    const trail = await trailOf(person, "guardrails.changed");
    expect(trail).toMatchObject([
      { before: { allowedModels: ["gpt-4o*"], order: ["no-secret"] }, after: { allowedModels: ["*"], order: [] } },
      { before: { allowedModels: ["*"], order: [] }, after: { allowedModels: ["gpt-4o*"], order: ["no-secret"] } },
    ]);
    expect(await trailOf(person, "guardrails.rule-changed")).toMatchObject([
      { target: "no-secret", before: { words: ["bluebird"] }, after: { words: null } },
      { target: "no-secret", before: { words: null }, after: { words: ["bluebird"], action: "block" } },
    ]);
  });

  it("are changed by one of those who read the same version", async () => {
    const person = await signUp();
    for (const version of [0, 1]) {
      const all = await Promise.all(
        Array.from({ length: 6 }, (_, index) => put(person, { version, allowedModels: [`model-${index}`] })),
      );
      expect(all.filter(({ status }) => status === 200)).toHaveLength(1);
      for (const { status, body } of all)
        if (status !== 200) expect({ status, code: body.code }).toEqual({ status: 409, code: "guardrails-changed" });
      const winner = all.find(({ status }) => status === 200);
      expect((await person.call("GET", "/v1/guardrails")).body).toEqual(winner?.body);
    }
    expect(await put(person, { version: 1 })).toMatchObject({ status: 409 });
    expect(await trailOf(person, "guardrails.changed")).toHaveLength(2);
  });

  it("are read with a key that may, and changed with one that may", async () => {
    const person = await signUp();
    const keyOf = async (scopes: string[]): Promise<string> =>
      (await person.call("POST", "/v1/api-keys", { body: { name: "k", scopes } })).body.key;
    const reader = await keyOf(["guardrails:read"]);
    expect((await call("GET", "/v1/guardrails", { as: reader })).status).toBe(200);
    const refused = await call("PUT", "/v1/guardrails", { as: reader, body: { version: 0 } });
    expect(refused).toMatchObject({ status: 403, body: { code: "permission-denied" } });
    const writer = await keyOf(["guardrails:write"]);
    expect((await call("PUT", "/v1/guardrails", { as: writer, body: { version: 0 } })).status).toBe(200);
  });

  it("of one workspace say nothing about another", async () => {
    const [one, other] = [await signUp(), await signUp()];
    await setGuardrails(one, { rules: [secretWord] });
    expect((await other.call("GET", "/v1/guardrails")).body).toMatchObject({ version: 0, rules: [] });
    const foreign = await other.call("PUT", "/v1/guardrails", {
      body: { version: 1 },
      headers: { "x-workspace-id": one.workspaceId },
    });
    expect(foreign).toMatchObject({ status: 404, body: { code: "workspace-not-found" } });
    expect((await one.call("GET", "/v1/guardrails")).body.version).toBe(1);
  });

  const base = { id: "r", name: "R", when: "both", action: "block" };
  it.each([
    ["a pattern that looks around", { ...base, kind: "pattern", pattern: "(?<=a)b" }],
    ["a pattern that is no pattern", { ...base, kind: "pattern", pattern: "(a" }],
    ["a pattern that is everywhere", { ...base, kind: "pattern", pattern: "a*" }],
    ["a pattern of enormous size", { ...base, kind: "pattern", pattern: "(?:a{1000}){1000}" }],
    ["a pattern that is too long", { ...base, kind: "pattern", pattern: "a".repeat(1_001) }],
    ["a replacement that the rule is about", { ...base, kind: "words", words: ["redacted"], action: "redact" }],
    ["a replacement that breaks JSON", { ...base, kind: "words", words: ["a"], action: "redact", replacement: '"' }],
    ["a word that nobody sees", { ...base, kind: "words", words: ["\u200b\u00ad"] }],
    ["no words", { ...base, kind: "words", words: [] }],
    ["an id that no header holds", { ...base, id: "a,b\n", kind: "words", words: ["a"] }],
    [
      "a schema with a keyword that is not checked",
      { ...base, when: "after", kind: "json-schema", schema: { contains: {} } },
    ],
    ["a schema that leads nowhere", { ...base, when: "after", kind: "json-schema", schema: { $ref: "#/$defs/x" } }],
    ["a schema for what is asked", { ...base, kind: "json-schema", when: "before", schema: {} }],
    ["a schema that redacts", { ...base, when: "after", kind: "json-schema", action: "redact", schema: {} }],
    ["a size of nothing", { ...base, kind: "size", when: "before", of: "input" }],
    ["a size of the answer before it", { ...base, kind: "size", when: "before", of: "output", maxBytes: 1 }],
    ["a member that nobody knows", { ...base, kind: "words", words: ["a"], caseSensitive: true }],
  ])("refuse %s, and stay as they are", async (_, rule) => {
    const person = await signUp();
    const answer = await put(person, { version: 0, rules: [rule] });
    expect(answer).toMatchObject({ status: 422, body: { code: "validation-failed" } });
    expect((await person.call("GET", "/v1/guardrails")).body.version).toBe(0);
  });

  it("refuse more rules than can be kept to, an id twice, and a list without a model", async () => {
    const person = await signUp();
    const rules = (count: number, words: string[]) =>
      Array.from({ length: count }, (_, index) => ({ ...base, id: `r${index}`, kind: "words", words }));
    const long = Array.from({ length: 100 }, (_, index) => `${index}`.padStart(90, "x"));
    for (const body of [
      { rules: rules(51, ["a"]) },
      { rules: rules(8, long) },
      { rules: [...rules(1, ["a"]), ...rules(1, ["b"])] },
      { allowedModels: [] },
      { allowedModels: ["two words"] },
    ])
      expect(await put(person, { version: 0, ...body })).toMatchObject({ status: 422 });
  });
});
