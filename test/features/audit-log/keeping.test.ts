/** What is kept of acts, of failures and of the log, and what never is. */
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { makeContext } from "#app/context";
import { auditEntry, recordFailure } from "#core/audit";
import { features } from "#app/features";
import { bindings, call, signUp, systemContext } from "#test/support/harness";

const rowsOf = async (sql: string, ...values: unknown[]) =>
  (
    await bindings.DB.prepare(sql)
      .bind(...values)
      .all<Record<string, unknown>>()
  ).results;

describe("an entry of the audit trail", () => {
  it("holds the members that changed, old and new, without secrets", async () => {
    const ctx = systemContext();
    const target = crypto.randomUUID();
    await ctx.db.batch([
      auditEntry(ctx, "staff.user-changed", {
        target,
        before: { name: "Ada", plan: "free", password: "old secret" },
        after: { name: "Ada", plan: "pro", password: "new secret" },
        severity: "warning",
      }),
    ]);
    const [row] = await rowsOf("select * from audit_log where target = ?", target);
    expect(row).toMatchObject({ category: "staff", severity: "warning", repeats: 1, actor_kind: "anonymous" });
    expect(JSON.parse(String(row?.["before"]))).toEqual({ plan: "free", password: "[redacted]" });
    expect(JSON.parse(String(row?.["after"]))).toEqual({ plan: "pro", password: "[redacted]" });
  });

  it("takes its category and severity from the action where none is given, and stays small", async () => {
    const ctx = systemContext();
    const target = crypto.randomUUID();
    const long = Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`m${index}`, "x".repeat(1_500)]));
    await ctx.db.batch([
      auditEntry(ctx, "account.signed-in", { target }),
      auditEntry(ctx, "session.refresh-reused", { target }),
      auditEntry(ctx, "api-key.created", { target, details: long }),
      auditEntry(ctx, "something.else", { target }),
    ]);
    const rows = await rowsOf("select * from audit_log where target = ? order by id", target);
    const seen = new Map(rows.map((row) => [row["action"], [row["category"], row["severity"]]]));
    expect(Object.fromEntries(seen)).toEqual({
      "account.signed-in": ["auth", "info"],
      "session.refresh-reused": ["auth", "warning"],
      "api-key.created": ["key", "info"],
      "something.else": ["system", "info"],
    });
    for (const row of rows) expect(String(row["details"]).length).toBeLessThan(16_001);
  });
});

describe("a failed sign-in", () => {
  it("is one entry for each reason, with how often it happened and never the password", async () => {
    const person = await signUp();
    for (let tries = 0; tries < 6; tries += 1)
      await call("POST", "/v1/auth/login", { body: { email: person.email, password: "wrong secret words" } });
    const rows = await rowsOf(
      "select * from audit_log where target = ? and action = 'account.sign-in-failed'",
      person.userId,
    );
    const counts = Object.fromEntries(rows.map((row) => [JSON.parse(String(row["details"])).reason, row["repeats"]]));
    expect(counts).toEqual({ invalid_password: 5, account_locked: 1 });
    expect(rows.every((row) => row["severity"] === "warning" && row["category"] === "auth")).toBe(true);
    expect(JSON.stringify(rows)).not.toContain("wrong secret words");
  });

  it("of a flood fills neither the table nor memory", async () => {
    const execution = createExecutionContext();
    const address = "198.51.100.77";
    const ctx = makeContext(bindings, execution, { origin: { address, userAgent: "" } });
    for (let tries = 0; tries < 1_000; tries += 1) recordFailure(ctx, "flood.failed", { by: "one" });
    for (let tries = 0; tries < 1_000; tries += 1)
      recordFailure(ctx, "flood.failed", { by: "many", target: `t${tries}` });
    await waitOnExecutionContext(execution);
    const rows = await rowsOf("select * from audit_log where address = ? order by repeats desc", address);
    expect(rows.length).toBeLessThanOrEqual(121);
    expect(rows[0]?.["repeats"]).toBeGreaterThanOrEqual(900);
    const [rest] = await rowsOf("select * from audit_log where action = 'limit.failures-exceeded'");
    expect(rest?.["repeats"]).toBeGreaterThanOrEqual(700);
  });
});

describe("a line of the log", () => {
  it("is kept from warn on, redacted, with whom and what it is about", async () => {
    const execution = createExecutionContext();
    const requestId = `req-${crypto.randomUUID()}`;
    const ctx = makeContext(bindings, execution, { requestId });
    ctx.log("info", "conversion.seen", {});
    ctx.log("error", "conversion.image-damaged", {
      conversionId: "conv_1",
      userId: "usr_1",
      error: new Error("the picture ends early"),
      apiKey: "ovt_live_secretsecret",
    });
    ctx.log("warn", "queue.send-failed", { jobId: "job_1", note: `ovr_${"a".repeat(40)}` });
    await waitOnExecutionContext(execution);
    const rows = await rowsOf("select * from system_logs where request_id = ? order by event", requestId);
    expect(rows).toHaveLength(2);
    expect(rows[0]).toMatchObject({
      level: "error",
      category: "conversion",
      conversion_id: "conv_1",
      user_id: "usr_1",
      message: "conversion.image-damaged: the picture ends early",
    });
    expect(rows[1]).toMatchObject({ level: "warn", category: "job", job_id: "job_1" });
    expect(JSON.stringify(rows)).not.toMatch(/secretsecret|aaaaaaaa/);
  });

  it("that cannot be kept changes nothing", async () => {
    const fail = () => Promise.reject(new Error("D1_ERROR: gone"));
    const statement: object = { bind: () => statement, all: fail, raw: fail, run: fail, first: fail };
    const session = { prepare: () => statement, batch: fail, getBookmark: () => null };
    const execution = createExecutionContext();
    const ctx = makeContext({ ...bindings, DB: { withSession: () => session } as never }, execution);
    ctx.log("error", "request.failed", {});
    await expect(waitOnExecutionContext(execution)).resolves.toBeUndefined();
  });
});

describe("the purge", () => {
  it("removes what is older than the settings say and nothing else", async () => {
    const dayMs = 24 * 3_600_000;
    const ctx = systemContext();
    const mark = crypto.randomUUID();
    const at = (days: number) => ctx.now() - days * dayMs;
    for (const days of [29, 31, 364, 366]) {
      const aged = { ...ctx, now: () => at(days), newId: () => `aud_${mark}_${days}` };
      await ctx.db.batch([auditEntry(aged, "test.purge", { target: mark })]);
      await bindings.DB.prepare(
        "insert into system_logs (id, level, category, event, message, details, at) values (?, 'warn', 'system', ?, '', '{}', ?)",
      )
        .bind(`log_${mark}_${days}`, mark, at(days))
        .run();
    }
    const schedule = features
      .flatMap((feature) => feature.schedules ?? [])
      .find(({ name }) => name === "audit-log.purge");
    expect(schedule?.every).toBe("day");
    await schedule?.run(ctx);
    const kept = await rowsOf("select id from audit_log where target = ? order by id", mark);
    expect(kept.map((row) => String(row["id"]).split("_").at(-1))).toEqual(["29", "31", "364"]);
    expect(await rowsOf("select id from system_logs where event = ?", mark)).toEqual([{ id: `log_${mark}_29` }]);
  });
});
