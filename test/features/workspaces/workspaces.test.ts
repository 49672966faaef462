/** Workspaces as such: making, reading, changing them, and which one a request acts in. */
import { describe, expect, it } from "vitest";
import { call, signUp } from "#test/support/harness";
import { join, makeTeam } from "./support.ts";

describe("making a workspace", () => {
  it("makes its maker the owner and a slug of the name", async () => {
    const person = await signUp();
    const name = `Écho & Söhne ${crypto.randomUUID().slice(0, 8)}`;
    const made = await person.call("POST", "/v1/workspaces", { body: { name, description: "Sound", size: "medium" } });
    expect(made).toMatchObject({
      status: 201,
      body: { name, kind: "team", role: "owner", size: "medium", plan: "free", ownerUserId: person.userId },
    });
    expect(made.body.slug).toMatch(/^echo-sohne-[0-9a-f]{8}$/);
    const list = await person.call("GET", "/v1/workspaces");
    expect(list.body.items.map((item: { id: string }) => item.id)).toEqual([made.body.id, person.workspaceId]);
  });

  it("refuses wrong members with a precise problem and makes nothing", async () => {
    const person = await signUp();
    const wrong = [
      { name: "x" },
      { name: "x".repeat(101) },
      { name: "good", slug: "Not A Slug" },
      { name: "good", slug: "a" },
      { name: "good", description: "x".repeat(501) },
      { name: "good", size: "huge" },
      { name: "good", settings: { filler: "x".repeat(17_000) } },
    ];
    for (const body of wrong)
      expect(await person.call("POST", "/v1/workspaces", { body })).toMatchObject({
        status: 422,
        body: { code: "validation-failed" },
      });
    for (const body of [
      { name: "good", plan: "enterprise" },
      { name: "good", owner: "me" },
    ])
      expect(await person.call("POST", "/v1/workspaces", { body })).toMatchObject({
        status: 422,
        body: { code: "server-owned-member" },
      });
    expect((await person.call("GET", "/v1/workspaces")).body.items).toHaveLength(1);
  });

  it("makes one for one Idempotency-Key, and refuses a slug that is taken", async () => {
    const person = await signUp();
    const slug = `team-${crypto.randomUUID().slice(0, 8)}`;
    const options = { body: { name: "Once", slug }, headers: { "idempotency-key": crypto.randomUUID() } };
    const first = await person.call("POST", "/v1/workspaces", options);
    const again = await person.call("POST", "/v1/workspaces", options);
    expect(again.body).toEqual(first.body);
    expect(await person.call("POST", "/v1/workspaces", { body: { name: "Other", slug } })).toMatchObject({
      status: 409,
      body: { code: "slug-taken" },
    });
    const others = await Promise.all(
      Array.from({ length: 4 }, () =>
        person.call("POST", "/v1/workspaces", { body: { name: "Race", slug: `${slug}-race` } }),
      ),
    );
    expect(others.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409]);
  });

  it("ends at twenty of one's own", async () => {
    const person = await signUp();
    for (let index = 0; index < 20; index += 1)
      expect((await person.call("POST", "/v1/workspaces", { body: { name: `Number ${index}` } })).status).toBe(201);
    expect(await person.call("POST", "/v1/workspaces", { body: { name: "One more" } })).toMatchObject({
      status: 409,
      body: { code: "workspace-limit-reached" },
    });
  });
});

describe("changing a workspace", () => {
  it("is for owner and admin, and leaves the old and new values in the trail", async () => {
    const team = await makeTeam();
    const [admin, member] = [await join(team, "admin"), await join(team, "member")];
    expect((await member.call("PATCH", `/v1/workspaces/${team.id}`, { body: { name: "Mine" } })).status).toBe(403);
    const settings = { language: "de" };
    const changed = await admin.call("PATCH", `/v1/workspaces/${team.id}`, { body: { name: "Ours", settings } });
    expect(changed).toMatchObject({ status: 200, body: { name: "Ours", settings, role: "admin" } });
    const trail = await admin.call("GET", `/v1/workspaces/${team.id}/audit-log?action=workspace.changed`);
    expect(trail.body.items).toMatchObject([
      { actorId: admin.userId, target: team.id, before: { name: "A team" }, after: { name: "Ours" } },
    ]);
    expect((await admin.call("PATCH", `/v1/workspaces/${team.id}`, { body: {} })).status).toBe(422);
  });
});

describe("the trail", () => {
  it("pages, filters by action, actor and time, and is for owner and admin", async () => {
    const team = await makeTeam();
    for (const name of ["First", "Second", "Third"])
      await team.owner.call("PATCH", `/v1/workspaces/${team.id}`, { body: { name } });
    const path = `/v1/workspaces/${team.id}/audit-log`;
    const first = await team.owner.call("GET", `${path}?limit=2`);
    expect(first.body.items.map((entry: { after: { name: string } }) => entry.after.name)).toEqual(["Third", "Second"]);
    const second = await team.owner.call("GET", `${path}?limit=2&cursor=${first.body.nextCursor}`);
    expect(second.body.items.map((entry: { action: string }) => entry.action)).toEqual([
      "workspace.changed",
      "workspace.created",
    ]);
    expect(second.body.nextCursor).toBeNull();
    expect((await team.owner.call("GET", `${path}?actorId=usr_nobody`)).body.items).toEqual([]);
    expect((await team.owner.call("GET", `${path}?to=2020-01-01T00:00:00Z`)).body.items).toEqual([]);
    expect((await team.owner.call("GET", `${path}?cursor=junk`)).body.code).toBe("invalid-cursor");
    const member = await join(team, "member");
    expect((await member.call("GET", path)).status).toBe(403);
  });
});

describe("which workspace a request acts in", () => {
  it("is the one that the path names, whatever X-Workspace-Id says", async () => {
    const [team, other] = [await makeTeam({ name: "Here" }), await makeTeam({ name: "There" })];
    const headers = { "x-workspace-id": other.id };
    expect((await team.owner.call("GET", `/v1/workspaces/${team.id}`, { headers })).body.name).toBe("Here");
    const foreign = await team.owner.call("GET", `/v1/workspaces/${other.id}`, {
      headers: { "x-workspace-id": team.id },
    });
    expect(foreign).toMatchObject({ status: 404, body: { code: "workspace-not-found" } });
    const unknown = await team.owner.call("GET", "/v1/workspaces/wks_00000000000000000000000000");
    expect({ ...foreign.body, requestId: "" }).toEqual({ ...unknown.body, requestId: "" });
  });

  it("is a key's own: of another one it sees nothing", async () => {
    const [team, other] = [await makeTeam(), await makeTeam()];
    const made = await team.owner.call("POST", "/v1/api-keys", {
      body: { name: "a key", scopes: ["workspaces:read"] },
      headers: { "x-workspace-id": team.id },
    });
    const { key } = made.body;
    expect((await call("GET", `/v1/workspaces/${team.id}`, { as: key })).status).toBe(200);
    expect((await call("GET", `/v1/workspaces/${other.id}`, { as: key })).status).toBe(404);
    expect((await call("GET", `/v1/workspaces/${team.owner.workspaceId}`, { as: key })).status).toBe(404);
    const list = await call("GET", "/v1/workspaces", { as: key });
    expect(list.body.items.map((item: { id: string }) => item.id)).toEqual([team.id]);
  });
});

describe("the numbers of a workspace", () => {
  it("count members, keys and the last week's acts", async () => {
    const team = await makeTeam();
    await join(team, "viewer");
    const headers = { "x-workspace-id": team.id };
    await team.owner.call("POST", "/v1/api-keys", { body: { name: "a key" }, headers });
    const stats = await team.owner.call("GET", `/v1/workspaces/${team.id}/stats`);
    expect(stats).toMatchObject({
      status: 200,
      body: {
        total_members: 2,
        total_api_keys: 1,
        monthly_tokens_used: 0,
        monthly_token_limit: 50_000,
        token_usage_percentage: 0,
        storage: { used_bytes: 0, limit_bytes: 1024 ** 3 },
      },
    });
    expect(stats.body.recent_activity_count).toBeGreaterThanOrEqual(4);
    expect(stats.body.days_until_reset).toBeGreaterThanOrEqual(1);
    expect(stats.body.days_until_reset).toBeLessThanOrEqual(31);
  });
});
