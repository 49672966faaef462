/** What callers see of models, providers, prices and health. */
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { noteProviderCall } from "#features/models/service";
import { countingBindings } from "#test/support/counting";
import { call, type Person, signUp } from "#test/support/harness";
import { resetOverrides, withVariables, workspaceCtx } from "./support.ts";

let person: Person;
let key: string;
let testKey: string;

beforeAll(async () => {
  person = await signUp();
  key = (await person.call("POST", "/v1/api-keys", { body: { name: "live" } })).body.key;
  testKey = (await person.call("POST", "/v1/api-keys", { body: { name: "test", mode: "test" } })).body.key;
  await resetOverrides();
});

afterEach(resetOverrides);

const openai = withVariables({ PROVIDER_OPENAI_KEY: "sk-of-openai" });
const ids = (answer: { body: { data: { id: string }[] } }) => answer.body.data.map(({ id }) => id);

describe("GET /v1/models", () => {
  it("lists what can be used now in OpenAI's shape, with sizes and prices", async () => {
    const answer = await call("GET", "/v1/models", { as: key, env: openai });
    expect(answer).toMatchObject({ status: 200, body: { object: "list" } });
    expect(ids(answer)).toEqual(expect.arrayContaining(["gpt-4o-mini", "o3-mini", "gpt-5", "text-embedding-3-small"]));
    expect(ids(answer)).not.toContain("claude-3-sonnet");
    expect(answer.body.data.find(({ id }: { id: string }) => id === "gpt-4o-mini")).toEqual({
      id: "gpt-4o-mini",
      object: "model",
      created: expect.any(Number),
      owned_by: "openai",
      name: "GPT-4o mini",
      provider: "openai",
      context_length: 128_000,
      max_output_tokens: 16_384,
      capabilities: expect.arrayContaining(["chat", "tools", "images-in", "structured-output"]),
      pricing: {
        currency: "usd",
        inputMicroUsdPerMillion: 150_000,
        cachedInputMicroUsdPerMillion: 75_000,
        outputMicroUsdPerMillion: 600_000,
      },
    });
    expect(JSON.stringify(answer.body)).not.toContain("sk-of-openai");
  });

  it("is empty where no provider is configured, and knows all models in test mode", async () => {
    expect((await call("GET", "/v1/models", { as: key })).body.data).toEqual([]);
    const simulated = await call("GET", "/v1/models", { as: testKey });
    expect(ids(simulated)).toEqual(expect.arrayContaining(["gpt-4o-mini", "claude-3-sonnet"]));
    expect(new Set(simulated.body.data.map(({ provider }: { provider: string }) => provider))).toEqual(
      new Set(["sandbox"]),
    );
  });

  it("costs no read while what was set is remembered", async () => {
    const { env, counts, reset } = countingBindings();
    const ask = () => call("GET", "/v1/models", { as: key, env: { ...env, ...openai, DB: env.DB } });
    for (let warmUp = 0; warmUp < 3; warmUp += 1) await ask();
    reset();
    for (let round = 0; round < 5; round += 1) expect((await ask()).status).toBe(200);
    expect(counts.database).toBe(0);
  });
});

describe("GET /v1/models/{model}", () => {
  const env = withVariables({ PROVIDER_OPENAI_KEY: "k", PROVIDER_OPENROUTER_KEY: "k" });

  it.each([
    ["gpt-4o", "gpt-4o", "openai"],
    ["or/anthropic/claude-sonnet-4.5", "or/anthropic/claude-sonnet-4.5", "openrouter"],
    ["or%2Fanthropic%2Fclaude-sonnet-4.5", "or/anthropic/claude-sonnet-4.5", "openrouter"],
    ["mistral/large:free", "mistral/large:free", "openrouter"],
  ])("finds %s", async (path, id, provider) => {
    expect(await call("GET", `/v1/models/${path}`, { as: key, env })).toMatchObject({
      status: 200,
      body: { id, object: "model", provider },
    });
  });

  it("answers what is not there in OpenAI's words", async () => {
    const missing = await call("GET", "/v1/models/vendor/nothing", { as: key, env: openai });
    expect(missing).toMatchObject({
      status: 404,
      body: {
        error: {
          message: expect.stringContaining("vendor/nothing"),
          type: "invalid_request_error",
          code: "model_not_found",
          param: "model",
        },
      },
    });
    expect(await call("GET", "/v1/models/gpt-4o", { as: key })).toMatchObject({
      status: 503,
      body: { error: { type: "server_error", code: "model_provider_not_configured" } },
    });
    expect(await call("GET", "/v1/models/gpt-4o")).toMatchObject({
      status: 401,
      body: { error: { type: "authentication_error", code: "credentials_required" } },
    });
  });
});

describe("GET /v1/llm/providers", () => {
  it("tells which can be used and by whose key, and no address or key", async () => {
    const answer = await call("GET", "/v1/llm/providers", { as: key, env: openai });
    expect(answer).toMatchObject({ status: 200, body: { mode: "live" } });
    const { providers } = answer.body;
    expect(providers.map(({ name }: { name: string }) => name)).not.toContain("sandbox");
    expect(providers).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: "openai", configured: true, source: "operator", prefix: null }),
        expect.objectContaining({ name: "openrouter", configured: false, source: null, prefix: "or/" }),
      ]),
    );
    expect(JSON.stringify(answer.body)).not.toMatch(/sk-of-openai|https?:/);
    expect((await call("GET", "/v1/llm/providers", { as: testKey })).body).toMatchObject({ mode: "test" });
  });
});

describe("GET /v1/llm/health", () => {
  /** One that no other test calls: what was seen of a provider is the isolate's. */
  const glama = withVariables({ PROVIDER_GLAMA_KEY: "sk-of-glama" });
  const health = async () => {
    const { body, status } = await call("GET", "/v1/llm/health", { as: key, env: glama });
    expect(status).toBe(200);
    return { ...body, glama: body.providers.find(({ name }: { name: string }) => name === "glama") };
  };

  it("goes by the calls that were made, and never by those with a workspace's own key", async () => {
    expect(await health()).toMatchObject({
      status: "healthy",
      glama: { state: "unknown", calls: 0, averageMs: null },
    });
    const ctx = workspaceCtx(person);
    const note = (ok: boolean, durationMs: number, ownKeyId: string | null = null) =>
      noteProviderCall(ctx, { provider: "glama", ok, durationMs, ownKeyId });
    note(false, 1, "byok_somebody");
    note(true, 100);
    note(true, 300);
    expect((await health()).glama).toMatchObject({ state: "healthy", calls: 2, failures: 0, averageMs: 200 });
    note(false, 200);
    expect(await health()).toMatchObject({ status: "degraded", glama: { state: "degraded", calls: 3, failures: 1 } });
    for (let more = 0; more < 5; more += 1) note(false, 200);
    const failing = await health();
    expect(failing).toMatchObject({ status: "unhealthy", glama: { state: "failing", calls: 8, failures: 6 } });
    expect(Date.parse(failing.glama.lastFailureAt)).toBeGreaterThanOrEqual(Date.parse(failing.glama.lastSuccessAt));
    expect(failing.providers.find(({ name }: { name: string }) => name === "groq").state).toBe("not-configured");
  });
});

describe("GET /v1/tokens/pricing", () => {
  it.each([
    ["openai/gpt-4o", { inputMicroUsdPerMillion: 2_500_000, input_cost_per_1k: 0.0025, source: "catalogue" }],
    ["openrouter/openai/gpt-4", { input_cost_per_1k: 0.03, output_cost_per_1k: 0.06, source: "catalogue" }],
    ["glama/never-heard-of", { input_cost_per_1k: 0.001, output_cost_per_1k: 0.001, source: "default" }],
  ])("of %s", async (path, price) => {
    expect(await call("GET", `/v1/tokens/pricing/${path}`, { as: key })).toMatchObject({ status: 200, body: price });
  });

  it("of an unknown provider is a 404", async () => {
    expect(await call("GET", "/v1/tokens/pricing/nobody/gpt-4o", { as: key })).toMatchObject({
      status: 404,
      body: { code: "model-provider-not-found" },
    });
  });
});
