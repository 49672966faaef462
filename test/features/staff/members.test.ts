/** Who makes whom a member of staff, and that the last superadmin stays. */
import { beforeAll, describe, expect, it } from "vitest";
import { bindings, call, type Person, signUp } from "#test/support/harness";
import { lastEntry, makeTeam, type Team, withRole } from "./team.ts";

let team: Team;

beforeAll(async () => {
  team = await makeTeam();
});

const address = () => `staff-${crypto.randomUUID()}@example.com`;
const password = "plenty of words here";

const proven = (person: Person) =>
  bindings.DB.prepare("update users set email_verified_at = 1 where id = ?").bind(person.userId).run();

describe("an account whose address nobody has proven", () => {
  it.each([
    ["/v1/admin/admins", "superadmin"],
    ["/v1/support/staff", "admin"],
  ] as const)("gets no role at %s: anybody may have registered with it", async (path, level) => {
    const [asker, person] = [await withRole(level), await signUp()];
    const appoint = () => asker.call("POST", path, { body: { email: person.email } });
    expect(await appoint()).toMatchObject({ status: 409, body: { code: "staff-email-unverified" } });
    expect((await person.call("GET", "/v1/auth/me")).body.role).toBe("user");
    await asker.call("PATCH", `/v1/admin/users/${person.userId}`, { body: { isVerified: true } });
    expect(await appoint()).toMatchObject({ status: 201, body: { id: person.userId } });
  });
});

describe("admins", () => {
  it("are made by superadmins alone, with an account of their own or an existing one", async () => {
    const email = address();
    for (const asker of [team.user, team.advanced, team.admin]) {
      const refused = await asker.call("POST", "/v1/admin/admins", { body: { email, password } });
      expect(refused).toMatchObject({ status: 403, body: { code: "staff-only" } });
    }
    const made = await team.superadmin.call("POST", "/v1/admin/admins", { body: { email, password, name: "Grace" } });
    expect(made).toMatchObject({ status: 201, body: { email, name: "Grace", role: "admin", isActive: true } });
    expect(await lastEntry(made.body.id)).toMatchObject({
      action: "staff.admin-created",
      actor_id: team.superadmin.userId,
      after: { email, role: "admin" },
    });
    const signedIn = await call("POST", "/v1/auth/login", { body: { email, password } });
    expect((await call("GET", "/v1/admin/stats", { as: signedIn.body.access_token })).status).toBe(200);
    const person = await signUp();
    await proven(person);
    const raised = await team.superadmin.call("POST", "/v1/admin/admins", {
      body: { email: person.email, role: "superadmin" },
    });
    expect(raised.body).toMatchObject({ id: person.userId, role: "superadmin" });
    expect((await person.call("GET", "/v1/auth/me")).status).toBe(401);
    const list = await team.superadmin.call("GET", "/v1/admin/admins?limit=100");
    const roles = new Map(list.body.items.map((item: { id: string; role: string }) => [item.id, item.role]));
    expect([roles.get(made.body.id), roles.get(person.userId), roles.has(team.user.userId)]).toEqual([
      "admin",
      "superadmin",
      false,
    ]);
  });

  it("never get a password set over an account that exists, a common one, or none", async () => {
    const person = await signUp();
    const send = (body: object) => team.superadmin.call("POST", "/v1/admin/admins", { body });
    expect(await send({ email: person.email, password })).toMatchObject({ status: 409, body: { code: "email-taken" } });
    expect(await send({ email: address(), password: "password123" })).toMatchObject({
      body: { code: "password-too-common" },
    });
    expect(await send({ email: address() })).toMatchObject({ status: 422, body: { code: "validation-failed" } });
    expect(await send({ email: address(), password, is_super_admin: true })).toMatchObject({ status: 422 });
    expect(await send({ email: address(), password, role: "owner" })).toMatchObject({ status: 422 });
    expect((await person.call("GET", "/v1/auth/me")).body.role).toBe("user");
  });

  it("lose their rights and sessions at once when they are demoted or suspended", async () => {
    const admin = await withRole("admin");
    expect((await admin.call("GET", "/v1/admin/stats")).status).toBe(200);
    const path = `/v1/admin/admins/${admin.userId}`;
    const demoted = await team.superadmin.call("PATCH", path, { body: { role: "user" } });
    expect(demoted.body).toMatchObject({ role: "user", permissions: [] });
    expect((await admin.call("GET", "/v1/admin/stats")).status).toBe(401);
    expect(await lastEntry(admin.userId)).toMatchObject({
      action: "staff.admin-changed",
      severity: "warning",
      before: { role: "admin" },
      after: { role: "user" },
    });
    expect((await team.superadmin.call("PATCH", path, { body: { isActive: false } })).status).toBe(404);
  });

  it("keep their last superadmin, also when two demote each other at the same time", async () => {
    await bindings.DB.prepare("update users set role = 'admin' where role = 'superadmin'").run();
    const [one, two] = [await withRole("superadmin"), await withRole("superadmin")];
    const demote = (by: typeof one, whom: typeof one) =>
      by.call("PATCH", `/v1/admin/admins/${whom.userId}`, { body: { role: "admin" } });
    const answers = await Promise.all([demote(one, two), demote(two, one)]);
    const left = await bindings.DB.prepare("select id from users where role = 'superadmin'").all<{ id: string }>();
    expect(left.results).toHaveLength(1);
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(1);
    const last = left.results[0]?.id === one.userId ? one : two;
    const fresh = await call("POST", "/v1/auth/login", { body: { email: last.email, password: last.password } });
    const self = { as: fresh.body.access_token, body: { role: "user" } };
    const refused = await call("PATCH", `/v1/admin/admins/${last.userId}`, self);
    expect(refused).toMatchObject({ status: 409, body: { code: "last-superadmin" } });
    const asleep = await call("PATCH", `/v1/admin/admins/${last.userId}`, { ...self, body: { isActive: false } });
    expect(asleep).toMatchObject({ status: 409, body: { code: "last-superadmin" } });
    const renamed = await call("PATCH", `/v1/admin/admins/${last.userId}`, { ...self, body: { name: "Still here" } });
    expect(renamed.body).toMatchObject({ name: "Still here", role: "superadmin" });
  });
});

describe("support", () => {
  it("is made, raised and let go by admins", async () => {
    const admin = await withRole("admin");
    const email = address();
    const made = await admin.call("POST", "/v1/support/staff", { body: { email, password } });
    expect(made).toMatchObject({ status: 201, body: { role: "support", level: "new" } });
    const path = `/v1/support/staff/${made.body.id}`;
    const signIn = async () => (await call("POST", "/v1/auth/login", { body: { email, password } })).body.access_token;
    const told = await call("GET", "/v1/support/profile", { as: await signIn() });
    expect(told.body).toMatchObject({ email, level: "new", permissions: ["staff:profile", "staff:users:read"] });
    const raised = await admin.call("PATCH", path, { body: { level: "advanced" } });
    expect(raised.body.permissions).toContain("staff:messages:read");
    expect(raised.body.permissions).not.toContain("staff:write");
    expect(await lastEntry(made.body.id)).toMatchObject({
      action: "staff.support-changed",
      before: { supportLevel: "new" },
      after: { supportLevel: "advanced" },
    });
    const token = await signIn();
    expect((await admin.call("DELETE", path)).status).toBe(204);
    expect((await call("GET", "/v1/support/profile", { as: token })).status).toBe(401);
    expect((await call("GET", "/v1/support/profile", { as: await signIn() })).body.code).toBe("staff-only");
    expect((await admin.call("DELETE", path)).body.code).toBe("staff-member-not-found");
  });

  it("is not a way to lower an admin, nor for support to raise itself", async () => {
    const admin = await withRole("admin");
    const other = await withRole("admin");
    const taken = await admin.call("POST", "/v1/support/staff", { body: { email: other.email } });
    expect(taken).toMatchObject({ status: 403, body: { code: "staff-rank" } });
    const path = `/v1/support/staff/${other.userId}`;
    expect((await admin.call("PATCH", path, { body: { level: "new" } })).body.code).toBe("staff-member-not-found");
    expect((await admin.call("DELETE", path)).body.code).toBe("staff-member-not-found");
    expect((await other.call("GET", "/v1/admin/stats")).status).toBe(200);
    const self = await team.advanced.call("PATCH", `/v1/support/staff/${team.advanced.userId}`, {
      body: { level: "advanced" },
    });
    expect(self.body.code).toBe("staff-only");
    const more = await admin.call("PATCH", `/v1/support/staff/${team.new.userId}`, {
      body: { level: "advanced", role: "admin" },
    });
    expect(more.status).toBe(422);
  });

  it("refuses a sub-user, who has no account of one's own", async () => {
    const admin = await withRole("admin");
    const person = await signUp();
    await bindings.DB.prepare("update users set parent_workspace_id = ? where id = ?")
      .bind(admin.workspaceId, person.userId)
      .run();
    await bindings.DB.prepare("delete from workspaces where id = ?").bind(person.workspaceId).run();
    const answer = await admin.call("POST", "/v1/support/staff", { body: { email: person.email } });
    expect(answer).toMatchObject({ status: 409, body: { code: "no-personal-workspace" } });
    const plan = await admin.call("POST", `/v1/admin/users/${person.userId}/plan`, { body: { plan: "pro" } });
    expect(plan).toMatchObject({ status: 409, body: { code: "no-personal-workspace" } });
  });
});

describe("the first superadmin", () => {
  it("signs in with the hash that the command line makes", async () => {
    const person = await signUp();
    const phc = "$argon2id$v=19$m=19456,t=2,p=1$2IJXzJx5R7Orf3fSNOhJ9A$MP3O11LZsfHGNbMSvOqQvXNrk3bi+yySjUp646fZ7nw";
    await bindings.DB.prepare("update users set password_phc = ? where id = ?").bind(phc, person.userId).run();
    const signedIn = await call("POST", "/v1/auth/login", {
      body: { email: person.email, password: "a calm sea at dawn" },
    });
    expect(signedIn.status).toBe(200);
    const kept = await bindings.DB.prepare("select password_phc from users where id = ?").bind(person.userId).first();
    expect(kept).toEqual({ password_phc: phc });
  });
});
