/** Systems C and D as their clients ask for models and keys of providers. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { bindings, type Person, signUp } from "#test/support/harness";

let person: Person;

beforeEach(async () => {
  person = await signUp();
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input) => {
    const isBad = (input as Request).headers.get("authorization")?.includes("wrong") === true;
    return new Response(null, { status: isBad ? 401 : 200 });
  });
});
afterEach(() => vi.restoreAllMocks());

const secret = () => `sk-p${crypto.randomUUID()}`;

describe("system D's keys by provider", () => {
  it("are stored, replaced, listed, tested, used and removed by the provider's name", async () => {
    const store = (apiKey: string) => person.call("POST", "/api/api-keys", { body: { provider: "openai", apiKey } });
    const made = await store(secret());
    expect(made).toMatchObject({
      status: 201,
      body: {
        success: true,
        keyInfo: { provider: "openai", keyPrefix: "sk-p********", isActive: true, usageCount: 0 },
      },
    });
    const again = await store(secret());
    expect(again.body.keyInfo.id).toBe(made.body.keyInfo.id);
    expect((await person.call("GET", "/api/api-keys")).body).toMatchObject({
      success: true,
      keys: [{ provider: "openai", isActive: true }],
    });
    expect((await person.call("GET", "/api/api-keys/openai")).body).toMatchObject({
      success: true,
      keyInfo: { isValid: true },
    });
    expect((await person.call("POST", "/api/api-keys/openai/test")).body).toMatchObject({ success: true, valid: true });
    expect((await person.call("GET", "/api/api-keys/openai/usage")).body).toMatchObject({
      success: true,
      usage: { totalCalls: 0, totalTokens: 0, totalCost: 0, errorCount: 0, lastUsed: null },
    });
    const renewed = await person.call("PUT", "/api/api-keys/openai", { body: { apiKey: secret(), isActive: false } });
    expect(renewed.body).toMatchObject({ success: true, keyInfo: { isActive: false } });
    expect((await person.call("DELETE", "/api/api-keys/openai")).body).toMatchObject({ success: true });
    expect(await person.call("GET", "/api/api-keys/openai")).toMatchObject({
      status: 404,
      body: { success: false, code: "provider-key-not-found" },
    });
  });

  it("are validated without being stored, and are no product keys", async () => {
    const validate = (apiKey: string) =>
      person.call("POST", "/api/api-keys/validate", { body: { provider: "openai", apiKey, name: "x" } });
    expect((await validate(secret())).body).toMatchObject({ success: true, valid: true, isValid: true });
    expect((await validate(`wrong-${secret()}`)).body).toMatchObject({ valid: false });
    expect((await person.call("GET", "/api/api-keys")).body.keys).toEqual([]);
    expect((await person.call("POST", "/api/api-keys", { body: { name: "a product key" } })).status).toBe(422);
  });
});

describe("system C", () => {
  it("keeps keys of providers under /auth/api-keys", async () => {
    const made = await person.call("POST", "/auth/api-keys", {
      body: { provider: "openrouter", api_key: secret(), name: "mine", user_id: 7 },
    });
    expect(made).toMatchObject({ status: 201, body: { provider: "openrouter", name: "mine", is_active: true } });
    const { id } = made.body;
    expect((await person.call("GET", "/auth/api-keys")).body).toMatchObject([{ id, created_at: expect.any(String) }]);
    expect((await person.call("PATCH", `/auth/api-keys/${id}`, { body: { is_active: false } })).body).toMatchObject({
      is_active: false,
    });
    expect((await person.call("DELETE", `/auth/api-keys/${id}`)).body).toMatchObject({ success: true });
    expect((await person.call("GET", "/auth/api-keys")).body).toEqual([]);
  });

  it("lists models, providers, health and prices under its own paths", async () => {
    const env = { ...bindings, A4F_API_KEY: "of-a4f" };
    const { body } = await person.call("GET", "/llm/models", { env });
    expect(body).toMatchObject({
      object: "list",
      provider_status: { a4f: "available" },
      total_models: body.models.length,
    });
    expect(body.models.find(({ id }: { id: string }) => id === "gpt-4")).toMatchObject({
      name: "GPT-4",
      provider: "a4f",
      context_length: 8_192,
      cost_per_token: { input: 0.00003, output: 0.00006 },
      capabilities: expect.arrayContaining(["chat"]),
    });
    expect((await person.call("GET", "/llm/providers", { env })).body.providers.length).toBeGreaterThan(5);
    expect((await person.call("GET", "/llm/health", { env })).body).toMatchObject({ status: expect.any(String) });
    expect((await person.call("GET", "/tokens/pricing/a4f/gpt-4")).body).toMatchObject({ input_cost_per_1k: 0.03 });
  });
});
