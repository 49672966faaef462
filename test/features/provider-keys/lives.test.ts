/** What becomes of keys that workspaces bring: their use, checks, test mode, rotation of the master key, and the end of a workspace. */
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { rewrapProviderKeys } from "#features/provider-keys/index";
import { forgetOwnKeys, noteOwnKeyUse, ownKey } from "#features/provider-keys/service";
import { eraseAllKeys } from "#features/provider-keys/store";
import { targetsOf } from "#features/models/service";
import { workspaceCtx } from "#test/features/models/support";
import { lastEntry } from "#test/features/staff/team";
import { countingBindings } from "#test/support/counting";
import { bindings, call, type Person, signUp, systemContext } from "#test/support/harness";
import { add, answerAsProviders, asked, rowOf, secretOf, use } from "./support.ts";

let person: Person;

beforeAll(async () => {
  person = await signUp();
});
beforeEach(answerAsProviders);
afterEach(() => vi.restoreAllMocks());

describe("use of a key", () => {
  it("is added up without a write of its own, and shown by day and endpoint", async () => {
    const stranger = await signUp();
    const { body: key } = await add(stranger, { provider: "openai", key: secretOf() });
    const { env, counts, reset } = countingBindings();
    const ctx = workspaceCtx(stranger, { env });
    reset();
    for (let times = 0; times < 8; times += 1) noteOwnKeyUse(ctx, use(key.id));
    noteOwnKeyUse(ctx, use(key.id, { endpoint: "embeddings", durationMs: 300, costMicroUsd: 1 }));
    noteOwnKeyUse(ctx, use(key.id, { status: 429, error: "rate-limited", tokens: 0, costMicroUsd: 0 }));
    expect(counts.database).toBe(0);
    const usage = await stranger.call("GET", `/v1/provider-keys/${key.id}/usage?days=7`);
    expect(usage).toMatchObject({
      status: 200,
      body: {
        provider: "openai",
        totalCalls: 10,
        totalTokens: 90,
        totalCostMicroUsd: 41,
        totalCost: 0.000041,
        errorCount: 1,
        successRate: 0.9,
        lastError: "rate-limited",
        lastUsed: expect.stringMatching(/^20/),
        endpoints: [
          { endpoint: "chat", calls: 9, errors: 1, averageMs: 100 },
          { endpoint: "embeddings", calls: 1, averageMs: 300 },
        ],
      },
    });
    expect(usage.body.items).toHaveLength(7);
    expect(usage.body.items.at(-1)).toMatchObject({ calls: 10, costMicroUsd: 41 });
    expect((await stranger.call("GET", `/v1/provider-keys/${key.id}`)).body).toMatchObject({ usageCount: 10 });
  });

  it("finds the key without a read while it is remembered", async () => {
    const { env, counts, reset } = countingBindings();
    const ctx = workspaceCtx(person, { env });
    const { body: key } = await add(person, { provider: "anthropic", key: secretOf() });
    await ownKey(ctx, "openai");
    reset();
    for (let times = 0; times < 20; times += 1) {
      expect((await ownKey(ctx, "anthropic"))?.id).toBe(key.id);
      expect(await ownKey(ctx, "nobody")).toBeNull();
    }
    expect(counts.database).toBe(0);
  });
});

describe("a check", () => {
  it("tells of a key that is not stored, and of one that is", async () => {
    const stranger = await signUp();
    const validate = (key: string) =>
      stranger.call("POST", "/v1/provider-keys/validate", { body: { provider: "openai", key } });
    expect(await validate(secretOf())).toMatchObject({ status: 200, body: { valid: true, verdict: "accepted" } });
    expect((await validate(`wrong-${secretOf()}`)).body).toMatchObject({
      valid: false,
      verdict: "refused",
      status: 401,
    });
    expect((await validate(`busy-${secretOf()}`)).body).toMatchObject({ valid: false, verdict: "unknown" });
    expect((await stranger.call("GET", "/v1/provider-keys")).body.items).toEqual([]);
    const { body: key } = await add(stranger, { provider: "openai", key: secretOf() });
    const test = () => stranger.call("POST", `/v1/provider-keys/${key.id}/test`);
    expect(await test()).toMatchObject({ status: 200, body: { id: key.id, valid: true } });
    vi.mocked(globalThis.fetch).mockImplementation(async () => new Response(null, { status: 403 }));
    expect((await test()).body).toMatchObject({ valid: false, verdict: "refused" });
    expect((await stranger.call("GET", `/v1/provider-keys/${key.id}`)).body).toMatchObject({ valid: false });
    expect(await lastEntry(key.id)).toMatchObject({ action: "provider-key.tested", details: { valid: false } });
  });

  it("is limited, so that nobody sorts stolen keys here", async () => {
    const stranger = await signUp();
    const body = { provider: "openai", key: secretOf() };
    const answers = [];
    for (let times = 0; times < 25; times += 1)
      answers.push((await stranger.call("POST", "/v1/provider-keys/validate", { body })).status);
    expect(answers.slice(0, 20).every((status) => status === 200)).toBe(true);
    expect(answers.at(-1)).toBe(429);
    expect(asked).toHaveLength(20);
  });
});

describe("test mode", () => {
  it("shows a key to the simulator alone and uses it there alone", async () => {
    const stranger = await signUp();
    const scopes = ["provider-keys:read", "provider-keys:write", "models:use"];
    const made = await stranger.call("POST", "/v1/api-keys", { body: { name: "t", mode: "test", scopes } });
    const as = made.body.key as string;
    const off = { ...bindings, SANDBOX: "off" };
    const body = { provider: "openai", key: secretOf() };
    expect(await call("POST", "/v1/provider-keys", { as, body, env: off })).toMatchObject({
      status: 503,
      body: { code: "model-provider-not-configured" },
    });
    const refused = { provider: "openai", key: "sk-sandbox-invalid" };
    expect(await call("POST", "/v1/provider-keys", { as, body: refused })).toMatchObject({
      status: 422,
      body: { code: "provider-key-invalid" },
    });
    const kept = await call("POST", "/v1/provider-keys", { as, body });
    expect(kept).toMatchObject({ status: 201, body: { mode: "test", provider: "openai" } });
    expect(asked).toEqual([]);
    const { id } = kept.body;
    const about = { capability: "chat", sizeBytes: 1 } as const;
    expect(await targetsOf(workspaceCtx(stranger, { mode: "test" }), "gpt-4o", about)).toMatchObject([
      { provider: "sandbox", secret: body.key, ownKeyId: id, isTenantUrl: false },
    ]);
    // A live credential neither sees nor uses it.
    expect(await ownKey(workspaceCtx(stranger), "openai")).toBeNull();
    expect((await stranger.call("GET", "/v1/provider-keys")).body.items).toEqual([]);
    expect((await stranger.call("GET", `/v1/provider-keys/${id}`)).status).toBe(404);
    expect((await stranger.call("DELETE", `/v1/provider-keys/${id}`)).status).toBe(404);
    expect(await call("DELETE", `/v1/provider-keys/${id}`, { as })).toMatchObject({ status: 204 });
  });
});

describe("master keys and the end of a workspace", () => {
  it("come under the current master key, hashes too, and a twin is found across the rotation", async () => {
    const stranger = await signUp();
    const key = secretOf();
    const { body: made } = await add(stranger, { provider: "openai", key });
    const newer = `8:${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64")}`;
    const rotated = { MASTER_KEYS: `${newer},${(bindings as unknown as Record<string, string>)["MASTER_KEYS"]}` };
    const env = { ...bindings, ...rotated };
    const twin = () =>
      stranger.call("POST", "/v1/provider-keys", { body: { provider: "openai", key, name: "b" }, env });
    expect((await twin()).status).toBe(409);
    await rewrapProviderKeys(systemContext(rotated as object));
    expect(await rowOf(made.id)).toMatchObject({ master_version: 8 });
    expect((await twin()).status).toBe(409);
    forgetOwnKeys(stranger);
    expect((await ownKey(workspaceCtx(stranger, { variables: rotated }), "openai"))?.secret).toBe(key);
    // Other tests go on with the first one.
    await bindings.DB.prepare("delete from provider_keys where master_version = 8").run();
  });

  it("leaves nothing of the secrets of a workspace that is purged", async () => {
    const stranger = await signUp();
    const { body: made } = await add(stranger, { provider: "openai", key: secretOf() });
    const ctx = workspaceCtx(stranger);
    await ctx.db.batch([eraseAllKeys(ctx, ctx.now())]);
    expect(await rowOf(made.id)).toMatchObject({ wrapped_secret: "", hash: "", deleted_at: expect.any(Number) });
  });
});
