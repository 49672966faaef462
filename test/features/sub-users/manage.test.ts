/** Making, listing, changing and ending sub-users, one by one and many at once, and what is reported of them. */
import { describe, expect, it } from "vitest";
import { bindings, call, signUp } from "#test/support/harness";
import { mailedToken } from "../workspaces/support.ts";
import { family, makeChild, signIn } from "./support.ts";

describe("making a sub-user", () => {
  it("refuses taken addresses, weak passwords and limits that are too high, and makes nothing", async () => {
    const { parent, child } = await family();
    const good = { email: `x-${crypto.randomUUID()}@example.com`, password: "a long enough pass phrase" };
    const wrong: [Record<string, unknown>, number, string][] = [
      [{ ...good, email: child.email }, 409, "email-taken"],
      [{ ...good, email: parent.email.toUpperCase() }, 409, "email-taken"],
      [{ ...good, password: "short" }, 422, "validation-failed"],
      [{ ...good, password: "password123" }, 422, "password-too-common"],
      [{ ...good, limits: { monthly_tokens: 1_000_001 } }, 422, "validation-failed"],
      [{ ...good, limits: { requests_per_minute: 1_001 } }, 422, "validation-failed"],
      [{ ...good, limits: { requests_per_hour: 10_001 } }, 422, "validation-failed"],
      [{ ...good, limits: { max_api_keys: 11 } }, 422, "validation-failed"],
      [{ ...good, limits: { max_concurrent_requests: 51 } }, 422, "validation-failed"],
      [{ ...good, permissions: { allowed_endpoints: [] } }, 422, "validation-failed"],
      [{ ...good, role: "owner" }, 422, "validation-failed"],
    ];
    for (const [body, status, code] of wrong)
      expect(await parent.call("POST", "/v1/sub-users", { body }), code).toMatchObject({ status, body: { code } });
    expect((await parent.call("GET", "/v1/sub-users")).body.items).toHaveLength(1);
  });

  it("is once for one Idempotency-Key, and shows up in list, detail and trail of its workspace only", async () => {
    const parent = await signUp();
    const body = { email: `x-${crypto.randomUUID()}@example.com`, password: "a long enough pass phrase", name: "Kim" };
    const options = { body, headers: { "idempotency-key": crypto.randomUUID() } };
    const first = await parent.call("POST", "/v1/sub-users", options);
    expect(first).toMatchObject({
      status: 201,
      body: {
        name: "Kim",
        status: "active",
        permissions: { api_access: true, can_modify_settings: false, allowed_endpoints: ["*"] },
      },
    });
    expect((await parent.call("POST", "/v1/sub-users", options)).body).toEqual(first.body);
    const path = `/v1/sub-users/${first.body.id}`;
    expect((await parent.call("GET", path)).body).toEqual(first.body);
    const other = await signUp();
    expect((await other.call("GET", path)).body.code).toBe("sub-user-not-found");
    expect((await other.call("DELETE", path)).body.code).toBe("sub-user-not-found");
    expect((await other.call("GET", "/v1/sub-users")).body.items).toEqual([]);
    const trail = await parent.call("GET", `/v1/workspaces/${parent.workspaceId}/audit-log?action=sub-user.created`);
    expect(trail.body.items).toMatchObject([{ target: first.body.id, after: { email: body.email } }]);
    expect(JSON.stringify(trail.body)).not.toContain(body.password);
  });

  it("stops at 200 a workspace, also when the last places are asked for at once", async () => {
    const parent = await signUp();
    const numbers = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 199)";
    const [id, at] = [`'usr_' || ?1 || '_' || i`, Date.now()];
    await bindings.DB.batch([
      bindings.DB.prepare(
        `insert into users (id, email, name, status, password_phc, parent_workspace_id, created_at, updated_at) ${numbers} select ${id}, ${id} || '@example.com', 'x', 'active', '', ?1, ?2, ?2 from n`,
      ).bind(parent.workspaceId, at),
      bindings.DB.prepare(
        `insert into sub_users (user_id, workspace_id, permissions, limits, created_by, created_at, updated_at) ${numbers} select ${id}, ?1, '{}', '{}', ?1, ?2, ?2 from n`,
      ).bind(parent.workspaceId, at),
    ]);
    const make = () => {
      const email = `last-${crypto.randomUUID()}@example.com`;
      return parent.call("POST", "/v1/sub-users", { body: { email, password: "a long enough pass phrase" } });
    };
    const answers = await Promise.all([make(), make(), make(), make()]);
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 409, 409, 409]);
    for (const { body } of answers.filter(({ status }) => status === 409))
      expect(body.code).toBe("sub-user-limit-reached");
    const made = await bindings.DB.prepare("select count(*) as n from users where parent_workspace_id = ?")
      .bind(parent.workspaceId)
      .first("n");
    expect(made).toBe(200);
  });

  it("frees the address when it ends", async () => {
    const { parent, child } = await family();
    expect((await parent.call("DELETE", `/v1/sub-users/${child.id}`)).status).toBe(204);
    expect((await parent.call("DELETE", `/v1/sub-users/${child.id}`)).status).toBe(404);
    expect((await child.call("GET", "/v1/api-keys")).status).toBe(401);
    expect((await signIn(child.email)).status).toBe(401);
    const body = { email: child.email, password: child.password };
    expect((await parent.call("POST", "/v1/sub-users", { body })).status).toBe(201);
  });
});

describe("many sub-users at once", () => {
  it("each have their own result", async () => {
    const parent = await signUp();
    const [one, two] = [await makeChild(parent), await makeChild(parent)];
    const stranger = (await family()).child;
    const bulk = (body: Record<string, unknown>) => parent.call("POST", "/v1/sub-users/bulk", { body });
    const ids = [one.id, two.id, stranger.id];
    expect(await bulk({ action: "deactivate", ids })).toMatchObject({
      status: 200,
      body: {
        succeeded: 2,
        failed: 1,
        results: [
          { id: one.id, ok: true },
          { id: two.id, ok: true },
          { id: stranger.id, ok: false, problem: { code: "sub-user-not-found" } },
        ],
      },
    });
    expect((await stranger.call("GET", "/v1/auth/me")).status).toBe(200);
    expect((await bulk({ action: "activate", ids: [one.id] })).body.succeeded).toBe(1);
    await bulk({ action: "update_limits", ids: [one.id, two.id], limits: { monthly_tokens: 77 } });
    await bulk({ action: "update_permissions", ids: [one.id], permissions: { can_view_usage: false } });
    const list = await parent.call("GET", "/v1/sub-users");
    expect(list.body.items.map(({ limits }: { limits: { monthly_tokens: number } }) => limits.monthly_tokens)).toEqual([
      77, 77,
    ]);
    expect((await bulk({ action: "delete", ids: [two.id] })).body.succeeded).toBe(1);
    expect((await parent.call("GET", "/v1/sub-users")).body.items).toHaveLength(1);
    expect((await bulk({ action: "update_limits", ids })).status).toBe(422);
    expect((await bulk({ action: "delete", ids: Array.from({ length: 51 }, () => "x") })).status).toBe(422);
  });
});

describe("inviting a sub-user", () => {
  const password = "a long enough pass phrase";
  const accept = (token: string, body: Record<string, unknown> = { password }) =>
    call("POST", `/v1/sub-users/invitations/${token}/accept`, { body });

  it("mails a link that makes the account once, with what was granted", async () => {
    const parent = await signUp();
    const email = `invited-${crypto.randomUUID()}@example.com`;
    const sent = await parent.call("POST", "/v1/sub-users/invitations", {
      body: { email, limits: { monthly_tokens: 5 }, expiresInHours: 1 },
    });
    expect(sent).toMatchObject({ status: 201, body: { kind: "sub-user", email, state: "pending" } });
    expect(Date.parse(sent.body.expiresAt) - Date.parse(sent.body.createdAt)).toBe(3_600_000);
    const token = await mailedToken(email);
    expect((await accept(token, { password: "short" })).status).toBe(422);
    expect((await accept(token, { password, role: "owner" })).body.code).toBe("server-owned-member");
    const answers = await Promise.all([accept(token), accept(token)]);
    expect(answers.map(({ status }) => status).sort(), JSON.stringify(answers.map(({ body }) => body.code))).toEqual([
      201,
      expect.any(Number),
    ]);
    expect([409, 410]).toContain(answers.find(({ status }) => status !== 201)?.status);
    expect((await accept(token)).body.code).toBe("invitation-used");
    const list = await parent.call("GET", "/v1/sub-users");
    expect(list.body.items).toMatchObject([{ email, limits: { monthly_tokens: 5 }, status: "active" }]);
    expect((await signIn(email)).status).toBe(200);
  });

  it("lasts 72 hours unless said otherwise, at most 168, and is void once over or withdrawn", async () => {
    const parent = await signUp();
    const email = `invited-${crypto.randomUUID()}@example.com`;
    const invite = (more: Record<string, unknown> = {}) =>
      parent.call("POST", "/v1/sub-users/invitations", { body: { email, ...more } });
    for (const expiresInHours of [0, 169, 1.5]) expect((await invite({ expiresInHours })).status).toBe(422);
    const sent = await invite();
    expect(Date.parse(sent.body.expiresAt) - Date.parse(sent.body.createdAt)).toBe(72 * 3_600_000);
    const token = await mailedToken(email);
    await bindings.DB.prepare("update workspace_invitations set expires_at = 1 where id = ?").bind(sent.body.id).run();
    expect((await accept(token)).body.code).toBe("invitation-expired");
    await invite();
    const renewed = await mailedToken(email);
    await parent.call("DELETE", `/v1/workspaces/${parent.workspaceId}/invitations/${sent.body.id}`);
    expect((await accept(renewed)).body.code).toBe("invitation-revoked");
    expect((await accept("unknown")).body.code).toBe("invitation-not-found");
    const member = await signUp();
    expect((await member.call("POST", `/v1/invitations/${renewed}/accept`)).body.code).toBe("invitation-not-found");
    expect((await parent.call("POST", "/v1/sub-users/invitations", { body: { email: member.email } })).body.code).toBe(
      "email-taken",
    );
  });

  it("by a sub-user hands on no more than it has", async () => {
    const { child } = await family({
      permissions: { can_invite_others: true, can_view_usage: false, allowed_endpoints: ["*"] },
      limits: { monthly_tokens: 100 },
    });
    const invite = (more: Record<string, unknown>) =>
      child.call("POST", "/v1/sub-users/invitations", {
        body: { email: `deep-${crypto.randomUUID()}@example.com`, ...more },
      });
    for (const more of [
      { permissions: { can_view_usage: true } },
      { permissions: { can_modify_settings: true } },
      { limits: { monthly_tokens: 101 } },
    ])
      expect(await invite(more)).toMatchObject({ status: 403, body: { code: "grant-too-wide" } });
    expect((await invite({ limits: { monthly_tokens: 100 } })).status).toBe(201);
    expect((await invite({})).status).toBe(201);
  });
});

describe("reports", () => {
  it("tell who is active, idle or inactive, and count requests by day", async () => {
    const parent = await signUp();
    const [busy, idle, never] = [await makeChild(parent), await makeChild(parent), await makeChild(parent)];
    for (let index = 0; index < 3; index += 1) await busy.call("GET", "/v1/jobs");
    await idle.call("GET", "/v1/jobs");
    await bindings.DB.prepare("update sub_users set last_active_at = ? where user_id = ?")
      .bind(Date.now() - 25 * 3_600_000, idle.id)
      .run();
    const activity = await parent.call("GET", "/v1/sub-users/activity");
    const byId = Object.fromEntries(
      activity.body.items.map((item: { id: string; activity: string }) => [item.id, item.activity]),
    );
    expect(byId).toEqual({ [busy.id]: "active", [idle.id]: "idle", [never.id]: "inactive" });
    expect((await parent.call("GET", `/v1/sub-users/${busy.id}/usage`)).body).toMatchObject({
      requestsToday: 3,
      requestsThisMonth: 3,
      tokensUsed: 0,
      monthlyTokens: 10_000,
    });
    const overview = await parent.call("GET", "/v1/sub-users/overview");
    expect(overview.body).toMatchObject({ total: 3, active: 3, inactive: 0, requestsToday: 4, pendingInvitations: 0 });
    const trends = await parent.call("GET", "/v1/sub-users/usage-trends?days=7");
    expect(trends.body.days).toHaveLength(7);
    expect(trends.body.days.at(-1)).toMatchObject({ requests: 4, activeSubUsers: 2 });
    expect(trends.body.totalRequests).toBe(4);
    for (const days of [6, 91, "many"])
      expect((await parent.call("GET", `/v1/sub-users/usage-trends?days=${days}`)).status).toBe(422);
    const analysis = await parent.call("GET", "/v1/sub-users/limits-analysis");
    expect(analysis.body).toMatchObject({ over: 0, under: 3 });
  });

  it("show tokens charged to the sub-user and to the parent's workspace, and who is nearly through", async () => {
    const parent = await signUp();
    const child = await makeChild(parent, { limits: { monthly_tokens: 100 } });
    const { chargeMeters } = await import("#durable/ledger/client");
    await chargeMeters(bindings.LEDGER, {
      workspaceId: parent.workspaceId,
      reservationId: crypto.randomUUID(),
      meters: [{ meter: "aiTokens", amount: 91, limit: 50_000 }],
      scopes: { userId: child.id },
    });
    expect((await parent.call("GET", `/v1/sub-users/${child.id}/usage`)).body).toMatchObject({
      tokensUsed: 91,
      tokensPercent: 91,
    });
    expect((await parent.call("GET", "/v1/sub-users/limits-analysis")).body).toMatchObject({
      over: 1,
      under: 0,
      items: [{ id: child.id, verdict: "over", percent: 91 }],
    });
    const stats = await parent.call("GET", `/v1/workspaces/${parent.workspaceId}/stats`);
    expect(stats.body).toMatchObject({ monthly_tokens_used: 91, token_usage_percentage: 0.18 });
  });
});
