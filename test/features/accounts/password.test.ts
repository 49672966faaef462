/** Changing a password: who guesses, who races, and what a failure half-way leaves. */
import { scryptSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { Bindings } from "#core/env";
import { bindings, call, type Person, signUp } from "#test/support/harness";

const next = () => `another secret ${crypto.randomUUID()}`;
const change = (person: Person, currentPassword: string, newPassword: string, env?: Bindings) =>
  person.call("POST", "/v1/auth/change-password", { body: { currentPassword, newPassword }, ...(env ? { env } : {}) });
const login = (person: Person, password: string, env?: Bindings) =>
  call("POST", "/v1/auth/login", { body: { email: person.email, password }, ...(env ? { env } : {}) });

/** The same objects, of which one method does something else first. */
function intercepted<Namespace extends DurableObjectNamespace<never>>(
  namespace: Namespace,
  method: string,
  before: () => Promise<void>,
): Namespace {
  return new Proxy(namespace, {
    get(target, name) {
      if (name !== "getByName") return Reflect.get(target, name) as unknown;
      return (...args: [string]) => {
        const stub = target.getByName(...args);
        return new Proxy(stub, {
          get(inner, called) {
            const value = Reflect.get(inner, called) as unknown;
            if (called !== method || typeof value !== "function") return value;
            return async (...given: unknown[]) => {
              await before();
              return Reflect.apply(value, inner, given) as unknown;
            };
          },
        });
      };
    },
  });
}

describe("changing the password", () => {
  it("gives a stolen session five guesses, and leaves sign-in as it was", async () => {
    const person = await signUp();
    for (let tries = 0; tries < 5; tries += 1) expect((await change(person, "a guess", next())).status).toBe(422);
    const locked = await change(person, person.password, next());
    expect(locked).toMatchObject({ status: 423, body: { code: "sign-in-locked" } });
    expect(locked.body.retryAfter).toBeGreaterThan(3_000);
    expect((await login(person, person.password)).status).toBe(200);
  });

  it("is limited, because each try costs hashes that others wait for", async () => {
    const person = await signUp();
    let { password } = person;
    const statuses = [];
    for (let tries = 0; tries < 11; tries += 1) {
      const changed = next();
      const { status } = await change(person, password, changed);
      statuses.push(status);
      if (status === 200) password = changed;
    }
    expect(statuses).toEqual([...Array.from({ length: 10 }, () => 200), 429]);
  });

  it("lets one of several at once win", async () => {
    const person = await signUp();
    const wanted = [next(), next(), next()];
    const answers = await Promise.all(wanted.map((password) => change(person, person.password, password)));
    expect(answers.map((answer) => answer.status).toSorted()).toEqual([200, 422, 422]);
    const winner = wanted[answers.findIndex((answer) => answer.status === 200)] ?? "";
    expect((await login(person, winner)).status).toBe(200);
    const audit = await bindings.DB.prepare(
      "select count(*) as n from audit_log where action = 'account.password-changed' and target = ?",
    )
      .bind(person.userId)
      .first<{ n: number }>();
    expect(audit?.n).toBe(1);
  });

  it("ends the session that asks where that is wished, as on system D's path it always is", async () => {
    const person = await signUp();
    const wished = next();
    const body = { currentPassword: person.password, newPassword: wished, endAllSessions: true };
    expect((await person.call("POST", "/v1/auth/change-password", { body })).status).toBe(200);
    expect((await person.call("GET", "/v1/auth/me")).status).toBe(401);
    const { body: opened } = await call("POST", "/api/auth/login", {
      body: { email: person.email, password: wished },
    });
    const passwords = { currentPassword: wished, newPassword: next() };
    const changed = await call("PUT", "/api/auth/change-password", { as: opened.token, body: passwords });
    expect(changed).toMatchObject({ status: 200, body: { success: true } });
    expect((await call("GET", "/api/auth/me", { as: opened.token })).status).toBe(401);
    expect((await login(person, passwords.newPassword)).status).toBe(200);
  });

  it("changes nothing when the other sessions cannot be ended", async () => {
    const person = await signUp();
    const failing = async () => {
      throw new Error("Network connection lost.");
    };
    const env = {
      ...bindings,
      SESSION_STORE: intercepted(bindings.SESSION_STORE as never, "revokeAll", failing),
    } as Bindings;
    expect((await change(person, person.password, next(), env)).status).toBe(500);
    expect((await login(person, person.password)).status).toBe(200);
  });

  it("is not undone by an older hash that is just being renewed", async () => {
    const person = await signUp();
    const salt = crypto.getRandomValues(new Uint8Array(16));
    const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64").replaceAll("=", "");
    const phc = `$scrypt$ln=14,r=8,p=1$${text(salt)}$${text(scryptSync(person.password, salt, 32, { N: 2 ** 14, r: 8, p: 1 }))}`;
    await bindings.DB.prepare("update users set password_phc = ? where id = ?").bind(phc, person.userId).run();
    const [reached, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const wait = async () => {
      reached.resolve();
      await gate.promise;
    };
    const env = { ...bindings, HASHER: intercepted(bindings.HASHER as never, "hash", wait) } as Bindings;
    const signingIn = login(person, person.password, env);
    await reached.promise;
    const changed = next();
    expect((await change(person, person.password, changed)).status).toBe(200);
    gate.resolve();
    await signingIn;
    expect((await login(person, changed)).status).toBe(200);
    expect((await login(person, person.password)).status).toBe(401);
  });
});
