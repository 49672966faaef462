/** What a key may be restricted to: limits, addresses, time, being off, and its maker's own role. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { bindings, call, type Person, signUp } from "#test/support/harness";
import { makeKey } from "./support.ts";

let person: Person;

beforeEach(async () => {
  person = await signUp();
});

afterEach(() => void vi.restoreAllMocks());

describe("named limits", () => {
  it("admit exactly their quota, and name themselves in the refusal", async () => {
    const limits = [
      { name: "burst", quota: 5, windowSeconds: 60 },
      { name: "hour", quota: 1_000, windowSeconds: 3_600 },
    ];
    const key = await makeKey(person, { limits });
    const answers = await Promise.all(Array.from({ length: 20 }, () => key.use("GET", "/v1/jobs")));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(5);
    const refused = answers.find(({ status }) => status === 429);
    expect(refused).toMatchObject({ body: { code: "rate-limited", limit: "key:burst", quota: 5 } });
    expect(Number(refused?.headers.get("retry-after"))).toBeGreaterThan(0);
  });

  it("take each its own cost, from all or from none", async () => {
    const limits = [
      { name: "cheap", quota: 10, windowSeconds: 60 },
      { name: "dear", quota: 10, windowSeconds: 60, cost: 4 },
    ];
    const key = await makeKey(person, { limits });
    const statuses = [];
    for (let index = 0; index < 4; index += 1) statuses.push((await key.use("GET", "/v1/jobs")).status);
    expect(statuses).toEqual([200, 200, 429, 429]);
    await person.call("PATCH", `/v1/api-keys/${key.id}`, { body: { limits: [limits[0]] } });
    // Of the cheap one nothing was taken by what the dear one refused.
    expect(await key.validate()).toMatchObject({ code: "VALID", limit: { name: "cheap", remaining: 7 } });
  });

  it.each([
    [
      "a name twice",
      [
        { name: "a", quota: 1, windowSeconds: 1 },
        { name: "a", quota: 2, windowSeconds: 1 },
      ],
    ],
    ["a cost beyond the quota", [{ name: "a", quota: 1, windowSeconds: 1, cost: 2 }]],
    ["no quota", [{ name: "a", quota: 0, windowSeconds: 1 }]],
    ["too many", Array.from({ length: 11 }, (_, index) => ({ name: `l${index}`, quota: 1, windowSeconds: 1 }))],
  ])("with %s are refused", async (_, limits) => {
    const answer = await person.call("POST", "/v1/api-keys", { body: { name: "x", limits } });
    expect(answer).toMatchObject({ status: 422, body: { code: "validation-failed" } });
  });
});

describe("a list of addresses", () => {
  it("lets in what is in it, of both families, and nothing else", async () => {
    const key = await makeKey(person, { allowedAddresses: ["203.0.113.0/28", "198.51.100.7", "2001:db8:1::/48"] });
    for (const from of ["203.0.113.0", "203.0.113.15", "198.51.100.7", "::ffff:203.0.113.3", "2001:db8:1:ffff::9"])
      expect((await key.use("GET", "/v1/jobs", { from })).status, from).toBe(200);
    for (const from of ["203.0.113.16", "198.51.100.8", "2001:db8:2::1", "::203.0.113.3", "", "local"])
      expect(await key.use("GET", "/v1/jobs", { from }), from).toMatchObject({
        status: 403,
        body: { code: "address-not-allowed" },
      });
    await person.call("PATCH", `/v1/api-keys/${key.id}`, { body: { allowedAddresses: [] } });
    expect((await key.use("GET", "/v1/api-keys", { from: "192.0.2.1" })).body.code).toBe("permission-denied");
  });

  it.each([
    "203.0.113.1/28",
    "203.0.113.0/33",
    "203.0.113",
    "1.2.3.4.5",
    "2001:db8::/129",
    "example.com",
    "0x7f.0.0.1",
    "[::1]",
  ])("refuses %s", async (range) => {
    const answer = await person.call("POST", "/v1/api-keys", { body: { name: "x", allowedAddresses: [range] } });
    expect(answer).toMatchObject({ status: 422, body: { code: "validation-failed" } });
  });
});

describe("metadata", () => {
  it("is kept, shown and changed, up to 16 KiB", async () => {
    const key = await makeKey(person, { metadata: { team: "backend", nested: { list: [1, null, "x"] } } });
    const read = await person.call("GET", `/v1/api-keys/${key.id}`);
    expect(read.body.metadata).toEqual({ team: "backend", nested: { list: [1, null, "x"] } });
    expect(await key.validate()).toMatchObject({ metadata: { team: "backend" } });
    expect(
      (await person.call("PATCH", `/v1/api-keys/${key.id}`, { body: { metadata: null } })).body.metadata,
    ).toBeNull();
    for (const [characters, status] of [
      [16_300, 200],
      [16_400, 422],
    ] as const)
      expect(
        (await person.call("PATCH", `/v1/api-keys/${key.id}`, { body: { metadata: { note: "x".repeat(characters) } } }))
          .status,
      ).toBe(status);
  });
});

describe("a key that was switched off, deleted or has ended", () => {
  it("is refused at once where access is checked anew", async () => {
    const key = await makeKey(person, { scopes: ["api-keys:read", "jobs:read"] });
    expect((await key.use("GET", "/v1/api-keys")).status).toBe(200);
    await person.call("PATCH", `/v1/api-keys/${key.id}`, { body: { enabled: false } });
    expect(await key.use("GET", "/v1/api-keys")).toMatchObject({ status: 401, body: { code: "credentials-invalid" } });
    // In this isolate the fresh look has told the others, too.
    expect((await key.use("GET", "/v1/jobs")).status).toBe(401);
    await person.call("PATCH", `/v1/api-keys/${key.id}`, { body: { enabled: true } });
    expect((await key.use("GET", "/v1/jobs")).status).toBe(200);
    await person.call("DELETE", `/v1/api-keys/${key.id}`);
    expect((await key.use("GET", "/v1/api-keys")).status).toBe(401);
  });

  it("ends at its time, whatever was remembered", async () => {
    const end = Date.now() + 3_000;
    const key = await makeKey(person, { expiresAt: new Date(end).toISOString() });
    expect((await key.use("GET", "/v1/jobs")).status).toBe(200);
    const realNow = Date.now;
    vi.spyOn(Date, "now").mockImplementation(() => realNow() + 3_000);
    expect(await key.use("GET", "/v1/jobs")).toMatchObject({ status: 401, body: { code: "credentials-expired" } });
    expect(await key.validate()).toMatchObject({ valid: false, code: "EXPIRED" });
    await person.call("PATCH", `/v1/api-keys/${key.id}`, { body: { expiresAt: null } });
    expect((await key.use("GET", "/v1/jobs")).status).toBe(200);
  });
});

describe("a key whose maker may do less than before", () => {
  it("does no more than its maker", async () => {
    const owner = await signUp();
    const join = "insert into workspace_members (workspace_id, user_id, role, created_at) values (?, ?, 'admin', 0)";
    await bindings.DB.prepare(join).bind(owner.workspaceId, person.userId).run();
    const inOwners = { headers: { "x-workspace-id": owner.workspaceId } };
    const made = await person.call("POST", "/v1/api-keys", {
      body: { name: "x", scopes: ["webhooks:read", "jobs:read"] },
      ...inOwners,
    });
    const use = (path: string) => call("GET", path, { as: made.body.key });
    expect((await use("/v1/webhooks")).status).toBe(200);
    const set = "update workspace_members set role = ? where workspace_id = ? and user_id = ?";
    await bindings.DB.prepare(set).bind("viewer", owner.workspaceId, person.userId).run();
    expect(await use("/v1/webhooks")).toMatchObject({ status: 403, body: { code: "permission-denied" } });
    expect((await use("/v1/jobs")).status).toBe(200);
    await bindings.DB.prepare("delete from workspace_members where workspace_id = ? and user_id = ?")
      .bind(owner.workspaceId, person.userId)
      .run();
    expect((await use("/v1/webhooks")).status).toBe(401);
  });

  it("is not handed by an admin to itself when its maker is the owner", async () => {
    const admin = await signUp();
    await bindings.DB.prepare(
      "insert into workspace_members (workspace_id, user_id, role, created_at) values (?, ?, 'admin', 0)",
    )
      .bind(person.workspaceId, admin.userId)
      .run();
    const { id } = await makeKey(person, { scopes: ["billing:write"] });
    const headers = { "x-workspace-id": person.workspaceId };
    const rotated = await admin.call("POST", `/v1/api-keys/${id}/rotate`, { body: {}, headers });
    expect(rotated).toMatchObject({ status: 422, body: { code: "scope-not-grantable" } });
    expect((await admin.call("PATCH", `/v1/api-keys/${id}`, { body: { enabled: false }, headers })).status).toBe(200);
    const on = await admin.call("PATCH", `/v1/api-keys/${id}`, { body: { enabled: true }, headers });
    expect(on).toMatchObject({ status: 422, body: { code: "scope-not-grantable" } });
    expect((await person.call("PATCH", `/v1/api-keys/${id}`, { body: { enabled: true } })).status).toBe(200);
  });
});

describe("a key that manages keys", () => {
  const manage = ["api-keys:read", "api-keys:write", "jobs:read"];

  it("revives, widens and rotates none that may do more than itself", async () => {
    const strong = await makeKey(person, { scopes: ["files:write"] });
    const manager = await makeKey(person, { scopes: manage });
    expect((await manager.use("PATCH", `/v1/api-keys/${strong.id}`, { body: { enabled: false } })).status).toBe(200);
    for (const [method, rest, body] of [
      ["PATCH", "", { enabled: true }],
      ["PATCH", "", { scopes: ["files:read"] }],
      ["POST", "/rotate", {}],
    ] as const) {
      const answer = await manager.use(method, `/v1/api-keys/${strong.id}${rest}`, { body });
      expect(answer, `${method} ${rest}`).toMatchObject({ status: 422, body: { code: "scope-not-grantable" } });
    }
    expect((await person.call("GET", `/v1/api-keys/${strong.id}`)).body).toMatchObject({
      enabled: false,
      scopes: ["files:write"],
    });
  });

  it("takes no restriction from itself, and makes no key without it", async () => {
    const end = new Date(Date.now() + 86_400_000).toISOString();
    const manager = await makeKey(person, { scopes: manage, expiresAt: end, allowedAddresses: ["203.0.113.0/24"] });
    const from = "203.0.113.9";
    const beyond = { status: 422, body: { code: "scope-not-grantable" } };
    for (const body of [
      { expiresAt: null },
      { expiresAt: new Date(Date.now() + 9 * 86_400_000).toISOString() },
      { allowedAddresses: [] },
      { allowedAddresses: ["203.0.112.0/23"] },
    ])
      expect(
        await manager.use("PATCH", `/v1/api-keys/${manager.id}`, { from, body }),
        JSON.stringify(body),
      ).toMatchObject(beyond);
    expect(
      await manager.use("POST", "/v1/api-keys", { from, body: { name: "x", allowedAddresses: [] } }),
    ).toMatchObject(beyond);
    const made = await manager.use("POST", "/v1/api-keys", { from, body: { name: "x" } });
    expect(made).toMatchObject({ status: 201, body: { allowedAddresses: ["203.0.113.0/24"], expiresAt: end } });
    const narrower = await manager.use("POST", "/v1/api-keys", {
      from,
      body: { name: "x", allowedAddresses: ["203.0.113.5"] },
    });
    expect(narrower.status).toBe(201);
  });

  it("that is limited makes no keys and changes no limits", async () => {
    const manager = await makeKey(person, { scopes: manage, limits: [{ name: "all", quota: 100, windowSeconds: 60 }] });
    const beyond = { status: 422, body: { code: "scope-not-grantable" } };
    expect(await manager.use("POST", "/v1/api-keys", { body: { name: "x" } })).toMatchObject(beyond);
    expect(await manager.use("PATCH", `/v1/api-keys/${manager.id}`, { body: { limits: [] } })).toMatchObject(beyond);
    expect((await manager.use("PATCH", `/v1/api-keys/${manager.id}`, { body: { name: "y" } })).status).toBe(200);
    const budgeted = await makeKey(person, {
      scopes: manage,
      budgets: [{ meter: "aiTokens", limit: 10, period: "month" }],
    });
    expect(await budgeted.use("PATCH", `/v1/api-keys/${budgeted.id}`, { body: { budgets: [] } })).toMatchObject(beyond);
  });
});
