/** Models and keys of providers: system D by the provider's name, system C under /auth/api-keys and /llm. */
import type { LegacyPerson } from "./accounts.ts";
import { checkMembers, type Json, type LegacyClient } from "./client.ts";
import type { Provider } from "./provider.ts";

const secretOf = (start: string) => `${start}-${"0123456789abcdef".repeat(2)}`;

export async function replayProviderKeys(
  client: LegacyClient,
  { token }: LegacyPerson,
  { baseUrl, shown }: Provider,
): Promise<void> {
  const [first, second, third] = [secretOf("first"), secretOf("second"), secretOf("third")];
  const key = { provider: "custom", baseUrl };
  const made = await client.call("POST", "/api/api-keys", 201, { token, body: { ...key, apiKey: first } });
  checkMembers(client, "key info", made.body, { success: "boolean", keyInfo: "object" });
  checkMembers(client, "key info's members", made.body?.keyInfo, {
    provider: "string",
    keyPrefix: "string",
    usageCount: "number",
    isActive: "boolean",
  });
  const again = await client.call("POST", "/api/api-keys", 201, { token, body: { ...key, apiKey: second } });
  client.check(again.body?.keyInfo?.id === made.body?.keyInfo?.id, "answer: storing a key again makes a second one");
  await client.call("POST", "/api/api-keys", 422, { token, body: { ...key, apiKey: secretOf("wrong") } });
  const check = { token, body: { ...key, apiKey: secretOf("wrong") } };
  const validated = await client.call("POST", "/api/api-keys/validate", 200, check);
  client.check(validated.body?.isValid === false, "answer: a key that the provider refuses is called valid");

  const list = await client.call("GET", "/api/api-keys", 200, { token });
  const listed = (list.body?.keys ?? []) as Json[];
  client.check(listed.length === 1 && listed[0]?.provider === "custom", "shape: keys[] is not the one key");
  await client.call("GET", "/api/api-keys/custom", 200, { token });
  const tested = await client.call("POST", "/api/api-keys/custom/test", 200, { token });
  client.check(tested.body?.isValid === true && shown.at(-1) === second, "answer: the test asked by another key");
  const usage = await client.call("GET", "/api/api-keys/custom/usage", 200, { token });
  checkMembers(client, "key usage", usage.body?.usage, {
    totalCalls: "number",
    totalTokens: "number",
    totalCost: "number",
    errorCount: "number",
  });
  await client.call("PUT", "/api/api-keys/custom", 200, { token, body: { apiKey: third } });
  const off = await client.call("PATCH", "/api/api-keys/custom", 200, { token, body: { isActive: false } });
  client.check(off.body?.keyInfo?.isActive === false, "answer: the key was not switched off");
  for (const answer of [made, list, off])
    for (const secret of [first, second, third])
      client.check(!answer.bytes.toString("utf8").includes(secret), "answer: a provider's key is shown");
  const gone = await client.call("DELETE", "/api/api-keys/custom", 200, { token });
  client.check(gone.body?.success === true, "shape: deleting a provider's key does not say success");
  await client.call("GET", "/api/api-keys/custom", 404, { token });
  await replayKeysOfC(client, token, baseUrl);
}

async function replayKeysOfC(client: LegacyClient, token: string, baseUrl: string): Promise<void> {
  const body = { provider: "custom", name: "mine", api_key: secretOf("of-c"), base_url: baseUrl };
  const made = await client.call("POST", "/auth/api-keys", 201, { token, body });
  checkMembers(client, "/auth/api-keys", made.body, {
    id: "string",
    provider: "string",
    name: "string",
    is_active: "boolean",
  });
  const path = `/auth/api-keys/${made.body?.id}`;
  const list = await client.call("GET", "/auth/api-keys", 200, { token });
  client.check(Array.isArray(list.body) && list.body.length === 1, "shape: GET /auth/api-keys is not a bare array");
  await client.call("GET", path, 200, { token });
  await client.call("PUT", path, 200, { token, body: { name: "renamed" } });
  const off = await client.call("PATCH", path, 200, { token, body: { is_active: false } });
  client.check(
    off.body?.name === "renamed" && off.body?.is_active === false,
    "answer: a provider's key was not changed",
  );
  await client.call("DELETE", path, 200, { token });
}

export async function replayModels(client: LegacyClient, { token }: LegacyPerson): Promise<void> {
  const models = await client.call("GET", "/llm/models", 200, { token });
  checkMembers(client, "/llm/models", models.body, {
    models: "array",
    provider_status: "object",
    total_models: "number",
  });
  await client.call("GET", "/llm/providers", 200, { token });
  const health = await client.call("GET", "/llm/health", 200, { token });
  checkMembers(client, "/llm/health", health.body, { status: "string" });
  const price = await client.call("GET", "/tokens/pricing/openrouter/gpt-4", 200, { token });
  client.check(
    price.body?.input_cost_per_1k === 0.03,
    `answer: gpt-4 costs ${price.body?.input_cost_per_1k} a thousand`,
  );
  await client.call("GET", "/tokens/pricing/nobody/gpt-4", 404, { token });
}

/** System B's own question: a level instead of a model, and a style. A key for tests is answered by the simulated provider. */
export async function replayPrompts(client: LegacyClient, url: string, { token }: LegacyPerson): Promise<void> {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const wanted = JSON.stringify({ name: "prompts", mode: "test" });
  const made = await fetch(`${url}/v1/api-keys`, { method: "POST", headers, body: wanted });
  const { id, key = "" } = (await made.json()) as { id?: string; key?: string };
  const path = "/v1/prompt-legacy/completions";
  const body = {
    level: "low",
    messages: [{ role: "user", content: "Plan a garden." }],
    r_type: "bpe",
    temperature: 0.7,
  };
  const answer = await client.call("POST", path, 200, { token: key, body });
  checkMembers(client, path, answer.body, { id: "string", object: "string", choices: "array", usage: "object" });
  client.check(answer.body?.object === "chat.completion", `answer: ${path} is a ${answer.body?.object}`);
  // What a new account may not use yet.
  await client.call("POST", path, 403, { token: key, body: { ...body, level: "ultra" } });
  await client.call("POST", path, 403, { token: key, body: { ...body, r_type: "react" } });
  // The replay of keys looks at all that there are.
  await fetch(`${url}/v1/api-keys/${id}`, { method: "DELETE", headers: { authorization: `Bearer ${token}` } });
}
