/** Invitations: only the invited person gets in, once, in time, and only while the workspace has a place. */
import { describe, expect, it } from "vitest";
import { bindings, overrideLimits, type Person, signUp } from "#test/support/harness";
import { mailsTo } from "#test/support/mails";
import { invite, join, mailedToken, makeTeam, rolesIn, type Team } from "./support.ts";

const accept = (person: Person, token: string) => person.call("POST", `/v1/invitations/${token}/accept`);

describe("an invitation", () => {
  it("is mailed with a link that lasts seven days, and lets the person in once", async () => {
    const team = await makeTeam({ name: "The choir" });
    const person = await signUp();
    const sent = await invite(team, ` ${person.email.toUpperCase()} `, "viewer");
    expect(sent).toMatchObject({ status: 201, body: { email: person.email, role: "viewer", state: "pending" } });
    expect(Date.parse(sent.body.expiresAt) - Date.parse(sent.body.createdAt)).toBe(7 * 86_400_000);
    const [mail] = await mailsTo(person.email);
    expect(mail?.subject).toContain("The choir");
    const token = await mailedToken(person.email);
    expect(Buffer.from(token, "base64url")).toHaveLength(32);
    expect(JSON.stringify(sent.body)).not.toContain(token);
    const kept = await bindings.DB.prepare("select * from workspace_invitations where id = ?")
      .bind(sent.body.id)
      .first();
    expect(JSON.stringify(kept)).not.toContain(token);
    expect(await accept(person, token)).toMatchObject({
      status: 200,
      body: { role: "viewer", workspace: { id: team.id, role: "viewer" } },
    });
    expect(await accept(person, token)).toMatchObject({ status: 410, body: { code: "invitation-used" } });
    const list = await team.owner.call("GET", `/v1/workspaces/${team.id}/invitations`);
    expect(list.body.items).toMatchObject([{ id: sent.body.id, state: "accepted" }]);
    const trail = await team.owner.call("GET", `/v1/workspaces/${team.id}/audit-log?action=member.joined`);
    expect(trail.body.items).toMatchObject([{ actorId: person.userId, target: person.userId }]);
  });

  it("is for the invited address alone, and tells nobody else what it is", async () => {
    const team = await makeTeam();
    const [invited, thief] = [await signUp(), await signUp()];
    const sent = await invite(team, invited.email);
    const token = await mailedToken(invited.email);
    const foreign = { status: 403, body: { code: "invitation-foreign" } };
    expect(await accept(thief, token)).toMatchObject(foreign);
    await team.owner.call("DELETE", `/v1/workspaces/${team.id}/invitations/${sent.body.id}`);
    expect(await accept(thief, token)).toMatchObject(foreign);
    expect(await accept(invited, token)).toMatchObject({ status: 410, body: { code: "invitation-revoked" } });
    expect(await accept(invited, "A".repeat(43))).toMatchObject({
      status: 404,
      body: { code: "invitation-not-found" },
    });
    expect(Object.keys(await rolesIn(team.id))).toEqual([team.owner.userId]);
  });

  it("asks for a verified address where addresses are verified", async () => {
    const team = await makeTeam();
    const person = await signUp();
    await bindings.DB.prepare("update users set email_verified_at = null where id = ?").bind(person.userId).run();
    await invite(team, person.email);
    const path = `/v1/invitations/${await mailedToken(person.email)}/accept`;
    const env = { ...bindings, EMAIL_VERIFICATION_ENABLED: "true" };
    expect(await person.call("POST", path, { env })).toMatchObject({
      status: 403,
      body: { code: "invitation-address-unverified" },
    });
    await bindings.DB.prepare("update users set email_verified_at = 1 where id = ?").bind(person.userId).run();
    expect((await person.call("POST", path, { env })).status).toBe(200);
  });

  it("is over after its time; asking again sends a new link and makes the old one void", async () => {
    const team = await makeTeam();
    const person = await signUp();
    const first = await invite(team, person.email);
    const old = await mailedToken(person.email);
    await bindings.DB.prepare("update workspace_invitations set expires_at = ? where id = ?")
      .bind(Date.now() - 1, first.body.id)
      .run();
    expect(await accept(person, old)).toMatchObject({ status: 410, body: { code: "invitation-expired" } });
    expect(Object.keys(await rolesIn(team.id))).toEqual([team.owner.userId]);
    const second = await invite(team, person.email, "admin");
    expect(second).toMatchObject({ status: 201, body: { id: first.body.id, state: "pending", role: "admin" } });
    const renewed = await mailedToken(person.email);
    expect(renewed).not.toBe(old);
    expect(await accept(person, old)).toMatchObject({ status: 404, body: { code: "invitation-not-found" } });
    expect((await accept(person, renewed)).body.role).toBe("admin");
  });

  it("that was used lets nobody back in, and gives no role back", async () => {
    const team = await makeTeam();
    const person = await signUp();
    await invite(team, person.email, "admin");
    const token = await mailedToken(person.email);
    const path = `/v1/workspaces/${team.id}/members/${person.userId}`;
    const used = { status: 410, body: { code: "invitation-used" } };
    expect((await accept(person, token)).body.role).toBe("admin");
    await team.owner.call("PATCH", path, { body: { role: "viewer" } });
    expect(await accept(person, token)).toMatchObject(used);
    expect((await rolesIn(team.id))[person.userId]).toBe("viewer");
    await team.owner.call("DELETE", path);
    expect(await accept(person, token)).toMatchObject(used);
    expect(Object.keys(await rolesIn(team.id))).toEqual([team.owner.userId]);
    const joined = await team.owner.call("GET", `/v1/workspaces/${team.id}/audit-log?action=member.joined`);
    expect(joined.body.items).toHaveLength(1);
  });

  it("lets exactly one of two acceptances through", async () => {
    const team = await makeTeam();
    const person = await signUp();
    await invite(team, person.email);
    const token = await mailedToken(person.email);
    const answers = await Promise.all([accept(person, token), accept(person, token), accept(person, token)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 410, 410]);
    const joined = await team.owner.call("GET", `/v1/workspaces/${team.id}/audit-log?action=member.joined`);
    expect(joined.body.items).toHaveLength(1);
  });

  it("never passes the plan's number of members, also when many accept at once", async () => {
    const team = await makeTeam();
    const people = await Promise.all([signUp(), signUp(), signUp(), signUp()]);
    for (const person of people) expect((await invite(team, person.email)).status).toBe(201);
    const tokens = await Promise.all(people.map((person) => mailedToken(person.email)));
    const answers = await Promise.all(people.map((person, index) => accept(person, tokens[index] ?? "")));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 409, 409]);
    expect(answers.find(({ status }) => status === 409)?.body.code).toBe("member-limit-reached");
    expect(Object.keys(await rolesIn(team.id))).toHaveLength(3);
    expect(await invite(team, "one-more@example.com")).toMatchObject({
      status: 409,
      body: { code: "member-limit-reached" },
    });
    await overrideLimits(team.id, { members: 4 });
    const index = answers.findIndex(({ status }) => status === 409);
    expect((await accept(people[index] ?? team.owner, tokens[index] ?? "")).status).toBe(200);
  });
});

describe("inviting", () => {
  it("is for owner and admin, never for somebody who belongs, and never with the role of owner", async () => {
    const team = await makeTeam();
    const [admin, viewer] = [await join(team, "admin"), await join(team, "viewer")];
    const path = `/v1/workspaces/${team.id}/invitations`;
    const body = { email: "somebody@example.com", role: "member" };
    await overrideLimits(team.id, { members: 10 });
    expect((await viewer.call("POST", path, { body })).status).toBe(403);
    expect((await admin.call("POST", path, { body })).status).toBe(201);
    expect((await admin.call("POST", path, { body: { ...body, role: "owner" } })).status).toBe(422);
    expect((await admin.call("POST", path, { body: { role: "member" } })).status).toBe(422);
    expect((await admin.call("POST", path, { body: { email: "not an address" } })).status).toBe(422);
    expect(await invite(team, viewer.email)).toMatchObject({ status: 409, body: { code: "already-member" } });
    const added = await admin.call("POST", `/v1/workspaces/${team.id}/members`, { body: { email: "new@example.com" } });
    expect(added).toMatchObject({ status: 202, body: { email: "new@example.com", state: "pending" } });
  });

  it("takes a withdrawn one back once, and knows no foreign one", async () => {
    const [team, other] = [await makeTeam(), await makeTeam()];
    const sent = await invite(team, "somebody@example.com");
    const foreign = await other.owner.call("DELETE", `/v1/workspaces/${other.id}/invitations/${sent.body.id}`);
    expect(foreign).toMatchObject({ status: 404, body: { code: "invitation-not-found" } });
    const path = `/v1/workspaces/${team.id}/invitations/${sent.body.id}`;
    expect((await team.owner.call("DELETE", path)).status).toBe(204);
    expect((await team.owner.call("DELETE", path)).status).toBe(204);
  });

  it("ends at a hundred that wait, and at five mails a day to one address", async () => {
    const team: Team = await makeTeam();
    for (let count = 0; count < 5; count += 1)
      expect((await invite(team, `same@${team.id.slice(4)}.example`)).status).toBe(201);
    expect(await invite(team, `same@${team.id.slice(4)}.example`)).toMatchObject({
      status: 429,
      body: { code: "rate-limited" },
    });
    const rows = Array.from({ length: 99 }, (_, index) =>
      bindings.DB.prepare(
        "insert into workspace_invitations (id, workspace_id, kind, email, token_hash, invited_by, created_at, expires_at) values (?, ?, 'member', ?, ?, 'x', 0, 9e12)",
      ).bind(`inv_${team.id}_${index}`, team.id, `${index}@example.com`, `${team.id} ${index}`),
    );
    await bindings.DB.batch(rows);
    expect(await invite(team, "another@example.com")).toMatchObject({
      status: 409,
      body: { code: "invitation-limit-reached" },
    });
  });
});
