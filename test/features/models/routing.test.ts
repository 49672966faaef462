/** Where a model is asked: overrides, prefixes, the catalogue, popular names, and who may ask at all. */
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Capability } from "#adapters/llm/contract";
import { subUserDefaults } from "#core/sub-user";
import { costMicroUsd, listCostMicroUsd, targetsOf } from "#features/models/service";
import { countingBindings } from "#test/support/counting";
import { withRole } from "#test/features/staff/team";
import { type Person, signUp } from "#test/support/harness";
import { type CtxOptions, resetOverrides, workspaceCtx } from "./support.ts";

let person: Person;
let superadmin: Person;

beforeAll(async () => {
  person = await signUp();
  superadmin = await withRole("superadmin");
  await resetOverrides();
});

afterEach(resetOverrides);

const openai = { PROVIDER_OPENAI_KEY: "sk-of-openai" };
const a4f = { A4F_API_KEY: "of-a4f" };
const openrouter = { PROVIDER_OPENROUTER_KEY: "of-openrouter" };

const route = (
  model: string,
  options: CtxOptions = {},
  about: { capability?: Capability; metadata?: object; sizeBytes?: number; stickTo?: string } = {},
) =>
  targetsOf(workspaceCtx(person, options), model, {
    capability: "chat",
    sizeBytes: 10,
    ...about,
    metadata: { ...about.metadata },
  });
const places = async (...args: Parameters<typeof route>) =>
  (await route(...args)).map(({ provider, model }) => `${provider} ${model}`);

const override = async (body: object) => {
  const answer = await superadmin.call("PUT", "/v1/admin/models", { body });
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
};

describe("a model of the catalogue", () => {
  it("is asked at its own provider, with the deployment's key", async () => {
    const [target, ...more] = await route("gpt-4o-mini", { variables: { ...openai, ...a4f, ...openrouter } });
    expect(more).toEqual([]);
    expect(target).toMatchObject({
      provider: "openai",
      dialect: "openai",
      baseUrl: "https://api.openai.com/v1",
      secret: "sk-of-openai",
      ownKeyId: null,
      isTenantUrl: false,
      model: "gpt-4o-mini",
      publicModel: "gpt-4o-mini",
      facts: { id: "gpt-4o-mini", contextTokens: 128_000 },
    });
  });

  it("is asked at system B's upstream, at A4F or at OpenRouter when its own provider is not configured", async () => {
    const wapi = { WAPI_URL: "https://wapi.example/v1", WAPI_KEY: "of-wapi" };
    expect(await places("gpt-5", { variables: { ...wapi, ...a4f } })).toEqual(["wapi gpt-5"]);
    expect(await places("gpt-5", { variables: { ...a4f, ...openrouter } })).toEqual(["a4f gpt-5"]);
    expect(await places("gpt-5", { variables: openrouter })).toEqual(["openrouter gpt-5"]);
    await expect(route("gpt-5")).rejects.toMatchObject({ code: "model-provider-not-configured" });
  });

  it("is known by its dated name, and native Anthropic by its dialect", async () => {
    expect(await places("gpt-4o-2024-08-06", { variables: { ...openai, ...a4f } })).toEqual([
      "openai gpt-4o-2024-08-06",
    ]);
    const [claude] = await route("claude-sonnet-5-5", { variables: { PROVIDER_ANTHROPIC_KEY: "sk-ant" } });
    expect(claude).toMatchObject({ dialect: "anthropic", baseUrl: "https://api.anthropic.com/v1", secret: "sk-ant" });
  });
});

describe("system C's routing", () => {
  const all = {
    ...openai,
    ...a4f,
    ...openrouter,
    PROVIDER_GLAMA_KEY: "g",
    PROVIDER_REQUESTY_KEY: "r",
    PROVIDER_AIML_KEY: "m",
  };

  it.each([
    ["or/openai/gpt-4o", "openrouter openai/gpt-4o"],
    ["glama/openai/gpt-4o", "glama openai/gpt-4o"],
    ["req/openai/gpt-4o", "requesty openai/gpt-4o"],
    ["aiml/openai/gpt-4o", "aiml openai/gpt-4o"],
    ["a4f/provider-1/gpt-4o", "a4f provider-1/gpt-4o"],
    ["vendor/unheard-of-sonnet", "a4f vendor/unheard-of-sonnet"],
    ["google/gemini-9-pro", "a4f google/gemini-9-pro"],
    ["mistral/large", "openrouter mistral/large"],
  ])("sends %s to %s", async (id, place) => {
    expect(await places(id, { variables: all })).toEqual([place]);
  });

  it("prices what it knows under a vendor's name, and the rest as system C did", async () => {
    const [known] = await route("or/openai/gpt-4o", { variables: all });
    const [unknown] = await route("mistral/large", { variables: all });
    expect(known?.facts).toMatchObject({ id: "or/openai/gpt-4o", price: { inputMicroUsdPerMillion: 2_500_000 } });
    expect(unknown?.facts.price).toMatchObject({
      inputMicroUsdPerMillion: 1_000_000,
      outputMicroUsdPerMillion: 1_000_000,
    });
  });

  it.each([
    ["or/openai/gpt-4o", openai, "model-provider-not-configured"],
    ["or/", openai, "model-not-found"],
    ["mistral/large", { ...openai, ...a4f }, "model-not-found"],
    ["", all, "model-not-found"],
    ["x".repeat(301), all, "model-not-found"],
  ])("refuses %s", async (id, variables, code) => {
    await expect(route(id, { variables })).rejects.toMatchObject({ code });
  });
});

describe("a provider of the deployment's own", () => {
  it("is asked by its name, without a key where it asks for none", async () => {
    const variables = {
      PROVIDER_OLLAMA_BASE_URL: "http://127.0.0.1:11434/v1",
      PROVIDER_MY_VLLM_BASE_URL: "https://vllm.example/v1",
    };
    expect((await route("ollama/llama3:8b", { variables }))[0]).toMatchObject({
      provider: "ollama",
      model: "llama3:8b",
      secret: "",
    });
    expect(await places("my-vllm/org/model", { variables })).toEqual(["my-vllm org/model"]);
    await expect(route("my-vllm/", { variables })).rejects.toMatchObject({ code: "model-not-found" });
  });
});

describe("what a model can do", () => {
  it("is asked before anybody is called", async () => {
    const variables = openai;
    expect(await places("text-embedding-3-small", { variables }, { capability: "embeddings" })).toHaveLength(1);
    await expect(route("text-embedding-3-small", { variables })).rejects.toMatchObject({
      code: "model-capability-missing",
    });
    await expect(route("gpt-4o", { variables }, { capability: "speech" })).rejects.toMatchObject({ status: 400 });
  });
});

describe("a sub-user", () => {
  const subUser = (allowed_models: string[]) => ({
    ...subUserDefaults,
    permissions: { ...subUserDefaults.permissions, allowed_models },
  });

  it("uses the models of the grant alone, its fallbacks included", async () => {
    const variables = { ...openai, ...a4f };
    const mini = { variables, subUser: subUser(["gpt-4o-mini", "o3*"]) };
    expect(await places("gpt-4o-mini", mini)).toEqual(["openai gpt-4o-mini"]);
    expect(await places("o3-mini", mini)).toEqual(["openai o3-mini"]);
    await expect(route("gpt-4o", mini)).rejects.toMatchObject({ code: "model-not-allowed" });
    await expect(route("never-heard-of", mini)).rejects.toMatchObject({ code: "model-not-allowed" });
    await override({ id: "gpt-4o-mini", fallbacks: ["gpt-4o", "o3"] });
    expect(await places("gpt-4o-mini", mini)).toEqual(["openai gpt-4o-mini", "openai o3"]);
    expect(await places("gpt-4o-mini", { variables })).toEqual(["openai gpt-4o-mini", "openai gpt-4o", "openai o3"]);
  });
});

describe("test mode", () => {
  const test = { mode: "test", variables: openai } as const;

  it("reaches the simulator and nothing else, whatever the model", async () => {
    for (const [id, model] of [
      ["gpt-4o", "gpt-4o"],
      ["never-heard-of", "never-heard-of"],
      ["or/openai/gpt-4o", "openai/gpt-4o"],
      ["claude-sonnet-5-5", "claude-sonnet-5-5"],
    ] as const)
      expect(await route(id, test)).toMatchObject([
        { provider: "sandbox", dialect: "openai", baseUrl: "http://127.0.0.1:8787/__sandbox/llm/v1", model },
      ]);
    expect(JSON.stringify(await route("gpt-4o", test))).not.toContain("sk-of-openai");
  });

  it("follows overrides there, too, and is closed without the simulator", async () => {
    await override({ id: "gpt-4o", fallbacks: ["o3"] });
    expect(await places("gpt-4o", test)).toEqual(["sandbox gpt-4o", "sandbox o3"]);
    await expect(route("gpt-4o", { ...test, variables: { ...openai, SANDBOX: "off" } })).rejects.toMatchObject({
      code: "model-provider-not-configured",
    });
  });

  it("is not where a live request ends, by no name", async () => {
    await expect(route("sandbox/anything")).rejects.toMatchObject({ code: "model-not-found" });
    await expect(route("sandbox/gpt-4o")).rejects.toMatchObject({ code: "model-provider-not-configured" });
    expect(await superadmin.call("PUT", "/v1/admin/providers", { body: { name: "sandbox" } })).toMatchObject({
      status: 422,
    });
  });
});

describe("an override", () => {
  const variables = { ...openai, ...a4f, ...openrouter };

  it("sends by conditions, by weights and to the same place for the same user", async () => {
    await override({
      id: "house-model",
      displayName: "House model",
      contextTokens: 1_000,
      capabilities: ["chat"],
      stickBy: "metadata:customer",
      routes: [
        { when: { metadata: { tier: "gold" } }, targets: [{ provider: "openai", model: "gpt-5" }] },
        { when: { minBytes: 5_000 }, targets: [{ provider: "openrouter", model: "big/context" }] },
        {
          targets: [
            { provider: "a4f", model: "one", weight: 1 },
            { provider: "openai", model: "gpt-4o", weight: 1 },
          ],
        },
      ],
      fallbacks: ["o3-mini"],
    });
    const [gold, ...rest] = await route("house-model", { variables }, { metadata: { tier: "gold" } });
    expect(gold).toMatchObject({
      provider: "openai",
      model: "gpt-5",
      publicModel: "house-model",
      facts: {
        id: "house-model",
        displayName: "House model",
        contextTokens: 1_000,
        price: { inputMicroUsdPerMillion: 1_250_000 },
      },
    });
    expect(rest).toMatchObject([{ publicModel: "o3-mini", facts: { id: "o3-mini" } }]);
    expect((await places("house-model", { variables }, { sizeBytes: 5_000 }))[0]).toBe("openrouter big/context");
    const firsts = new Set<string>();
    for (let customer = 0; customer < 40; customer += 1) {
      const about = { metadata: { customer } };
      const order = await places("house-model", { variables }, about);
      expect(await places("house-model", { variables }, about)).toEqual(order);
      expect(order.toSorted()).toEqual(["a4f one", "openai gpt-4o", "openai o3-mini"]);
      firsts.add(order[0] ?? "");
    }
    expect([...firsts].toSorted()).toEqual(["a4f one", "openai gpt-4o"]);
    const stuck = { stickTo: "conversation-1" };
    expect(await places("house-model", { variables }, stuck)).toEqual(
      await places("house-model", { variables }, stuck),
    );
  });

  it("leaves out what is not configured, and says so when nothing is left", async () => {
    await override({ id: "two-places", routes: [{ targets: [{ provider: "groq" }, { provider: "a4f" }] }] });
    expect(await places("two-places", { variables: a4f })).toEqual(["a4f two-places"]);
    await expect(route("two-places", { variables: openai })).rejects.toMatchObject({
      code: "model-provider-not-configured",
    });
    await override({ id: "gpt-5", fallbacks: ["claude-sonnet-5-5"] });
    expect(await places("gpt-5", { variables: { PROVIDER_ANTHROPIC_KEY: "k" } })).toEqual([
      "anthropic claude-sonnet-5-5",
    ]);
  });

  it("switches a model off with its fallbacks, and many by a pattern", async () => {
    await override({ id: "gpt-4*", enabled: false });
    await override({ id: "gpt-4o", enabled: true });
    expect(await places("gpt-4o", { variables })).toEqual(["openai gpt-4o"]);
    await expect(route("gpt-4o-mini", { variables })).rejects.toMatchObject({ code: "model-not-found" });
    await override({ id: "gpt-4o", enabled: false, fallbacks: ["o3"] });
    await expect(route("gpt-4o", { variables })).rejects.toMatchObject({ code: "model-not-found" });
  });

  it("that became a ring by two changes at once ends where it began", async () => {
    await override({ id: "gpt-5", fallbacks: ["o3"] });
    const { env } = countingBindings();
    await env.DB.prepare(
      "insert into model_overrides select 'o3', enabled, display_name, context_tokens, max_output_tokens, capabilities, routes, '[\"gpt-5\"]', stick_by, updated_by, created_at, updated_at from model_overrides where id = 'gpt-5'",
    ).run();
    const { forgetOverrides } = await import("#features/models/overrides");
    forgetOverrides();
    expect(await places("gpt-5", { variables })).toEqual(["openai gpt-5", "openai o3"]);
  });
});

describe("costs", () => {
  it("are charged at the price of the target, and not at all with an own key", async () => {
    const [target] = await route("gpt-4o", { variables: openai });
    if (!target) throw new Error("no target");
    const usage = { inputTokens: 1_000, cachedInputTokens: 0, outputTokens: 100, estimated: false };
    expect(costMicroUsd(target, usage)).toBe(3_500);
    const own = { ...target, ownKeyId: "byok_1" };
    expect([costMicroUsd(own, usage), listCostMicroUsd(own, usage)]).toEqual([0, 3_500]);
  });
});

describe("routing on a warm path", () => {
  it("reads nothing", async () => {
    const { env, counts, reset } = countingBindings();
    await override({ id: "gpt-5", fallbacks: ["o3"] });
    const options = { env, variables: { ...openai, ...a4f } };
    await route("gpt-5", options);
    expect(counts.database).toBeGreaterThan(0);
    reset();
    for (let round = 0; round < 20; round += 1) await route("gpt-5", options);
    expect(counts).toEqual({ database: 0, objects: 0, files: 0 });
  });
});
