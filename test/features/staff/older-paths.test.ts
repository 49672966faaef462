/** The panels of the older systems, by their paths, bodies and names. */
import { beforeAll, describe, expect, it } from "vitest";
import { call, type Person, signUp } from "#test/support/harness";
import { lastEntry, makeTeam, type Team } from "./team.ts";

let team: Team;
let person: Person;

beforeAll(async () => {
  team = await makeTeam();
  person = await signUp();
});

describe("the panel of administration", () => {
  it("signs admins in by a session token, and nobody else", async () => {
    const signIn = (who: Person) =>
      call("POST", "/v1/admin-panel/login", { body: { username: who.email, password: who.password } });
    const answer = await signIn(team.admin);
    expect(answer).toMatchObject({
      status: 200,
      body: { success: true, session_token: expect.stringMatching(/^ovs_/) },
    });
    const stats = await call("GET", "/v1/admin-panel/statistics", { as: answer.body.session_token });
    expect(stats.body).toMatchObject({
      success: true,
      user_statistics: { total: expect.any(Number) },
      system_statistics: { active_sessions: expect.any(Number) },
    });
    expect(await signIn(team.support)).toMatchObject({ status: 403, body: { success: false, code: "staff-only" } });
    expect((await signIn(person)).status).toBe(403);
  });

  it("lists by page and changes by the older names", async () => {
    const list = await team.admin.call("GET", "/v1/admin-panel/users?page=1&page_size=2&is_active=true");
    expect(list.body).toMatchObject({
      success: true,
      page: 1,
      page_size: 2,
      pagination: { total_pages: expect.any(Number) },
    });
    expect(list.body.users).toHaveLength(2);
    const path = `/v1/admin-panel/users/${person.userId}`;
    const changed = await team.admin.call("PUT", path, {
      body: {
        subscription_plan: "pro",
        additional_notes: "by the panel",
        access_rtype: ["bpe", "react"],
        level: "high",
        limits: { conversation_limit: 20, reset: 25 },
        is_verified: true,
      },
    });
    expect(changed.body).toMatchObject({
      success: true,
      user_id: person.userId,
      subscription_plan: "pro",
      additional_notes: "by the panel",
      access_rtype: ["bpe", "react"],
      level: "high",
      credits: { main: 20, reset: 25 },
      limits: { conversation_limit: 20, reset: 25 },
      is_verified: true,
    });
    expect((await team.admin.call("GET", path)).body.user.subscription_plan).toBe("pro");
    for (const member of ["role", "is_super_admin", "api_key", "username"]) {
      const refused = await team.admin.call("PUT", path, { body: { name: "X", [member]: "y" } });
      expect(refused).toMatchObject({ status: 422, body: { success: false } });
    }
  });

  it("sets credits by a PUT, twice the same, and understands all of it or nothing", async () => {
    const someone = await signUp();
    const path = `/v1/admin-panel/users/${someone.userId}`;
    const shown = async () => {
      // Limits are remembered for up to ten seconds.
      await team.admin.call("DELETE", "/v1/admin/cache");
      return (await someone.call("GET", "/v1/users/profile")).body;
    };
    for (let times = 0; times < 2; times += 1) {
      const changed = await team.admin.call("PUT", path, { body: { credits: { main: 50, reset: 12 } } });
      expect(changed).toMatchObject({ status: 200, body: { success: true, credits: { main: 50, reset: 12 } } });
    }
    expect(await shown()).toMatchObject({
      credits: { main: 50, reset: 12 },
      limits: { conversation_limit: 50, reset: 12 },
    });
    const same = { credits: { main: 7, reset: 12 }, limits: { conversation_limit: 7, reset: 12 } };
    expect((await team.admin.call("PUT", path, { body: same })).body.user.credits).toEqual({ main: 7, reset: 12 });
    for (const body of [
      { credits: { main: 9 }, limits: { conversation_limit: 8 } },
      { credits: { reset: 9 }, limits: { reset: 8 } },
      { credits: { main: 9, bonus: 8 } },
      { credits: "9" },
      { credits: -1 },
      { limits: "none" },
    ]) {
      const refused = await team.admin.call("PUT", path, { body: { name: "Changed", ...body } });
      expect(refused, JSON.stringify(body)).toMatchObject({ status: 422, body: { success: false } });
    }
    expect(await shown()).toMatchObject({ credits: { main: 7, reset: 12 } });
    expect((await shown()).name).not.toBe("Changed");
  });

  it("answers errors as the older panels did, also where a path is published under its old name", async () => {
    for (const path of ["/v1/admin-panel/users", "/v1/support/users", "/v1/admin/stats", "/v1/support/profile"]) {
      const { body } = await person.call("GET", path);
      expect(body).toMatchObject({ success: false, error: expect.any(String), message: expect.any(String) });
      expect(body.details.request_id).toBe(body.requestId);
    }
  });

  it("makes admins, revokes keys and reads logs", async () => {
    const email = `panel-${crypto.randomUUID()}@example.com`;
    const body = {
      username: `u${Date.now()}`,
      name: "Panel",
      email,
      password: "plenty of words",
      is_super_admin: true,
    };
    expect((await team.admin.call("POST", "/v1/admin-panel/create-admin", { body })).status).toBe(403);
    const made = await team.superadmin.call("POST", "/v1/admin-panel/create-admin", { body });
    expect(made).toMatchObject({ status: 201, body: { success: true, is_super_admin: true, email } });
    const revoked = await team.admin.call("POST", `/v1/admin-panel/users/${person.userId}/regenerate-api-key`);
    expect(revoked.body).toMatchObject({ success: true, api_key: null });
    const logs = await team.admin.call(
      "GET",
      "/v1/admin-panel/security-logs?event_type=admin_created&severity=warning",
    );
    expect(logs.body.logs[0]).toMatchObject({ event_type: "admin_created", user_id: made.body.id });
    const messages = await team.admin.call("GET", `/v1/admin-panel/message-logs/${person.userId}`);
    expect(messages.body).toMatchObject({ success: true, logs: [] });
    expect((await team.admin.call("GET", "/v1/admin-panel/health")).body.success).toBe(true);
  });

  it("takes the style of a system prompt from the body", async () => {
    const prompt = Array.from({ length: 20 }, () => "Observe, then act.").join(" ");
    const put = (r_type: string) => team.admin.call("PUT", "/v1/admin/system-prompts", { body: { r_type, prompt } });
    expect(await put("react")).toMatchObject({
      status: 200,
      body: { success: true, r_type: "react", prompt },
    });
    expect(await lastEntry("react")).toMatchObject({ action: "staff.system-prompt-changed" });
    expect((await put("../users")).status).toBe(404);
    expect((await team.admin.call("PUT", "/v1/admin/system-prompts", { body: { prompt: "x" } })).status).toBe(404);
  });
});

describe("the panel of support", () => {
  it("signs support in and keeps to the matrix", async () => {
    const answer = await call("POST", "/v1/support/login", {
      body: { email: team.support.email, password: team.support.password },
    });
    expect(answer.body.success).toBe(true);
    const as = answer.body.session_token as string;
    const lasts = Date.parse(answer.body.expires_at) - Date.now();
    expect(lasts).toBeLessThanOrEqual(12 * 3_600_000);
    const path = `/v1/support/users/${person.userId}`;
    const changed = await call("PUT", path, { as, body: { limits: { reset: 3 } } });
    expect(changed.body.user.limits.reset).toBe(3);
    expect((await call("PUT", path, { as, body: { additional_notes: "n" } })).body.code).toBe(
      "staff-field-not-editable",
    );
    for (const credits of [30, { main: 30 }, { main: 30, reset: 3 }]) {
      const given = await call("PUT", `${path}/credits`, { as, body: { credits } });
      expect(given).toMatchObject({ status: 200, body: { success: true, credits: { main: 30, reset: 3 } } });
    }
    expect((await call("PUT", `${path}/credits`, { as, body: {} })).status).toBe(422);
    const planned = await call("PUT", `${path}/plan`, { as, body: { subscription_plan: "enterprise" } });
    expect(planned.body).toMatchObject({ success: true, subscription_plan: "enterprise" });
    expect((await call("GET", "/v1/support/profile", { as })).body.level).toBe("support");
    const created = await team.admin.call("POST", "/v1/support/create", {
      body: { email: `s-${crypto.randomUUID()}@example.com`, password: "plenty of words", staff_level: "support" },
    });
    expect(created.body).toMatchObject({ success: true, staff_level: "support" });
  });
});

describe("older paths of figures and logs", () => {
  it("answer in the shapes of their clients", async () => {
    const users = await team.admin.call("GET", "/admin/users?limit=2");
    expect(users.body).toHaveLength(2);
    expect((await team.admin.call("GET", "/admin/system-stats")).body.users.total).toBeGreaterThan(0);
    expect((await team.admin.call("GET", "/admin/usage-stats?group_by=provider")).body.groupBy).toBe("provider");
    expect((await team.admin.call("GET", "/admin/revenue?period=year")).body.period).toBe("year");
    const planned = await team.admin.call("PUT", `/admin/users/${person.userId}/plan?plan_name=free`);
    expect(planned.body).toMatchObject({ success: true, plan: "free" });
    expect((await team.admin.call("PUT", `/admin/users/${person.userId}/plan?plan_name=gold`)).status).toBe(422);
    expect((await person.call("GET", "/admin/users")).body).toMatchObject({ success: false, code: "staff-only" });
    const stats = await team.admin.call("GET", "/api/admin/stats");
    expect(stats.body).toMatchObject({
      success: true,
      data: { conversions: { totalConversions: expect.any(Number) } },
    });
    const logs = await team.admin.call("GET", "/api/admin/logs?level=error&category=CONVERSION");
    expect(logs.body).toMatchObject({ success: true, logs: expect.any(Array) });
  });
});
