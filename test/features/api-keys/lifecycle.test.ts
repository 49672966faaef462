/** Rotation with grace, keys of older systems, validation with its codes, and the count of uses. */
import { beforeEach, describe, expect, it } from "vitest";
import { countingBindings } from "#test/support/counting";
import { bindings, call, type Person, signUp } from "#test/support/harness";
import { handle, makeKey } from "./support.ts";

let person: Person;

beforeEach(async () => {
  person = await signUp();
});

const random = (length: number) => crypto.randomUUID().replaceAll("-", "").repeat(2).slice(0, length);

describe("rotation", () => {
  it("gives the same key a new secret; the old one works until the grace ends", async () => {
    const limits = [{ name: "all", quota: 50, windowSeconds: 60 }];
    const old = await makeKey(person, { scopes: ["webhooks:read"], limits, metadata: { a: 1 } });
    const answer = await person.call("POST", `/v1/api-keys/${old.id}/rotate`, { body: { graceSeconds: 60 } });
    expect(answer).toMatchObject({
      status: 200,
      body: {
        id: old.id,
        scopes: ["webhooks:read"],
        limits,
        metadata: { a: 1 },
        previousWorksUntil: expect.any(String),
      },
    });
    expect(answer.body.key).not.toBe(old.key);
    const fresh = handle(person, old.id, answer.body.key);
    expect((await old.use("GET", "/v1/webhooks")).status).toBe(200);
    expect((await fresh.use("GET", "/v1/webhooks")).status).toBe(200);
    await bindings.DB.prepare("update api_key_retired_secrets set until = 1 where key_id = ?").bind(old.id).run();
    expect((await old.use("GET", "/v1/webhooks")).status).toBe(401);
    expect((await fresh.use("GET", "/v1/webhooks")).status).toBe(200);
    expect(await old.validate()).toEqual({ valid: false, code: "NOT_FOUND" });
  });

  it("without grace ends the old secret, and no quota begins anew", async () => {
    const old = await makeKey(person, {
      scopes: ["webhooks:read"],
      limits: [{ name: "few", quota: 3, windowSeconds: 60 }],
    });
    expect((await old.use("GET", "/v1/webhooks")).status).toBe(200);
    const answer = await person.call("POST", `/v1/api-keys/${old.id}/rotate`);
    expect(answer.body.previousWorksUntil).toBeNull();
    expect((await old.use("GET", "/v1/webhooks")).status).toBe(401);
    const statuses = [];
    for (let index = 0; index < 3; index += 1)
      statuses.push((await call("GET", "/v1/webhooks", { as: answer.body.key })).status);
    expect(statuses).toEqual([200, 200, 429]);
  });

  it("twice at once leaves one secret that works", async () => {
    const old = await makeKey(person, { scopes: ["webhooks:read"] });
    const answers = await Promise.all(
      Array.from({ length: 5 }, () =>
        person.call("POST", `/v1/api-keys/${old.id}/rotate`, { body: { graceSeconds: 0 } }),
      ),
    );
    for (const { status } of answers) expect([200, 409]).toContain(status);
    const keys = answers.filter(({ status }) => status === 200).map(({ body }) => body.key);
    const working = await Promise.all(keys.map(async (as) => (await call("GET", "/v1/webhooks", { as })).status));
    expect(working.filter((status) => status === 200)).toHaveLength(1);
  });

  it("replays without the secret", async () => {
    const { id } = await makeKey(person);
    const headers = { "idempotency-key": crypto.randomUUID() };
    const first = await person.call("POST", `/v1/api-keys/${id}/rotate`, { body: {}, headers });
    const second = await person.call("POST", `/v1/api-keys/${id}/rotate`, { body: {}, headers });
    expect(first.body.key).toMatch(/^ovt_live_/);
    expect(second.body).not.toHaveProperty("key");
    expect((await call("GET", "/v1/jobs", { as: first.body.key })).status).toBe(200);
  });
});

describe("a key of an older system", () => {
  it.each(["pe-", "sk_live_", "org_"])("of the kind %s goes on working, by its hash alone", async (kind) => {
    const importedKey = `${kind}${random(32)}`;
    expect((await call("GET", "/v1/jobs", { as: importedKey })).status).toBe(401);
    const key = await makeKey(person, { importedKey, scopes: ["jobs:read"] });
    expect((await key.use("GET", "/v1/jobs")).status).toBe(200);
    expect((await call("GET", "/v1/jobs", { headers: { "x-api-key": importedKey } })).status).toBe(200);
    expect((await key.use("GET", "/v1/files")).status).toBe(403);
    expect(await key.validate()).toMatchObject({ code: "VALID", keyId: key.id });
    const row = await bindings.DB.prepare("select * from api_keys where id = ?").bind(key.id).first();
    expect(JSON.stringify(row)).not.toContain(importedKey);
    expect(row).toMatchObject({ kind: "imported", start: importedKey.slice(0, 8) });
    await person.call("DELETE", `/v1/api-keys/${key.id}`);
    expect((await call("GET", "/v1/api-keys", { as: importedKey })).status).toBe(401);
  });

  it("becomes one of ours by rotation, and works until the grace ends", async () => {
    const importedKey = `sk_live_${random(32)}`;
    const key = await makeKey(person, { importedKey, scopes: ["jobs:read"] });
    const rotated = await person.call("POST", `/v1/api-keys/${key.id}/rotate`, { body: { graceSeconds: 60 } });
    expect(rotated.body).toMatchObject({ kind: "own", key: expect.stringMatching(/^ovt_live_/) });
    expect((await key.use("GET", "/v1/jobs")).status).toBe(200);
    expect((await call("GET", "/v1/jobs", { as: rotated.body.key })).status).toBe(200);
    await bindings.DB.prepare("update api_key_retired_secrets set until = 1 where key_id = ?").bind(key.id).run();
    expect((await key.use("GET", "/v1/api-keys")).status).toBe(401);
  });

  it("is imported once, by a person, and is of a known kind", async () => {
    const importedKey = `pe-${random(32)}`;
    const first = await makeKey(person, { importedKey });
    const other = await signUp();
    const again = await other.call("POST", "/v1/api-keys", { body: { name: "x", importedKey } });
    expect(again).toMatchObject({ status: 409, body: { code: "api-key-known" } });
    expect((await other.call("GET", "/v1/api-keys")).body.items).toHaveLength(0);
    const manager = await makeKey(person, { scopes: ["api-keys:write", "jobs:read"] });
    const byKey = await manager.use("POST", "/v1/api-keys", { body: { name: "x", importedKey: `pe-${random(32)}` } });
    expect(byKey).toMatchObject({ status: 403, body: { code: "session-required" } });
    for (const strange of [`xx-${random(32)}`, "pe-short", `sk_test_${random(32)}`])
      expect((await person.call("POST", "/v1/api-keys", { body: { name: "x", importedKey: strange } })).status).toBe(
        422,
      );
    expect((await first.use("GET", "/v1/jobs")).status).toBe(200);
  });

  it("that is forged costs one read, and then none for a while", async () => {
    const { env, counts, reset } = countingBindings();
    const forged = `sk_live_${random(32)}`;
    reset();
    for (let round = 0; round < 5; round += 1)
      expect((await call("GET", "/v1/jobs", { as: forged, env })).status).toBe(401);
    expect(counts).toEqual({ database: 1, objects: 0, files: 0 });
  });
});

describe("validation", () => {
  it("tells each outcome by its code", async () => {
    const key = await makeKey(person, {
      scopes: ["files:read", "jobs:read"],
      limits: [{ name: "all", quota: 2, windowSeconds: 60 }],
      allowedAddresses: ["203.0.113.0/24"],
    });
    const address = "203.0.113.4";
    expect(await key.validate({ address: "203.0.114.4" })).toMatchObject({
      valid: false,
      code: "FORBIDDEN",
      keyId: key.id,
    });
    expect(await key.validate()).toMatchObject({ valid: false, code: "FORBIDDEN" });
    expect(await key.validate({ address, scopes: ["files:read", "files:write"] })).toMatchObject({
      code: "INSUFFICIENT_PERMISSIONS",
    });
    expect(await key.validate({ address, scopes: "(files:write or files:read) and jobs:read" })).toMatchObject({
      valid: true,
      code: "VALID",
      limit: { name: "all", quota: 2, remaining: 1 },
    });
    // The refused ones have taken nothing.
    expect(await key.validate({ address })).toMatchObject({ code: "VALID", limit: { remaining: 0 } });
    expect(await key.validate({ address })).toMatchObject({ valid: false, code: "RATE_LIMITED" });
    await person.call("PATCH", `/v1/api-keys/${key.id}`, { body: { enabled: false } });
    expect(await key.validate({ address })).toMatchObject({ valid: false, code: "DISABLED", enabled: false });
    await person.call("DELETE", `/v1/api-keys/${key.id}`);
    expect(await key.validate({ address })).toEqual({ valid: false, code: "NOT_FOUND" });
  });

  it("takes the cost that is named, from all limits or none", async () => {
    const key = await makeKey(person, {
      limits: [
        { name: "small", quota: 5, windowSeconds: 60 },
        { name: "large", quota: 50, windowSeconds: 60 },
      ],
    });
    expect(await key.validate({ cost: 4 })).toMatchObject({ code: "VALID", limit: { name: "small", remaining: 1 } });
    expect(await key.validate({ cost: 4 })).toMatchObject({ code: "RATE_LIMITED" });
    expect(await key.validate({ cost: 1 })).toMatchObject({ code: "VALID", limit: { name: "small", remaining: 0 } });
  });

  it("knows no key of another workspace, and no forged one", async () => {
    const theirs = await makeKey(await signUp());
    for (const key of [theirs.key, `${theirs.key}x`, "nonsense", `pe-${random(30)}`]) {
      const answer = await person.call("POST", "/v1/api-keys/validate", { body: { key } });
      expect(answer).toMatchObject({ status: 200 });
      expect(answer.body).toEqual({ valid: false, code: "NOT_FOUND" });
    }
    expect(await theirs.validate()).toMatchObject({ code: "VALID" });
  });

  it("of the request's own credential needs no body", async () => {
    const key = await makeKey(person, { mode: "test" });
    expect((await key.use("POST", "/v1/api-keys/validate")).body).toMatchObject({
      code: "VALID",
      keyId: key.id,
      mode: "test",
    });
    expect((await person.call("POST", "/v1/api-keys/validate")).body).toEqual({ valid: false, code: "NOT_FOUND" });
  });

  it.each(["files:read and", "files:burn", "not files:read", "(files:read"])(
    "refuses the question %s",
    async (scopes) => {
      const key = await makeKey(person);
      const answer = await person.call("POST", "/v1/api-keys/validate", { body: { key: key.key, scopes } });
      expect(answer).toMatchObject({ status: 422, body: { code: "scope-query-invalid" } });
    },
  );
});

describe("usage", () => {
  it("is counted by day and outcome", async () => {
    const key = await makeKey(person, {
      scopes: ["jobs:read"],
      limits: [{ name: "few", quota: 4, windowSeconds: 60 }],
    });
    for (let round = 0; round < 3; round += 1) await key.use("GET", "/v1/jobs");
    await key.use("GET", "/v1/files");
    await key.validate({ scopes: "files:read" });
    await key.validate();
    await key.use("GET", "/v1/jobs");
    const { status, body } = await person.call("GET", `/v1/api-keys/${key.id}/usage?days=7`);
    expect(status).toBe(200);
    const today = new Date().toISOString().slice(0, 10);
    const outcomes = { VALID: 4, INSUFFICIENT_PERMISSIONS: 2, RATE_LIMITED: 1 };
    expect(body).toMatchObject({ keyId: key.id, to: today, total: 7, outcomes });
    expect(body.items).toHaveLength(7);
    expect(body.items.at(-1)).toEqual({ day: today, total: 7, outcomes });
  });

  it("is written some seconds after the first use when nobody asks", async () => {
    const key = await makeKey(person, { scopes: ["jobs:read"] });
    const env = { ...bindings, KEY_USAGE_FLUSH_SECONDS: "1" };
    await person.call("GET", `/v1/api-keys/${key.id}/usage`);
    await Promise.all([key.use("GET", "/v1/jobs", { env }), key.use("GET", "/v1/jobs", { env })]);
    const row = await bindings.DB.prepare("select sum(uses) as uses from api_key_uses where key_id = ?")
      .bind(key.id)
      .first();
    expect(row).toEqual({ uses: 2 });
  });

  it("of another workspace's key is nobody else's to see", async () => {
    const key = await makeKey(person);
    const other = await signUp();
    for (const [method, rest] of [
      ["GET", "/usage"],
      ["POST", "/rotate"],
    ] as const) {
      const foreign = await other.call(method, `/v1/api-keys/${key.id}${rest}`);
      expect(foreign).toMatchObject({ status: 404, body: { code: "api-key-not-found" } });
    }
  });
});
