/** Members that a body must not have: each is refused with a precise problem, and role, plan, owner and limits stay what they were. */
import { describe, expect, it } from "vitest";
import { bindings, type Called, type Person, signUp } from "#test/support/harness";
import { invite, join, mailedToken, makeTeam, rolesIn, type Team } from "./support.ts";

const row = async (sql: string, ...values: string[]) =>
  bindings.DB.prepare(sql)
    .bind(...values)
    .first<Record<string, unknown>>();

/** Everything that an escalation would change. */
async function standing(team: Team, person: Person) {
  return {
    workspace: await row("select * from workspaces where id = ?", team.id),
    roles: await rolesIn(team.id),
    user: await row("select role, status, parent_workspace_id from users where id = ?", person.userId),
    made: await row("select count(*) as workspaces from workspaces where owner_user_id = ?", person.userId),
    invitations: await row("select count(*) as waiting from workspace_invitations where workspace_id = ?", team.id),
    trail: await row("select count(*) as acts from audit_log where workspace_id = ?", team.id),
  };
}

type Attempt = [method: string, path: string, body: Record<string, unknown>];

function attemptsOn(team: Team, person: Person): Attempt[] {
  const here = `/v1/workspaces/${team.id}`;
  return [
    ["POST", "/v1/workspaces", { name: "Mine", plan: "enterprise" }],
    ["POST", "/v1/workspaces", { name: "Mine", ownerUserId: team.owner.userId }],
    ["POST", "/organizations", { name: "Mine", owner_id: team.owner.userId }],
    ["POST", "/v1/workspaces", { name: "Mine", limits: { members: 100 } }],
    ["PATCH", here, { plan: "enterprise" }],
    ["PATCH", here, { name: "Mine", subscription_plan: "enterprise" }],
    ["PATCH", here, { limitOverrides: { members: 100 } }],
    ["PATCH", here, { ownerUserId: person.userId }],
    ["PATCH", here, { kind: "personal" }],
    ["POST", `${here}/invitations`, { email: "friend@example.com", role: "owner" }],
    ["POST", `${here}/invitations`, { email: "friend@example.com", role: "superadmin" }],
    ["POST", `${here}/members`, { email: "friend@example.com", role: "owner" }],
    ["PATCH", `${here}/members/${person.userId}`, { role: "owner" }],
    ["PATCH", `${here}/members/${person.userId}`, { role: ["owner"] }],
    ["PUT", `/organizations/${team.id}`, { subscription_plan: "enterprise" }],
    ["PUT", `/organizations/${team.id}`, { monthly_token_limit: 1_000_000_000 }],
    ["PUT", `/organizations/${team.id}`, { owner: person.userId }],
    ["PUT", `/organizations/${team.id}/members/${person.userId}`, { role: "owner" }],
    ["POST", `/organizations/${team.id}/members/invite`, { email: "friend@example.com", role: "owner" }],
    ["PUT", "/v1/users/me", { role: "superadmin" }],
    ["PUT", "/users/me", { role: "superadmin" }],
    ["PUT", "/users/me", { subscription_tier: "enterprise" }],
    ["PUT", "/v1/users/profile", { credits: { main: 1_000_000 } }],
  ];
}

/** Not allowed at all, or the body says what it must not say. */
function expectRefused({ status, body }: Called, words: string): void {
  expect([403, 422], `${words} answered ${status} ${JSON.stringify(body)}`).toContain(status);
  const code = body.code ?? body.error?.code;
  const codes = ["validation-failed", "server-owned-member", "permission-denied", "role-not-grantable"];
  expect(codes, `${words} answered ${code}`).toContain(code);
}

describe("a body with members of the server", () => {
  it.each(["admin", "member"] as const)("from a %s changes nothing", async (role) => {
    const team = await makeTeam();
    const person = await join(team, role);
    const before = await standing(team, person);
    for (const [method, path, body] of attemptsOn(team, person))
      expectRefused(await person.call(method, path, { body }), `${method} ${path} ${JSON.stringify(body)}`);
    expect(await standing(team, person)).toEqual(before);
  });

  it("never turns an act on one person into one on another", async () => {
    const team = await makeTeam();
    const admin = await join(team, "admin");
    const body = { role: "viewer", userId: team.owner.userId };
    await admin.call("PATCH", `/v1/workspaces/${team.id}/members/${admin.userId}`, { body });
    expect((await rolesIn(team.id))[team.owner.userId]).toBe("owner");
  });

  it("does not make more of an invitation than it is", async () => {
    const team = await makeTeam();
    const person = await signUp();
    await invite(team, person.email, "viewer");
    const path = `/v1/invitations/${await mailedToken(person.email)}/accept`;
    for (const body of [{ role: "owner" }, { workspaceId: person.workspaceId }, { kind: "sub-user" }]) {
      const { status } = await person.call("POST", path, { body });
      expect([200, 422]).toContain(status);
      if (status === 200) break;
    }
    await person.call("POST", path);
    expect((await rolesIn(team.id))[person.userId]).toBe("viewer");
  });
});
