/** Who may change whose role, and that a workspace never loses its last owner, whatever happens at once. */
import { describe, expect, it } from "vitest";
import { bindings, call, type Person, signUp } from "#test/support/harness";
import { invite, join, makeTeam, mailedToken, rolesIn, type Team } from "./support.ts";

const pathOf = (team: Team, person: Person) => `/v1/workspaces/${team.id}/members/${person.userId}`;
const setRole = (by: Person, team: Team, about: { person: Person; role: string }) =>
  by.call("PATCH", pathOf(team, about.person), { body: { role: about.role } });

async function bigTeam(): Promise<Team> {
  const team = await makeTeam();
  await bindings.DB.prepare("update workspaces set plan = 'pro' where id = ?").bind(team.id).run();
  return team;
}

describe("roles", () => {
  it("are given by owners to everybody, by admins below owner only, and nobody raises the own one", async () => {
    const team = await bigTeam();
    const [admin, other, member] = [await join(team, "admin"), await join(team, "admin"), await join(team, "member")];
    const refused = { status: 403, body: { code: "role-not-grantable" } };
    expect(await setRole(admin, team, { person: admin, role: "owner" })).toMatchObject(refused);
    expect(await setRole(admin, team, { person: member, role: "owner" })).toMatchObject(refused);
    expect(await setRole(admin, team, { person: team.owner, role: "member" })).toMatchObject(refused);
    expect(await admin.call("DELETE", pathOf(team, team.owner))).toMatchObject(refused);
    expect(await setRole(member, team, { person: member, role: "admin" })).toMatchObject({ status: 403 });
    expect(await setRole(admin, team, { person: member, role: "viewer" })).toMatchObject({ status: 200 });
    expect(await setRole(admin, team, { person: other, role: "member" })).toMatchObject({ status: 200 });
    expect(await setRole(admin, team, { person: admin, role: "member" })).toMatchObject({ status: 200 });
    expect(await setRole(admin, team, { person: admin, role: "admin" })).toMatchObject({ status: 403 });
    expect(await setRole(team.owner, team, { person: member, role: "owner" })).toMatchObject({ status: 200 });
    expect(await rolesIn(team.id)).toEqual({
      [team.owner.userId]: "owner",
      [admin.userId]: "member",
      [other.userId]: "member",
      [member.userId]: "owner",
    });
  });

  it("are not changed by extra members, unknown roles or of people who do not belong", async () => {
    const team = await makeTeam();
    const [member, stranger] = [await join(team, "member"), await signUp()];
    expect((await setRole(team.owner, team, { person: member, role: "king" })).status).toBe(422);
    expect(await setRole(team.owner, team, { person: stranger, role: "admin" })).toMatchObject({
      status: 404,
      body: { code: "member-not-found" },
    });
    const extra = await member.call("PATCH", `/v1/workspaces/${team.id}`, {
      body: { name: "Mine", owner: member.userId },
    });
    expect(extra.status).toBe(403);
    expect((await rolesIn(team.id))[member.userId]).toBe("member");
  });

  it("a key never makes or changes owners, whoever made it", async () => {
    const team = await makeTeam();
    const member = await join(team, "member");
    const made = await team.owner.call("POST", "/v1/api-keys", {
      body: { name: "members", scopes: ["members:read", "members:write", "workspaces:own"] },
      headers: { "x-workspace-id": team.id },
    });
    const as = made.body.key as string;
    const path = pathOf(team, member);
    expect(await call("PATCH", path, { as, body: { role: "owner" } })).toMatchObject({ status: 403 });
    const transfer = { as, body: { userId: member.userId } };
    expect(await call("POST", `/v1/workspaces/${team.id}/transfer-ownership`, transfer)).toMatchObject({ status: 403 });
    expect(await call("PATCH", path, { as, body: { role: "viewer" } })).toMatchObject({ status: 200 });
  });
});

describe("the last owner", () => {
  const refused = { status: 409, body: { code: "last-owner" } };

  it("cannot leave, be removed or lose the role", async () => {
    const team = await makeTeam();
    await join(team, "admin");
    const trail = async () => (await team.owner.call("GET", `/v1/workspaces/${team.id}/audit-log`)).body.items;
    const before = { roles: await rolesIn(team.id), trail: await trail() };
    expect(await team.owner.call("POST", `/v1/workspaces/${team.id}/leave`)).toMatchObject(refused);
    expect(await team.owner.call("DELETE", pathOf(team, team.owner))).toMatchObject(refused);
    expect(await setRole(team.owner, team, { person: team.owner, role: "member" })).toMatchObject(refused);
    expect({ roles: await rolesIn(team.id), trail: await trail() }).toEqual(before);
    expect(before.roles[team.owner.userId]).toBe("owner");
  });

  it("stays when two owners leave at once", async () => {
    for (let round = 0; round < 5; round += 1) {
      const team = await makeTeam();
      const second = await join(team, "owner");
      const answers = await Promise.all(
        [team.owner, second].map((person) => person.call("POST", `/v1/workspaces/${team.id}/leave`)),
      );
      expect(answers.map(({ status }) => status).sort()).toEqual([204, 409]);
      const roles = await rolesIn(team.id);
      expect(Object.values(roles)).toEqual(["owner"]);
      const left = answers[0]?.status === 204 ? second : team.owner;
      expect(Object.keys(roles)).toEqual([left.userId]);
      const workspace = await left.call("GET", `/v1/workspaces/${team.id}`);
      expect(workspace.body.ownerUserId).toBe(left.userId);
    }
  });

  it("stays when one owner leaves while the other is demoted or removed", async () => {
    for (const act of ["PATCH", "DELETE"] as const) {
      const team = await makeTeam();
      const second = await join(team, "owner");
      await Promise.all([
        team.owner.call("POST", `/v1/workspaces/${team.id}/leave`),
        team.owner.call(act, pathOf(team, second), act === "PATCH" ? { body: { role: "member" } } : {}),
      ]);
      expect(Object.values(await rolesIn(team.id))).toContain("owner");
    }
  });
});

describe("handing a workspace over", () => {
  it("makes the other one owner and the old one admin, in one step", async () => {
    const team = await makeTeam();
    const member = await join(team, "viewer");
    const transfer = (by: Person, userId: string) =>
      by.call("POST", `/v1/workspaces/${team.id}/transfer-ownership`, { body: { userId } });
    expect((await transfer(member, member.userId)).status).toBe(403);
    expect((await transfer(team.owner, (await signUp()).userId)).body.code).toBe("member-not-found");
    expect(await transfer(team.owner, member.userId)).toMatchObject({ status: 200, body: { role: "owner" } });
    expect(await rolesIn(team.id)).toEqual({ [team.owner.userId]: "admin", [member.userId]: "owner" });
    expect((await member.call("GET", `/v1/workspaces/${team.id}`)).body.ownerUserId).toBe(member.userId);
    expect((await transfer(team.owner, team.owner.userId)).status).toBe(403);
  });

  it("leaves exactly one owner when the heir leaves at the same moment", async () => {
    for (let round = 0; round < 5; round += 1) {
      const team = await makeTeam();
      const heir = await join(team, "member");
      const [transferred, left] = await Promise.all([
        team.owner.call("POST", `/v1/workspaces/${team.id}/transfer-ownership`, { body: { userId: heir.userId } }),
        heir.call("POST", `/v1/workspaces/${team.id}/leave`),
      ]);
      const owners = Object.values(await rolesIn(team.id)).filter((role) => role === "owner");
      expect(owners, `${transferred.status} ${left.status}`).toEqual(["owner"]);
    }
  });

  it("is not for personal workspaces, which keep their person", async () => {
    const [person, guest] = [await signUp(), await signUp()];
    const own: Team = { id: person.workspaceId, owner: person };
    await invite(own, guest.email);
    await guest.call("POST", `/v1/invitations/${await mailedToken(guest.email)}/accept`);
    const refused = { status: 409, body: { code: "personal-workspace" } };
    const body = { userId: guest.userId };
    expect(await person.call("POST", `/v1/workspaces/${own.id}/transfer-ownership`, { body })).toMatchObject(refused);
    expect(await setRole(person, own, { person: guest, role: "owner" })).toMatchObject(refused);
    expect(await person.call("DELETE", `/v1/workspaces/${own.id}`)).toMatchObject(refused);
    expect(await person.call("POST", `/v1/workspaces/${own.id}/leave`)).toMatchObject({ status: 409 });
  });
});

describe("a member who was removed", () => {
  it("is out at once, with session and keys", async () => {
    const team = await makeTeam();
    const admin = await join(team, "admin");
    const headers = { "x-workspace-id": team.id };
    const made = await admin.call("POST", "/v1/api-keys", { body: { name: "theirs" }, headers });
    const as = made.body.key as string;
    expect((await call("GET", "/v1/files", { as })).status).toBe(200);
    expect((await admin.call("GET", "/v1/files", { headers })).status).toBe(200);
    expect((await team.owner.call("DELETE", pathOf(team, admin))).status).toBe(204);
    expect((await admin.call("GET", "/v1/files", { headers })).status).toBe(404);
    expect((await admin.call("GET", `/v1/workspaces/${team.id}/members`)).status).toBe(404);
    expect((await admin.call("GET", "/v1/api-keys", { headers })).status).toBe(404);
    expect((await call("GET", "/v1/files", { as })).status).toBe(401);
    expect((await admin.call("GET", "/v1/files")).status).toBe(200);
  });

  it("is refused by fresh operations although an isolate still remembers the role", async () => {
    const team = await makeTeam();
    const admin = await join(team, "admin");
    const headers = { "x-workspace-id": team.id };
    expect((await admin.call("GET", "/v1/files", { headers })).status).toBe(200);
    // As another isolate would have done it: this one was told nothing.
    await bindings.DB.prepare("delete from workspace_members where workspace_id = ? and user_id = ?")
      .bind(team.id, admin.userId)
      .run();
    expect((await admin.call("GET", "/v1/api-keys", { headers })).status).toBe(404);
    expect((await admin.call("PATCH", `/v1/workspaces/${team.id}`, { body: { name: "Mine" } })).status).toBe(404);
    // The fresh check told this isolate, too; ordinary reads would have learnt it within ten seconds.
    expect((await admin.call("GET", "/v1/files", { headers })).status).toBe(404);
  });
});
