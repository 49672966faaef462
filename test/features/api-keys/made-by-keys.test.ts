/** Keys that make keys: what comes out may never do more, or live longer, than what made it. */
import { describe, expect, it } from "vitest";
import { call, type Person, signUp } from "#test/support/harness";

const manage = ["api-keys:read", "api-keys:write", "files:read"];

async function keyOf(
  person: Person,
  body: Record<string, unknown>,
): Promise<{ id: string; key: string; expiresAt: string | null }> {
  const made = await person.call("POST", "/v1/api-keys", { body: { name: "a manager", scopes: manage, ...body } });
  expect(made.status).toBe(201);
  return made.body;
}

describe("a key made by a key", () => {
  it("has no scope that its maker has not", async () => {
    const { key } = await keyOf(await signUp(), {});
    const beyond = await call("POST", "/v1/api-keys", {
      as: key,
      body: { name: "more", scopes: ["files:read", "files:write"] },
    });
    expect(beyond).toMatchObject({ status: 422, body: { code: "scope-not-grantable", scopes: ["files:write"] } });
    const usual = await call("POST", "/v1/api-keys", { as: key, body: { name: "usual" } });
    expect(usual).toMatchObject({ status: 201, body: { scopes: ["files:read"] } });
  });

  it("ends with its maker at the latest", async () => {
    const maker = await keyOf(await signUp(), { expiresInDays: 1 });
    for (const expiresInDays of [undefined, 30]) {
      const made = await call("POST", "/v1/api-keys", {
        as: maker.key,
        body: { name: "longer", scopes: manage, expiresInDays },
      });
      expect(made).toMatchObject({ status: 201, body: { expiresAt: maker.expiresAt } });
    }
    const forEver = await keyOf(await signUp(), {});
    const short = await call("POST", "/v1/api-keys", { as: forEver.key, body: { name: "short", expiresInDays: 2 } });
    expect(Date.parse(short.body.expiresAt) - Date.now()).toBeLessThan(3 * 86_400_000);
  });

  it("is for tests when its maker is, and a key for tests changes only such keys", async () => {
    const person = await signUp();
    const live = await keyOf(person, {});
    const test = await keyOf(person, { mode: "test" });
    expect((await call("POST", "/v1/api-keys", { as: test.key, body: { name: "usual" } })).body.key).toMatch(
      /^ovt_test_/,
    );
    const asked = await call("POST", "/v1/api-keys", { as: test.key, body: { name: "live", mode: "live" } });
    expect(asked).toMatchObject({ status: 422, body: { code: "scope-not-grantable" } });
    for (const [method, body] of [
      ["PATCH", { enabled: false }],
      ["DELETE", undefined],
    ] as const) {
      const answer = await call(method, `/v1/api-keys/${live.id}`, { as: test.key, body });
      expect(answer).toMatchObject({ status: 403, body: { code: "permission-denied" } });
    }
    expect((await call("GET", "/v1/files", { as: live.key })).status).toBe(200);
  });
});
