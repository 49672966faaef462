/** POST /v1/tokens/reserve, consume, release: work that is done elsewhere keeps within the same limits as everything else. */
import { describe, expect, it } from "vitest";
import { holdOutside } from "#durable/ledger/client";
import { consume, release } from "#features/tokens/reservations";
import { takeUsage, putBackUsage } from "#features/usage/service";
import { bindings, type Called, call, overrideLimits, type Person, signUp } from "#test/support/harness";
import { family } from "../sub-users/support.ts";
import { actingAs } from "../usage/support.ts";

type Caller = Pick<Person, "call">;

const reserve = (who: Caller, body: object, headers: Record<string, string> = {}): Promise<Called> =>
  who.call("POST", "/v1/tokens/reserve", { body, headers });
const consumed = (who: Caller, body: object): Promise<Called> => who.call("POST", "/v1/tokens/consume", { body });
const released = (who: Caller, reservation_id: string): Promise<Called> =>
  who.call("POST", "/v1/tokens/release", { body: { reservation_id } });
const balance = async (who: Caller) => (await who.call("GET", "/v1/tokens/balance")).body;

async function reserved(who: Caller, tokens: number): Promise<string> {
  const { status, body } = await reserve(who, { tokens });
  expect(status, JSON.stringify(body)).toBe(200);
  return body.reservation_id;
}

describe("a reservation", () => {
  it("holds tokens until they are consumed; what was not used returns", async () => {
    const person = await signUp();
    const before = Date.now();
    const { status, body } = await reserve(person, { tokens: 2_000, model: "gpt-4o", expires_in_seconds: 60 });
    expect([status, body]).toEqual([
      200,
      {
        success: true,
        reservation_id: expect.stringMatching(/^rsv_[0-9a-z]{26}$/),
        reserved_tokens: 2_000,
        tokens_remaining: 48_000,
        expires_at: expect.any(String),
      },
    ]);
    expect(Date.parse(body.expires_at) - before).toBeGreaterThanOrEqual(60_000);
    expect(Date.parse(body.expires_at) - Date.now()).toBeLessThanOrEqual(60_000);
    expect(await balance(person)).toMatchObject({ tokens_used: 0, tokens_reserved: 2_000, tokens_remaining: 48_000 });
    expect((await person.call("GET", "/v1/usage/quota/aiTokens")).body).toMatchObject({ used: 0, reserved: 2_000 });
    const done = await consumed(person, { reservation_id: body.reservation_id, tokens: 1_350 });
    expect([done.status, done.body]).toEqual([
      200,
      {
        success: true,
        reservation_id: body.reservation_id,
        tokens_consumed: 1_350,
        tokens_uncovered: 0,
        tokens_remaining: 48_650,
      },
    ]);
    expect(await balance(person)).toMatchObject({ tokens_used: 1_350, tokens_reserved: 0, tokens_remaining: 48_650 });
  });

  it("is consumed once, however often and however many at a time", async () => {
    const person = await signUp();
    const id = await reserved(person, 100);
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => consumed(person, { reservation_id: id, tokens: 70 })),
    );
    for (const { status, body } of answers) expect([status, body.tokens_consumed]).toEqual([200, 70]);
    expect((await consumed(person, { reservation_id: id, tokens: 9 })).body).toMatchObject({ tokens_consumed: 70 });
    expect(await balance(person)).toMatchObject({ tokens_used: 70, tokens_reserved: 0 });
    expect((await person.call("GET", "/v1/tokens/usage")).body.totals).toMatchObject({ requests: 1, tokens_used: 70 });
    expect(await released(person, id)).toMatchObject({ status: 409, body: { code: "token-reservation-consumed" } });
  });

  it("is given back once, and then holds and charges nothing", async () => {
    const person = await signUp();
    const id = await reserved(person, 100);
    for (let times = 0; times < 2; times += 1)
      expect((await released(person, id)).body).toEqual({
        success: true,
        reservation_id: id,
        tokens_released: 100,
        tokens_remaining: 50_000,
      });
    expect(await consumed(person, { reservation_id: id, tokens: 5 })).toMatchObject({
      status: 409,
      body: { code: "token-reservation-released" },
    });
    expect(await balance(person)).toMatchObject({ tokens_used: 0, tokens_reserved: 0 });
  });

  it("that lapsed has returned, and is charged to nobody", async () => {
    const person = await signUp();
    const [one, other] = [await reserved(person, 100), await reserved(person, 50)];
    const later = actingAs(person, { nowMs: Date.now() + 600_001 });
    const expired = { code: "token-reservation-expired", status: 410 };
    await expect(consume(later, { reservation_id: one, tokens: 5 })).rejects.toMatchObject(expired);
    await expect(release(later, other)).rejects.toMatchObject(expired);
    expect(await consumed(person, { reservation_id: one, tokens: 5 })).toMatchObject({ status: 410 });
    expect(await balance(person)).toMatchObject({ tokens_used: 0, tokens_reserved: 0, tokens_remaining: 50_000 });
  });

  it("is its maker's alone: a foreign one is like an unknown one", async () => {
    const { parent, child } = await family();
    const stranger = await signUp();
    const id = await reserved(parent, 100);
    for (const who of [stranger, child]) {
      for (const act of [
        (of: string) => consumed(who, { reservation_id: of, tokens: 1 }),
        (of: string) => released(who, of),
      ]) {
        const [foreign, unknown] = [await act(id), await act("rsv_00000000000000000000000000")];
        expect(foreign).toMatchObject({ status: 404, body: { code: "token-reservation-not-found" } });
        expect({ ...foreign.body, requestId: "" }).toEqual({ ...unknown.body, requestId: "" });
      }
    }
    expect(await balance(parent)).toMatchObject({ tokens_used: 0, tokens_reserved: 100 });
  });

  it("is one, however often it is asked for under an Idempotency-Key", async () => {
    const person = await signUp();
    const key = { "idempotency-key": crypto.randomUUID() };
    const [one, other] = [await reserve(person, { tokens: 100 }, key), await reserve(person, { tokens: 100 }, key)];
    expect(other.body).toEqual(one.body);
    expect(await balance(person)).toMatchObject({ tokens_reserved: 100 });
  });

  it("takes members in camelCase, ignores unknown ones, and refuses what is wrong with nothing held", async () => {
    const person = await signUp();
    const made = await reserve(person, { tokens: 10, expiresInSeconds: 30, colour: "blue" });
    expect(Date.parse(made.body.expires_at) - Date.now()).toBeLessThanOrEqual(30_000);
    await released(person, made.body.reservation_id);
    const wrong = [
      {},
      { tokens: 0 },
      { tokens: -1 },
      { tokens: 1.5 },
      { tokens: "many" },
      { tokens: 10_000_001 },
      { tokens: 1, expires_in_seconds: 3_601 },
      { tokens: 1, expires_in_seconds: 20, expiresInSeconds: 30 },
      { tokens: 1, plan: "enterprise" },
    ];
    for (const body of wrong) expect((await reserve(person, body)).status, JSON.stringify(body)).toBe(422);
    expect((await consumed(person, { tokens: 10, input_tokens: 8, output_tokens: 3 })).status).toBe(422);
    expect(await balance(person)).toMatchObject({ tokens_used: 0, tokens_reserved: 0 });
  });
});

describe("the end of a budget", () => {
  it("64 reservations at once pass no limit, and all that is left can be used", async () => {
    const person = await signUp();
    await overrideLimits(person.workspaceId, { aiTokensPerMonth: 1_000 });
    const answers = await Promise.all(Array.from({ length: 64 }, () => reserve(person, { tokens: 70 })));
    const admitted = answers.filter(({ status }) => status === 200);
    const refused = answers.filter(({ status }) => status === 429);
    expect([admitted.length, refused.length]).toEqual([14, 50]);
    expect(refused[0]?.body).toMatchObject({
      code: "quota-exceeded",
      error: expect.any(String),
      required_tokens: 70,
      available_tokens: 20,
      limit: 1_000,
    });
    await Promise.all(
      admitted.map(({ body }) => consumed(person, { reservation_id: body.reservation_id, tokens: 70 })),
    );
    expect(await balance(person)).toMatchObject({ tokens_used: 980, tokens_reserved: 0, tokens_remaining: 20 });
  });

  it("what was used beyond a reservation is charged as far as anything is left", async () => {
    const person = await signUp();
    await overrideLimits(person.workspaceId, { aiTokensPerMonth: 100 });
    const [one, other] = [await reserved(person, 30), await reserved(person, 20)];
    expect((await consumed(person, { reservation_id: one, tokens: 45 })).body).toMatchObject({
      tokens_consumed: 45,
      tokens_uncovered: 0,
      tokens_remaining: 35,
    });
    expect((await consumed(person, { reservation_id: other, tokens: 200 })).body).toMatchObject({
      tokens_consumed: 55,
      tokens_uncovered: 145,
      tokens_remaining: 0,
    });
    expect(await balance(person)).toMatchObject({ tokens_used: 100, tokens_remaining: 0 });
    expect((await person.call("GET", "/v1/tokens/usage")).body.total_tokens).toBe(100);
  });

  it("of a sub-user is its own limit, and the workspace is charged too", async () => {
    const limits = {
      monthly_tokens: 100,
      requests_per_minute: 600,
      requests_per_hour: 1_000,
      max_concurrent_requests: 50,
    };
    const { parent, child } = await family({ limits });
    const answers = await Promise.all(Array.from({ length: 10 }, () => reserve(child, { tokens: 30 })));
    const admitted = answers.filter(({ status }) => status === 200);
    expect(admitted).toHaveLength(3);
    expect(answers.find(({ status }) => status === 429)?.body).toMatchObject({ scope: "user", limit: 100 });
    const [first] = admitted;
    expect((await consumed(child, { reservation_id: first?.body.reservation_id, tokens: 90 })).body).toMatchObject({
      tokens_consumed: 40,
      tokens_uncovered: 50,
      tokens_remaining: 0,
    });
    expect(await balance(child)).toMatchObject({
      monthly_limit: 100,
      tokens_used: 40,
      tokens_reserved: 60,
      tokens_remaining: 0,
      limited_by: "user",
    });
    expect(await balance(parent)).toMatchObject({ monthly_limit: 50_000, tokens_used: 40, tokens_reserved: 60 });
  });

  it("of a key is its own limit, in all its periods", async () => {
    const person = await signUp();
    const budgets = [{ meter: "aiTokens", limit: 50, period: "total" }];
    const made = await person.call("POST", "/v1/api-keys", {
      body: { name: "few", scopes: ["models:use"], budgets },
    });
    const byKey: Caller = {
      call: (method, path, options = {}) => call(method, path, { ...options, as: made.body.key }),
    };
    const { body } = await reserve(byKey, { tokens: 30 });
    expect(body.tokens_remaining).toBe(20);
    expect(await reserve(byKey, { tokens: 21 })).toMatchObject({ status: 429, body: { scope: "key", limit: 50 } });
    expect((await byKey.call("GET", "/v1/tokens/limits")).body.limits).toContainEqual({
      resource: "tokens",
      scope: "key",
      period: "total",
      limit: 50,
      used: 0,
      reserved: 30,
      remaining: 20,
      reset_date: null,
    });
  });

  it("what a model request of a moment ago did not need can be reserved", async () => {
    const person = await signUp();
    await overrideLimits(person.workspaceId, { aiTokensPerMonth: 100 });
    const ctx = actingAs(person, { overrides: { aiTokensPerMonth: 100 } });
    const ticket = await takeUsage(ctx, { amounts: { aiTokens: 80 }, model: "gpt-4o" });
    putBackUsage(ctx, ticket, { amounts: { aiTokens: 10 } });
    expect((await reserve(person, { tokens: 90 })).body).toMatchObject({ tokens_remaining: 0 });
  });
});

describe("consuming without a reservation", () => {
  it("charges at once or refuses as a whole", async () => {
    const person = await signUp();
    await overrideLimits(person.workspaceId, { aiTokensPerMonth: 100 });
    expect((await consumed(person, { tokens: 80 })).body).toEqual({
      success: true,
      reservation_id: null,
      tokens_consumed: 80,
      tokens_uncovered: 0,
      tokens_remaining: 20,
    });
    expect(await consumed(person, { tokens: 21 })).toMatchObject({ status: 429, body: { available_tokens: 20 } });
    expect(await balance(person)).toMatchObject({ tokens_used: 80 });
  });
});

describe("what a caller may not", () => {
  it("is to reserve for a model that a sub-user has not, or to have a thousand reservations open", async () => {
    const { child } = await family({ permissions: { allowed_models: ["gpt-4o*"] } });
    expect((await reserve(child, { tokens: 1, model: "gpt-4o-mini" })).status).toBe(200);
    expect(await reserve(child, { tokens: 1, model: "claude-opus" })).toMatchObject({
      status: 403,
      body: { code: "model-not-allowed" },
    });
    const person = await signUp();
    const request = {
      workspaceId: person.workspaceId,
      meters: [{ meter: "aiTokens" as const, amount: 1, limit: 50_000 }],
      scopes: { userId: person.userId },
      ttlMs: 60_000,
      openMax: 1_000,
    };
    await Promise.all(
      Array.from({ length: 1_000 }, (_, index) =>
        holdOutside(bindings.LEDGER, { ...request, reservationId: `tokens:${index}` }),
      ),
    );
    expect(await reserve(person, { tokens: 1 })).toMatchObject({
      status: 429,
      body: { code: "too-many-token-reservations", limit: 1_000 },
    });
    expect(await balance(person)).toMatchObject({ tokens_reserved: 1_000 });
  });

  it("in test mode, is to touch the counters or what is live", async () => {
    const person = await signUp();
    const made = await person.call("POST", "/v1/api-keys", {
      body: { name: "trial", scopes: ["models:use"], mode: "test" },
    });
    const trial: Caller = {
      call: (method, path, options = {}) => call(method, path, { ...options, as: made.body.key }),
    };
    const live = await reserved(person, 10);
    expect(await consumed(trial, { reservation_id: live, tokens: 1 })).toMatchObject({ status: 404 });
    const id = await reserved(trial, 60_000);
    expect(await consumed(person, { reservation_id: id, tokens: 1 })).toMatchObject({ status: 404 });
    expect((await consumed(trial, { reservation_id: id, tokens: 55_000 })).body).toMatchObject({
      tokens_consumed: 55_000,
      tokens_uncovered: 0,
    });
    expect(await released(trial, id)).toMatchObject({ status: 409 });
    expect((await consumed(trial, { tokens: 55_000 })).body).toMatchObject({ tokens_consumed: 55_000 });
    expect(await balance(person)).toMatchObject({ tokens_used: 0, tokens_reserved: 10 });
    expect((await person.call("GET", "/v1/tokens/usage")).body.total_requests).toBe(0);
  });
});
