/** What goes wrong when people register and prove who they are is in the security log: whose account, what, how often; never a secret. */
import { Secret, TOTP } from "otpauth";
import { hash } from "bcryptjs";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { askedCode, runCodeJobs, unique } from "#test/features/accounts/support";
import { makeAuthenticator } from "#test/features/sign-in-methods/authenticator";
import { withRole } from "#test/features/staff/team";
import { bindings, call as callPlain, type CallOptions, type Person, signUp } from "#test/support/harness";
import { mailsTo } from "#test/support/mails";

let admin: Person;

/**
 * From the beginning of a window on, so that what counts as one entry does not become two by the clock; and from a network of this file alone:
 * limits that were taken from ahead of time would not be given back before, and other files share the usual one.
 */
const windowMs = 5 * 60_000;
const elsewhere = { "cf-connecting-ip": "198.51.100.202" };
const call = (method: string, path: string, options: CallOptions = {}) =>
  callPlain(method, path, { ...options, headers: { ...elsewhere, ...options.headers } });

beforeAll(async () => {
  const real = Date.now.bind(Date);
  const aheadMs = windowMs - (real() % windowMs);
  vi.spyOn(Date, "now").mockImplementation(() => real() + aheadMs);
  admin = await withRole("admin");
});

afterAll(() => {
  vi.restoreAllMocks();
});

/** As staff see them, newest first. */
async function events(eventType: string, userId?: string): Promise<Record<string, unknown>[]> {
  const query = new URLSearchParams({ event_type: eventType, limit: "100", ...(userId ? { userId } : {}) });
  const answer = await admin.call("GET", `/v1/admin/security-logs?${query.toString()}`);
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  return answer.body.items;
}

/** A network of its own for each test: the same failure from one network is one entry. */
const network = () => {
  const [one = 0, two = 0, three = 0] = crypto.getRandomValues(new Uint8Array(3));
  return { "cf-connecting-ip": `10.${one}.${two}.${three}` };
};
const from = (items: Record<string, unknown>[], headers: { "cf-connecting-ip": string }) =>
  items.filter(({ address }) => address === headers["cf-connecting-ip"]);

describe("a refused registration", () => {
  it("is recorded with its reason and nothing of what was given, and a good one is not", async () => {
    const headers = network();
    const person = await signUp();
    const register = (body: object) => call("POST", "/v1/auth/register", { headers, body });
    const password = "a fine long secret 17";
    for (let tries = 0; tries < 3; tries += 1)
      expect((await register({ email: person.email, password })).body.code).toBe("email-taken");
    const email = unique();
    expect((await register({ email, password: "password1" })).body.code).toBe("password-too-common");
    expect((await register({ email, password })).status).toBe(201);
    const items = from(await events("registration_failed"), headers);
    expect(items.map(({ details, repeats }) => [(details as { reason: string }).reason, repeats])).toEqual(
      expect.arrayContaining([
        ["email-taken", 3],
        ["password-too-common", 1],
      ]),
    );
    expect(items).toHaveLength(2);
    expect(items).toMatchObject([
      { category: "auth", severity: "warning", target: null },
      { category: "auth", severity: "warning", target: null },
    ]);
    expect(JSON.stringify(items)).not.toMatch(/example\.com|secret|password1/);
  });

  it("is recorded where sign-up is closed", async () => {
    const headers = network();
    const env = { ...bindings, SIGN_UP: "closed" } as unknown as typeof bindings;
    const body = { email: unique(), password: "a fine long secret 17" };
    expect((await call("POST", "/v1/auth/register", { headers, env, body })).body.code).toBe("sign-up-closed");
    expect(from(await events("registration_failed"), headers)).toMatchObject([
      { details: { reason: "sign-up-closed" } },
    ]);
  });
});

describe("a renewed password hash", () => {
  it("is recorded once, with the kind that it was and no hash", async () => {
    const person = await signUp();
    const password = `imported ${crypto.randomUUID()}`;
    await bindings.DB.prepare("update users set password_phc = ? where id = ?")
      .bind(await hash(password, 4), person.userId)
      .run();
    const login = (given: string) => call("POST", "/v1/auth/login", { body: { email: person.email, password: given } });
    expect((await login("wrong one entirely")).status).toBe(401);
    expect(await events("password_hash_upgraded", person.userId)).toEqual([]);
    expect((await login(password)).status).toBe(200);
    expect((await login(password)).status).toBe(200);
    const items = await events("password_hash_upgraded", person.userId);
    expect(items).toMatchObject([
      { target: person.userId, category: "auth", severity: "info", details: { from: "2b" }, repeats: 1 },
    ]);
    expect(JSON.stringify(items)).not.toMatch(/\$/);
  });
});

describe("a wrong mailed code", () => {
  const wrong = "not-it";

  it("of a sign-in and of a reset is recorded for the account, not for an address without one", async () => {
    const headers = network();
    const person = await signUp();
    const nobody = unique();
    const newPassword = "another long secret 17";
    const guess = async (email: string) => [
      await call("POST", "/v1/auth/email-code/verify", { headers, body: { email, code: wrong } }),
      await call("POST", "/v1/auth/reset-password", { headers, body: { email, code: wrong, newPassword } }),
    ];
    for (const email of [person.email, nobody]) {
      await call("POST", "/v1/auth/email-code", { headers, body: { email } });
      await call("POST", "/v1/auth/forgot-password", { headers, body: { email } });
      await runCodeJobs(email);
      for (const answer of [...(await guess(email)), ...(await guess(email))])
        expect(answer).toMatchObject({ status: 422, body: { code: "code-wrong" } });
    }
    const own = await events("code.failed", person.userId);
    expect(own.map(({ details }) => (details as { purpose: string }).purpose).sort()).toEqual([
      "reset-password",
      "sign-in",
    ]);
    for (const item of own) expect(item).toMatchObject({ repeats: 2, category: "auth", severity: "warning" });
    const all = from(await events("code.failed"), headers);
    expect(all.filter(({ target }) => target === null)).toHaveLength(2);
    expect(JSON.stringify(all)).not.toContain(wrong);
    expect(JSON.stringify(all)).not.toContain("example.com");
    const code = await askedCode(person.email, "sign-in-code");
    expect((await call("POST", "/v1/auth/email-code/verify", { body: { email: person.email, code } })).status).toBe(
      200,
    );
    expect(await events("code.failed", person.userId)).toHaveLength(2);
  });

  it("where none was sent is one entry, however many addresses are named", async () => {
    const headers = network();
    for (let tries = 0; tries < 8; tries += 1)
      await call("POST", "/v1/auth/email-code/verify", { headers, body: { email: unique(), code: "123456" } });
    expect(from(await events("code.failed"), headers)).toMatchObject([
      { target: null, repeats: 8, details: { purpose: "sign-in" } },
    ]);
  });

  it("of a change of the address is recorded for the person", async () => {
    const person = await signUp();
    await person.call("PUT", "/v1/users/email", {
      body: { new_email: unique(), current_password: person.password },
    });
    expect((await mailsTo(person.email)).map(({ template }) => template)).toEqual(["email-change"]);
    const confirm = await person.call("POST", "/v1/users/email/confirm", { body: { code: wrong, newCode: wrong } });
    expect(confirm.body.code).toBe("code-wrong");
    expect(await events("code_failed", person.userId)).toMatchObject([{ details: { purpose: "email-change" } }]);
  });
});

describe("a wrong second factor", () => {
  it("is recorded with what was guessed at, locked tries apart, and no code", async () => {
    const person = await signUp();
    const body = { password: person.password };
    const offer = await person.call("POST", "/v1/auth/totp/enroll", { body });
    await person.call("POST", "/v1/auth/totp/verify", { body: { code: "000001" } });
    const code = TOTP.generate({ secret: Secret.fromBase32(offer.body.secret), timestamp: Date.now() });
    expect((await person.call("POST", "/v1/auth/totp/verify", { body: { code } })).status).toBe(200);
    const login = await call("POST", "/v1/auth/login", { body: { email: person.email, password: person.password } });
    const finish = (given: object) => call("POST", "/v1/auth/login", { body: { ticket: login.body.ticket, ...given } });
    for (let tries = 0; tries < 6; tries += 1) await finish({ totp_code: "000001" });
    await finish({ recovery_code: "aaaa-bbbb-cccc" });
    const items = await events("second-factor.failed", person.userId);
    expect(items.map(({ details, repeats }) => ({ ...(details as object), repeats }))).toEqual(
      expect.arrayContaining([
        { factor: "activate-totp", reason: "wrong", repeats: 1 },
        { factor: "second-factor", reason: "wrong", repeats: 5 },
        { factor: "second-factor", reason: "locked", repeats: 1 },
        { factor: "recovery-code", reason: "wrong", repeats: 1 },
      ]),
    );
    expect(items).toHaveLength(4);
    for (const item of items) expect(item).toMatchObject({ category: "auth", severity: "warning" });
    expect(JSON.stringify(items)).not.toMatch(/000001|aaaa/);
  });

  it("that is a passkey with a wrong answer is recorded for its person", async () => {
    const person = await signUp();
    const authenticator = await makeAuthenticator();
    const body = { password: person.password };
    const { body: options } = await person.call("POST", "/v1/auth/passkeys/register/options", { body });
    const added = await person.call("POST", "/v1/auth/passkeys/register/verify", {
      body: { credential: await authenticator.create(options) },
    });
    const { body: asked } = await call("POST", "/v1/auth/passkeys/login/options");
    const credential = await authenticator.get(asked, { origin: "https://evil.example" });
    expect((await call("POST", "/v1/auth/passkeys/login/verify", { body: { credential } })).status).toBe(401);
    expect(await events("passkey.refused", person.userId)).toMatchObject([
      { target: person.userId, category: "auth", details: { passkeyId: added.body.id } },
    ]);
  });
});

describe("a wrong current password", () => {
  it("in a session is recorded, and locked tries apart", async () => {
    const person = await signUp();
    const body = { currentPassword: "not the right one", newPassword: "another long secret 17" };
    for (let tries = 0; tries < 6; tries += 1) await person.call("POST", "/v1/auth/change-password", { body });
    const items = await events("account.password-failed", person.userId);
    expect(items.map(({ details, repeats }) => ({ ...(details as object), repeats }))).toEqual(
      expect.arrayContaining([
        { reason: "wrong", repeats: 5 },
        { reason: "locked", repeats: 1 },
      ]),
    );
    expect(JSON.stringify(items)).not.toContain("not the right one");
  });
});
