/** Accounts by the names of systems B and C: sessions, profile, keys, preferences, change of address, export and deletion. */
import { beforeAll, describe, expect, it } from "vitest";
import { archivedAddress } from "#features/accounts/deletion";
import { writeEntries } from "#features/message-logs/service";
import { entryOf } from "#test/features/message-logs/support";
import { bindings, call, type Person, signUp, systemContext } from "#test/support/harness";
import { mailedCode, mailsTo } from "#test/support/mails";
import { password, unique, username } from "./support.ts";

async function enroll() {
  const email = unique();
  const name = username();
  const { body } = await call("POST", "/v1/users/register", {
    body: { username: name, name: "Ada Lovelace", email, password, user_type: "Business", about_me: "numbers" },
  });
  const login = await call("POST", "/v1/users/login", { body: { email, password } });
  const as = login.body.session.session_token as string;
  return { email, username: name, id: body.user_id as string, key: body.api_key as string, login, as };
}

describe("/v1/users", () => {
  it("signs in for an opaque session that its refresh token renews", async () => {
    const { login, as, username: name } = await enroll();
    expect(login.body).toMatchObject({
      success: true,
      user: { username: name, user_type: "Business", subscription_plan: "free", is_verified: false },
    });
    const { expires_at, refresh_expires_at, refresh_token } = login.body.session;
    expect(Date.parse(expires_at) - Date.now()).toBeGreaterThan(86_000_000);
    expect(Date.parse(refresh_expires_at) - Date.now()).toBeGreaterThan(29 * 86_400_000);
    const renewed = await call("POST", "/v1/auth/refresh", { body: { refresh_token } });
    expect(Object.keys(renewed.body).sort()).toEqual([
      "expires_at",
      "refresh_expires_at",
      "refresh_token",
      "session_token",
    ]);
    expect((await call("GET", "/v1/users/profile", { as: renewed.body.session_token })).status).toBe(200);
    expect((await call("POST", "/v1/users/logout", { as })).body.success).toBe(true);
    expect((await call("GET", "/v1/users/profile", { as: renewed.body.session_token })).status).toBe(401);
  });

  it("shows and changes the profile, and refuses what the server owns", async () => {
    const { as } = await enroll();
    const profile = await call("GET", "/v1/users/profile", { as });
    expect(profile.body).toMatchObject({
      about_me: "numbers",
      credits: { main: 10, reset: 10 },
      limits: { conversation_limit: 10, reset: 10 },
      access_rtype: ["bpe", "tot"],
      level: "low",
    });
    const changed = await call("PUT", "/v1/users/profile", { as, body: { hobbies: "engines", is_active: false } });
    expect(changed.body).toMatchObject({ hobbies: "engines", about_me: "numbers", is_active: true });
    for (const member of ["role", "plan", "credits", "limits"]) {
      const refused = await call("PUT", "/v1/users/profile", { as, body: { [member]: "superadmin" } });
      expect(refused).toMatchObject({ status: 422, body: { code: "server-owned-member" } });
    }
    expect((await call("PUT", "/v1/users/profile", { as, body: { name: "A" } })).status).toBe(422);
  });

  it("makes a new key in place of the old one", async () => {
    const { as, key } = await enroll();
    expect((await call("GET", "/v1/users/api-key", { as })).body.api_key).toBeNull();
    const made = await call("POST", "/v1/users/api-key/regenerate", { as });
    expect((await call("GET", "/v1/jobs", { as: made.body.api_key })).status).toBe(200);
    expect(await call("GET", "/v1/api-keys", { as: key })).toMatchObject({ status: 401 });
    expect((await call("GET", "/v1/api-keys", { as })).body.items).toHaveLength(1);
  });

  it("changes the password by either vocabulary and ends the other sessions", async () => {
    const { as, email } = await enroll();
    const other = await call("POST", "/v1/users/login", { body: { email, password } });
    const body = { current_password: password, new_password: "a newer long secret" };
    expect(
      (await call("PUT", "/v1/users/password", { as, body: { ...body, newPassword: "differs from it" } })).status,
    ).toBe(422);
    expect((await call("PUT", "/v1/users/password", { as, body })).body.success).toBe(true);
    expect((await call("GET", "/v1/users/profile", { as: other.body.session.session_token })).status).toBe(401);
    expect((await call("GET", "/v1/users/profile", { as })).status).toBe(200);
    expect((await mailsTo(email)).map((mail) => mail.template)).toContain("password-changed");
  });
});

describe("the editor extension", () => {
  it("gets a gateway key with the session, which ends with it and never shows in a list", async () => {
    const person = await signUp();
    const login = await call("POST", "/v1/auth/login-json", {
      body: { email: person.email, password: person.password },
    });
    expect(login.body).toMatchObject({
      token_type: "bearer",
      expires_in: 1800,
      user: { email: person.email, subscription_tier: "free", monthly_usage: { tokens_used: 0 } },
      a4f_api_key: expect.stringMatching(/^ovt_live_/),
      api_endpoint: expect.stringMatching(/\/v1$/),
    });
    const { a4f_api_key: key, access_token: as } = login.body;
    const config = await call("GET", "/v1/auth/vscode-config", { as });
    expect(config.body.config).toMatchObject({ a4f_api_key: key, providers: { a4f: { enabled: true } } });
    expect((await call("GET", "/v1/auth/me", { as: key })).body.user).toMatchObject({
      tokens_remaining: 50_000,
      tokens_used: 0,
      monthly_limit: 50_000,
    });
    expect(await call("GET", "/v1/files", { as: key })).toMatchObject({ status: 403 });
    expect((await person.call("GET", "/v1/api-keys")).body.items).toEqual([]);
    const { results } = await bindings.DB.prepare("select * from api_keys where user_id = ?").bind(person.userId).all();
    expect(JSON.stringify(results)).not.toContain(key);
    await call("POST", "/v1/auth/logout", { as });
    expect((await call("GET", "/v1/auth/me", { as: key })).status).toBe(401);
  });

  it("gets one key for a session that began otherwise, and another for each session", async () => {
    const person = await signUp();
    const [one, two] = [
      await person.call("GET", "/v1/auth/vscode-config"),
      await person.call("GET", "/v1/auth/vscode-config"),
    ];
    expect(one.body.config.a4f_api_key).toMatch(/^ovt_live_/);
    expect(two.body.config.a4f_api_key).toBe(one.body.config.a4f_api_key);
    const login = await call("POST", "/v1/auth/login-json", {
      body: { email: person.email, password: person.password },
    });
    expect(login.body.a4f_api_key).not.toBe(one.body.config.a4f_api_key);
  });

  it("keeps preferences and refuses unknown ones", async () => {
    const person = await signUp();
    const before = (await person.call("GET", "/v1/users/preferences")).body;
    const change = { theme: "dark", max_tokens: 100, notifications: { quota: { mail: false } } };
    const after = await person.call("PUT", "/v1/users/preferences", { body: change });
    expect(after.body).toEqual({ ...before, ...change });
    expect((await person.call("PUT", "/v1/users/preferences", { body: { language: "pt-BR" } })).body).toEqual({
      ...before,
      ...change,
      language: "pt-BR",
    });
    for (const body of [{ role: "admin" }, { theme: "pink" }, { max_tokens: 0 }, { language: "../.." }])
      expect((await person.call("PUT", "/v1/users/preferences", { body })).status).toBe(422);
  });
});

describe("another address", () => {
  const change = (person: Person, new_email: string) =>
    person.call("PUT", "/v1/users/email", { body: { new_email, current_password: person.password } });

  it("needs the password and the codes of both mails", async () => {
    const person = await signUp();
    const email = unique();
    const wrong = await person.call("PUT", "/v1/users/email", { body: { new_email: email, current_password: "no" } });
    expect(wrong).toMatchObject({ status: 422, body: { code: "password-wrong" } });
    expect((await change(person, person.email)).body.code).toBe("email-unchanged");
    expect((await change(person, email)).status).toBe(200);
    const [code, newCode] = [await mailedCode(person.email, "email-change"), await mailedCode(email, "email-change")];
    const confirm = (body: object) => person.call("POST", "/v1/users/email/confirm", { body });
    expect(await confirm({ newCode })).toMatchObject({ status: 422, body: { code: "code-wrong" } });
    expect((await person.call("GET", "/v1/auth/me")).body.email).toBe(person.email);
    expect((await confirm({ code, newCode })).body).toMatchObject({ success: true, email });
    expect((await person.call("GET", "/v1/auth/me")).body).toMatchObject({ email, email_verified: true });
    const told = (await mailsTo(person.email)).filter(({ template }) => template === "email-changed");
    expect(told).toHaveLength(1);
    expect(told[0]?.text).not.toMatch(/staff/);
  });

  it("is not confirmed by codes that were asked for under an address which the account has no more", async () => {
    const person = await signUp();
    const [wanted, moved] = [unique(), unique()];
    expect((await change(person, wanted)).status).toBe(200);
    const [code, newCode] = [await mailedCode(person.email, "email-change"), await mailedCode(wanted, "email-change")];
    await bindings.DB.prepare("update users set email = ? where id = ?").bind(moved, person.userId).run();
    const late = await person.call("POST", "/v1/users/email/confirm", { body: { code, newCode } });
    expect(late).toMatchObject({ status: 422, body: { code: "code-wrong" } });
    expect((await person.call("GET", "/v1/auth/me")).body.email).toBe(moved);
  });

  it("that somebody has is answered alike; its owner is told and no code goes there", async () => {
    const [person, owner] = [await signUp(), await signUp()];
    const taken = await change(person, owner.email);
    const other = await signUp();
    const free = await change(other, unique());
    expect({ ...taken.body, expires_at: "" }).toEqual({ ...free.body, expires_at: "" });
    expect((await mailsTo(owner.email)).map(({ template }) => template)).toEqual(["account-exists"]);
  });
});

describe("sessions and devices", () => {
  it("are listed with device, address and use, and end one by one or together", async () => {
    const person = await signUp();
    const agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    const login = () =>
      call("POST", "/v1/auth/login", {
        headers: { "user-agent": agent, "cf-connecting-ip": "192.0.2.44" },
        body: { email: person.email, password: person.password },
      });
    const [one, two] = [await login(), await login()];
    const { items } = (await person.call("GET", "/v1/auth/sessions")).body;
    expect(items).toHaveLength(3);
    const listed = items.find((item: { address: string }) => item.address === "192.0.2.44");
    expect(listed).toMatchObject({ device: "Firefox on Linux", userAgent: agent, current: false, conversionCount: 0 });
    expect(items.filter((item: { current: boolean }) => item.current)).toHaveLength(1);
    const stranger = await signUp();
    expect((await stranger.call("DELETE", `/v1/auth/sessions/${listed.id}`)).body.code).toBe("session-not-found");
    expect((await person.call("DELETE", `/v1/auth/sessions/${listed.id}`)).status).toBe(204);
    expect((await person.call("DELETE", "/v1/auth/sessions")).body).toEqual({ ended: 1 });
    for (const { body } of [one, two])
      expect((await call("GET", "/v1/auth/me", { as: body.access_token })).status).toBe(401);
    expect((await person.call("GET", "/v1/auth/me")).status).toBe(200);
  });

  it("lets a known device in while strangers lock the password, with five tries of its own", async () => {
    const person = await signUp();
    const login = (given: string, device?: string) =>
      call("POST", "/v1/auth/login", {
        headers: device === undefined ? {} : { "x-device-id": device },
        body: { email: person.email, password: given },
      });
    const device = (await login(person.password)).headers.get("x-device-id") ?? "";
    expect(device).toHaveLength(43);
    for (let count = 0; count < 6; count += 1) await login("not the password");
    expect((await login(person.password)).status).toBe(423);
    expect((await login(person.password, "A".repeat(43))).status).toBe(423);
    expect((await login(person.password, device)).status).toBe(200);
    for (let count = 0; count < 5; count += 1) expect((await login("not the password", device)).status).toBe(401);
    expect((await login(person.password, device)).status).toBe(423);
  });

  it("tells of a sign-in from a device that was not here before", async () => {
    const person = await signUp();
    const login = (headers: Record<string, string>) =>
      call("POST", "/v1/auth/login", { headers, body: { email: person.email, password: person.password } });
    await login({ "user-agent": "one" });
    await login({ "user-agent": "one" });
    await login({ "user-agent": "two", "cf-connecting-ip": "192.0.2.9" });
    const told = (await mailsTo(person.email)).filter(({ template }) => template === "new-sign-in");
    expect(told).toHaveLength(1);
    expect(told[0]?.text).toContain("192.0.2.9");
  });
});

describe("an account that ends", () => {
  let person: Person;
  beforeAll(async () => {
    person = await signUp();
  });

  it("is exported with what is the person's and nothing secret", async () => {
    await person.call("POST", "/v1/api-keys", { body: { name: "exported" } });
    const messages = JSON.stringify({ request: "Hello", response: "Hi", isCut: false });
    const at = Date.UTC(2026, 0, 10);
    await writeEntries(systemContext(), [entryOf(person), entryOf(person, { workspaceId: "wks_team", messages, at })]);
    const answer = await person.call("GET", "/v1/users/me/export");
    expect(answer.headers.get("content-disposition")).toContain("attachment");
    expect(answer.body).toMatchObject({
      profile: { email: person.email, staffNotes: "" },
      workspaces: [{ id: person.workspaceId, isOwner: true }],
      apiKeys: [{ name: "exported" }],
      files: [],
      messageLogs: expect.arrayContaining([
        expect.objectContaining({ model: "gpt-4o-mini", tokensUsed: 7, messages: null }),
        expect.objectContaining({
          workspaceId: "wks_team",
          createdAt: "2026-01-10T00:00:00.000Z",
          messages: { request: "Hello", response: "Hi", isCut: false },
        }),
      ]),
      complete: { apiKeys: true, messageLogs: true, acts: true },
    });
    expect(answer.body.sessions.length).toBeGreaterThan(0);
    expect(JSON.stringify(answer.body)).not.toMatch(/argon2|passwordPhc|"hash"/);
  });

  it("needs the password, and leaves an id, the reason, dates and a keyed hash of the address", async () => {
    const made = await person.call("POST", "/v1/api-keys", { body: { name: "ends" } });
    const remove = (given: string) =>
      person.call("DELETE", "/v1/users/account", { body: { password: given, reason: "moving on" } });
    expect((await remove("no")).body.code).toBe("password-wrong");
    expect((await remove(person.password)).body.success).toBe(true);
    expect((await person.call("GET", "/v1/auth/me")).status).toBe(401);
    expect((await call("GET", "/v1/jobs", { as: made.body.key })).status).toBe(401);
    expect(
      (await call("POST", "/v1/auth/login", { body: { email: person.email, password: person.password } })).status,
    ).toBe(401);
    const archived = await bindings.DB.prepare("select * from deleted_users where id = ?").bind(person.userId).first();
    expect(archived).toEqual({
      id: person.userId,
      reason: "moving on",
      deleted_by: "self",
      address_hash: archivedAddress(systemContext(), person.email),
      created_at: expect.any(Number),
      deleted_at: expect.any(Number),
    });
    const row = await bindings.DB.prepare("select * from users where id = ?").bind(person.userId).first();
    expect(JSON.stringify(row)).not.toContain(person.email);
    const workspace = await bindings.DB.prepare("select deleted_at from workspaces where id = ?")
      .bind(person.workspaceId)
      .first();
    expect(workspace?.["deleted_at"]).not.toBeNull();
    const again = await call("POST", "/v1/auth/register", { body: { email: person.email, password } });
    expect(again.status).toBe(201);
  });

  it("may not leave others in a workspace without an owner", async () => {
    const [owner, member] = [await signUp(), await signUp()];
    const team = await owner.call("POST", "/v1/workspaces", { body: { name: "Team" } });
    const { id } = team.body;
    await bindings.DB.prepare("insert into workspace_members values (?, ?, 'member', 0)").bind(id, member.userId).run();
    const remove = () => owner.call("DELETE", "/v1/users/account", { body: { password: owner.password } });
    expect(await remove()).toMatchObject({
      status: 409,
      body: { code: "sole-owner", workspaces: [{ id, name: "Team" }] },
    });
    expect((await owner.call("GET", "/v1/auth/me")).status).toBe(200);
    await bindings.DB.prepare("update workspace_members set role = 'owner' where workspace_id = ? and user_id = ?")
      .bind(id, member.userId)
      .run();
    expect((await remove()).status).toBe(200);
    const left = await bindings.DB.prepare("select owner_user_id, deleted_at from workspaces where id = ?")
      .bind(id)
      .first();
    expect(left).toEqual({ owner_user_id: member.userId, deleted_at: null });
  });
});
