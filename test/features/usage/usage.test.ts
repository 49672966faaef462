/** GET /v1/usage and its parts: the counters that are enforced, what was used when and by whom. */
import { beforeAll, describe, expect, it } from "vitest";
import {
  chargeCredits,
  chargeUsage,
  grantCredits,
  releaseUsage,
  reserveUsage,
  setUsagePeriod,
  settleUsage,
  usageBy,
} from "#features/usage/service";
import { dayName, dayOf, monthOf } from "#lib/usage-period";
import { bindings, call, overrideLimits, type Person, signUp } from "#test/support/harness";
import { actingAs, deliver, rows } from "./support.ts";

let person: Person;
beforeAll(async () => {
  person = await signUp();
});

const iso = (at: number) => new Date(at).toISOString();

describe("the counters", () => {
  it("show each resource with its limit, in both vocabularies", async () => {
    const ctx = actingAs(person);
    const hold = await reserveUsage(ctx, {
      reservationId: "show-1",
      amounts: { aiTokens: 4_000, transcriptionSeconds: 90 },
      model: "m/one",
      ttlMs: 60_000,
    });
    await settleUsage(ctx, hold, { aiTokens: 2_500, transcriptionSeconds: 75 });
    await reserveUsage(ctx, { reservationId: "show-2", amounts: { aiTokens: 500 }, ttlMs: 60_000 });
    const { status, body } = await person.call("GET", "/v1/usage");
    expect(status).toBe(200);
    const month = monthOf(Date.now());
    expect(body).toMatchObject({
      workspaceId: person.workspaceId,
      plan: "free",
      period: { startsAt: iso(month.startMs), endsAt: iso(month.endMs) },
      usage: { aiTokens: 2_500, transcription: 1.25, storage: 0, credits: 0 },
      limits: { aiTokens: 50_000, transcription: 30, storage: 1024 ** 3, credits: 10, money: null },
    });
    expect(body.resources.aiTokens).toEqual({
      resource: "aiTokens",
      resourceType: "aiTokens",
      unit: "tokens",
      used: 2_500,
      current: 2_500,
      reserved: 500,
      limit: 50_000,
      granted: 0,
      available: 47_000,
      percentUsed: 5,
      exceeded: false,
      resetsAt: iso(month.endMs),
    });
    expect(body.resources.credits.resetsAt).toBe(iso(dayOf(Date.now()).endMs));
    expect(body.resources.storage.resetsAt).toBeNull();
    await releaseUsage(ctx, { workspaceId: person.workspaceId, reservationId: "show-2" });
  });

  it("follow a superadmin's overrides", async () => {
    const other = await signUp();
    await overrideLimits(other.workspaceId, { aiTokensPerMonth: 7, creditsPerDay: null });
    const { body } = await other.call("GET", "/v1/usage");
    expect(body.limits).toMatchObject({ aiTokens: 7, credits: null, apiCalls: 1_000 });
    const quota = await other.call("GET", "/v1/usage/quota/credits");
    expect(quota.body).toMatchObject({ limit: null, available: null, percentUsed: null, exceeded: false });
  });

  it("show one resource, and know no other", async () => {
    const { body } = await person.call("GET", "/v1/usage/quota/transcription");
    expect(body).toMatchObject({
      resourceType: "transcription",
      current: 1.25,
      limit: 30,
      percentUsed: 4.17,
      available: 28.75,
    });
    expect(await person.call("GET", "/v1/usage/quota/gold")).toMatchObject({
      status: 422,
      body: { code: "validation-failed" },
    });
  });

  it("begin anew with the subscription's month", async () => {
    const other = await signUp();
    const anchorMs = Date.now() - 3 * 24 * 3_600_000;
    await chargeUsage(actingAs(other), { reservationId: "a", amounts: { aiTokens: 10 } });
    await setUsagePeriod(actingAs(other), other.workspaceId, anchorMs);
    const { body } = await other.call("GET", "/v1/usage");
    expect(body.period.startsAt).toBe(iso(anchorMs));
    expect(body.usage.aiTokens).toBe(0);
  });
});

describe("a quota that is used up", () => {
  it("answers with the resource, the limit, when it returns and what to do", async () => {
    const other = await signUp();
    const ctx = actingAs(other);
    await chargeUsage(ctx, { reservationId: "a", amounts: { aiTokens: 49_000 } });
    const refused = reserveUsage(ctx, { reservationId: "b", amounts: { aiTokens: 1_001 }, ttlMs: 1_000 });
    await expect(refused).rejects.toMatchObject({
      code: "quota-exceeded",
      options: {
        members: {
          resource: "aiTokens",
          limit: 50_000,
          used: 49_000,
          available: 1_000,
          needed: 1_001,
          resetsAt: iso(monthOf(Date.now()).endMs),
          suggestion: expect.stringContaining("prompts"),
        },
      },
    });
    expect((await other.call("GET", "/v1/usage/quota/aiTokens")).body).toMatchObject({ used: 49_000, reserved: 0 });
  });

  it("of a sub-user is its own, and the parent is charged too", async () => {
    const other = await signUp();
    const limits = {
      monthly_tokens: 100,
      requests_per_minute: 60,
      requests_per_hour: 1_000,
      max_api_keys: 3,
      max_concurrent_requests: 5,
    };
    const child = { ...actingAs(other), userId: "usr_child", subUser: { permissions: {} as never, limits } };
    await chargeUsage(child, { reservationId: "a", amounts: { aiTokens: 90 } });
    await expect(chargeUsage(child, { reservationId: "b", amounts: { aiTokens: 11 } })).rejects.toMatchObject({
      options: { members: { scope: "user", limit: 100, used: 90 } },
    });
    await chargeUsage(actingAs(other), { reservationId: "c", amounts: { aiTokens: 11 } });
    expect(await usageBy(child, { scope: "user", id: "usr_child" })).toEqual([
      { id: "usr_child", resource: "aiTokens", used: 90, reserved: 0 },
    ]);
    expect((await other.call("GET", "/v1/usage")).body.usage.aiTokens).toBe(101);
  });
});

describe("credits", () => {
  it("are ten a day, come back at midnight, and grants stay", async () => {
    const other = await signUp();
    const taken = await Promise.allSettled(
      Array.from({ length: 25 }, (_, index) => chargeCredits(actingAs(other), 1, `task-${index}`)),
    );
    expect(taken.filter(({ status }) => status === "fulfilled")).toHaveLength(10);
    await chargeCredits(actingAs(other), 1, "task-0");
    await expect(chargeCredits(actingAs(other), 1)).rejects.toMatchObject({ code: "quota-exceeded" });
    const grant = { workspaceId: other.workspaceId, credits: 3, grantId: "support-1" };
    expect(await grantCredits(actingAs(other), grant)).toBe(3);
    expect(await grantCredits(actingAs(other), grant)).toBe(3);
    await chargeCredits(actingAs(other), 2);
    expect((await other.call("GET", "/v1/usage/quota/credits")).body).toMatchObject({
      used: 12,
      granted: 1,
      available: 1,
    });
    const tomorrow = actingAs(other, { nowMs: dayOf(Date.now()).endMs });
    await chargeCredits(tomorrow, 11);
    await expect(chargeCredits(tomorrow, 1)).rejects.toMatchObject({ code: "quota-exceeded" });
  });
});

describe("history and statistics", () => {
  it("sum what was used by day, user and model, each event once", async () => {
    const other = await signUp();
    const today = Date.now();
    const yesterday = today - 24 * 3_600_000;
    const charge = (id: string, nowMs: number, tokens: number, model: string) =>
      chargeUsage(actingAs(other, { nowMs }), {
        reservationId: id,
        amounts: { aiTokens: tokens, moneyMicroUsd: tokens * 2 },
        model,
      });
    await charge("a", yesterday, 100, "m/one");
    await charge("b", today, 50, "m/one");
    await charge("c", today, 7, "m/two");
    await Promise.all([deliver(other), deliver(other), other.call("GET", "/v1/usage/history?days=2")]);
    await charge("a", yesterday, 100, "m/one");
    const history = await other.call("GET", "/v1/usage/history?days=3");
    expect(history.body).toMatchObject({ days: 3, to: dayName(today), totals: { aiTokens: 157, moneyMicroUsd: 314 } });
    expect(history.body.items.map((item: { date: string; aiTokens: number }) => [item.date, item.aiTokens])).toEqual([
      [dayName(today - 2 * 24 * 3_600_000), 0],
      [dayName(yesterday), 100],
      [dayName(today), 57],
    ]);
    const stats = await other.call("GET", "/v1/usage/stats?days=10");
    expect(stats.body).toMatchObject({
      totals: { aiTokens: 157 },
      dailyAverage: { aiTokens: 15.7 },
      byUser: [{ userId: other.userId, aiTokens: 157 }],
      byKey: [],
      byModel: [
        { model: "m/one", aiTokens: 150 },
        { model: "m/two", aiTokens: 7 },
      ],
    });
    expect(await rows("select count(*) as events from usage_events where workspace_id = ?", other.workspaceId)).toEqual(
      [{ events: 6 }],
    );
    expect((await person.call("GET", "/v1/usage/stats")).body.byModel).not.toContainEqual(
      expect.objectContaining({ model: "m/two" }),
    );
  });

  it.each(["0", "366", "many"])("refuse %s days", async (days) => {
    for (const path of ["history", "stats"])
      expect(await person.call("GET", `/v1/usage/${path}?days=${days}`)).toMatchObject({ status: 422 });
  });
});

describe("API calls", () => {
  async function keyOf(owner: Person, mode: "live" | "test"): Promise<string> {
    return (await owner.call("POST", "/v1/api-keys", { body: { name: mode, mode } })).body.key;
  }

  it("count requests of live keys, not those of people and test keys, and asking for usage is free", async () => {
    const other = await signUp();
    await overrideLimits(other.workspaceId, { apiKeyRequestsPerMinute: null });
    const [live, test] = [await keyOf(other, "live"), await keyOf(other, "test")];
    for (let round = 0; round < 9; round += 1) expect((await call("GET", "/v1/jobs", { as: live })).status).toBe(200);
    await call("GET", "/v1/jobs", { as: test });
    await other.call("GET", "/v1/jobs");
    const read = async () => (await call("GET", "/v1/usage", { as: live })).body.resources.apiCalls;
    expect(await read()).toMatchObject({ used: 9, reserved: 0 });
    expect(await read()).toMatchObject({ used: 9 });
    const { body } = await other.call("GET", "/v1/usage/stats");
    expect(body.byKey).toMatchObject([{ apiCalls: 9 }]);
  });

  it("end exactly at the limit, and the next one is told what to do", async () => {
    const other = await signUp();
    await overrideLimits(other.workspaceId, { apiKeyRequestsPerMinute: null, apiCallsPerMonth: 40 });
    const keys = [await keyOf(other, "live"), await keyOf(other, "live")];
    const answers = [];
    for (let round = 0; round < 12; round += 1) {
      answers.push(
        ...(await Promise.all(
          Array.from({ length: 5 }, (_, index) => call("GET", "/v1/jobs", { as: keys[index % 2]! })),
        )),
      );
    }
    const passed = answers.filter(({ status }) => status === 200).length;
    expect(passed).toBeLessThanOrEqual(40);
    expect(passed).toBeGreaterThanOrEqual(30);
    const refused = answers.find(({ status }) => status === 429);
    expect(refused?.body).toMatchObject({
      code: "quota-exceeded",
      resource: "apiCalls",
      limit: 40,
      error: expect.any(String),
      message: expect.any(String),
      suggestion: expect.stringContaining("webhooks"),
      resetsAt: iso(monthOf(Date.now()).endMs),
    });
    expect(Number(refused?.headers.get("retry-after"))).toBeGreaterThan(0);
    expect((await call("GET", "/v1/usage", { as: keys[0]! })).status).toBe(200);
    expect((await other.call("GET", "/v1/jobs")).status).toBe(200);
  });
});

describe("keys and viewers", () => {
  it("see usage with its scope, and reports only as owner or admin", async () => {
    const member = await signUp();
    await bindings.DB.prepare("insert into workspace_members values (?, ?, 'viewer', 0)")
      .bind(person.workspaceId, member.userId)
      .run();
    const headers = { "x-workspace-id": person.workspaceId };
    expect((await member.call("GET", "/v1/usage", { headers })).body.usage.aiTokens).toBe(2_500);
    expect(await member.call("GET", "/v1/usage/report", { headers })).toMatchObject({ status: 403 });
  });
});

describe("the older paths", () => {
  it("of systems C and D answer in their envelopes, for the workspace of the path", async () => {
    const ws = person.workspaceId;
    const usage = await person.call("GET", `/api/usage/${ws}`);
    expect(usage.body).toMatchObject({
      success: true,
      data: { usage: { aiTokens: 2_500 } },
      usage: { aiTokens: 2_500 },
    });
    expect((await person.call("GET", `/api/usage/${ws}/quota/aiTokens`)).body).toMatchObject({
      success: true,
      resourceType: "aiTokens",
      current: 2_500,
      limit: 50_000,
      percentUsed: 5,
      exceeded: false,
    });
    expect((await person.call("GET", `/api/usage/${ws}/history?days=5`)).body.items).toHaveLength(5);
    expect((await person.call("GET", `/api/usage/${ws}/report?period=weekly`)).body).toMatchObject({
      success: true,
      reportType: "weekly",
    });
    const csv = await person.call("GET", `/api/usage/${ws}/report?format=csv`);
    expect([csv.status, csv.headers.get("content-type")]).toEqual([200, "text/csv; charset=utf-8"]);
    const stranger = await signUp();
    expect(await stranger.call("GET", `/api/usage/${ws}`)).toMatchObject({ status: 404, body: { success: false } });
    expect((await person.call("GET", "/api/usage/history")).body).toMatchObject({ success: true, days: 30 });
    expect((await person.call("GET", "/usage/stats")).body.current_usage.tokens_used).toBe(2_500);
  });
});
