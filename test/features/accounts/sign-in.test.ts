import { describe, expect, it } from "vitest";
import { call, signUp } from "#test/support/harness";

const unique = () => `${crypto.randomUUID()}@example.com`;
const password = "a long enough secret 42";

describe("register", () => {
  it("makes an account with a personal workspace, and refuses the address a second time", async () => {
    const email = unique();
    const first = await call("POST", "/v1/auth/register", { body: { email: ` ${email.toUpperCase()} `, password } });
    expect(first.status).toBe(201);
    expect(first.body.user).toMatchObject({ email, role: "user", subscription_tier: "free" });
    expect(first.body.workspace.id.slice(4)).toBe(first.body.user.id.slice(4));
    expect(JSON.stringify(first.body)).not.toContain("argon2");
    const second = await call("POST", "/v1/auth/register", { body: { email, password } });
    expect(second).toMatchObject({ status: 409, body: { code: "email-taken" } });
  });

  it("answers two registrations at once with one account", async () => {
    const email = unique();
    const statuses = await Promise.all(
      [1, 2, 3].map(() => call("POST", "/v1/auth/register", { body: { email, password } })),
    );
    expect(statuses.map((answer) => answer.status).sort()).toEqual([201, 409, 409]);
  });

  it.each([
    ["a common password", { password: "password123" }, 422, "password-too-common"],
    ["a short password", { password: "short" }, 422, "validation-failed"],
    ["a password over 1024 bytes", { password: "é".repeat(600) }, 422, "validation-failed"],
    ["no address", { email: "nobody" }, 422, "validation-failed"],
    ["a role", { role: "superadmin" }, 422, "server-owned-member"],
    ["a plan", { plan: "enterprise" }, 422, "server-owned-member"],
  ])("refuses %s", async (_, change, status, code) => {
    const answer = await call("POST", "/v1/auth/register", { body: { email: unique(), password, ...change } });
    expect(answer).toMatchObject({ status, body: { code } });
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
  });

  it("ignores members that older clients send", async () => {
    const answer = await call("POST", "/v1/auth/register", { body: { email: unique(), password, newsletter: true } });
    expect(answer.status).toBe(201);
  });

  it.each([
    ["junk", "{", "application/json", 400, "invalid-json"],
    ["text", "hello", "text/plain", 415, "unsupported-content-type"],
    ["nothing", "", "application/json", 400, "invalid-json"],
  ])("refuses %s as a body", async (_, body, type, status, code) => {
    const answer = await call("POST", "/v1/auth/register", { body, headers: { "content-type": type } });
    expect(answer).toMatchObject({ status, body: { code } });
  });
});

describe("login", () => {
  it("gives an access token and a refresh token, by JSON, by form and by user name", async () => {
    const email = unique();
    const username = `u${crypto.randomUUID().slice(0, 8)}`;
    await call("POST", "/v1/auth/register", { body: { email, password, username } });
    const json = await call("POST", "/v1/auth/login", { body: { email, password } });
    expect(json.body).toMatchObject({ token_type: "bearer", expires_in: 1800, user: { email } });
    const form = await call("POST", "/v1/auth/login", {
      body: new URLSearchParams({ username, password }).toString(),
      headers: { "content-type": "application/x-www-form-urlencoded" },
    });
    expect(form.status).toBe(200);
    const me = await call("GET", "/v1/auth/me", { as: form.body.access_token });
    expect(me.body).toMatchObject({ email, user: { email }, workspace: { role: "owner", plan: "free" } });
  });

  it("answers a wrong password and an unknown address alike", async () => {
    const person = await signUp();
    const wrong = await call("POST", "/v1/auth/login", { body: { email: person.email, password: "not the password" } });
    const unknown = await call("POST", "/v1/auth/login", { body: { email: unique(), password: "not the password" } });
    expect(wrong.status).toBe(401);
    expect({ ...wrong.body, requestId: "" }).toEqual({ ...unknown.body, requestId: "" });
  });

  it("locks password sign-in after five failures, alike for known and unknown addresses", async () => {
    const person = await signUp();
    for (const email of [person.email, unique()]) {
      const tries = [];
      for (let count = 0; count < 6; count += 1)
        tries.push(await call("POST", "/v1/auth/login", { body: { email, password: "not the password" } }));
      expect(tries.slice(0, 5).map((answer) => answer.status)).toEqual([401, 401, 401, 401, 401]);
      expect(tries[5]).toMatchObject({ status: 423, body: { code: "sign-in-locked" } });
      expect(tries[5]?.body.retryAfter).toBeGreaterThan(3_000);
    }
    const right = await call("POST", "/v1/auth/login", { body: { email: person.email, password: person.password } });
    expect(right.status).toBe(423);
    expect((await person.call("GET", "/v1/auth/me")).status).toBe(200);
  });
});

describe("sessions", () => {
  it("gives parallel refreshes one successor", async () => {
    const person = await signUp();
    const answers = await Promise.all(
      Array.from({ length: 20 }, () =>
        call("POST", "/v1/auth/refresh", { body: { refresh_token: person.refreshToken } }),
      ),
    );
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([200]));
    expect(new Set(answers.map((answer) => answer.body.refresh_token)).size).toBe(1);
    const [first] = answers;
    expect((await call("GET", "/v1/auth/me", { as: first?.body.access_token })).status).toBe(200);
  });

  it("is renewed by no token but a refresh token", async () => {
    const person = await signUp();
    for (const token of [person.token, `${person.refreshToken}x`, person.refreshToken.replace("ovr_", "ovs_"), "x"])
      expect(await call("POST", "/v1/auth/refresh", { body: { refresh_token: token } })).toMatchObject({
        status: 401,
        body: { code: "refresh-token-invalid" },
      });
  });

  it("ends at logout", async () => {
    const person = await signUp();
    expect((await person.call("POST", "/v1/auth/logout")).status).toBe(204);
    expect(await person.call("GET", "/v1/auth/me")).toMatchObject({
      status: 401,
      body: { code: "credentials-invalid" },
    });
    expect((await call("POST", "/v1/auth/refresh", { body: { refresh_token: person.refreshToken } })).status).toBe(401);
  });

  it("are ended by a password change, except the one that asks", async () => {
    const person = await signUp();
    const other = await call("POST", "/v1/auth/login", { body: { email: person.email, password: person.password } });
    const wrong = await person.call("POST", "/v1/auth/change-password", {
      body: { currentPassword: "no", newPassword: "another long secret" },
    });
    expect(wrong).toMatchObject({ status: 422, body: { code: "password-wrong" } });
    const changed = await person.call("POST", "/v1/auth/change-password", {
      body: { currentPassword: person.password, newPassword: "another long secret" },
    });
    expect(changed.status).toBe(200);
    expect((await call("GET", "/v1/auth/me", { as: other.body.access_token })).status).toBe(401);
    expect((await person.call("GET", "/v1/auth/me")).status).toBe(200);
    expect(
      (await call("POST", "/v1/auth/login", { body: { email: person.email, password: "another long secret" } })).status,
    ).toBe(200);
  });

  it("may be opaque, extended by refresh without a body", async () => {
    const person = await signUp();
    const login = await call("POST", "/v1/auth/login", {
      body: { email: person.email, password: person.password, sessionKind: "opaque" },
    });
    expect(login.body.token).toMatch(/^ovs_/);
    expect((await call("GET", "/v1/auth/me", { as: login.body.token })).status).toBe(200);
    const extended = await call("POST", "/v1/auth/refresh", { as: login.body.token });
    expect(extended.body.token).toBe(login.body.token);
    expect(
      (
        await call("GET", "/v1/auth/me", {
          as: `${login.body.token.slice(0, 60)}${login.body.token[60] === "A" ? "B" : "A"}${login.body.token.slice(61)}`,
        })
      ).status,
    ).toBe(401);
  });

  it("refuses two different values for one member, whichever vocabulary each is of", async () => {
    const person = await signUp();
    const refused = { status: 422, body: { code: "validation-failed" } };
    const { refreshToken } = person;
    expect(await person.call("PUT", "/v1/users/me", { body: { name: "Ada", displayName: "Grace" } })).toMatchObject(
      refused,
    );
    expect(
      await call("POST", "/v1/auth/refresh", { body: { refresh_token: refreshToken, refreshToken: "another" } }),
    ).toMatchObject(refused);
    expect((await person.call("PUT", "/v1/users/me", { body: { name: "Ada", displayName: "Ada" } })).body.name).toBe(
      "Ada",
    );
    expect(
      (await call("POST", "/v1/auth/refresh", { body: { refresh_token: refreshToken, refreshToken } })).status,
    ).toBe(200);
  });

  it("refuses forged and malformed credentials", async () => {
    const person = await signUp();
    const [header, payload, signature] = person.token.split(".");
    const none = btoa(JSON.stringify({ alg: "none", typ: "at+jwt" })).replaceAll("=", "");
    const forged = [
      `${none}.${payload}.`,
      `${header}.${payload}.${"A".repeat(86)}`,
      `${header}.${payload}x.${signature}`,
      "garbage",
      "a.b.c",
      person.refreshToken,
    ];
    for (const credential of forged)
      expect(await call("GET", "/v1/auth/me", { as: credential })).toMatchObject({
        status: 401,
        body: { code: "credentials-invalid" },
      });
    expect((await call("GET", "/v1/auth/me")).body.code).toBe("credentials-required");
    const two = await call("GET", "/v1/auth/me", { as: person.token, headers: { "x-api-key": "another" } });
    expect(two.body.code).toBe("ambiguous-credentials");
  });
});

describe("sign-ins that come together", () => {
  it("are counted for their address", async () => {
    const answer = await call("POST", "/v1/auth/login", {
      headers: { "cf-connecting-ip": "2001:db8:1::1" },
      body: { email: unique(), password },
    });
    expect(answer.status).toBe(401);
    expect(answer.headers.get("ratelimit-policy")).toBe('"sign-in";q=100;w=60');
    expect(answer.headers.get("ratelimit")).toMatch(/^"sign-in";r=99;t=\d+$/);
  });

  it("all get their turn", async () => {
    const people = await Promise.all(Array.from({ length: 8 }, () => signUp()));
    const answers = await Promise.all(
      people.map((person) =>
        call("POST", "/v1/auth/login", { body: { email: person.email, password: person.password } }),
      ),
    );
    expect(answers.map((answer) => answer.status)).toEqual(answers.map(() => 200));
  });
});
