/** What each level of staff sees and changes of people, and how it refuses to be raised. */
import { beforeAll, describe, expect, it } from "vitest";
import { call, type Called, type Person, signUp } from "#test/support/harness";
import { mailsTo } from "#test/support/mails";
import { lastEntry, makeTeam, type Team, withRole } from "./team.ts";

let team: Team;

beforeAll(async () => {
  team = await makeTeam();
});

const basic = ["id", "email", "username", "name", "role", "userType", "plan", "isActive", "isVerified"];
const place = ["workspaceId", "createdAt", "lastLoginAt"];
const account = ["limits", "creditsPerDay", "creditsLeft", "promptLevel"];
const personal = ["promptStyles", "aboutMe", "hobbies", "notes", "supportLevel", "parentWorkspaceId"];
/** What the same members are called in the older panel, whose path this is. */
const older: Record<string, string[]> = {
  id: ["user_id"],
  userType: ["user_type"],
  plan: ["subscription_plan"],
  isActive: ["is_active"],
  isVerified: ["is_verified"],
  createdAt: ["created_at", "time_created"],
  lastLoginAt: ["last_login"],
  creditsPerDay: ["credits"],
  promptLevel: ["level"],
  promptStyles: ["access_rtype"],
  aboutMe: ["about_me"],
  notes: ["additional_notes"],
};
const alsoOlder = (seen: readonly string[]) => sorted(...seen, ...seen.flatMap((name) => older[name] ?? []));
const sorted = (...names: string[]) => names.sort((one, other) => one.localeCompare(other));
const membersOf = (answer: Called) => sorted(...Object.keys(answer.body));

describe("what is seen", () => {
  it.each([
    ["new", sorted(...basic, ...place)],
    ["support", sorted(...basic, ...place, ...account)],
    ["advanced", sorted(...basic, ...place, ...account, ...personal)],
    ["admin", sorted(...basic, ...place, ...account, ...personal)],
  ] as const)("depends on the level: %s", async (level, seen) => {
    const answer = await team[level].call("GET", `/v1/support/users/${team.user.userId}`);
    expect(answer.status).toBe(200);
    expect(membersOf(answer)).toEqual(sorted("success", "user", ...alsoOlder(seen)));
    expect(sorted(...Object.keys(answer.body.user))).toEqual(alsoOlder(seen));
    const list = await team[level].call("GET", "/v1/support/users?limit=3");
    const listed = seen.filter((member) => member !== "creditsLeft");
    for (const item of list.body.items) expect(sorted(...Object.keys(item))).toEqual(listed);
    for (const item of list.body.users) expect(sorted(...Object.keys(item))).toEqual(alsoOlder(listed));
    const told = await team[level].call("GET", "/v1/support/permissions");
    expect(sorted(...told.body.viewableFields)).toEqual(seen);
  });

  it("never holds a password, whoever asks", async () => {
    const answer = await team.superadmin.call("GET", `/v1/admin/users/${team.user.userId}`);
    expect(JSON.stringify(answer.body)).not.toMatch(/password|phc|argon|scrypt/i);
  });
});

describe("the matrix of operations", () => {
  const on = (person: Person) => `/v1/support/users/${person.userId}`;
  const levels = ["user", "developer", "new", "support", "advanced", "admin", "superadmin"] as const;
  const cases: [string, string, (target: Person) => string, object | undefined, (typeof levels)[number][]][] = [
    ["profile", "GET", () => "/v1/support/profile", undefined, ["new", "support", "advanced", "admin", "superadmin"]],
    ["list", "GET", () => "/v1/support/users", undefined, ["new", "support", "advanced", "admin", "superadmin"]],
    ["one", "GET", on, undefined, ["new", "support", "advanced", "admin", "superadmin"]],
    ["limits", "PATCH", on, { limits: { creditsPerDay: 7 } }, ["support", "advanced", "admin", "superadmin"]],
    ["name", "PATCH", on, { name: "Renamed" }, ["advanced", "admin", "superadmin"]],
    ["plan", "POST", (t) => `${on(t)}/plan`, { plan: "pro" }, ["support", "advanced", "admin", "superadmin"]],
    ["security", "GET", () => "/v1/admin/security-logs", undefined, ["advanced", "admin", "superadmin"]],
    ["messages", "GET", (t) => `/v1/admin/message-logs/${t.userId}`, undefined, ["advanced", "admin", "superadmin"]],
    ["stats", "GET", () => "/v1/admin/stats", undefined, ["admin", "superadmin"]],
    ["logs", "GET", () => "/v1/admin/logs", undefined, ["admin", "superadmin"]],
    ["admin list", "GET", () => "/v1/admin/users", undefined, ["admin", "superadmin"]],
    ["admin change", "PATCH", (t) => `/v1/admin/users/${t.userId}`, { notes: "n" }, ["admin", "superadmin"]],
    ["revenue", "GET", () => "/v1/admin/revenue", undefined, ["admin", "superadmin"]],
    ["usage", "GET", () => "/v1/admin/usage-stats?group_by=model", undefined, ["admin", "superadmin"]],
    ["health", "GET", () => "/v1/admin/health", undefined, ["admin", "superadmin"]],
    ["prompts", "GET", () => "/v1/admin/system-prompts", undefined, ["admin", "superadmin"]],
    ["support staff", "GET", () => "/v1/support/staff", undefined, ["admin", "superadmin"]],
    ["admins", "GET", () => "/v1/admin/admins", undefined, ["superadmin"]],
  ];

  it.each(cases)("%s", async (_, method, path, body, allowed) => {
    const target = await signUp();
    for (const level of levels) {
      const answer = await team[level].call(method, path(target), body === undefined ? {} : { body });
      expect([level, answer.status], JSON.stringify(answer.body)).toEqual([level, allowed.includes(level) ? 200 : 403]);
    }
  });

  it("does not depend on the workspace or its roles: an owner is nobody here", async () => {
    const owner = await signUp();
    expect((await owner.call("GET", "/v1/support/users")).body.code).toBe("staff-only");
    expect((await owner.call("GET", "/v1/admin/users")).body.code).toBe("staff-only");
  });
});

describe("changing people", () => {
  it("changes what was named and records old and new values", async () => {
    const person = await signUp();
    const answer = await team.admin.call("PATCH", `/v1/admin/users/${person.userId}`, {
      body: {
        name: "Grace",
        userType: "Business",
        notes: "asked by phone",
        plan: "pro",
        limits: { creditsPerDay: 50 },
      },
    });
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({
      name: "Grace",
      userType: "Business",
      notes: "asked by phone",
      plan: "pro",
      limits: { creditsPerDay: 50 },
    });
    const entry = await lastEntry(person.userId);
    expect(entry).toMatchObject({ action: "staff.user-changed", actor_id: team.admin.userId, workspace_id: null });
    expect(entry.before).toMatchObject({ userType: "Personal", notes: "", plan: "free", limits: {} });
    expect(entry.after).toMatchObject({ userType: "Business", notes: "asked by phone", plan: "pro" });
    const back = await team.admin.call("PATCH", `/v1/admin/users/${person.userId}`, {
      body: { limits: { creditsPerDay: null } },
    });
    expect(back.body.limits).toEqual({});
  });

  it("sets the credits that may be used now, up and down, and records what they were", async () => {
    const person = await signUp();
    const path = `/v1/admin/users/${person.userId}`;
    const shown = async () => {
      // Limits are remembered for up to ten seconds.
      await team.admin.call("DELETE", "/v1/admin/cache");
      return (await person.call("GET", "/v1/users/profile")).body.credits;
    };
    const set = (credits: number, more: object = {}) =>
      team.admin.call("PATCH", path, { body: { creditsLeft: credits, ...more } });
    expect(await shown()).toEqual({ main: 10, reset: 10 });
    expect((await set(50)).body).toMatchObject({ creditsLeft: 50, creditsPerDay: 10 });
    expect(await shown()).toEqual({ main: 50, reset: 10 });
    expect((await set(4, { limits: { creditsPerDay: 20 } })).body).toMatchObject({ creditsLeft: 4, creditsPerDay: 20 });
    expect(await shown()).toEqual({ main: 4, reset: 20 });
    expect(await lastEntry(person.userId)).toMatchObject({
      action: "staff.user-changed",
      before: { creditsLeft: 50, limits: {} },
      after: { creditsLeft: 4 },
      details: { workspaceId: person.workspaceId },
    });
    expect((await set(0)).body.creditsLeft).toBe(0);
    const quota = await person.call("GET", "/v1/usage/quota/credits");
    expect(quota.body).toMatchObject({ available: 0, granted: 0, exceeded: true });
    for (const wrong of [-1, 1.5, 1_000_001, "9", null])
      expect((await team.admin.call("PATCH", path, { body: { creditsLeft: wrong } })).status).toBe(422);
    const unlimited = await set(5, { plan: "enterprise", limits: { creditsPerDay: null } });
    expect(unlimited).toMatchObject({ status: 422, body: { code: "validation-failed" } });
    expect((await team.admin.call("GET", path)).body).toMatchObject({ plan: "free", creditsLeft: 0 });
  });

  it("suspends at once: sessions end, signing in fails, and waking up lets in again", async () => {
    const person = await signUp();
    expect((await person.call("GET", "/v1/auth/me")).status).toBe(200);
    const suspended = await team.admin.call("PATCH", `/v1/admin/users/${person.userId}`, { body: { isActive: false } });
    expect(suspended.body.isActive).toBe(false);
    expect((await person.call("GET", "/v1/auth/me")).status).toBe(401);
    const refreshed = await person.call("POST", "/v1/auth/refresh", { body: { refresh_token: person.refreshToken } });
    expect(refreshed.status).toBe(401);
    const credentials = { email: person.email, password: person.password };
    expect((await person.call("POST", "/v1/auth/login", { body: credentials })).body.code).toBe("sign-in-failed");
    const failures = await team.advanced.call(
      "GET",
      `/v1/admin/security-logs?event_type=login_failed&userId=${person.userId}`,
    );
    expect(failures.body.items.map((item: { details: object }) => item.details)).toEqual([
      { reason: "account_inactive" },
    ]);
    await team.admin.call("PATCH", `/v1/admin/users/${person.userId}`, { body: { isActive: true } });
    expect((await person.call("POST", "/v1/auth/login", { body: credentials })).status).toBe(200);
  });

  it("gives an address that is free, unverified, and ends the sessions", async () => {
    const [person, other] = [await signUp(), await signUp()];
    const path = `/v1/support/users/${person.userId}`;
    await team.admin.call("PATCH", `/v1/admin/users/${person.userId}`, { body: { isVerified: true } });
    const taken = await team.support.call("PATCH", path, { body: { email: other.email } });
    expect(taken).toMatchObject({ status: 409, body: { code: "email-taken" } });
    const email = `new-${crypto.randomUUID()}@example.com`;
    expect(await mailsTo(person.email)).toEqual([]);
    const moved = await team.support.call("PATCH", path, { body: { email: email.toUpperCase() } });
    expect(moved.body).toMatchObject({ email, isVerified: false });
    expect((await person.call("GET", "/v1/auth/me")).status).toBe(401);
    expect(await lastEntry(person.userId)).toMatchObject({
      action: "support.user-changed",
      severity: "warning",
      before: { email: person.email },
      after: { email },
    });
    // Told where the account was until now, without the address that it has: a corrected one may have been a stranger's.
    const told = await mailsTo(person.email);
    expect(told).toMatchObject([{ template: "email-changed", state: "sent" }]);
    expect(told[0]?.text).toContain("Our staff changed");
    expect(JSON.stringify(told)).not.toContain(email);
    expect(await mailsTo(email)).toEqual([]);
    const back = await call("POST", "/v1/auth/login", { body: { email, password: person.password } });
    const notices = await call("GET", "/v1/notifications", { as: back.body.access_token });
    expect(notices.body.items).toMatchObject([{ kind: "security", title: "Your e-mail address was changed" }]);
  });

  it("mails nobody when the address stays, or when the change is refused", async () => {
    const [person, other] = [await signUp(), await signUp()];
    const path = `/v1/support/users/${person.userId}`;
    expect((await team.support.call("PATCH", path, { body: { email: person.email } })).status).toBe(200);
    expect((await team.support.call("PATCH", path, { body: { email: other.email } })).status).toBe(409);
    expect((await team.support.call("PATCH", path, { body: { limits: { creditsPerDay: 3 } } })).status).toBe(200);
    expect(await mailsTo(person.email)).toEqual([]);
    expect((await person.call("GET", "/v1/auth/me")).body.email).toBe(person.email);
  });

  it("marks the new address as verified when an admin says so in the same breath", async () => {
    const person = await signUp();
    const email = `new-${crypto.randomUUID()}@example.com`;
    const moved = await team.admin.call("PATCH", `/v1/admin/users/${person.userId}`, {
      body: { email, isVerified: true },
    });
    expect(moved.body).toMatchObject({ email, isVerified: true });
    expect(await mailsTo(person.email)).toMatchObject([{ template: "email-changed" }]);
  });

  it("refuses the whole change when one member is not the level's to change", async () => {
    const person = await signUp();
    const answer = await team.support.call("PATCH", `/v1/support/users/${person.userId}`, {
      body: { plan: "pro", notes: "x", isVerified: true },
    });
    expect(answer).toMatchObject({
      status: 403,
      body: { code: "staff-field-not-editable", forbidden: ["notes", "isVerified"] },
    });
    expect((await team.admin.call("GET", `/v1/admin/users/${person.userId}`)).body.plan).toBe("free");
  });

  it.each([
    "role",
    "is_super_admin",
    "supportLevel",
    "id",
    "username",
    "api_key",
    "password",
    "passwordPhc",
    "createdAt",
  ])("refuses the member %s from everybody and changes nothing", async (member) => {
    const person = await signUp();
    for (const asker of [team.advanced, team.admin, team.superadmin]) {
      const answer = await asker.call("PATCH", `/v1/support/users/${person.userId}`, {
        body: { name: "Changed", [member]: "superadmin" },
      });
      expect(answer).toMatchObject({ status: 422, body: { code: "validation-failed" } });
    }
    const seen = await team.admin.call("GET", `/v1/admin/users/${person.userId}`);
    expect(seen.body).toMatchObject({ role: "user", supportLevel: null });
    expect(seen.body.name).not.toBe("Changed");
  });

  it("stops below the own role, the own person included", async () => {
    const ranks = [
      [team.advanced, ["new", "support", "advanced", "admin", "superadmin"]],
      [team.admin, ["admin", "superadmin"]],
      [team.superadmin, ["superadmin"]],
    ] as const;
    for (const [asker, untouchable] of ranks)
      for (const level of untouchable) {
        const path = `/v1/support/users/${team[level].userId}`;
        const changed = await asker.call("PATCH", path, { body: { isVerified: true } });
        expect(changed, level).toMatchObject({ status: 403, body: { code: "staff-rank" } });
        const planned = await asker.call("POST", `${path}/plan`, { body: { plan: "enterprise" } });
        expect(planned, level).toMatchObject({ status: 403, body: { code: "staff-rank" } });
      }
    const admin = await withRole("admin");
    const suspended = await team.superadmin.call("PATCH", `/v1/admin/users/${admin.userId}`, {
      body: { isActive: false },
    });
    expect(suspended.status).toBe(200);
    expect((await admin.call("GET", "/v1/admin/stats")).status).toBe(401);
  });
});

describe("the list", () => {
  it("finds by part of name, address or user name, and takes its signs literally", async () => {
    const person = await signUp();
    const mark = `100%_${crypto.randomUUID().slice(0, 8)}`;
    await team.admin.call("PATCH", `/v1/admin/users/${person.userId}`, { body: { name: `Ada ${mark} B` } });
    const found = await team.admin.call("GET", `/v1/admin/users?search=${encodeURIComponent(mark.toUpperCase())}`);
    expect(found.body.items.map((item: { id: string }) => item.id)).toEqual([person.userId]);
    expect(found.body.total).toBe(1);
    const wild = await team.admin.call("GET", `/v1/admin/users?search=${encodeURIComponent(mark.replace("%_", "x_"))}`);
    expect(wild.body.items).toEqual([]);
    expect((await team.admin.call("GET", `/v1/admin/users?search=${"é".repeat(30)}`)).status).toBe(422);
  });

  it("filters, and pages by cursor and by number alike", async () => {
    const first = await team.admin.call("GET", "/v1/admin/users?limit=2");
    const second = await team.admin.call("GET", `/v1/admin/users?limit=2&cursor=${first.body.nextCursor}`);
    const numbered = await team.admin.call("GET", "/v1/admin/users?page=2&page_size=2");
    expect(numbered.body).toMatchObject({ page: 2, pageSize: 2 });
    expect(numbered.body.items).toEqual(second.body.items);
    const staff = await team.admin.call("GET", "/v1/admin/users?role=superadmin&is_active=true&user_type=Personal");
    expect(staff.body.items.some((item: { id: string }) => item.id === team.superadmin.userId)).toBe(true);
    for (const item of staff.body.items) expect(item).toMatchObject({ role: "superadmin", isActive: true });
    for (const query of ["page_size=101", "limit=0", "cursor=junk", "is_active=maybe"])
      expect([400, 422]).toContain((await team.admin.call("GET", `/v1/admin/users?${query}`)).status);
  });
});

describe("API keys of a person", () => {
  it("are revoked by the highest level and by admins, shown to nobody, and the owner is told", async () => {
    const person = await signUp();
    const made = await person.call("POST", "/v1/api-keys", { body: { name: "mine" } });
    const path = `/v1/admin/users/${person.userId}/api-key/regenerate`;
    for (const level of ["user", "new", "support"] as const)
      expect((await team[level].call("POST", path)).body.code).toBe("staff-only");
    const answer = await team.advanced.call("POST", path);
    expect(answer).toMatchObject({ status: 200, body: { revoked: 1 } });
    expect(JSON.stringify(answer.body)).not.toMatch(/ovt_/);
    expect((await call("GET", "/v1/auth/me", { as: made.body.key })).status).toBe(401);
    expect(await lastEntry(person.userId)).toMatchObject({
      action: "staff.api-keys-revoked",
      actor_id: team.advanced.userId,
      details: { revoked: 1 },
    });
    const notices = await person.call("GET", "/v1/notifications");
    expect(notices.body.items[0]).toMatchObject({ kind: "security", title: "Your API keys were revoked" });
    expect((await team.advanced.call("POST", path.replace(person.userId, team.admin.userId))).body.code).toBe(
      "staff-rank",
    );
  });
});

describe("signing in to a page of staff", () => {
  it("refuses everybody else with the right password, and records it", async () => {
    const signIn = (person: Person, requiredRole: string) =>
      call("POST", "/v1/auth/login", { body: { email: person.email, password: person.password, requiredRole } });
    const outsider = await signUp();
    expect(await signIn(outsider, "support")).toMatchObject({ status: 403, body: { code: "staff-only" } });
    const failures = await team.advanced.call(
      "GET",
      `/v1/admin/security-logs?event_type=login_failed&userId=${outsider.userId}`,
    );
    expect(failures.body.items[0].details).toEqual({ reason: "role_missing" });
    expect((await signIn(team.support, "admin")).status).toBe(403);
    expect((await signIn(team.support, "support")).status).toBe(200);
    expect((await signIn(team.admin, "support")).status).toBe(200);
    expect((await signIn(team.superadmin, "admin")).status).toBe(200);
    expect((await signIn(team.superadmin, "owner")).status).toBe(422);
  });

  it("lasts 24 hours for admins and 12 for support, whatever is asked for", async () => {
    const hour = 3_600_000;
    for (const [person, hours] of [
      [team.admin, 24],
      [team.support, 12],
      [await signUp(), 7 * 24],
    ] as const) {
      const begun = Date.now();
      const answer = await call("POST", "/v1/auth/login", {
        body: { email: person.email, password: person.password, sessionKind: "opaque" },
      });
      const lasts = (Date.parse(answer.body.expires_at) - begun) / hour;
      expect(lasts).toBeGreaterThan(hours - 0.1);
      expect(lasts).toBeLessThan(hours + 0.1);
    }
  });

  it.each([
    ["admin", 24, 7],
    ["support", 12, 3],
  ] as const)("is renewed by the panel of %s every %i hours, for %i days", async (level, hours, days) => {
    const hour = 3_600_000;
    const begun = Date.now();
    const { email, password } = team[level];
    const path = level === "admin" ? "/v1/admin-panel/login" : "/v1/support/login";
    const { session } = (await call("POST", path, { body: { email, password } })).body;
    const inHours = (at: string) => Math.round((Date.parse(at) - begun) / hour);
    expect([inHours(session.expires_at), inHours(session.refresh_expires_at)]).toEqual([hours, days * 24]);
    const renewed = await call("POST", "/v1/auth/refresh", { body: { refresh_token: session.refresh_token } });
    expect(inHours(renewed.body.expires_at)).toBe(hours);
    expect(inHours(renewed.body.refresh_expires_at)).toBeLessThanOrEqual(days * 24);
    expect((await call("GET", "/v1/support/profile", { as: renewed.body.session_token })).status).toBe(200);
  });
});
