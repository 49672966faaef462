/** Figures, logs and prompts, as administration asks for them. */
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import { makeContext } from "#app/context";
import { addModelUses } from "#features/usage/model-use-store";
import { promptOf } from "#features/staff/service";
import { bindings, signUp, systemContext } from "#test/support/harness";
import { lastEntry, makeTeam, type Team } from "./team.ts";

let team: Team;

beforeAll(async () => {
  team = await makeTeam();
});

describe("the figures", () => {
  it("count people as they come", async () => {
    const before = (await team.admin.call("GET", "/v1/admin/stats")).body;
    await signUp();
    const after = (await team.admin.call("GET", "/v1/admin/stats")).body;
    expect(after.users.total).toBe(before.users.total + 1);
    expect(after.users.newToday).toBe(before.users.newToday + 1);
    expect(after.data.user_statistics.total).toBe(after.users.total);
  });

  it("group what was asked of models by day, provider and model", async () => {
    const provider = `p-${crypto.randomUUID()}`;
    const add = async (model: string, day: string, tokens: number) => {
      const counted = { requests: 1, errors: 0, estimated: 0, tokens, inputTokens: tokens, cachedTokens: 0 };
      const use = { ...counted, provider, operation: "chat", outputTokens: 0, moneyMicroUsd: tokens * 2 };
      const who = { userId: team.user.userId, keyId: "", model };
      const event = { id: crypto.randomUUID(), atMs: Date.parse(day) + 5, ...who, uses: [use] };
      const [first, ...rest] = addModelUses(systemContext(), team.user.workspaceId, [event]);
      if (first) await systemContext().db.batch([first, ...rest]);
    };
    await add("small", "2021-05-03", 6);
    await add("small", "2021-05-03", 4);
    await add("small", "2021-05-04", 5);
    await add("large", "2021-05-03", 7);
    await add("large", "2021-05-05", 1_000);
    const ask = async (by: string) =>
      (await team.admin.call("GET", `/v1/admin/usage-stats?group_by=${by}&from=2021-05-03&to=2021-05-05`)).body;
    expect((await ask("day")).items).toEqual([
      { key: "2021-05-03", requests: 3, tokens: 17, costMicroUsd: 34 },
      { key: "2021-05-04", requests: 1, tokens: 5, costMicroUsd: 10 },
    ]);
    expect((await ask("provider")).items).toEqual([{ key: provider, requests: 4, tokens: 22, costMicroUsd: 44 }]);
    expect((await ask("model")).items.map((item: { key: string }) => item.key)).toEqual(["large", "small"]);
    expect((await team.admin.call("GET", "/v1/admin/usage-stats?group_by=person")).status).toBe(422);
  });

  it("show a person's logged requests to advanced support, which is recorded", async () => {
    for (let times = 0; times < 3; times += 1)
      await bindings.DB.prepare(
        "insert into message_logs (id, workspace_id, user_id, email, provider, model, messages, tokens_used, cost_micro_usd, at) values (?, 'w', ?, 'a@b.cd', 'p', 'm', '{\"request\":[1]}', 1, 1, ?)",
      )
        .bind(`msg_${crypto.randomUUID()}`, team.user.userId, Date.UTC(2021, 4, 3) + times)
        .run();
    const messages = await team.advanced.call("GET", `/v1/admin/message-logs/${team.user.userId}?limit=2`);
    expect(messages.body.items).toHaveLength(2);
    expect(messages.body.items[0].messages).toEqual({ request: [1] });
    expect(await lastEntry(team.user.userId)).toMatchObject({
      action: "staff.messages-read",
      actor_id: team.advanced.userId,
    });
  });

  it("add up paid invoices of real money only", async () => {
    const before = (await team.admin.call("GET", "/v1/admin/revenue?period=all")).body;
    const add = (provider: string, status: string) =>
      bindings.DB.prepare("insert into billing_invoices values (?, 'w', ?, ?, 1, 29990000, ?)")
        .bind(`in_${crypto.randomUUID()}`, provider, status, Date.now())
        .run();
    await add("stripe", "paid");
    await add("stripe", "open");
    await add("sandbox", "paid");
    for (const period of ["month", "quarter", "year", "all"]) {
      const after = (await team.admin.call("GET", `/v1/admin/revenue?period=${period}`)).body;
      expect(after.months.at(-1)).toMatchObject({ month: new Date().toISOString().slice(0, 7) });
      expect(after.totalMicroUsd).toBeGreaterThanOrEqual(29_990_000);
    }
    const after = (await team.admin.call("GET", "/v1/admin/revenue?period=all")).body;
    expect(after.totalMicroUsd - before.totalMicroUsd).toBe(29_990_000);
    expect(after.sandboxMicroUsd - before.sandboxMicroUsd).toBe(29_990_000);
  });

  it("tell of health, and of what clearing the caches did", async () => {
    const health = await team.admin.call("GET", "/v1/admin/health");
    expect(health.body).toMatchObject({ environment: "test", parts: { database: { status: "ok" } } });
    const cleared = await team.admin.call("DELETE", "/v1/admin/cache");
    expect(cleared.body.cleared.sessions).toBeGreaterThan(0);
    expect((await team.user.call("GET", "/v1/auth/me")).status).toBe(200);
  });
});

describe("logs", () => {
  it("are found by level, category, person, conversion, request, text and time, page by page", async () => {
    const execution = createExecutionContext();
    const requestId = `req-${crypto.randomUUID()}`;
    const ctx = makeContext(bindings, execution, { requestId });
    const mark = `100%_${crypto.randomUUID().slice(0, 8)}`;
    const begun = ctx.now();
    ctx.log("warn", "queue.send-failed", { jobId: "job_x", message: `sent ${mark} late` });
    ctx.log("error", "conversion.image-damaged", { conversionId: `conv_${mark}`, userId: `usr_${mark}` });
    ctx.log("error", "request.failed", { error: new Error("no luck") });
    await waitOnExecutionContext(execution);
    const ask = async (query: Record<string, string>) => {
      const answer = await team.admin.call(
        "GET",
        `/v1/admin/logs?${new URLSearchParams({ requestId, ...query }).toString()}`,
      );
      expect(answer.status, JSON.stringify(answer.body)).toBe(200);
      return answer.body.items.map((item: { event: string }) => item.event).sort();
    };
    expect(await ask({})).toHaveLength(3);
    expect(await ask({ level: "warn" })).toEqual(["queue.send-failed"]);
    expect(await ask({ level: "info" })).toEqual([]);
    expect(await ask({ category: "CONVERSION" })).toEqual(["conversion.image-damaged"]);
    expect(await ask({ userId: `usr_${mark}` })).toEqual(["conversion.image-damaged"]);
    expect(await ask({ conversionId: `conv_${mark}` })).toEqual(["conversion.image-damaged"]);
    expect(await ask({ jobId: "job_x" })).toEqual(["queue.send-failed"]);
    expect(await ask({ text: mark })).toEqual(["queue.send-failed"]);
    expect(await ask({ text: mark.replace("%_", "__") })).toEqual([]);
    expect(await ask({ from: new Date(begun).toISOString() })).toHaveLength(3);
    expect(await ask({ to: new Date(begun).toISOString() })).toEqual([]);
    const first = await team.admin.call("GET", `/v1/admin/logs?requestId=${requestId}&limit=2`);
    const second = await team.admin.call(
      "GET",
      `/v1/admin/logs?requestId=${requestId}&limit=2&cursor=${first.body.nextCursor}`,
    );
    expect([first.body.items.length, second.body.items.length, second.body.nextCursor]).toEqual([2, 1, null]);
    for (const query of [`text=${"x".repeat(49)}`, "category=nothing", "level=loud", "from=yesterday"])
      expect((await team.admin.call("GET", `/v1/admin/logs?${query}`)).status).toBe(422);
  });

  it("of security answer to older names of events, and to a person as actor or as target", async () => {
    const person = await signUp();
    await team.admin.call("PATCH", `/v1/admin/users/${person.userId}`, { body: { notes: "seen" } });
    const ask = async (query: string) =>
      (await team.advanced.call("GET", `/v1/admin/security-logs?${query}`)).body.items;
    const [entry] = await ask(`event_type=user_updated_by_admin&userId=${person.userId}`);
    expect(entry).toMatchObject({
      action: "staff.user-changed",
      eventType: "user_updated_by_admin",
      target: person.userId,
      actorId: team.admin.userId,
      before: { notes: "" },
      after: { notes: "seen" },
    });
    expect(await ask(`event_type=staff.user-changed&userId=${team.admin.userId}&severity=info`)).toContainEqual(entry);
    expect(await ask(`severity=critical&userId=${person.userId}`)).toEqual([]);
    expect((await ask(`event_type=staff_caches_cleared&limit=1`)).length).toBeLessThanOrEqual(1);
  });
});

describe("system prompts", () => {
  it("come with the product, are replaced by versions, and are never lost", async () => {
    const styles = (await team.admin.call("GET", "/v1/admin/system-prompts")).body.items;
    expect(styles.map((item: { rType: string }) => item.rType)).toEqual(["bpe", "bcot", "hcot", "react", "tot"]);
    for (const { rType } of styles) {
      const { history } = (await team.admin.call("GET", `/v1/admin/system-prompts?rType=${rType}`)).body;
      expect(history.at(-1)).toMatchObject({ version: 0, changedBy: null });
      expect(history.at(-1).prompt.length).toBeGreaterThan(200);
    }
    const put = (prompt: string) => team.admin.call("PUT", "/v1/admin/system-prompts/tot", { body: { prompt } });
    const first = await put("Grow a tree.");
    expect(first.body).toMatchObject({ rType: "tot", prompt: "Grow a tree.", changedBy: team.admin.userId });
    const versions = await Promise.all(Array.from({ length: 5 }, (_, index) => put(`Grow tree ${index}.`)));
    expect(versions.every((answer) => answer.status === 200)).toBe(true);
    const told = (await team.admin.call("GET", "/v1/admin/system-prompts?rType=tot")).body;
    const numbers = told.history.map((item: { version: number }) => item.version);
    expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, index) => numbers.length - 1 - index));
    expect(numbers.length).toBeGreaterThanOrEqual(7);
    expect(told.history.at(-1).prompt).toBe(
      styles.at(-1).version === 0 ? styles.at(-1).prompt : told.history.at(-1).prompt,
    );
    expect(await promptOf(systemContext().db, "tot")).toBe(told.history[0].prompt);
    expect(await lastEntry("tot")).toMatchObject({
      action: "staff.system-prompt-changed",
      actor_id: team.admin.userId,
    });
  });

  it("refuse an unknown style, an empty text and other members", async () => {
    const put = (style: string, body: object) => team.admin.call("PUT", `/v1/admin/system-prompts/${style}`, { body });
    expect((await put("none", { prompt: "x" })).body.code).toBe("prompt-style-not-found");
    expect((await put("bpe", { prompt: "  " })).status).toBe(422);
    expect((await put("bpe", { prompt: "x".repeat(20_001) })).status).toBe(422);
    expect((await put("bpe", { prompt: "x", version: 9 })).status).toBe(422);
  });
});
