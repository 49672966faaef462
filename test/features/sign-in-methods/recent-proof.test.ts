/** A session alone adds no way to sign in: the password is asked for or, where there is none, a sign-in of just now. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { noPasswordPhc } from "#features/sign-in-methods/rules";
import { bindings, call, type Called, type Person, signUp } from "#test/support/harness";
import { askedCode } from "#test/features/accounts/support";
import { makeAuthenticator } from "./authenticator.ts";

const SIGN_IN_PROVIDERS = JSON.stringify({
  elsewhere: { issuer: "https://issuer.example", clientId: "us", clientSecret: "a secret of theirs" },
});
const env = { ...bindings, SIGN_IN_PROVIDERS } as unknown as typeof bindings;

/** Every way to sign in that a session can add. */
const ways: [string, string, object, number][] = [
  ["an authenticator app", "/v1/auth/totp/enroll", {}, 200],
  ["a passkey", "/v1/auth/passkeys/register/options", {}, 200],
  [
    "an account elsewhere",
    "/v1/auth/oauth/initiate",
    {
      provider: "elsewhere",
      link: true,
      redirect_uri: "http://127.0.0.1:4321/done",
      code_challenge: "A".repeat(43),
    },
    200,
  ],
];

async function withoutPassword(): Promise<Person> {
  const person = await signUp();
  await bindings.DB.prepare("update users set password_phc = ? where id = ?")
    .bind(noPasswordPhc(crypto.getRandomValues(new Uint8Array(32))), person.userId)
    .run();
  return person;
}

async function rowsOf(person: Person): Promise<number> {
  const count = `select (select count(*) from totp_factors where user_id = ?1) +
    (select count(*) from one_time_values where data like '%' || ?1 || '%') as n`;
  return Number((await bindings.DB.prepare(count).bind(person.userId).first<{ n: number }>())?.n);
}

/** A network of this file alone: limits that were taken from later on would not be given back before, and others share the usual one. */
const elsewhere = { "cf-connecting-ip": "198.51.100.201" };

/** Later, as far as the sessions are concerned: what a session began is long ago then. */
function later(minutes: number): void {
  const now = Date.now();
  vi.spyOn(Date, "now").mockImplementation(() => now + minutes * 60_000);
}

afterEach(() => {
  vi.restoreAllMocks();
});

const needsProof = (method: string) => ({
  status: 403,
  body: { code: "recent-proof-required", method, freshSeconds: 600 },
});

describe.each(ways)("%s", (_name, path, body, status) => {
  const ask = (person: Person, more: object = {}): Promise<Called> =>
    person.call("POST", path, { body: { ...body, ...more }, env, headers: elsewhere });

  it("is begun with the password and by nothing less", async () => {
    const person = await signUp();
    expect(await ask(person)).toMatchObject(needsProof("password"));
    expect(await ask(person, { password: "not the right one" })).toMatchObject({
      status: 422,
      body: { code: "password-wrong" },
    });
    expect(await rowsOf(person)).toBe(0);
    expect((await ask(person, { password: person.password })).status).toBe(status);
    expect(await rowsOf(person)).toBe(1);
  });

  it("is not begun by trying passwords until one fits", async () => {
    const person = await signUp();
    for (let tries = 0; tries < 5; tries += 1) await ask(person, { password: `wrong one ${tries}` });
    expect(await ask(person, { password: person.password })).toMatchObject({
      status: 423,
      body: { code: "sign-in-locked" },
    });
    expect(await rowsOf(person)).toBe(0);
  });

  it("is begun without a password by who signed in within ten minutes", async () => {
    const person = await withoutPassword();
    later(9);
    expect((await ask(person)).status).toBe(status);
    const other = await withoutPassword();
    later(11);
    expect(await ask(other)).toMatchObject(needsProof("sign-in"));
    expect(await rowsOf(other)).toBe(0);
  });
});

describe("a session of a person without a password", () => {
  it("does not grow younger by being refreshed", async () => {
    const person = await withoutPassword();
    later(11);
    const body = { refresh_token: person.refreshToken };
    const refreshed = await call("POST", "/v1/auth/refresh", { body, headers: elsewhere });
    const token = refreshed.body.access_token as string;
    expect(await call("POST", "/v1/auth/totp/enroll", { as: token })).toMatchObject(needsProof("sign-in"));
  });

  it("makes no younger one by approving a device", async () => {
    const [person, withPassword] = [await withoutPassword(), await signUp()];
    later(11);
    const { body: grant } = await call("POST", "/v1/auth/device/code", { headers: elsewhere });
    const decide = (approve: boolean) =>
      person.call("POST", "/v1/auth/device/approve", { body: { user_code: grant.user_code, approve } });
    expect(await decide(true)).toMatchObject(needsProof("sign-in"));
    const { body: other } = await call("POST", "/v1/auth/device/code", { headers: elsewhere });
    const approved = await withPassword.call("POST", "/v1/auth/device/approve", {
      body: { user_code: other.user_code, approve: true },
    });
    expect(approved.status).toBe(200);
    expect((await decide(false)).body.status).toBe("denied");
  });

  it("of just now, by a mailed code, is enough", async () => {
    const person = await withoutPassword();
    await call("POST", "/v1/auth/email-code", { body: { email: person.email } });
    const code = await askedCode(person.email, "sign-in-code");
    const entered = await call("POST", "/v1/auth/email-code/verify", { body: { email: person.email, code } });
    expect((await call("POST", "/v1/auth/totp/enroll", { as: entered.body.access_token })).status).toBe(200);
  });
});

describe("the challenge of a passkey", () => {
  it("is the proof of the second call, and no session has another way to one", async () => {
    const person = await signUp();
    const authenticator = await makeAuthenticator();
    const { body: login } = await call("POST", "/v1/auth/passkeys/login/options");
    const verify = (credential: unknown) =>
      person.call("POST", "/v1/auth/passkeys/register/verify", { body: { credential } });
    expect((await verify(await authenticator.create(login))).body.code).toBe("passkey-challenge-invalid");
    const body = { password: person.password };
    const { body: options } = await person.call("POST", "/v1/auth/passkeys/register/options", { body });
    expect((await verify(await authenticator.create(options))).status).toBe(201);
  });
});
