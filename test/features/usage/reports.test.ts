/** Reports, notices and overrides: what is told of usage, once, and to whom. */
import { describe, expect, it } from "vitest";
import { chargeUsage } from "#features/usage/service";
import { reportLastMonth } from "#features/usage/schedules";
import { monthOf } from "#lib/usage-period";
import { runDueJobs } from "./jobs.ts";
import { bindings, signUp, systemContext } from "#test/support/harness";
import { actingAs, deliver, makeStaff, rows } from "./support.ts";

const iso = (at: number) => new Date(at).toISOString();

describe("a report", () => {
  it("sums up a period, with costs and growth", async () => {
    const person = await signUp();
    const month = monthOf(Date.now());
    const charge = (id: string, nowMs: number, tokens: number) =>
      chargeUsage(actingAs(person, { nowMs }), {
        reservationId: id,
        amounts: { aiTokens: tokens, processingMinutes: 5, transcriptionSeconds: 90, moneyMicroUsd: 1_000 },
      });
    await charge("before", month.startMs - 5_000, 1_000);
    await charge("now", Date.now(), 1_500);
    const { status, body } = await person.call("GET", "/v1/usage/report?period=MONTHLY");
    expect(status).toBe(200);
    expect(body).toMatchObject({
      id: null,
      reportType: "monthly",
      periodStart: iso(month.startMs),
      periodEnd: iso(month.endMs),
      totalUploads: 0,
      totalMinutes: 7,
      totalStorage: 0,
      reportData: {
        aiTokens: 1_500,
        transcriptionMinutes: 1.5,
        percentUsed: { aiTokens: 3, processing: 8.33, transcription: 5, money: null },
        growthPercent: { aiTokens: 50, minutes: 0, uploads: null },
        costs: { currency: "usd", minutesMicroUsd: 7_000, modelsMicroUsd: 1_000, totalMicroUsd: 8_000 },
      },
    });
    for (const period of ["daily", "weekly"])
      expect((await person.call("GET", `/v1/usage/report?period=${period}`)).body.reportType).toBe(period);
  });

  it("is refused for the future, an unknown period and an unknown format", async () => {
    const person = await signUp();
    for (const query of ["date=2999-01-01", "date=yesterday", "period=yearly", "format=pdf"])
      expect(await person.call("GET", `/v1/usage/report?${query}`)).toMatchObject({ status: 422 });
  });

  it("as CSV shows no formula to a spreadsheet", async () => {
    const person = await signUp();
    const name = '=HYPERLINK("https://example.com","x")';
    await bindings.DB.prepare("update workspaces set name = ? where id = ?").bind(name, person.workspaceId).run();
    await chargeUsage(actingAs(person), { reservationId: "a", amounts: { aiTokens: 12 } });
    const answer = await person.call("GET", "/v1/usage/report?format=csv");
    expect(answer.headers.get("content-type")).toBe("text/csv; charset=utf-8");
    expect(answer.headers.get("content-disposition")).toContain("attachment");
    const lines = new TextDecoder().decode(answer.bytes).split("\r\n");
    expect(lines[0]).toBe("workspace,reportType,periodStart,periodEnd,figure,unit,value,percentUsed,growthPercent");
    expect(lines.find((line) => line.includes(",aiTokens,"))).toMatch(/^"'=HYPERLINK.*,aiTokens,tokens,12,0.02,$/);
    expect(lines.slice(1).every((line) => line === "" || line.startsWith(`"'=`))).toBe(true);
  });

  it("of a month that has ended is kept once, made by the schedule", async () => {
    const person = await signUp();
    const { startMs } = monthOf(monthOf(Date.now()).startMs - 1);
    await chargeUsage(actingAs(person, { nowMs: startMs + 5_000 }), { reservationId: "a", amounts: { aiTokens: 77 } });
    await deliver(person);
    await reportLastMonth(systemContext());
    await reportLastMonth(systemContext());
    await runDueJobs(person.workspaceId, "usage.make-report");
    await reportLastMonth(systemContext());
    await runDueJobs(person.workspaceId, "usage.make-report");
    const kept = await rows<{ id: string }>(
      "select id, report_type, period_start from usage_reports where workspace_id = ?",
      person.workspaceId,
    );
    expect(kept).toEqual([{ id: expect.any(String), report_type: "monthly", period_start: startMs }]);
    await chargeUsage(actingAs(person, { nowMs: startMs + 6_000 }), {
      reservationId: "late",
      amounts: { aiTokens: 1 },
    });
    const { body } = await person.call("GET", `/v1/usage/report?date=${iso(startMs).slice(0, 10)}`);
    expect(body).toMatchObject({ id: kept[0]?.id, reportData: { aiTokens: 77 } });
  });
});

describe("notices", () => {
  it("at 80 and 100 percent go once to owners and admins, by mail and inside the product", async () => {
    const person = await signUp();
    const charge = (id: string, tokens: number) =>
      chargeUsage(actingAs(person), { reservationId: id, amounts: { aiTokens: tokens } });
    await charge("a", 39_999);
    await deliver(person);
    expect(await noticesOf(person.workspaceId)).toEqual([]);
    await charge("b", 1);
    await Promise.allSettled([deliver(person), deliver(person)]);
    await charge("c", 10_000);
    await deliver(person);
    await deliver(person);
    expect(await noticesOf(person.workspaceId)).toEqual([
      { meter: "aiTokens", level: 80, used: 40_000, limit: 50_000 },
      { meter: "aiTokens", level: 100, used: 50_000, limit: 50_000 },
    ]);
    const { body } = await person.call("GET", "/v1/notifications");
    const quota = body.items.filter((item: { kind: string }) => item.kind === "quota");
    expect(quota).toHaveLength(2);
    expect(quota[0]).toMatchObject({ data: { resource: "aiTokens", percent: 100, limit: 50_000 } });
    const mails = await rows<{ payload: string }>("select payload from jobs where name = 'notifications.send-mail'");
    expect(mails.filter(({ payload }) => payload.includes(person.email))).toHaveLength(2);
  });

  it("are events for webhooks", async () => {
    const person = await signUp();
    await person.call("POST", "/v1/webhooks", {
      body: { url: "https://hooks.example.com/quota", events: ["quota.reached"] },
    });
    await chargeUsage(actingAs(person), { reservationId: "a", amounts: { credits: 10 } });
    await deliver(person);
    const jobs = await rows<{ payload: string }>(
      "select payload from jobs where workspace_id = ? and name like 'webhooks.%' and payload like '%quota.%'",
      person.workspaceId,
    );
    expect(jobs.map(({ payload }) => (payload.includes("quota.reached") ? "reached" : "warning")).toSorted()).toEqual([
      "reached",
      "warning",
    ]);
  });

  it("of storage come too", async () => {
    const person = await signUp();
    await bindings.DB.prepare("update workspaces set limit_overrides = ? where id = ?")
      .bind(JSON.stringify({ storageBytes: 1_000 }), person.workspaceId)
      .run();
    const ledger = bindings.LEDGER.getByName(person.workspaceId);
    await ledger.settle({ meter: "storage", id: "file_1", amount: 850, limit: 1_000 });
    await ledger.settle({ meter: "storage", id: "file_2", amount: 50, limit: 1_000 });
    await deliver(person);
    expect(await noticesOf(person.workspaceId)).toEqual([{ meter: "storage", level: 80, used: 850, limit: 1_000 }]);
  });
});

async function noticesOf(workspaceId: string) {
  return rows(
    'select meter, level, used, "limit" from usage_notices where workspace_id = ? order by level',
    workspaceId,
  );
}

describe("overrides of limits", () => {
  const path = "/v1/admin/limits";

  it("are read by admins and written by superadmins only, with both values in the trail", async () => {
    const [person, admin, owner] = [await signUp(), await signUp(), await signUp()];
    await makeStaff(admin, "admin");
    await makeStaff(owner, "superadmin");
    const query = `${path}?workspace=${person.workspaceId}`;
    const body = { workspaceId: person.workspaceId, overrides: { aiTokensPerMonth: null, creditsPerDay: 50 } };
    expect(await person.call("GET", query)).toMatchObject({ status: 403, body: { code: "staff-only" } });
    expect(await admin.call("PUT", path, { body })).toMatchObject({ status: 403 });
    expect((await admin.call("GET", query)).body).toMatchObject({
      plan: "free",
      overrides: {},
      limits: { creditsPerDay: 10 },
    });
    const written = await owner.call("PUT", path, { body });
    expect(written).toMatchObject({
      status: 200,
      body: {
        overrides: body.overrides,
        limits: { aiTokensPerMonth: null, creditsPerDay: 50, apiCallsPerMonth: 1_000 },
      },
    });
    expect((await person.call("GET", "/v1/usage")).body.limits).toBeDefined();
    const [entry] = await rows<{ details: string }>(
      "select * from audit_log where workspace_id = ? and action = 'limits.changed'",
      person.workspaceId,
    );
    expect(JSON.stringify(entry)).toContain("creditsPerDay");
    await owner.call("PUT", path, { body: { ...body, overrides: {} } });
    expect((await admin.call("GET", query)).body.overrides).toEqual({});
  });

  it("refuse junk and unknown workspaces, and change nothing then", async () => {
    const [person, owner] = [await signUp(), await signUp()];
    await makeStaff(owner, "superadmin");
    const { workspaceId } = person;
    const wrong = [
      { workspaceId, overrides: { creditsPerDay: -1 } },
      { workspaceId, overrides: { creditsPerDay: 1.5 } },
      { workspaceId, overrides: { gold: 1 } },
      { workspaceId, overrides: { sessionRequestsPerMinute: 0 } },
      { workspaceId },
      { overrides: {} },
    ];
    for (const body of wrong) expect((await owner.call("PUT", path, { body })).status).toBe(422);
    const unknown = { workspaceId: "wks_00000000000000000000000000", overrides: {} };
    expect(await owner.call("PUT", path, { body: unknown })).toMatchObject({
      status: 404,
      body: { code: "workspace-not-found" },
    });
    expect((await owner.call("GET", `${path}?workspace=${workspaceId}`)).body.overrides).toEqual({});
  });
});
