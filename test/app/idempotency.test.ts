import { beforeAll, describe, expect, it } from "vitest";
import { bindings, type Person, signUp } from "#test/support/harness";

let person: Person;

beforeAll(async () => {
  person = await signUp();
});

const create = (key: string, body: unknown = { name: "a key" }) => person.call("POST", "/v1/api-keys", { body, headers: { "idempotency-key": key } });
const count = async () => (await person.call("GET", "/v1/api-keys?limit=100")).body.items.length as number;

describe("Idempotency-Key", () => {
  it("replays status and body, without what was shown once", async () => {
    const key = crypto.randomUUID();
    const first = await create(key);
    const second = await create(key);
    expect(first.status).toBe(201);
    expect(second.status).toBe(201);
    expect(second.headers.get("idempotency-replayed")).toBe("true");
    const { key: secret, ...rest } = first.body;
    expect(secret).toMatch(/^ovt_live_/);
    expect(second.body).toEqual(rest);
  });

  it("refuses the same key with another body", async () => {
    const key = crypto.randomUUID();
    await create(key);
    expect(await create(key, { name: "another" })).toMatchObject({ status: 422, body: { code: "idempotency-key-reused" } });
  });

  it("runs equal requests at once only one time", async () => {
    const before = await count();
    const key = crypto.randomUUID();
    const answers = await Promise.all(Array.from({ length: 8 }, () => create(key)));
    expect((await count()) - before).toBe(1);
    for (const answer of answers) {
      if (answer.status === 201) continue;
      expect(answer).toMatchObject({ status: 409, body: { code: "idempotency-key-running" } });
      expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
    }
  });

  it("lets a run that died be repeated, with the ids of the first run", async () => {
    const before = await count();
    const key = crypto.randomUUID();
    const first = await create(key);
    await bindings.DB.prepare("update idempotency_keys set status = null, body = null, locked_until = 1 where key = ?").bind(key).run();
    const again = await create(key);
    expect(again.body.id).toBe(first.body.id);
    expect(again.body.key).not.toBe(first.body.key);
    expect((await count()) - before).toBe(1);
    expect((await person.call("GET", "/v1/auth/me", { as: first.body.key })).status).toBe(401);
    expect((await person.call("GET", "/v1/auth/me", { as: again.body.key })).status).toBe(200);
  });

  it("frees the key when the request was refused", async () => {
    const key = crypto.randomUUID();
    expect((await create(key, { name: "" })).status).toBe(422);
    expect((await create(key)).status).toBe(201);
  });

  it.each([["too long", "x".repeat(256)], ["with a space", "a b"]])("refuses a key that is %s", async (_, key) => {
    expect(await create(key)).toMatchObject({ status: 422, body: { code: "idempotency-key-invalid" } });
  });
});
