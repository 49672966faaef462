/** Whoever registers with somebody else's address waits for its owner to come: then nothing of what was prepared lets anybody in. */
import { Secret, TOTP } from "otpauth";
import { describe, expect, it } from "vitest";
import { signInArrived } from "#features/sign-in-methods/linking";
import { makeAuthenticator } from "#test/features/sign-in-methods/authenticator";
import { bindings, call, type Person, signUp, systemContext } from "#test/support/harness";
import { mailsTo } from "#test/support/mails";
import { askedCode, unique, verifying } from "./support.ts";

type Env = typeof bindings;

/** Registered by one who knows the password, with a session, a passkey, an account elsewhere and a key. */
async function prepared(env: Env) {
  const person = await signUp();
  const authenticator = await makeAuthenticator();
  const body = { password: person.password };
  const { body: options } = await person.call("POST", "/v1/auth/passkeys/register/options", { body });
  const added = await person.call("POST", "/v1/auth/passkeys/register/verify", {
    body: { credential: await authenticator.create(options) },
  });
  expect(added.status).toBe(201);
  const identity = `idn_${crypto.randomUUID()}`;
  await bindings.DB.prepare(
    "insert into sign_in_identities (id, user_id, provider, issuer, subject, created_at) values (?, ?, 'google', 'issuer', ?, 0)",
  )
    .bind(identity, person.userId, identity)
    .run();
  const key = await person.call("POST", "/v1/api-keys", { body: { name: "prepared" } });
  const arrival = { kind: "sign-in" as const, userId: person.userId, identityId: identity };
  const ways = async () => ({
    session: (await person.call("GET", "/v1/auth/me", { env })).status,
    password: (await call("POST", "/v1/auth/login", { env, body: { email: person.email, password: person.password } }))
      .status,
    passkey: await enterBy(authenticator, env),
    elsewhere: await signInArrived(systemContext(), arrival, "opaque").then(
      () => 200,
      () => 401,
    ),
    key: (await call("GET", "/v1/jobs", { as: key.body.key, env })).status,
  });
  return { person, ways };
}

async function enterBy(authenticator: Awaited<ReturnType<typeof makeAuthenticator>>, env: Env): Promise<number> {
  const { body: options } = await call("POST", "/v1/auth/passkeys/login/options", { env });
  const credential = await authenticator.get(options);
  return (await call("POST", "/v1/auth/passkeys/login/verify", { env, body: { credential } })).status;
}

async function signInByCode(person: Person, env: Env) {
  await call("POST", "/v1/auth/email-code", { env, body: { email: person.email } });
  const code = await askedCode(person.email, "sign-in-code");
  const entered = await call("POST", "/v1/auth/email-code/verify", { env, body: { email: person.email, code } });
  expect(entered.status, JSON.stringify(entered.body)).toBe(200);
  return entered.body.access_token as string;
}

describe("the first sign-in by a mailed code", () => {
  it("leaves whoever registered no way in, where addresses have to be verified", async () => {
    const { person, ways } = await prepared(verifying);
    const token = await signInByCode(person, verifying);
    expect(await ways()).toEqual({ session: 401, password: 401, passkey: 401, elsewhere: 401, key: 401 });
    const me = await call("GET", "/v1/auth/me", { as: token, env: verifying });
    expect(me.body).toMatchObject({ id: person.userId, email_verified: true });
    const { items } = (await call("GET", "/v1/notifications", { as: token, env: verifying })).body;
    expect(items[0]).toMatchObject({ kind: "security", title: "Your address is proven now" });
    await call("POST", "/v1/auth/forgot-password", { env: verifying, body: { email: person.email } });
    const reset = { email: person.email, code: await askedCode(person.email, "reset-password") };
    const newPassword = `another long secret ${crypto.randomUUID()}`;
    await call("POST", "/v1/auth/reset-password", { env: verifying, body: { ...reset, newPassword } });
    const back = await call("POST", "/v1/auth/login", { body: { email: person.email, password: newPassword } });
    expect(back.status).toBe(200);
  });

  it("takes nothing from a person whose address was proven before", async () => {
    const { person, ways } = await prepared(verifying);
    await bindings.DB.prepare("update users set email_verified_at = 1 where id = ?").bind(person.userId).run();
    await signInByCode(person, verifying);
    expect(await ways()).toEqual({ session: 200, password: 200, passkey: 200, elsewhere: 200, key: 200 });
  });

  it("takes nothing where nobody has to prove an address", async () => {
    const { person, ways } = await prepared(bindings);
    await signInByCode(person, bindings);
    expect(await ways()).toEqual({ session: 200, password: 200, passkey: 200, elsewhere: 200, key: 200 });
  });
});

describe("an authenticator app of whoever registered", () => {
  async function withApp(env: Env): Promise<Person> {
    const person = await signUp();
    const body = { password: person.password };
    const offer = await person.call("POST", "/v1/auth/totp/enroll", { body, env });
    const code = TOTP.generate({ secret: Secret.fromBase32(offer.body.secret), timestamp: Date.now() });
    expect((await person.call("POST", "/v1/auth/totp/verify", { body: { code }, env })).status).toBe(200);
    return person;
  }

  async function enter(person: Person, env: Env) {
    await call("POST", "/v1/auth/email-code", { env, body: { email: person.email } });
    const body = { email: person.email, code: await askedCode(person.email, "sign-in-code") };
    return call("POST", "/v1/auth/email-code/verify", { env, body });
  }

  it("keeps the owner of the address out nowhere that addresses have to be verified", async () => {
    const person = await withApp(verifying);
    expect((await enter(person, verifying)).status).toBe(200);
  });

  it("is asked for where they have not, and of a person whose address was proven before", async () => {
    const needed = { status: 401, body: { code: "second-factor-required" } };
    expect(await enter(await withApp(bindings), bindings)).toMatchObject(needed);
    const person = await withApp(verifying);
    await bindings.DB.prepare("update users set email_verified_at = 1 where id = ?").bind(person.userId).run();
    expect(await enter(person, verifying)).toMatchObject(needed);
  });
});

describe("the first reset by a mailed code", () => {
  it("ends the API keys of whoever registered, where addresses have to be verified", async () => {
    for (const [env, key] of [
      [verifying, 401],
      [bindings, 200],
    ] as const) {
      const { person, ways } = await prepared(env);
      await call("POST", "/v1/auth/forgot-password", { env, body: { email: person.email } });
      const body = {
        email: person.email,
        code: await askedCode(person.email, "reset-password"),
        newPassword: `another long secret ${crypto.randomUUID()}`,
      };
      expect((await call("POST", "/v1/auth/reset-password", { env, body })).status).toBe(200);
      expect(await ways()).toEqual({ session: 401, password: 401, passkey: 401, elsewhere: 401, key });
    }
  });
});

describe("the code of a round trip to a provider", () => {
  it("opens nothing any more once the account elsewhere was removed, or for another person", async () => {
    const { person } = await prepared(bindings);
    const row = await bindings.DB.prepare("select id from sign_in_identities where user_id = ?")
      .bind(person.userId)
      .first<{ id: string }>();
    const arrival = { kind: "sign-in" as const, userId: person.userId, identityId: row?.id ?? "" };
    const stranger = await signUp();
    const refused = { code: "sign-in-failed" };
    const foreign = { ...arrival, userId: stranger.userId };
    await expect(signInArrived(systemContext(), foreign, "opaque")).rejects.toMatchObject(refused);
    expect((await signInArrived(systemContext(), arrival, "opaque")).user.id).toBe(person.userId);
    expect((await person.call("DELETE", `/v1/auth/identities/${row?.id}`)).status).toBe(204);
    await expect(signInArrived(systemContext(), arrival, "opaque")).rejects.toMatchObject(refused);
  });
});

describe("limits on what one can make others do", () => {
  it("send one address no more than one mail about itself at a time, however many people name it", async () => {
    const owner = await signUp();
    for (let people = 0; people < 3; people += 1) {
      const person = await signUp();
      const body = { new_email: owner.email, current_password: person.password };
      expect((await person.call("PUT", "/v1/users/email", { body })).status).toBe(200);
    }
    expect((await mailsTo(owner.email)).map(({ template }) => template)).toEqual(["account-exists"]);
    const fresh = unique();
    const person = await signUp();
    await person.call("PUT", "/v1/users/email", { body: { new_email: fresh, current_password: person.password } });
    expect((await mailsTo(fresh)).map(({ template }) => template)).toEqual(["email-change"]);
  });

  it("export everything ten times an hour", async () => {
    const [person, other] = [await signUp(), await signUp()];
    for (let exports = 0; exports < 10; exports += 1)
      expect((await person.call("GET", "/v1/users/me/export")).status).toBe(200);
    expect(await person.call("GET", "/v1/users/me/export")).toMatchObject({
      status: 429,
      body: { code: "rate-limited", limit: "export" },
    });
    expect((await other.call("GET", "/v1/users/me/export")).status).toBe(200);
  });
});
