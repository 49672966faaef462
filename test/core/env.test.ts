/** What is refused when the Worker starts, before any secret of it is used. */
import { describe, expect, it } from "vitest";
import { EnvironmentError, readSettings } from "#core/env";
import { providers } from "#adapters/llm/catalogue";
import { providersWithAddress } from "#core/model-providers";
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

  it("takes model providers by name, and the older systems' names of them", () => {
    const { modelProviders } = reading({
      PROVIDER_OPENAI_KEY: "sk-of-openai",
      PROVIDER_WORKERS_AI_BASE_URL: "https://api.example/accounts/a/ai/v1/",
      PROVIDER_WORKERS_AI_KEY: "token",
      PROVIDER_OLLAMA_BASE_URL: "http://127.0.0.1:11434/v1",
      PROVIDER_GROQ_KEY: "",
      WAPI_URL: "https://wapi.example/v1/chat/completions",
      WAPI_KEY: "of-wapi",
      A4F_API_KEY: "older",
      PROVIDER_A4F_KEY: "newer",
    })();
    expect(modelProviders).toEqual({
      openai: { baseUrl: null, key: "sk-of-openai" },
      "workers-ai": { baseUrl: "https://api.example/accounts/a/ai/v1", key: "token" },
      ollama: { baseUrl: "http://127.0.0.1:11434/v1", key: null },
      wapi: { baseUrl: "https://wapi.example/v1", key: "of-wapi" },
      a4f: { baseUrl: null, key: "newer" },
    });
    expect(reading({})().modelProviders).toEqual({});
  });

  it.each([
    ["PROVIDER_OPENAI_BASE_URL", "api.openai.example/v1", "not an absolute"],
    ["PROVIDER_OPENAI_BASE_URL", "ftp://openai.example/v1", "not an absolute"],
    ["PROVIDER_OPENAI_BASE_URL", "https://me:mine@openai.example/v1", "not an absolute"],
    ["PROVIDER_OPENAI_BASE_URL", "https://openai.example/v1?key=mine", "not an absolute"],
    ["WAPI_URL", "nowhere", "not an absolute"],
    ["PROVIDER_OPENAI_KEY", "two words", "not a key"],
    ["A4F_API_KEY", "line\nbreak", "not a key"],
  ])("refuses %s=%s by its name alone", (name, value, words) => {
    const failing = reading({ [name]: value });
    expect(failing).toThrow(`${name}: ${words}`);
    expect(failing).not.toThrow(value);
  });

  it("refuses a provider without an address, the simulator, and a key that would travel in clear", () => {
    expect(reading({ PROVIDER_MISTRAL_KEY: "key" })).toThrow("PROVIDER_MISTRAL_BASE_URL: missing");
    expect(reading({ PROVIDER_SANDBOX_BASE_URL: "https://sandbox.example" })).toThrow(
      "PROVIDER_SANDBOX: the simulator",
    );
    const clear = { PROVIDER_MISTRAL_KEY: "key", PROVIDER_MISTRAL_BASE_URL: "http://mistral.example/v1" };
    expect(reading(clear)().modelProviders["mistral"]).toEqual({ baseUrl: "http://mistral.example/v1", key: "key" });
    const production = { ...clear, ENVIRONMENT: "production", OUTBOUND_TENANT_ALLOW: "" };
    expect(reading(production)).toThrow("PROVIDER_MISTRAL_BASE_URL: a key may travel by https only");
  });

  it("checks answers outside production only, where their shapes are", () => {
    expect(reading({ CHECK_RESPONSES: "on", ENVIRONMENT: "test" })().checkResponses).toBe(true);
    const production = { CHECK_RESPONSES: "on", ENVIRONMENT: "production", OUTBOUND_TENANT_ALLOW: "" };
    expect(reading(production)).toThrow("CHECK_RESPONSES: exists outside production only");
  });

  it("knows which providers of the catalogue have an address of their own", () => {
    const known = Object.entries(providers).filter(([, provider]) => provider.baseUrl !== null);
    expect(providersWithAddress.toSorted()).toEqual(known.map(([name]) => name).toSorted());
  });
});
