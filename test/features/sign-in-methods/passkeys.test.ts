import { describe, expect, it } from "vitest";
import { bindings, call, type Person, signUp } from "#test/support/harness";
import { askedCode } from "#test/features/accounts/support";
import { type Faults, makeAuthenticator } from "./authenticator.ts";

type Authenticator = Awaited<ReturnType<typeof makeAuthenticator>>;

const registerOptions = async (person: Person) =>
  (await person.call("POST", "/v1/auth/passkeys/register/options", { body: { password: person.password } })).body;
const loginOptions = async () => (await call("POST", "/v1/auth/passkeys/login/options")).body;
const verify = (credential: unknown) => call("POST", "/v1/auth/passkeys/login/verify", { body: { credential } });
const add = async (person: Person, authenticator: Authenticator, faults: Faults = {}) =>
  person.call("POST", "/v1/auth/passkeys/register/verify", {
    body: { name: "Laptop", credential: await authenticator.create(await registerOptions(person), faults) },
  });

async function withPasskey() {
  const person = await signUp();
  const authenticator = await makeAuthenticator();
  const added = await add(person, authenticator);
  expect(added).toMatchObject({ status: 201, body: { name: "Laptop", transports: ["internal"], lastUsedAt: null } });
  return { person, authenticator, passkeyId: String(added.body.id) };
}

describe("a passkey", () => {
  it("is asked for as discoverable and with user verification, for our own domain", async () => {
    const person = await signUp();
    expect(await registerOptions(person)).toMatchObject({
      rp: { id: "127.0.0.1" },
      attestation: "none",
      authenticatorSelection: { residentKey: "required", userVerification: "required" },
    });
    expect(await loginOptions()).toMatchObject({ rpId: "127.0.0.1", userVerification: "required" });
  });

  it("signs its person in, also while the password is locked and without a second factor", async () => {
    const { person, authenticator } = await withPasskey();
    for (let tries = 0; tries < 5; tries += 1)
      await call("POST", "/v1/auth/login", { body: { email: person.email, password: "wrong one" } });
    const locked = await call("POST", "/v1/auth/login", { body: { email: person.email, password: person.password } });
    expect(locked.status).toBe(423);
    const entered = await verify(await authenticator.get(await loginOptions(), { userHandle: person.userId }));
    expect(entered).toMatchObject({ status: 200, body: { user: { id: person.userId } } });
    expect((await call("GET", "/v1/auth/me", { as: entered.body.access_token })).status).toBe(200);
    const { items } = (await person.call("GET", "/v1/auth/passkeys")).body;
    expect(items).toMatchObject([{ lastUsedAt: expect.any(String) }]);
  });

  it("answers each challenge once, also in parallel", async () => {
    const { authenticator } = await withPasskey();
    const credential = await authenticator.get(await loginOptions());
    const answers = await Promise.all([1, 2, 3].map(() => verify(credential)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 400, 400]);
    expect((await verify(credential)).body.code).toBe("passkey-challenge-invalid");
  });

  it("refuses a counter that does not grow", async () => {
    const { authenticator } = await withPasskey();
    expect((await verify(await authenticator.get(await loginOptions(), { counter: 7 }))).status).toBe(200);
    for (const counter of [7, 6, 0])
      expect(await verify(await authenticator.get(await loginOptions(), { counter }))).toMatchObject({
        status: 401,
        body: { code: "passkey-refused" },
      });
    expect((await verify(await authenticator.get(await loginOptions(), { counter: 8 }))).status).toBe(200);
  });

  it.each<[string, Faults, number]>([
    ["another origin", { origin: "https://evil.example" }, 401],
    ["another domain", { rpId: "evil.example" }, 401],
    ["no user verification", { unverified: true }, 401],
    ["a signature of something else", { badSignature: true }, 401],
    ["the handle of another person", { userHandle: "usr_00000000000000000000000000" }, 401],
    ["a challenge that it made up", { challenge: "bWFkZSB1cA" }, 400],
  ])("refuses %s", async (_, faults, status) => {
    const { authenticator } = await withPasskey();
    expect((await verify(await authenticator.get(await loginOptions(), faults))).status).toBe(status);
  });

  it("is not added with a fault, twice, for another person or with the challenge of a sign-in", async () => {
    const { authenticator } = await withPasskey();
    const person = await signUp();
    expect(await add(person, authenticator)).toMatchObject({ status: 409, body: { code: "passkey-taken" } });
    for (const faults of [{ origin: "https://evil.example" }, { rpId: "evil.example" }, { unverified: true }])
      expect((await add(person, await makeAuthenticator(), faults)).status).toBe(401);
    const other = await signUp();
    const theirs = await (await makeAuthenticator()).create(await registerOptions(other));
    const foreign = await person.call("POST", "/v1/auth/passkeys/register/verify", { body: { credential: theirs } });
    expect(foreign).toMatchObject({ status: 400, body: { code: "passkey-challenge-invalid" } });
    const { challenge } = await loginOptions();
    expect((await add(person, await makeAuthenticator(), { challenge })).status).toBe(400);
    expect((await person.call("GET", "/v1/auth/passkeys")).body.items).toEqual([]);
  });

  it("may vouch for itself, as some do unasked, and signs in", async () => {
    const person = await signUp();
    const authenticator = await makeAuthenticator();
    const forged = await add(person, await makeAuthenticator(), { attestation: "self", badSignature: true });
    expect(forged).toMatchObject({ status: 401, body: { code: "passkey-refused" } });
    expect((await add(person, authenticator, { attestation: "self" })).status).toBe(201);
    expect((await verify(await authenticator.get(await loginOptions()))).status).toBe(200);
  });

  it.each(["packed", "fido-u2f", "tpm", "android-key", "android-safetynet", "apple"] as const)(
    "with a certificate of its maker is refused, for nothing here could check it: %s",
    async (attestation) => {
      const person = await signUp();
      const added = await add(person, await makeAuthenticator(), { attestation });
      expect(added).toMatchObject({ status: 401, body: { code: "passkey-refused" } });
      expect((await person.call("GET", "/v1/auth/passkeys")).body.items).toEqual([]);
    },
  );

  it("of nobody is refused like any other, and so is that of a suspended person", async () => {
    const stranger = await makeAuthenticator();
    expect((await verify(await stranger.get(await loginOptions()))).body.code).toBe("passkey-refused");
    const { person, authenticator } = await withPasskey();
    await bindings.DB.prepare("update users set status = 'suspended' where id = ?").bind(person.userId).run();
    expect((await verify(await authenticator.get(await loginOptions()))).body.code).toBe("passkey-refused");
  });

  it("is removed by its person only, and stays when it is the last way in", async () => {
    const { person, authenticator, passkeyId } = await withPasskey();
    const other = await signUp();
    expect((await other.call("DELETE", `/v1/auth/passkeys/${passkeyId}`)).status).toBe(404);
    const phc = await bindings.DB.prepare("select password_phc from users where id = ?").bind(person.userId).first();
    const none = `$argon2id$v=19$m=19456,t=2,p=1$${btoa("overtone no pass").replaceAll("=", "")}$${"A".repeat(43)}`;
    await bindings.DB.prepare("update users set password_phc = ? where id = ?").bind(none, person.userId).run();
    expect(await person.call("DELETE", `/v1/auth/passkeys/${passkeyId}`)).toMatchObject({
      status: 409,
      body: { code: "last-sign-in-method" },
    });
    await bindings.DB.prepare("update users set password_phc = ? where id = ?")
      .bind(phc?.["password_phc"], person.userId)
      .run();
    expect((await person.call("DELETE", `/v1/auth/passkeys/${passkeyId}`)).status).toBe(204);
    expect((await verify(await authenticator.get(await loginOptions()))).status).toBe(401);
  });
});

describe("a reset that proves the address for the first time", () => {
  it("takes the passkeys of whoever registered with it, and those of a proven address stay", async () => {
    for (const isProven of [false, true]) {
      const { person, authenticator } = await withPasskey();
      if (isProven)
        await bindings.DB.prepare("update users set email_verified_at = 1 where id = ?").bind(person.userId).run();
      await call("POST", "/v1/auth/forgot-password", { body: { email: person.email } });
      const code = await askedCode(person.email, "reset-password");
      const newPassword = `another long secret ${crypto.randomUUID()}`;
      const reset = await call("POST", "/v1/auth/reset-password", { body: { email: person.email, code, newPassword } });
      expect(reset.status).toBe(200);
      const entered = await verify(await authenticator.get(await loginOptions()));
      expect(entered.status).toBe(isProven ? 200 : 401);
    }
  });
});

describe("what others could do with a session", () => {
  it("is told to the person", async () => {
    const { person } = await withPasskey();
    const { items } = (await person.call("GET", "/v1/notifications")).body;
    expect(items).toMatchObject([{ kind: "security", title: "Passkey added" }]);
  });
});
