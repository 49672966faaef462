/** Which models a key and a workspace may use: one list for every way of asking, and no way around it by making, changing or turning keys. */
import { describe, expect, it } from "vitest";
import { clientOf } from "#test/features/chat/client";
import { hello, overridden, personWith, prompt } from "#test/features/prompts/support";
import { family } from "#test/features/sub-users/support";
import { call, type Person, signUp } from "#test/support/harness";
import { ask, refusal, said, setGuardrails } from "./support.ts";

const manage = ["api-keys:read", "api-keys:write", "models:use"];

interface Made {
  id: string;
  key: string;
  allowedModels: string[];
}

async function keyOf(as: string, body: object): Promise<Made> {
  const made = await call("POST", "/v1/api-keys", { as, body: { name: "k", scopes: manage, ...body } });
  expect(made.status).toBe(201);
  return made.body;
}

describe("a key that may use some models", () => {
  it("is refused all others, however it asks, and is shown none of them", async () => {
    const person = await signUp();
    const { key, allowedModels } = await keyOf(person.token, { allowedModels: ["gpt-4o-*", "text-embedding-3-small"] });
    expect(allowedModels).toEqual(["gpt-4o-*", "text-embedding-3-small"]);
    const client = clientOf(key);
    const { api } = client;
    expect(await said(client, ask("Hello."))).not.toBe("");
    const refused = [
      () => said(client, ask("Hello.", { model: "gpt-4o" })),
      () => said(client, ask("Hello.", { model: "or/openai/gpt-4o-mini" })),
      () => api.completions.create({ model: "gpt-3.5-turbo-instruct", prompt: "Hi" }),
      () => api.responses.create({ model: "gpt-4o", input: "Hi" }),
      () => api.embeddings.create({ model: "text-embedding-3-large", input: "Hi" }),
      () => api.images.generate({ model: "gpt-image-1", prompt: "Hi" }),
      () => api.audio.speech.create({ model: "tts-1", voice: "alloy", input: "Hi" }),
      () => api.models.retrieve("gpt-4o"),
    ];
    for (const asking of refused)
      expect(await refusal(asking())).toMatchObject({ status: 403, code: "model_not_allowed" });
    const listed = (await api.models.list()).data.map(({ id }) => id);
    expect(listed).toContain("gpt-4o-mini");
    expect(listed.filter((id) => !id.startsWith("gpt-4o-") && id !== "text-embedding-3-small")).toEqual([]);
  });

  it("gets no answer from the cache for a model that was taken from it", async () => {
    const person = await signUp();
    const { id, key } = await keyOf(person.token, {});
    const { api, settled } = clientOf(key);
    const asked = () =>
      api.chat.completions.create(ask("Hello.", { temperature: 0 }), { headers: { "x-overtone-cache": "on" } });
    await asked();
    await settled();
    const change = await person.call("PATCH", `/v1/api-keys/${id}`, { body: { allowedModels: ["o3*"] } });
    expect(change).toMatchObject({ status: 200, body: { allowedModels: ["o3*"] } });
    expect(await refusal(asked())).toMatchObject({ code: "model_not_allowed" });
  });

  it("makes, widens and turns no key that may use more", async () => {
    const person = await signUp();
    const wide = await keyOf(person.token, {});
    const maker = await keyOf(person.token, { allowedModels: ["gpt-4o*"] });
    expect(wide.allowedModels).toEqual(["*"]);
    expect((await keyOf(maker.key, {})).allowedModels).toEqual(["gpt-4o*"]);
    expect((await keyOf(maker.key, { allowedModels: ["gpt-4o-*", "gpt-4o"] })).allowedModels).toHaveLength(2);
    const as = maker.key;
    const tries: [string, string, object | undefined][] = [
      ["POST", "/v1/api-keys", { name: "more", allowedModels: ["gpt-4o", "o3"] }],
      ["POST", "/v1/api-keys", { name: "more", allowedModels: ["gpt-4*"] }],
      ["PATCH", `/v1/api-keys/${maker.id}`, { allowedModels: ["*"] }],
      ["PATCH", `/v1/api-keys/${wide.id}`, { allowedModels: ["o3"] }],
      ["POST", `/v1/api-keys/${wide.id}/rotate`, undefined],
    ];
    for (const [method, path, body] of tries)
      expect(await call(method, path, { as, body })).toMatchObject({
        status: 422,
        body: { code: "scope-not-grantable" },
      });
    expect((await person.call("GET", `/v1/api-keys/${maker.id}`)).body.allowedModels).toEqual(["gpt-4o*"]);
  });

  it("names at least one, and nothing that is no id", async () => {
    const person = await signUp();
    for (const allowedModels of [[], [""], ["two words"], ["é"], Array.from({ length: 101 }, () => "a")])
      expect(await person.call("POST", "/v1/api-keys", { body: { name: "k", allowedModels } })).toMatchObject({
        status: 422,
      });
  });

  it("of a sub-user stays within what the sub-user may use, whatever it says", async () => {
    const { child } = await family({ permissions: { allowed_models: ["gpt-4o-mini", "o3*"] } });
    const made = (body: object) =>
      child.call("POST", "/v1/api-keys", { body: { name: "k", scopes: ["models:use"], ...body } });
    expect(await made({ allowedModels: ["gpt-4o"] })).toMatchObject({
      status: 422,
      body: { code: "scope-not-grantable" },
    });
    const open = clientOf((await made({})).body.key);
    expect(await refusal(said(open, ask("Hello.", { model: "gpt-4o" })))).toMatchObject({ code: "model_not_allowed" });
    const narrow = clientOf((await made({ allowedModels: ["o3-mini"] })).body.key);
    expect(await refusal(said(narrow, ask("Hello.")))).toMatchObject({ code: "model_not_allowed" });
    expect(await said(narrow, ask("Hello.", { model: "o3-mini" }))).not.toBe("");
  });
});

describe("a workspace that may use some models", () => {
  it("holds everybody in it to them, beside what the key says", async () => {
    const [person, other] = [await signUp(), await signUp()];
    await setGuardrails(person, { allowedModels: ["gpt-4o*"] });
    const narrow = await keyOf(person.token, { allowedModels: ["gpt-4o-mini", "o3"] });
    for (const credential of [person.token, narrow.key]) {
      const client = clientOf(credential);
      expect(await refusal(said(client, ask("Hello.", { model: "o3" })))).toMatchObject({ code: "model_not_allowed" });
      expect(await said(client, ask("Hello."))).not.toBe("");
    }
    expect(await refusal(said(clientOf(narrow.key), ask("Hello.", { model: "gpt-4o" })))).toMatchObject({
      status: 403,
    });
    expect(await said(clientOf(other.token), ask("Hello.", { model: "o3" }))).not.toBe("");
    const { data } = await clientOf(person.token).api.models.list();
    expect(data.filter(({ id }) => !id.startsWith("gpt-4o"))).toEqual([]);
  });

  it("reaches no other by a route, a fallback or a level", async () => {
    const person: Person = await personWith(["bpe"], "high");
    await setGuardrails(person, { allowedModels: ["gpt-4o-mini"] });
    const client = clientOf(person.token);
    const smuggled = { routes: [{ targets: [{ provider: "openai", model: "gpt-4o" }] }] };
    await overridden("gpt-4o-mini", smuggled, async () => {
      expect(await refusal(said(client, ask("Hello.")))).toMatchObject({ code: "model_not_allowed" });
    });
    const mixed = {
      routes: [
        {
          targets: [
            { provider: "openai", model: "gpt-4o" },
            { provider: "openrouter", model: "openai/gpt-4o-mini" },
          ],
        },
      ],
    };
    await overridden("gpt-4o-mini", mixed, async () => {
      for (let time = 0; time < 5; time += 1) {
        const { response } = await client.api.chat.completions.create(ask("Hello.")).withResponse();
        expect(response.headers.get("x-overtone-provider")).toBe("openrouter");
      }
    });
    expect(await prompt(person, { ...hello, level: "high" })).toMatchObject({
      status: 403,
      body: { code: "model-not-allowed" },
    });
    expect(await prompt(person, hello)).toMatchObject({ status: 200 });
  });

  it("holds batches to them, and those of a key to the key's", async () => {
    const person = await personWith(["bpe"], "high");
    const { key } = await keyOf(person.token, { allowedModels: ["o3-mini"] });
    const body = { level: "low", batch: [{ prompt: "Hello there." }] };
    const answer = await person.call("POST", "/v1/batch/process", { as: key, body });
    expect(answer.body.results).toMatchObject([{ success: false, error_code: "model-not-allowed" }]);
    await setGuardrails(person, { allowedModels: ["gpt-4o"] });
    const whole = await person.call("POST", "/v1/batch/process", { body });
    expect(whole.body.results).toMatchObject([{ success: false, error_code: "model-not-allowed" }]);
  });
});
