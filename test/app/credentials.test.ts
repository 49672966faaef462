/** Credentials that were put together from parts of others, or come in another spelling: none of them acts for somebody else. */
import { describe, expect, it } from "vitest";
import { call, type Person, signUp } from "#test/support/harness";

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
