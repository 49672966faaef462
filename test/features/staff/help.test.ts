/** What staff do for a person: a mailed code, credits. */
import { beforeAll, describe, expect, it } from "vitest";
import { bindings, call, signUp } from "#test/support/harness";
import { lastEntry, makeTeam, type Team } from "./team.ts";

let team: Team;

beforeAll(async () => {
  team = await makeTeam();
});

describe("a new password", () => {
  it("is asked for by a code that goes to the person alone, and ends the sessions", async () => {
    const person = await signUp();
    const path = `/v1/support/users/${person.userId}/reset-password`;
    for (const level of ["user", "new"] as const)
      expect((await team[level].call("POST", path)).body.code).toBe("staff-only");
    const answer = await team.support.call("POST", path);
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    expect(Object.keys(answer.body)).toEqual(["success", "message", "timestamp"]);
    expect((await person.call("GET", "/v1/auth/me")).status).toBe(401);
    const jobs = await bindings.DB.prepare("select count(*) as jobs from jobs where instr(payload, ?) > 0")
      .bind(person.email)
      .first<{ jobs: number }>();
    expect(jobs?.jobs).toBe(1);
    expect(await lastEntry(person.userId)).toMatchObject({
      action: "support.password-reset-sent",
      actor_id: team.support.userId,
    });
    expect((await team.support.call("POST", path)).body.code).toBe("code-sent-recently");
    expect((await team.support.call("POST", path.replace(person.userId, team.admin.userId))).body.code).toBe(
      "staff-rank",
    );
  });

  it("is not sent to somebody who is suspended", async () => {
    const person = await signUp();
    await team.admin.call("PATCH", `/v1/admin/users/${person.userId}`, { body: { isActive: false } });
    const answer = await team.admin.call("POST", `/v1/support/users/${person.userId}/reset-password`);
    expect(answer).toMatchObject({ status: 409, body: { code: "user-suspended" } });
  });
});

describe("credits", () => {
  it("are given once for each key of idempotency, taken back, and recorded", async () => {
    const person = await signUp();
    const path = `/v1/support/users/${person.userId}/credits`;
    const headers = { "idempotency-key": crypto.randomUUID() };
    const give = () => team.support.call("POST", path, { headers, body: { credits: 40, reason: "a fault of ours" } });
    const [first, second] = [await give(), await give()];
    expect(first).toMatchObject({ status: 200, body: { workspaceId: person.workspaceId, granted: 40, left: 40 } });
    expect(second.body).toEqual(first.body);
    expect(await lastEntry(person.userId)).toMatchObject({
      action: "support.credits-changed",
      details: { credits: 40, reason: "a fault of ours", workspaceId: person.workspaceId },
    });
    const back = await team.admin.call("POST", path, { body: { credits: -15 } });
    expect(back.body).toMatchObject({ granted: -15, left: 25 });
  });

  it.each([{ credits: 0 }, { credits: 1.5 }, { credits: 100_001 }, { credits: "9" }, {}, { credits: 1, plan: "pro" }])(
    "refuses %j",
    async (body) => {
      const person = await signUp();
      expect((await team.admin.call("POST", `/v1/support/users/${person.userId}/credits`, { body })).status).toBe(422);
    },
  );

  it("are no gift to oneself or one's peers", async () => {
    for (const whom of [team.support, team.advanced, team.admin]) {
      const answer = await team.support.call("POST", `/v1/support/users/${whom.userId}/credits`, {
        body: { credits: 5 },
      });
      expect(answer.body.code).toBe("staff-rank");
    }
  });
});

describe("the end of an account", () => {
  it("comes from a superadmin with a reason, and leaves nothing that lets the person in", async () => {
    const person = await signUp();
    const key = (await person.call("POST", "/v1/api-keys", { body: { name: "mine" } })).body.key as string;
    const path = `/v1/admin/users/${person.userId}`;
    const reason = encodeURIComponent("asked by letter");
    for (const level of ["support", "advanced", "admin"] as const)
      expect((await team[level].call("DELETE", `${path}?reason=${reason}`)).body.code).toBe("staff-only");
    expect((await team.superadmin.call("DELETE", path)).status).toBe(422);
    expect((await person.call("GET", "/v1/auth/me")).status).toBe(200);
    expect((await team.superadmin.call("DELETE", `${path}?reason=${reason}`)).status).toBe(204);
    expect((await person.call("GET", "/v1/auth/me")).status).toBe(401);
    expect((await call("GET", "/v1/auth/me", { as: key })).status).toBe(401);
    const signIn = await call("POST", "/v1/auth/login", { body: { email: person.email, password: person.password } });
    expect(signIn.body.code).toBe("sign-in-failed");
    expect((await team.admin.call("GET", path)).body.code).toBe("user-not-found");
    const entry = await lastEntry(person.userId);
    expect(entry).toMatchObject({ actor_id: team.superadmin.userId, details: { reason: "asked by letter" } });
    expect(JSON.stringify(entry)).not.toContain(person.email);
    expect((await team.superadmin.call("DELETE", `${path}?reason=${reason}`)).status).toBe(404);
  });

  it("reaches no superadmin, and takes the reason of older clients from the body", async () => {
    const path = `/v1/admin/users/${team.superadmin.userId}?reason=because`;
    expect((await team.superadmin.call("DELETE", path)).body.code).toBe("staff-rank");
    const person = await signUp();
    const older = `/v1/admin-panel/users/${person.userId}`;
    expect((await team.superadmin.call("DELETE", older, { body: { reason: "by the panel" } })).body.success).toBe(true);
    expect((await lastEntry(person.userId)).details).toEqual({ reason: "by the panel" });
  });
});
