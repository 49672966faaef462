/** What arrives at an endpoint: signed, once for each event, tried again when it fails, and never to somebody else. */
import { Webhook } from "standardwebhooks";
import { beforeEach, describe, expect, it } from "vitest";
import { runJob } from "#app/run-job";
import { bindings, type Person, signUp, systemContext } from "#test/support/harness";
import { mailsTo } from "#test/support/mails";
import { addEndpoint, emit, type Endpoint, hurry, received, runDue } from "./support.ts";

let person: Person;

beforeEach(async () => {
  person = await signUp();
});

const deliveriesOf = async ({ id }: Endpoint) => (await person.call("GET", `/v1/webhooks/${id}/deliveries`)).body.items;
const stateOf = async ({ id }: Endpoint) => (await person.call("GET", `/v1/webhooks/${id}`)).body;

describe("a delivery", () => {
  it("is signed so that the receivers' library accepts it, and refuses it when a byte is changed", async () => {
    const endpoint = await addEndpoint(person);
    await emit(person, { conversionId: "conv_1", status: "completed", downloadUrl: "https://example.com/x" });
    const [request] = await received(endpoint.box);
    expect(request).toMatchObject({ method: "POST", headers: { "content-type": "application/json" } });
    const library = new Webhook(endpoint.secret);
    expect(library.verify(request?.body ?? "", request?.headers ?? {})).toMatchObject({
      type: "conversion.completed",
      timestamp: expect.any(String),
      data: { conversionId: "conv_1", status: "completed", downloadUrl: "https://example.com/x" },
    });
    expect(() => library.verify(`${request?.body} `, request?.headers ?? {})).toThrow(/signature/i);
    expect(endpoint.secret).toMatch(/^whsec_/);
    expect(atob(endpoint.secret.slice(6))).toHaveLength(32);
  });

  it("is logged with its tries, and nothing of the answer is shown", async () => {
    const endpoint = await addEndpoint(person);
    await emit(person);
    const [delivery] = await deliveriesOf(endpoint);
    expect(delivery).toMatchObject({
      state: "delivered",
      attemptCount: 1,
      lastStatus: 200,
      attempts: [{ number: 1, status: 200, outcome: "delivered", durationMs: expect.any(Number) }],
    });
    expect(JSON.stringify(delivery)).not.toContain("stays with it");
    expect((await received(endpoint.box))[0]?.headers["webhook-id"]).toBe(delivery.eventId);
  });

  it("is one row and one request for an event, however often its jobs run", async () => {
    const endpoint = await addEndpoint(person);
    await emit(person);
    const { results } = await bindings.DB.prepare(
      "select id from jobs where workspace_id = ? and name like 'webhooks.%'",
    )
      .bind(person.workspaceId)
      .all<{ id: string }>();
    expect(results).toHaveLength(2);
    // A hint that comes again, and a run that died before it could write that it was done.
    for (const { id } of results) await runJob(systemContext(), id);
    await bindings.DB.prepare(
      "update jobs set state = 'running', ended_at = null, lease_until = 1 where workspace_id = ? and name = 'webhooks.fan-out'",
    )
      .bind(person.workspaceId)
      .run();
    await Promise.all(results.map(({ id }) => runJob(systemContext(), id)));
    await runDue(person);
    expect(await deliveriesOf(endpoint)).toHaveLength(1);
    expect(await received(endpoint.box)).toHaveLength(1);
  });

  it("goes to the endpoints whose filter names the type, of this workspace alone", async () => {
    const other = await signUp();
    const theirs = await addEndpoint(other);
    const wanted = await addEndpoint(person, 200, ["conversion.*"]);
    const exact = await addEndpoint(person, 200, ["conversion.completed", "ping"]);
    const unwanted = await addEndpoint(person, 200, ["file.*", "conversion.failed"]);
    await emit(person);
    expect(await received(wanted.box)).toHaveLength(1);
    expect(await received(exact.box)).toHaveLength(1);
    expect(await received(unwanted.box)).toHaveLength(0);
    expect(await received(theirs.box)).toHaveLength(0);
  });

  it("makes no job while nobody listens", async () => {
    const endpoint = await addEndpoint(person);
    await person.call("PATCH", `/v1/webhooks/${endpoint.id}`, { body: { enabled: false } });
    await emit(person);
    const row = await bindings.DB.prepare("select count(*) as jobs from jobs where workspace_id = ?")
      .bind(person.workspaceId)
      .first<{ jobs: number }>();
    expect(row?.jobs).toBe(0);
  });
});

describe("an endpoint that fails", () => {
  it("follows no redirect", async () => {
    const endpoint = await addEndpoint(person, 302);
    await emit(person);
    expect(await received(`${endpoint.box}-trap`)).toHaveLength(0);
    expect(await deliveriesOf(endpoint)).toMatchObject([{ state: "pending", lastStatus: 302 }]);
  });

  it("is tried ten times with the same id, then switched off, and its maker is told; others go on", async () => {
    const poison = await addEndpoint(person, 500);
    const well = await addEndpoint(person);
    await emit(person);
    for (let attempt = 2; attempt <= 10; attempt += 1) {
      expect(await stateOf(poison)).toMatchObject({ enabled: true });
      await hurry(person);
    }
    const requests = await received(poison.box);
    expect(requests).toHaveLength(10);
    expect(new Set(requests.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
    expect(await stateOf(poison)).toMatchObject({ enabled: false, disabledReason: "exhausted" });
    const [delivery] = await deliveriesOf(poison);
    expect(delivery).toMatchObject({ state: "failed", attemptCount: 10, nextAttemptAt: null });
    expect(delivery.attempts.map(({ number }: { number: number }) => number)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(await received(well.box)).toHaveLength(1);
    expect(await stateOf(well)).toMatchObject({ enabled: true });
    expect((await mailsTo(person.email)).map(({ template }) => template)).toContain("webhook-disabled");
    await hurry(person);
    expect(await received(poison.box)).toHaveLength(10);
  });

  it("stays on when it took other events meanwhile", async () => {
    const endpoint = await addEndpoint(person, 500);
    await emit(person);
    await bindings.DB.prepare("update webhooks set last_success_at = ? where id = ?")
      .bind(Date.now() + 1, endpoint.id)
      .run();
    for (let attempt = 2; attempt <= 10; attempt += 1) await hurry(person);
    expect(await deliveriesOf(endpoint)).toMatchObject([{ state: "failed", attemptCount: 10 }]);
    expect(await stateOf(endpoint)).toMatchObject({ enabled: true });
  });

  it("is switched off at once by 410", async () => {
    const endpoint = await addEndpoint(person, 410);
    await emit(person);
    expect(await stateOf(endpoint)).toMatchObject({ enabled: false, disabledReason: "gone" });
    expect(await deliveriesOf(endpoint)).toMatchObject([{ state: "failed", attemptCount: 1, lastStatus: 410 }]);
  });
});

describe("redelivery", () => {
  it("sends the same event with the same id, in the same row", async () => {
    const endpoint = await addEndpoint(person);
    await emit(person);
    const [delivery] = await deliveriesOf(endpoint);
    const path = `/v1/webhooks/${endpoint.id}/deliveries/${delivery.id}/redeliver`;
    const answers = await Promise.all([person.call("POST", path), person.call("POST", path)]);
    expect(answers.map(({ status }) => status)).toEqual([202, 202]);
    await runDue(person);
    const requests = await received(endpoint.box);
    // Two at once are one; the second may also have come after the first had ended.
    expect([2, 3]).toContain(requests.length);
    expect(new Set(requests.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
    expect(new Set(requests.map(({ body }) => body)).size).toBe(1);
    expect(await deliveriesOf(endpoint)).toMatchObject([
      { id: delivery.id, state: "delivered", attemptCount: requests.length },
    ]);
  });

  it("is refused for an endpoint that is off and for a delivery of another endpoint", async () => {
    const endpoint = await addEndpoint(person);
    const second = await addEndpoint(person, 200, ["ping"]);
    await emit(person);
    const [delivery] = await deliveriesOf(endpoint);
    const elsewhere = await person.call("POST", `/v1/webhooks/${second.id}/deliveries/${delivery.id}/redeliver`);
    expect(elsewhere).toMatchObject({ status: 404, body: { code: "webhook-delivery-not-found" } });
    await person.call("PATCH", `/v1/webhooks/${endpoint.id}`, { body: { enabled: false } });
    const off = await person.call("POST", `/v1/webhooks/${endpoint.id}/deliveries/${delivery.id}/redeliver`);
    expect(off).toMatchObject({ status: 409, body: { code: "webhook-disabled" } });
  });
});

describe("the secret", () => {
  it("is rotated with two signatures for a day, and one afterwards", async () => {
    const endpoint = await addEndpoint(person);
    const rotated = await person.call("POST", `/v1/webhooks/${endpoint.id}/rotate-secret`);
    expect(rotated).toMatchObject({ status: 200, body: { oldSecretUntil: expect.any(String) } });
    expect(rotated.body.secret).not.toBe(endpoint.secret);
    await emit(person);
    const [first] = await received(endpoint.box);
    for (const secret of [endpoint.secret, rotated.body.secret])
      expect(new Webhook(secret).verify(first?.body ?? "", first?.headers ?? {})).toMatchObject({
        type: "conversion.completed",
      });
    await bindings.DB.prepare("update webhooks set old_secret_until = 1 where id = ?").bind(endpoint.id).run();
    await emit(person);
    const [, second] = await received(endpoint.box);
    expect(second?.headers["webhook-signature"]?.split(" ")).toHaveLength(1);
    expect(() => new Webhook(endpoint.secret).verify(second?.body ?? "", second?.headers ?? {})).toThrow(/signature/i);
  });

  it("is shown to nobody whose rotation another one overwrote", async () => {
    const endpoint = await addEndpoint(person);
    const rotate = () => person.call("POST", `/v1/webhooks/${endpoint.id}/rotate-secret`);
    const answers = await Promise.all([rotate(), rotate()]);
    const made = answers.filter(({ status }) => status === 200);
    expect(made.length).toBeGreaterThan(0);
    for (const refused of answers.filter((answer) => !made.includes(answer)))
      expect(refused).toMatchObject({ status: 409, body: { code: "webhook-secret-changed" } });
    await emit(person);
    const [delivery] = await received(endpoint.box);
    for (const { body } of made)
      expect(new Webhook(body.secret).verify(delivery?.body ?? "", delivery?.headers ?? {})).toBeTypeOf("object");
    const entries = bindings.DB.prepare(
      "select count(*) as n from audit_log where action = 'webhook.secret-rotated' and target = ?",
    );
    expect(await entries.bind(endpoint.id).first("n")).toBe(made.length);
  });

  it("is shown once, and lies in the database in an envelope only", async () => {
    const endpoint = await addEndpoint(person);
    expect(await stateOf(endpoint)).not.toHaveProperty("secret");
    const row = await bindings.DB.prepare("select * from webhooks where id = ?").bind(endpoint.id).first();
    expect(JSON.stringify(row)).not.toContain(endpoint.secret.slice(6));
    const key = crypto.randomUUID();
    const body = { url: endpoint.url };
    const make = () => person.call("POST", "/v1/webhooks", { body, headers: { "idempotency-key": key } });
    expect((await make()).body.secret).toMatch(/^whsec_/);
    const replayed = await make();
    expect(replayed.headers.get("idempotency-replayed")).toBe("true");
    expect(replayed.body).not.toHaveProperty("secret");
  });
});
