/** Endpoints as their owners manage them, and the addresses that nobody may name. */
import { beforeAll, describe, expect, it } from "vitest";
import { eventTypeNames } from "#features/webhooks/events";
import { bindings, type Person, signUp } from "#test/support/harness";
import { addEndpoint, received, receiver } from "./support.ts";

let person: Person;
let other: Person;

beforeAll(async () => {
  person = await signUp();
  other = await signUp();
});

const url = "https://hooks.example.com/overtone";

describe("an endpoint", () => {
  it("is made, listed, changed, switched off and on, and deleted, each act on record", async () => {
    const made = await person.call("POST", "/v1/webhooks", { body: { url, description: "main", events: ["file.*"] } });
    expect(made).toMatchObject({ status: 201, body: { url, events: ["file.*"], enabled: true, disabledReason: null } });
    const path = `/v1/webhooks/${made.body.id}`;
    expect((await person.call("GET", "/v1/webhooks")).body.items.map(({ id }: { id: string }) => id)).toContain(
      made.body.id,
    );
    const off = await person.call("PATCH", path, { body: { enabled: false, events: ["*"] } });
    expect(off).toMatchObject({ status: 200, body: { enabled: false, disabledReason: "person", events: ["*"] } });
    expect((await person.call("PATCH", path, { body: { enabled: true } })).body).toMatchObject({
      enabled: true,
      disabledReason: null,
    });
    expect((await person.call("DELETE", path)).status).toBe(204);
    expect(await person.call("GET", path)).toMatchObject({ status: 404, body: { code: "webhook-not-found" } });
    const { results } = await bindings.DB.prepare("select action from audit_log where target = ? order by id")
      .bind(made.body.id)
      .all<{ action: string }>();
    expect(results.map(({ action }) => action)).toEqual([
      "webhook.created",
      "webhook.changed",
      "webhook.changed",
      "webhook.deleted",
    ]);
  });

  it("of another workspace is the same 404 as one that does not exist", async () => {
    const theirs = await addEndpoint(other);
    for (const [method, rest, body] of [
      ["GET", "", undefined],
      ["PATCH", "", { enabled: false }],
      ["DELETE", "", undefined],
      ["POST", "/rotate-secret", undefined],
      ["POST", "/test", undefined],
      ["GET", "/deliveries", undefined],
    ] as const) {
      const foreign = await person.call(method, `/v1/webhooks/${theirs.id}${rest}`, { body });
      const unknown = await person.call(method, `/v1/webhooks/whk_none${rest}`, { body });
      expect(foreign).toMatchObject({ status: 404, body: { code: "webhook-not-found" } });
      expect({ ...foreign.body, requestId: "" }).toEqual({ ...unknown.body, requestId: "" });
    }
    expect((await other.call("GET", `/v1/webhooks/${theirs.id}`)).body).toMatchObject({ enabled: true });
  });

  it("may not be one of too many", async () => {
    const many = await signUp();
    for (let made = 0; made < 20; made += 1)
      expect((await many.call("POST", "/v1/webhooks", { body: { url } })).status).toBe(201);
    const beyond = await many.call("POST", "/v1/webhooks", { body: { url } });
    expect(beyond).toMatchObject({ status: 409, body: { code: "webhook-limit-reached" } });
  });

  it.each([
    ["an unknown type", { url, events: ["conversion.finished"] }],
    ["an unknown kind", { url, events: ["film.*"] }],
    ["a bare beginning", { url, events: ["conversion*"] }],
    ["no type", { url, events: [] }],
    ["a member of the server's", { url, enabled: true, secret: "whsec_x" }],
  ])("is refused with %s", async (_, body) => {
    expect(await person.call("POST", "/v1/webhooks", { body })).toMatchObject({
      status: 422,
      body: { code: "validation-failed" },
    });
  });

  it.each([
    ["http://hooks.example.com/", "not-https"],
    ["https://hooks.example.com:8443/", "port"],
    ["https://me:secret@hooks.example.com/", "has-credentials"],
    ["https://10.0.0.1/", "literal-address"],
    ["https://[::1]/", "literal-address"],
    ["https://localhost/", "local-name"],
    ["https://printer.local/", "local-name"],
    ["ftp://hooks.example.com/", "not-https"],
    ["hooks.example.com", "not-a-url"],
  ])("is refused at %s: %s", async (address, reason) => {
    const before = (await person.call("GET", "/v1/webhooks")).body.items.length;
    expect(await person.call("POST", "/v1/webhooks", { body: { url: address } })).toMatchObject({
      status: 422,
      body: { code: "address-refused", reason },
    });
    const kept = await addEndpoint(person);
    const changed = await person.call("PATCH", `/v1/webhooks/${kept.id}`, { body: { url: address } });
    expect(changed).toMatchObject({ status: 422, body: { code: "address-refused", reason } });
    await person.call("DELETE", `/v1/webhooks/${kept.id}`);
    expect((await person.call("GET", "/v1/webhooks")).body.items).toHaveLength(before);
  });
});

describe("a test", () => {
  it("sends a ping and tells how it went, also when the endpoint is off", async () => {
    const endpoint = await addEndpoint(person, 200, ["file.*"]);
    await person.call("PATCH", `/v1/webhooks/${endpoint.id}`, { body: { enabled: false } });
    const tested = await person.call("POST", `/v1/webhooks/${endpoint.id}/test`);
    expect(tested).toMatchObject({ status: 200, body: { type: "ping", state: "delivered", lastStatus: 200 } });
    expect(await received(endpoint.box)).toHaveLength(1);
  });

  it("that fails is not repeated and switches nothing off", async () => {
    const endpoint = await addEndpoint(person, 500);
    const tested = await person.call("POST", `/v1/webhooks/${endpoint.id}/test`);
    expect(tested).toMatchObject({ status: 200, body: { state: "failed", attemptCount: 1, lastStatus: 500 } });
    const dead = await person.call("POST", "/v1/webhooks", { body: { url: receiver.replace(/:\d+$/, ":1/") } });
    const unreachable = await person.call("POST", `/v1/webhooks/${dead.body.id}/test`);
    expect(unreachable.body).toMatchObject({
      state: "failed",
      lastStatus: null,
      attempts: [{ outcome: "unreachable" }],
    });
    expect((await person.call("GET", `/v1/webhooks/${dead.body.id}`)).body).toMatchObject({ enabled: true });
  });
});

describe("the catalogue", () => {
  it("names every type with an example", async () => {
    const { status, body } = await person.call("GET", "/v1/webhooks/event-types");
    expect(status).toBe(200);
    expect(body.items.map(({ type }: { type: string }) => type)).toEqual(eventTypeNames);
    expect(body.items[0].example).toMatchObject({
      conversionId: expect.any(String),
      status: "completed",
      downloadUrl: expect.any(String),
    });
  });
});
