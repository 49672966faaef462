/** Credentials that were put together from parts of others, or come in another spelling: none of them acts for somebody else. */
import { describe, expect, it } from "vitest";
import { bindings, call, type Person, signUp } from "#test/support/harness";

async function opaqueToken(person: Person): Promise<string> {
  const login = await call("POST", "/v1/auth/login", {
    body: { email: person.email, password: person.password, sessionKind: "opaque" },
  });
  return login.body.token as string;
}

describe("an opaque session token", () => {
  it("with another person's id in it acts for nobody, also while the isolate remembers the true one", async () => {
    const [victim, thief] = [await signUp(), await signUp()];
    const token = await opaqueToken(thief);
    expect((await call("GET", "/v1/auth/me", { as: token })).body.id).toBe(thief.userId);
    // The person's id is no secret: it stands in every conversion that members of a workspace see.
    const forged = `ovs_${victim.userId.slice(4)}${token.slice(30)}`;
    expect(forged).not.toBe(token);
    expect(await call("GET", "/v1/auth/me", { as: forged })).toMatchObject({
      status: 401,
      body: { code: "credentials-invalid" },
    });
    expect((await call("GET", "/v1/files", { as: forged })).status).toBe(401);
  });
});

describe("an operation on keys", () => {
  it("asks the primary database who may, however old a bookmark the client sends", async () => {
    const person = await signUp();
    const asked: unknown[] = [];
    const DB = new Proxy(bindings.DB, {
      get(target, name) {
        const value = Reflect.get(target, name) as unknown;
        if (name !== "withSession") return typeof value === "function" ? value.bind(target) : value;
        return (constraint: string) => {
          asked.push(constraint);
          return target.withSession("first-primary");
        };
      },
    });
    const options = { env: { ...bindings, DB }, headers: { "x-d1-bookmark": "00000001-00000000-00000000-old" } };
    expect((await person.call("GET", "/v1/api-keys", options)).status).toBe(200);
    expect((await person.call("POST", "/v1/api-keys", { ...options, body: { name: "a key" } })).status).toBe(201);
    expect((await person.call("GET", "/v1/encryption-keys", options)).status).toBe(200);
    expect(asked).toEqual(["first-primary", "first-primary", "first-primary"]);
    await person.call("GET", "/v1/files", options);
    await person.call("GET", "/v1/files", { env: options.env });
    expect(asked.slice(3)).toEqual(["00000001-00000000-00000000-old", "first-unconstrained"]);
  });
});

describe("the Authorization header", () => {
  it("names its scheme in any case (RFC 9110 section 11.1)", async () => {
    const person = await signUp();
    for (const scheme of ["bearer", "BEARER"]) {
      expect(
        (await call("GET", "/v1/auth/me", { headers: { authorization: `${scheme} ${person.token}` } })).status,
      ).toBe(200);
    }
    for (const authorization of ["Basic YTpi", "Bearer", `Token ${person.token}`, person.token]) {
      expect(await call("GET", "/v1/auth/me", { headers: { authorization } })).toMatchObject({
        status: 401,
        body: { code: "credentials-invalid" },
      });
    }
  });
});
