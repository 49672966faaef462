/** Keys that workspaces bring: checked by a call, hidden, apart from each other, and gone when deleted. */
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { targetsOf } from "#features/models/service";
import { forgetOwnKeys, noteOwnKeyUse, ownKey } from "#features/provider-keys/service";
import { workspaceCtx } from "#test/features/models/support";
import { lastEntry } from "#test/features/staff/team";
import { bindings, type Person, signUp } from "#test/support/harness";
import { add, answerAsProviders, asked, rowOf, secretOf, use } from "./support.ts";

let person: Person;
let other: Person;

beforeAll(async () => {
  person = await signUp();
  other = await signUp();
});
beforeEach(answerAsProviders);
afterEach(() => vi.restoreAllMocks());

describe("a provider key", () => {
  it("is checked by a call, stored in an envelope, masked, used, changed and erased, each act on record", async () => {
    const key = secretOf();
    const made = await add(person, { provider: "OpenAI", key });
    expect(made).toMatchObject({
      status: 201,
      body: { provider: "openai", name: "default", mode: "live", preview: "sk-p********", valid: true, usageCount: 0 },
    });
    expect(asked.map(({ url }) => url)).toEqual(["https://api.openai.com/v1/models"]);
    expect(asked[0]?.headers.get("authorization")).toBe(`Bearer ${key}`);
    const { id } = made.body;
    const path = `/v1/provider-keys/${id}`;
    const target = await targetsOf(workspaceCtx(person), "gpt-4o", { capability: "chat", sizeBytes: 1 });
    expect(target).toMatchObject([{ provider: "openai", secret: key, ownKeyId: id, isTenantUrl: false }]);

    const next = secretOf("next");
    expect(await person.call("PATCH", path, { body: { key: next, name: "main" } })).toMatchObject({
      status: 200,
      body: { id, name: "main", preview: "next********" },
    });
    expect((await ownKey(workspaceCtx(person), "openai"))?.secret).toBe(next);
    expect(await lastEntry(id)).toMatchObject({
      action: "provider-key.changed",
      category: "key",
      workspace_id: person.workspaceId,
      before: { name: "default", preview: "sk-p********" },
      after: { name: "main", preview: "next********" },
    });
    await person.call("PATCH", path, { body: { enabled: false } });
    expect(await ownKey(workspaceCtx(person), "openai")).toBeNull();

    const before = await rowOf(id);
    const seen = JSON.stringify([before, await lastEntry(id), (await person.call("GET", "/v1/provider-keys")).body]);
    for (const secret of [key, next]) expect(seen).not.toContain(secret.slice(4));
    expect((await person.call("DELETE", path)).status).toBe(204);
    expect(await rowOf(id)).toMatchObject({
      wrapped_secret: "",
      hash: "",
      preview: "",
      deleted_at: expect.any(Number),
    });
    expect(await person.call("GET", path)).toMatchObject({ status: 404, body: { code: "provider-key-not-found" } });
    expect(await lastEntry(id)).toMatchObject({ action: "provider-key.deleted" });
    expect((await person.call("GET", "/v1/provider-keys?provider=openai")).body.items).toEqual([]);
  });

  it.each([
    ["anthropic", "https://api.anthropic.com/v1/models", "x-api-key"],
    ["elevenlabs", "https://api.elevenlabs.io/v1/models", "xi-api-key"],
    ["openrouter", "https://openrouter.ai/api/v1/key", "authorization"],
    // Its list is public: a list would not tell whether the key is any good.
    ["a4f", "https://api.a4f.co/v1/chat/completions", "authorization"],
  ])("for %s is shown to %s", async (provider, url, header) => {
    const key = secretOf();
    expect(await add(person, { provider, key })).toMatchObject({ status: 201, body: { provider } });
    expect(asked.map((request) => request.url)).toEqual([url]);
    expect(asked[0]?.headers.get(header)).toContain(key);
    expect(await add(person, { provider, key: `${key}wrong`, name: "second" })).toMatchObject({
      status: 422,
      body: { code: "provider-key-invalid" },
    });
  });

  it("that is refused or cannot be checked is not stored, and the provider's words are not passed on", async () => {
    const stranger = await signUp();
    const bad = `wrong-${secretOf()}`;
    const refused = await add(stranger, { provider: "openai", key: bad });
    expect(refused).toMatchObject({ status: 422, body: { code: "provider-key-invalid", providerStatus: 401 } });
    expect(JSON.stringify(refused.body)).not.toContain(bad);
    expect(await add(stranger, { provider: "openai", key: `busy-${secretOf()}` })).toMatchObject({
      status: 503,
      body: { code: "provider-key-unchecked", providerStatus: 503 },
    });
    const down = { provider: "mine", key: secretOf(), baseUrl: "https://down.example.com/v1" };
    expect(await add(stranger, down)).toMatchObject({ status: 503, body: { providerStatus: null } });
    expect((await stranger.call("GET", "/v1/provider-keys")).body.items).toEqual([]);
  });

  it("is one for each provider and name, and the same secret is not stored twice", async () => {
    const stranger = await signUp();
    const key = secretOf();
    const first = await add(stranger, { provider: "groq", key });
    const same = { status: 409, body: { code: "provider-key-exists", id: first.body.id } };
    expect(await add(stranger, { provider: "groq", key: secretOf() })).toMatchObject(same);
    expect(await add(stranger, { provider: "groq", key, name: "other" })).toMatchObject(same);
    const second = await add(stranger, { provider: "groq", key: secretOf(), name: "other" });
    expect(second.status).toBe(201);
    expect(
      await stranger.call("PATCH", `/v1/provider-keys/${second.body.id}`, { body: { name: "default" } }),
    ).toMatchObject({ status: 409 });
    expect((await ownKey(workspaceCtx(stranger), "groq"))?.id).toBe(first.body.id);
    const replaced = await add(stranger, { provider: "groq", key: secretOf("repl"), replace: true });
    expect(replaced.body).toMatchObject({ id: first.body.id, preview: "repl********" });
    const race = await Promise.all([1, 2, 3].map(() => add(stranger, { provider: "openai", key: secretOf() })));
    expect(race.map(({ status }) => status).toSorted()).toEqual([201, 409, 409]);
  });

  it("is deleted once, and not changed any more after that", async () => {
    const stranger = await signUp();
    const { body: key } = await add(stranger, { provider: "groq", key: secretOf() });
    const path = `/v1/provider-keys/${key.id}`;
    const ends = await Promise.all([1, 2, 3].map(() => stranger.call("DELETE", path)));
    expect(ends.map(({ status }) => status).toSorted()).toEqual([204, 404, 404]);
    const again = await add(stranger, { provider: "groq", key: secretOf() });
    const [gone, changed] = await Promise.all([
      stranger.call("DELETE", `/v1/provider-keys/${again.body.id}`),
      stranger.call("PATCH", `/v1/provider-keys/${again.body.id}`, { body: { key: secretOf() } }),
    ]);
    expect([gone.status, [200, 404].includes(changed.status)]).toEqual([204, true]);
    expect(await rowOf(again.body.id)).toMatchObject({ wrapped_secret: "", hash: "", preview: "" });
  });

  it("is found again by a repeated request", async () => {
    const stranger = await signUp();
    const body = { provider: "groq", key: secretOf() };
    const headers = { "idempotency-key": crypto.randomUUID() };
    const [one, two] = [
      await stranger.call("POST", "/v1/provider-keys", { body, headers }),
      await stranger.call("POST", "/v1/provider-keys", { body, headers }),
    ];
    expect([one.status, two.status, two.body.id]).toEqual([201, 201, one.body.id]);
  });

  it.each([
    [{ provider: "openai" }, "validation-failed"],
    [{ provider: "openai", key: "short" }, "validation-failed"],
    [{ provider: "openai", key: "with spaces inside" }, "validation-failed"],
    [{ provider: "sandbox", key: "sk-0123456789" }, "validation-failed"],
    [{ provider: "no name", key: "sk-0123456789" }, "validation-failed"],
    [{ provider: "mine", key: "sk-0123456789" }, "model-provider-incomplete"],
    [{ provider: "mine", key: "sk-0123456789", baseUrl: "http://llm.example.com/v1" }, "address-refused"],
    [{ provider: "mine", key: "sk-0123456789", baseUrl: "https://localhost/v1" }, "address-refused"],
    [{ provider: "mine", key: "sk-0123456789", baseUrl: "https://llm.example.com/v1?x=1" }, "address-refused"],
    [{ provider: "mine", key: "sk-0123456789", baseUrl: "https://inside.example.com/v1" }, "address-refused"],
  ])("%j is refused: %s", async (body, code) => {
    expect(await add(person, body)).toMatchObject({ status: 422, body: { code } });
    // At most the name was looked up.
    expect(asked.filter(({ url }) => !url.startsWith("https://cloudflare-dns.com/"))).toEqual([]);
  });
});

describe("a provider of one's own", () => {
  it("is called at its address under the rules for tenants, and asked for by its name", async () => {
    const key = secretOf();
    const body = { provider: "my-vllm", key, baseUrl: "https://nolist.example.com/v1/chat/completions" };
    const made = await add(person, body);
    expect(made).toMatchObject({ status: 201, body: { baseUrl: "https://nolist.example.com/v1" } });
    expect(asked.map(({ url }) => url).filter((url) => !url.includes("dns"))).toEqual([
      "https://nolist.example.com/v1/models",
      "https://nolist.example.com/v1/chat/completions",
    ]);
    const target = await targetsOf(workspaceCtx(person), "my-vllm/org/model", { capability: "chat", sizeBytes: 1 });
    expect(target).toMatchObject([
      {
        provider: "my-vllm",
        model: "org/model",
        isTenantUrl: true,
        secret: key,
        baseUrl: "https://nolist.example.com/v1",
      },
    ]);
    // Whoever may change a key must not be able to have it sent elsewhere.
    const moved = await person.call("PATCH", `/v1/provider-keys/${made.body.id}`, {
      body: { baseUrl: "https://thief.example.com/v1" },
    });
    expect(moved).toMatchObject({ status: 422, body: { code: "validation-failed" } });
  });
});

describe("keys of another workspace", () => {
  it("are the same 404 as keys that do not exist, and are never used", async () => {
    const theirs = await add(other, { provider: "requesty", key: secretOf() });
    expect(theirs.status).toBe(201);
    for (const [method, rest, body] of [
      ["GET", "", undefined],
      ["PATCH", "", { enabled: false }],
      ["DELETE", "", undefined],
      ["POST", "/test", undefined],
      ["GET", "/usage", undefined],
    ] as const) {
      const foreign = await person.call(method, `/v1/provider-keys/${theirs.body.id}${rest}`, { body });
      const unknown = await person.call(method, `/v1/provider-keys/byok_none${rest}`, { body });
      expect(foreign).toMatchObject({ status: 404, body: { code: "provider-key-not-found" } });
      expect({ ...foreign.body, requestId: "" }).toEqual({ ...unknown.body, requestId: "" });
    }
    expect(await ownKey(workspaceCtx(person), "requesty")).toBeNull();
    expect((await ownKey(workspaceCtx(other), "requesty"))?.id).toBe(theirs.body.id);
    noteOwnKeyUse(workspaceCtx(person), use(theirs.body.id, { tokens: 999 }));
    await person.call("GET", "/v1/provider-keys/openai/usage");
    expect((await other.call("GET", `/v1/provider-keys/${theirs.body.id}/usage`)).body.totalTokens).toBe(0);
  });

  it("do not open in another row", async () => {
    const mine = await add(person, { provider: "glama", key: secretOf() });
    const theirs = await add(other, { provider: "glama", key: secretOf() });
    const columns = "wrapped_secret = (select wrapped_secret from provider_keys where id = ?)";
    await bindings.DB.prepare(`update provider_keys set ${columns} where id = ?`)
      .bind(theirs.body.id, mine.body.id)
      .run();
    forgetOwnKeys(person);
    await expect(ownKey(workspaceCtx(person), "glama")).rejects.toMatchObject({ code: "unavailable" });
  });
});
