/** Access tokens that look right and are not: each is made with everything right but one thing. */
import { exportJWK, generateKeyPair, importJWK, type JWTHeaderParameters, type JWTPayload, SignJWT } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import type { PrivateJwk } from "#core/env";
import { bindings, call, type Person, signUp } from "#test/support/harness";

let person: Person;
let own: PrivateJwk;
let claims: JWTPayload;

beforeAll(async () => {
  person = await signUp();
  const { JWT_PRIVATE_JWKS } = bindings as unknown as { JWT_PRIVATE_JWKS: string };
  [own] = (JSON.parse(JWT_PRIVATE_JWKS) as { keys: [PrivateJwk] }).keys;
  claims = JSON.parse(Buffer.from(person.token.split(".")[1] ?? "", "base64url").toString()) as JWTPayload;
});

type Key = Parameters<SignJWT["sign"]>[0];

interface Made {
  header?: Partial<JWTHeaderParameters>;
  claims?: JWTPayload;
  key?: Key;
}

async function make({ header = {}, claims: changed = {}, key }: Made): Promise<string> {
  const payload = Object.fromEntries(
    Object.entries({ ...claims, ...changed }).filter(([, value]) => value !== undefined),
  );
  const signer = new SignJWT(payload).setProtectedHeader({ alg: "ES256", kid: own.kid, typ: "at+jwt", ...header });
  return signer.sign(key ?? (await importJWK({ ...own, alg: "ES256" }, "ES256")));
}

const ask = (token: string) => call("GET", "/v1/auth/me", { as: token });

describe("an access token", () => {
  it("passes when everything is right", async () => {
    expect((await ask(await make({}))).status).toBe(200);
  });

  it("that has expired says so, that a client may refresh", async () => {
    const past = Math.floor(Date.now() / 1_000) - 1;
    expect(await ask(await make({ claims: { exp: past } }))).toMatchObject({
      status: 401,
      body: { code: "credentials-expired" },
    });
  });

  it.each<[string, () => Made]>([
    ["never expires", () => ({ claims: { exp: undefined } })],
    ["was made for another audience", () => ({ claims: { aud: "elsewhere" } })],
    ["was made by another issuer", () => ({ claims: { iss: "https://elsewhere.example" } })],
    ["is of another type", () => ({ header: { typ: "JWT" } })],
    ["has no type", () => ({ header: { typ: undefined } as never })],
    ["is not valid yet", () => ({ claims: { nbf: Math.floor(Date.now() / 1_000) + 60 } })],
    ["names no session", () => ({ claims: { sid: undefined } })],
    ["names no person", () => ({ claims: { sub: undefined } })],
    ["does not say when it was made", () => ({ claims: { iat: undefined } })],
    ["names an unknown session", () => ({ claims: { sid: "ses_01kahs7m3n0000000000000000" } })],
    ["names another person", () => ({ claims: { sub: "usr_01kahs7m3n0000000000000000" } })],
    ["names another key", () => ({ header: { kid: "other" } })],
    ["names no key", () => ({ header: { kid: undefined } as never })],
    ["asks for an unknown extension", () => ({ header: { crit: ["x"], x: 1 } as never })],
  ])("that %s is refused", async (_, change) => {
    const made = change();
    const token = await make(made).catch(() => null);
    // The library refuses to sign with an unknown extension: then it is put together by hand.
    const text =
      token ??
      `${Buffer.from(JSON.stringify({ alg: "ES256", kid: own.kid, typ: "at+jwt", ...made.header })).toString("base64url")}.${person.token.split(".").slice(1).join(".")}`;
    expect(await ask(text)).toMatchObject({ status: 401, body: { code: "credentials-invalid" } });
  });

  it("signed by another key is refused, also when it brings that key along or calls it a secret", async () => {
    const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
    const jwk = await exportJWK(publicKey);
    const shared = new TextEncoder().encode(JSON.stringify((await call("GET", "/.well-known/jwks.json")).body.keys[0]));
    const forged = [
      await make({ key: privateKey }),
      await make({ key: privateKey, header: { jwk } }),
      await make({ key: privateKey, header: { jku: "https://elsewhere.example/jwks.json" } }),
      await make({ key: shared, header: { alg: "HS256" } }),
    ];
    for (const token of forged)
      expect(await ask(token)).toMatchObject({ status: 401, body: { code: "credentials-invalid" } });
  });
});
