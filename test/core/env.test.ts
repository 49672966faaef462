/** What is refused when the Worker starts, before any secret of it is used. */
import { describe, expect, it } from "vitest";
import { EnvironmentError, readSettings } from "#core/env";
import { bindings } from "#test/support/harness";

const key = (version: number) =>
  `${version}:${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64")}`;
const reading = (change: Record<string, string>) => () => readSettings({ ...bindings, ...change });

describe("the environment", () => {
  it("takes master keys up to the last version that an API key can name", () => {
    expect(
      reading({ MASTER_KEYS: [key(255), key(100), key(9)].join(",") })().masterKeys.map(({ version }) => version),
    ).toEqual([255, 100, 9]);
    for (const version of [0, 256, 300, 999, 1_000])
      expect(reading({ MASTER_KEYS: key(version) })).toThrow(EnvironmentError);
    const [one, again] = [key(1), key(1)];
    expect(reading({ MASTER_KEYS: `${one},${again}` })).toThrow("twice");
  });

  it("is refused by the names of what is wrong, never by their values", () => {
    const secret = key(1).slice(0, -2);
    const message = (() => {
      try {
        reading({ MASTER_KEYS: secret, PUBLIC_URL: "nowhere" })();
        return "";
      } catch (error) {
        return String(error);
      }
    })();
    expect(message).toMatch(/MASTER_KEYS.*PUBLIC_URL|PUBLIC_URL.*MASTER_KEYS/);
    expect(message).not.toContain(secret.slice(2, 12));
  });

  it.each([
    ["ENVIRONMENT", "prod"],
    ["PUBLIC_URL", "example.com"],
    ["SIGN_UP", "maybe"],
    ["HASHERS", "0"],
    ["HASHERS", "9"],
    ["HASHERS", "1.5"],
    ["MASTER_KEYS", ""],
    ["MASTER_KEYS", "1:short"],
    ["JWT_PRIVATE_JWKS", "{"],
    ["JWT_PRIVATE_JWKS", "null"],
    ["JWT_PRIVATE_JWKS", '{"keys":[]}'],
    ["JWT_PRIVATE_JWKS", '{"keys":[null]}'],
    ["JWT_PRIVATE_JWKS", '{"keys":[{"kty":"EC","crv":"P-384","kid":"a","x":"x","y":"y","d":"d"}]}'],
    ["JWT_PRIVATE_JWKS", '{"keys":[{"kty":"EC","crv":"P-256","kid":"a","x":"x","y":"y"}]}'],
    ["R2_S3_ENDPOINT", "nowhere"],
    ["R2_BUCKET_NAME", ""],
    ["CHECK_RESPONSES", "yes"],
  ])("refuses %s=%s", (name, value) => {
    expect(reading({ [name]: value })).toThrow(`${name}: not `);
  });

  it("names what is missing, all of it", () => {
    expect(() => readSettings({})).toThrow(
      /ENVIRONMENT: missing; PUBLIC_URL: missing; MASTER_KEYS: missing; JWT_PRIVATE_JWKS: missing; R2_S3_ENDPOINT: missing; R2_BUCKET_NAME: missing; R2_ACCESS_KEY_ID: missing; R2_SECRET_ACCESS_KEY: missing/,
    );
  });

  it("has a value for what may be left out", () => {
    const settings = readSettings({
      ...bindings,
      ALLOWED_ORIGINS: undefined,
      SIGN_UP: undefined,
      HASHERS: undefined,
      CHECK_RESPONSES: undefined,
    });
    expect(settings).toMatchObject({ allowedOrigins: [], signUp: "open", hashers: 1, checkResponses: false });
  });

  it("takes lists with spaces, an address with a slash and a number that is not a text", () => {
    const settings = readSettings({
      ...bindings,
      ALLOWED_ORIGINS: "https://a.example, https://b.example,",
      PUBLIC_URL: "https://api.example/",
      HASHERS: 8,
    });
    expect(settings).toMatchObject({
      allowedOrigins: ["https://a.example", "https://b.example"],
      publicUrl: "https://api.example",
      hashers: 8,
    });
  });
});
