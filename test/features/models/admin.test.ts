/** What superadmins set: that it holds, that keys stay hidden, that everything is on record, and what is refused. */
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { rewrapModelProviders } from "#features/models/index";
import { costMicroUsd, targetsOf } from "#features/models/service";
import { lastEntry, withRole } from "#test/features/staff/team";
import { bindings, type Person, signUp, systemContext } from "#test/support/harness";
import { resetOverrides, type Variables, workspaceCtx } from "./support.ts";

let superadmin: Person;
let person: Person;

beforeAll(async () => {
  superadmin = await withRole("superadmin");
  person = await signUp();
  await resetOverrides();
});

afterEach(resetOverrides);

const put = (what: "providers" | "models" | "prices", body: object) =>
  superadmin.call("PUT", `/v1/admin/${what}`, { body });
const targets = (model: string, variables: Variables = {}) =>
  targetsOf(workspaceCtx(person, { variables }), model, { capability: "chat", sizeBytes: 1 });
const usage = { inputTokens: 1_000_000, cachedInputTokens: 0, outputTokens: 0, estimated: false };

describe("a provider", () => {
  const secret = "gsk_0123456789abcdef";

  it("gets a stored key, which works at once, is never shown, and lies in an envelope", async () => {
    const made = await put("providers", { name: "groq", key: secret });
    expect(made).toMatchObject({
      status: 200,
      body: { name: "groq", configured: true, keySource: "stored", keyPreview: "gsk_********", isBuiltIn: true },
    });
    expect(await targets("llama-3.1-8b-instant")).toMatchObject([{ provider: "groq", secret }]);
    const listed = await superadmin.call("GET", "/v1/admin/providers");
    expect(JSON.stringify([made.body, listed.body])).not.toContain(secret.slice(4));
    const row = await bindings.DB.prepare("select * from model_providers where name = 'groq'").first();
    expect(JSON.stringify(row)).not.toContain(secret.slice(4));
    const entry = await lastEntry("groq");
    expect(entry).toMatchObject({
      action: "staff.model-provider-changed",
      category: "staff",
      workspace_id: null,
      actor_id: superadmin.userId,
      after: { enabled: true, preview: "gsk_********" },
    });
    expect(JSON.stringify(entry)).not.toContain(secret.slice(4));
    expect(await put("providers", { name: "groq", key: null })).toMatchObject({
      body: { configured: false, keySource: null, keyPreview: null },
    });
    expect(await lastEntry("groq")).toMatchObject({ before: { preview: "gsk_********" }, after: { preview: null } });
  });

  it("keeps what a change does not name, and goes back to the environment by null", async () => {
    const variables = { PROVIDER_OPENAI_KEY: "of-the-environment" };
    await put("providers", { name: "openai", baseUrl: "https://proxy.example/v1/", key: "stored-key-1" });
    await put("providers", { name: "openai", displayName: "OpenAI by proxy" });
    expect(await targets("gpt-4o", variables)).toMatchObject([
      { baseUrl: "https://proxy.example/v1", secret: "stored-key-1" },
    ]);
    await put("providers", { name: "openai", baseUrl: null, key: null });
    expect(await targets("gpt-4o", variables)).toMatchObject([
      { baseUrl: "https://api.openai.com/v1", secret: "of-the-environment" },
    ]);
    await put("providers", { name: "openai", enabled: false });
    await expect(targets("gpt-4o", variables)).rejects.toMatchObject({ code: "model-provider-not-configured" });
  });

  it("holds both of two changes at once", async () => {
    await put("providers", { name: "groq", enabled: true });
    const both = await Promise.all([
      put("providers", { name: "groq", key: secret }),
      put("providers", { name: "groq", displayName: "Groq by us" }),
    ]);
    expect(both.map(({ status }) => status)).toEqual([200, 200]);
    const { items } = (await superadmin.call("GET", "/v1/admin/providers")).body;
    expect(items.find(({ name }: { name: string }) => name === "groq")).toMatchObject({
      displayName: "Groq by us",
      keyPreview: "gsk_********",
    });
  });

  it("of the house is added with its address", async () => {
    expect(await put("providers", { name: "house-llm", key: "k" })).toMatchObject({
      status: 422,
      body: { code: "model-provider-incomplete" },
    });
    expect(await put("providers", { name: "workers-ai", key: "k" })).toMatchObject({ status: 422 });
    const body = { name: "house-llm", baseUrl: "https://llm.example/v1", dialect: "anthropic" };
    expect(await put("providers", body)).toMatchObject({ status: 200, body: { configured: true, isBuiltIn: false } });
    expect(await targets("house-llm/any")).toMatchObject([{ model: "any", dialect: "anthropic", secret: "" }]);
  });

  it.each([
    [{ name: "openai", baseUrl: "ftp://x.example" }],
    [{ name: "openai", baseUrl: "https://x.example/v1?a=b" }],
    [{ name: "openai", baseUrl: "https://me:mine@x.example" }],
    [{ name: "openai", key: "two words" }],
    [{ name: "Open AI" }],
    [{ name: "openai", secret: "x" }],
  ])("is refused as %j", async (body) => {
    expect((await put("providers", body)).status).toBe(422);
  });

  it("is re-wrapped when the master key is rotated, and a damaged one takes only itself away", async () => {
    await put("providers", { name: "groq", key: secret });
    await put("providers", { name: "a4f", key: "of-a4f-1234" });
    const newer = `9:${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64")}`;
    const rotated = { MASTER_KEYS: `${newer},${(bindings as unknown as Variables)["MASTER_KEYS"]}` };
    await bindings.DB.prepare("update model_providers set wrapped_secret = 'AAAA' where name = 'a4f'").run();
    await rewrapModelProviders(systemContext(rotated as object));
    const { results } = await bindings.DB.prepare(
      "select name, master_version from model_providers order by name",
    ).all();
    expect(results).toEqual([
      { name: "a4f", master_version: 1 },
      { name: "groq", master_version: 9 },
    ]);
    await superadmin.call("GET", "/v1/admin/providers", { env: { ...bindings, ...rotated } });
    expect(await targets("llama-3.1-8b-instant", rotated)).toMatchObject([{ provider: "groq", secret }]);
    await expect(targets("gpt-5", rotated)).rejects.toMatchObject({ code: "model-provider-not-configured" });
  });
});

describe("a model", () => {
  it("is set as a whole, listed, recorded with old and new values, and reset", async () => {
    const body = { id: "fast", routes: [{ targets: [{ provider: "groq", model: "llama-3.1-8b-instant" }] }] };
    expect(await put("models", { ...body, contextTokens: 8_000 })).toMatchObject({
      status: 200,
      body: { override: { id: "fast", enabled: true, contextTokens: 8_000, fallbacks: [] } },
    });
    expect(await put("models", body)).toMatchObject({ body: { override: { contextTokens: null } } });
    expect(await lastEntry("fast")).toMatchObject({
      action: "staff.model-changed",
      before: { context: 8_000 },
      after: { context: null },
    });
    expect((await superadmin.call("GET", "/v1/admin/models")).body.items).toMatchObject([{ id: "fast" }]);
    expect(await put("models", { id: "fast", reset: true })).toMatchObject({ body: { override: null } });
    expect(await put("models", { id: "fast", reset: true })).toMatchObject({
      status: 404,
      body: { code: "model-not-found" },
    });
  });

  it("is refused when its routes or fallbacks lead nowhere or back, and nothing changes", async () => {
    await put("models", { id: "gpt-5", fallbacks: ["o3"] });
    const cyclic = await put("models", { id: "o3", fallbacks: ["gpt-4o", "gpt-5"] });
    expect(cyclic).toMatchObject({
      status: 422,
      body: { code: "model-fallback-cyclic", cycle: ["o3", "gpt-5", "o3"] },
    });
    expect(await put("models", { id: "o3", fallbacks: ["o3"] })).toMatchObject({
      body: { code: "model-fallback-cyclic" },
    });
    for (const body of [
      { id: "o3", fallbacks: ["never-heard-of"] },
      { id: "o3", routes: [{ targets: [{ provider: "nobody" }] }] },
    ])
      expect(await put("models", body)).toMatchObject({ status: 422, body: { code: "model-route-invalid" } });
    for (const body of [
      { id: "two words" },
      { id: "o3", routes: [{ targets: [] }] },
      { id: "o3", routes: [{ targets: [{ provider: "openai", weight: -1 }] }] },
      { id: "o3", capabilities: ["flying"] },
      { id: "o3", stickBy: "moon" },
    ])
      expect(await put("models", body), JSON.stringify(body)).toMatchObject({ body: { code: "validation-failed" } });
    expect((await superadmin.call("GET", "/v1/admin/models")).body.items).toHaveLength(1);
  });
});

describe("a price", () => {
  const variables = { PROVIDER_OPENAI_KEY: "k" };
  const costs = async () => {
    const [target] = await targets("gpt-4o", variables);
    if (!target) throw new Error("no target");
    return costMicroUsd(target, usage);
  };
  const price = (input: number, change: object = {}) => ({
    provider: "openai",
    model: "gpt-4o",
    inputMicroUsdPerMillion: input,
    outputMicroUsdPerMillion: 0,
    ...change,
  });

  it("holds from its time on, with the older ones kept and recorded", async () => {
    expect(await costs()).toBe(2_500_000);
    const first = await put("prices", price(7));
    expect(first).toMatchObject({
      status: 200,
      body: { inputMicroUsdPerMillion: 7, cachedInputMicroUsdPerMillion: 7 },
    });
    expect(await costs()).toBe(7);
    const later = new Date(Date.now() + 3_600_000).toISOString();
    await put("prices", price(8, { effectiveAt: later }));
    expect(await put("prices", price(9, { effectiveAt: later }))).toMatchObject({ body: { effectiveAt: later } });
    expect(await costs()).toBe(7);
    const { items } = (await superadmin.call("GET", "/v1/admin/prices?provider=openai&model=gpt-4o")).body;
    expect(items.map((item: { inputMicroUsdPerMillion: number }) => item.inputMicroUsdPerMillion)).toEqual([9, 7]);
    expect(await lastEntry("openai/gpt-4o")).toMatchObject({
      action: "staff.model-price-changed",
      before: { inputMicroUsdPerMillion: 8 },
      after: { inputMicroUsdPerMillion: 9 },
    });
    const pricing = await person.call("GET", "/v1/tokens/pricing/openai/gpt-4o");
    expect(pricing.body).toMatchObject({ source: "override", effectiveAt: first.body.effectiveAt });
  });

  it("that is about to begin holds without being read again", async () => {
    const at = Date.now() + 400;
    await put("prices", price(7));
    await put("prices", price(11, { effectiveAt: new Date(at).toISOString() }));
    expect(await costs()).toBe(7);
    await scheduler.wait(at - Date.now() + 5);
    expect(await costs()).toBe(11);
  });

  it("is not set for the past, for nobody, or with half a micro-dollar", async () => {
    const past = new Date(Date.now() - 3_600_000).toISOString();
    expect(await put("prices", price(1, { effectiveAt: past }))).toMatchObject({ body: { code: "price-in-the-past" } });
    expect(await put("prices", price(1, { provider: "nobody" }))).toMatchObject({
      status: 404,
      body: { code: "model-provider-not-found" },
    });
    for (const wrong of [price(0.5), price(-1), price(1e12), price(1, { effectiveAt: "soon" })])
      expect((await put("prices", wrong)).body.code).toBe("validation-failed");
    expect((await superadmin.call("GET", "/v1/admin/prices")).body.items).toEqual([]);
  });

  it("is listed page by page", async () => {
    for (const input of [1, 2, 3]) await put("prices", price(input, { model: `m-${input}` }));
    const first = await superadmin.call("GET", "/v1/admin/prices?limit=2");
    expect(first.body.items).toHaveLength(2);
    const rest = await superadmin.call("GET", `/v1/admin/prices?limit=2&cursor=${first.body.nextCursor}`);
    expect(rest.body).toMatchObject({ items: [{ model: "m-1" }], nextCursor: null });
  });
});

describe("everybody else", () => {
  it("is kept out, admins included", async () => {
    const admin = await withRole("admin");
    for (const who of [person, admin])
      for (const what of ["providers", "models", "prices"]) {
        expect(await who.call("GET", `/v1/admin/${what}`)).toMatchObject({ status: 403, body: { code: "staff-only" } });
        expect((await who.call("PUT", `/v1/admin/${what}`, { body: {} })).status).toBe(403);
      }
  });
});
