/** What a sub-user may do, by session and by key, and that what is taken away is gone at once. */
import { describe, expect, it } from "vitest";
import { bindings, call, signUp } from "#test/support/harness";
import { family, makeChild, signIn } from "./support.ts";

const denied = { status: 403, body: { code: "permission-denied" } };

describe("a sub-user", () => {
  it("acts in the parent's workspace only, without a role and without a workspace of its own", async () => {
    const { parent, child } = await family();
    expect(await child.call("GET", "/v1/auth/me")).toMatchObject({
      status: 200,
      body: { id: child.id, workspace: { id: parent.workspaceId, role: null } },
    });
    const list = await child.call("GET", "/v1/workspaces");
    expect(list.body).toMatchObject({ items: [{ id: parent.workspaceId, role: null }], nextCursor: null });
    const other = await signUp();
    const foreign = { headers: { "x-workspace-id": other.workspaceId } };
    expect((await child.call("GET", "/v1/files", foreign)).status).toBe(404);
    const personal = { headers: { "x-workspace-id": `wks_${child.id.slice(4)}` } };
    expect((await child.call("GET", "/v1/files", personal)).status).toBe(200);
    expect((await child.call("GET", "/v1/auth/me", personal)).body.workspace.id).toBe(parent.workspaceId);
    expect(await child.call("POST", "/v1/workspaces", { body: { name: "Mine" } })).toMatchObject(denied);
    expect(await child.call("POST", `/v1/workspaces/${parent.workspaceId}/leave`)).toMatchObject(denied);
  });

  it("does everyday work and none of what admins do", async () => {
    const { parent, child } = await family();
    for (const path of ["/v1/files", "/v1/jobs", "/v1/conversions"])
      expect((await child.call("GET", path)).status, path).toBe(200);
    const here = `/v1/workspaces/${parent.workspaceId}`;
    for (const [method, path, body] of [
      ["GET", "/v1/sub-users"],
      ["POST", "/v1/sub-users", { email: "more@example.com", password: "a long enough one" }],
      ["PATCH", `/v1/sub-users/${child.id}/permissions`, { can_invite_others: true }],
      ["PATCH", `/v1/sub-users/${child.id}/limits`, { monthly_tokens: 1_000_000 }],
      ["GET", `${here}/members`],
      ["PATCH", here, { name: "Mine" }],
      ["DELETE", here],
      ["GET", `${here}/audit-log`],
      ["POST", `${here}/invitations`, { email: "more@example.com" }],
      ["POST", "/v1/sub-users/invitations", { email: "more@example.com" }],
    ] as const)
      expect(await child.call(method, path, body ? { body } : {}), `${method} ${path}`).toMatchObject(denied);
  });

  it("may do what it is granted, from the very next fresh request on", async () => {
    const { parent, child } = await family();
    const here = `/v1/workspaces/${parent.workspaceId}`;
    const grant = (body: Record<string, unknown>) =>
      parent.call("PATCH", `/v1/sub-users/${child.id}/permissions`, { body });
    expect(await grant({ can_modify_settings: true })).toMatchObject({
      status: 200,
      body: { permissions: { can_modify_settings: true, api_access: true } },
    });
    expect((await child.call("PATCH", here, { body: { description: "By the child" } })).status).toBe(200);
    await grant({ canModifySettings: false });
    expect(await child.call("PATCH", here, { body: { description: "Again" } })).toMatchObject(denied);
    await grant({ api_access: false });
    expect(await child.call("GET", "/v1/files")).toMatchObject(denied);
    expect((await child.call("GET", "/v1/auth/me")).status).toBe(200);
    expect((await grant({ can_view_usage: true, canViewUsage: false })).status).toBe(422);
    expect((await grant({})).status).toBe(422);
    expect((await grant({ is_admin: true })).status).toBe(422);
  });

  it("keeps every one of several changes that are made at the same moment", async () => {
    const { parent, child } = await family({ permissions: { can_modify_settings: true } });
    const change = (what: "permissions" | "limits", body: Record<string, unknown>) =>
      parent.call("PATCH", `/v1/sub-users/${child.id}/${what}`, { body });
    const answers = await Promise.all([
      change("permissions", { can_modify_settings: false }),
      change("permissions", { can_create_api_keys: false, allowed_models: ["small"] }),
      change("permissions", { can_view_usage: false }),
      change("limits", { monthly_tokens: 7 }),
      change("limits", { max_api_keys: 1 }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    const { body } = await parent.call("GET", `/v1/sub-users/${child.id}`);
    expect(body).toMatchObject({
      permissions: {
        api_access: true,
        can_modify_settings: false,
        can_create_api_keys: false,
        can_view_usage: false,
        allowed_models: ["small"],
        allowed_endpoints: ["*"],
      },
      limits: { monthly_tokens: 7, max_api_keys: 1, requests_per_minute: 60 },
    });
  });

  it("is refused operations that are not among its allowed endpoints, by name or by path", async () => {
    const { child } = await family({ permissions: { allowed_endpoints: ["listJobs", "/v1/files*"] } });
    expect((await child.call("GET", "/v1/jobs")).status).toBe(200);
    expect((await child.call("GET", "/v1/files")).status).toBe(200);
    expect((await child.call("GET", "/v1/files/file_unknown")).status).toBe(404);
    const refused = { status: 403, body: { code: "endpoint-not-allowed" } };
    expect(await child.call("GET", "/v1/conversions")).toMatchObject(refused);
    expect(await child.call("GET", "/v1/jobs/job_unknown")).toMatchObject(refused);
    expect((await child.call("POST", "/v1/auth/logout")).status).toBe(204);
  });

  it("makes keys for itself, sees no others, and they can do what it can", async () => {
    const { parent, child } = await family({ limits: { max_api_keys: 2 } });
    const foreign = await parent.call("POST", "/v1/api-keys", { body: { name: "the parent's" } });
    const made = await child.call("POST", "/v1/api-keys", { body: { name: "mine" } });
    expect(made.status).toBe(201);
    const beyond = { body: { name: "more", scopes: ["members:write"] } };
    expect((await child.call("POST", "/v1/api-keys", beyond)).body.code).toBe("scope-not-grantable");
    const list = await child.call("GET", "/v1/api-keys");
    expect(list.body.items.map(({ id }: { id: string }) => id)).toEqual([made.body.id]);
    expect((await child.call("DELETE", `/v1/api-keys/${foreign.body.id}`)).status).toBe(404);
    const as = made.body.key as string;
    expect((await call("GET", "/v1/files", { as })).status).toBe(200);
    expect((await child.call("POST", "/v1/api-keys", { body: { name: "second" } })).status).toBe(201);
    expect(await child.call("POST", "/v1/api-keys", { body: { name: "third" } })).toMatchObject({
      status: 409,
      body: { code: "api-key-limit-reached" },
    });
    const path = `/v1/sub-users/${child.id}`;
    await parent.call("PATCH", `${path}/permissions`, { body: { allowed_endpoints: ["listJobs"] } });
    expect((await call("GET", "/v1/files", { as })).body.code).toBe("endpoint-not-allowed");
    expect((await call("GET", "/v1/jobs", { as })).status).toBe(200);
    await parent.call("PATCH", `${path}/permissions`, { body: { can_create_api_keys: false } });
    expect((await child.call("POST", "/v1/api-keys", { body: { name: "no more" } })).status).toBe(403);
    // Nor the key that is made at the first look at it.
    for (const [method, way] of [
      ["GET", "/v1/users/api-key"],
      ["POST", "/v1/users/api-key/regenerate"],
    ] as const)
      expect(await child.call(method, way), way).toMatchObject(denied);
    expect((await parent.call("GET", "/v1/api-keys")).body.items).toHaveLength(3);
    await parent.call("PATCH", `${path}/permissions`, { body: { api_access: false } });
    expect((await call("GET", "/v1/jobs", { as })).status).toBe(403);
  });

  it("gets keys from an admin, with no more scopes than it has itself", async () => {
    const { parent, child } = await family();
    const path = `/v1/sub-users/${child.id}/api-keys`;
    const made = await parent.call("POST", path, { body: { name: "for you", scopes: ["files:read"] } });
    expect(made).toMatchObject({ status: 201, body: { scopes: ["files:read"] } });
    expect((await call("GET", "/v1/auth/me", { as: made.body.key })).body.id).toBe(child.id);
    const wide = await parent.call("POST", path, { body: { name: "wide", scopes: ["billing:write"] } });
    expect(wide).toMatchObject({ status: 422, body: { code: "scope-not-grantable" } });
    const other = await signUp();
    expect((await other.call("POST", path, { body: { name: "foreign" } })).body.code).toBe("sub-user-not-found");
  });

  it("has its own limit of requests, sessions and keys together", async () => {
    const { parent, child } = await family({ limits: { requests_per_minute: 5 } });
    const made = await parent.call("POST", `/v1/sub-users/${child.id}/api-keys`, { body: { name: "one" } });
    const statuses = [];
    for (let index = 0; index < 8; index += 1) {
      const as = index % 2 === 0 ? child.token : (made.body.key as string);
      statuses.push((await call("GET", "/v1/jobs", { as })).status);
    }
    expect(statuses).toEqual([200, 200, 200, 200, 200, 429, 429, 429]);
  });
});

describe("a deactivated sub-user", () => {
  it("is out with sessions and keys at once, cannot sign in, and comes back only by its admins", async () => {
    const { parent, child } = await family();
    const made = await child.call("POST", "/v1/api-keys", { body: { name: "mine" } });
    const as = made.body.key as string;
    expect((await call("GET", "/v1/files", { as })).status).toBe(200);
    const path = `/v1/sub-users/${child.id}`;
    expect(await parent.call("PATCH", path, { body: { active: false } })).toMatchObject({
      status: 200,
      body: { status: "inactive" },
    });
    expect((await child.call("GET", "/v1/files")).status).toBeGreaterThanOrEqual(401);
    expect((await child.call("GET", "/v1/api-keys")).status).toBe(401);
    expect((await call("GET", "/v1/files", { as })).status).toBe(401);
    expect((await signIn(child.email)).status).toBe(401);
    await parent.call("PATCH", path, { body: { active: true } });
    expect((await signIn(child.email)).status).toBe(200);
    expect((await call("GET", "/v1/files", { as })).status).toBe(200);
  });

  it("is not opened again by an admin when staff closed it", async () => {
    const { parent, child } = await family();
    await bindings.DB.prepare("update users set status = 'suspended' where id = ?").bind(child.id).run();
    const path = `/v1/sub-users/${child.id}`;
    expect((await parent.call("GET", path)).body.status).toBe("suspended");
    expect(await parent.call("PATCH", path, { body: { active: false } })).toMatchObject({
      status: 409,
      body: { code: "sub-user-suspended" },
    });
    expect((await parent.call("PATCH", path, { body: { active: true } })).body.status).toBe("suspended");
    expect((await signIn(child.email)).status).toBe(401);
  });
});

describe("the end of the parent's workspace", () => {
  it("is the end of its sub-users, and frees their addresses", async () => {
    const owner = await signUp();
    const team = await owner.call("POST", "/v1/workspaces", { body: { name: "A team" } });
    const child = await makeChild(owner, {}, team.body.id);
    expect((await child.call("GET", "/v1/files")).status).toBe(200);
    expect((await owner.call("DELETE", `/v1/workspaces/${team.body.id}`)).status).toBe(204);
    expect((await child.call("GET", "/v1/files")).status).toBe(404);
    expect((await signIn(child.email)).status).toBe(401);
    const body = { email: child.email, password: child.password };
    expect((await call("POST", "/v1/auth/register", { body })).status).toBe(201);
  });
});
