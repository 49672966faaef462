/** System C's extension: models under /llm, and the tokens that they and its own work use. A key for tests is answered by the simulated provider. */
import { newcomer } from "./cast.ts";
import { type Answer, checkMembers, type LegacyClient } from "./client.ts";

const messages = [{ role: "user", content: "Say hello." }];
const chat = { model: "gpt-4o-mini", messages };

export async function replayTokens(client: LegacyClient, url: string): Promise<void> {
  const { token } = await newcomer(url);
  await replayModelRequests(client, await testKey(url, token));
  await replayOwnWork(client, token);
  await client.call("GET", "/tokens/balance", 401);
  await client.call("POST", "/llm/chat/completions", 401, { body: chat });
}

async function testKey(url: string, token: string): Promise<string> {
  const answer = await fetch(`${url}/v1/api-keys`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ name: "models", mode: "test" }),
  });
  const { key = "" } = (await answer.json()) as { key?: string };
  return key;
}

async function replayModelRequests(client: LegacyClient, key: string): Promise<void> {
  const ask = (path: string, body: object) => client.call("POST", path, 200, { token: key, body });
  const answers = [
    ["chat.completion", await ask("/llm/chat/completions", chat)],
    ["text_completion", await ask("/llm/completions", { model: "gpt-3.5-turbo-instruct", prompt: "Once" })],
    ["list", await ask("/llm/embeddings", { model: "text-embedding-3-small", input: "one" })],
  ] as const;
  for (const [object, { body }] of answers) {
    client.check(body?.object === object, `answer: a ${object} is a ${body?.object}`);
    checkUsageInfo(client, body?._usage_info);
  }
  const executed = await ask("/llm/execute", { provider: "openrouter", model: "openai/gpt-4o-mini", messages });
  checkMembers(client, "/llm/execute.response", executed.body?.response, { id: "string", choices: "array" });
  checkUsageInfo(client, executed.body?.response?._usage_info);
  for (const path of ["/llm/chat/completions", "/llm/execute"])
    checkStream(client, path, await ask(path, { ...chat, stream: true }));
  await client.call("POST", "/llm/chat/completions", 400, { token: key, body: { model: "gpt-4o-mini" } });
}

function checkUsageInfo(client: LegacyClient, info: unknown): void {
  checkMembers(client, "_usage_info", info, {
    tokens_used: "number",
    cost_usd: "number",
    provider: "string",
    remaining_tokens: "number|null",
  });
}

function checkStream(client: LegacyClient, path: string, { headers, bytes }: Answer): void {
  const type = headers.get("content-type") ?? "";
  client.check(type.startsWith("text/event-stream"), `answer: the stream of ${path} is ${type}`);
  const events = bytes
    .toString("utf8")
    .split("\n")
    .filter((line) => line.startsWith("data: "));
  client.check(events.length > 2 && events.at(-1) === "data: [DONE]", `answer: the stream of ${path} does not end`);
}

/** The arguments come in the query; what is short is told in two members beside the error. */
async function replayOwnWork(client: LegacyClient, token: string): Promise<void> {
  const reserved = await client.call("POST", "/tokens/reserve?tokens=2000&model=gpt-4o", 200, { token });
  checkMembers(client, "/tokens/reserve", reserved.body, { success: "boolean", reservation_id: "string" });
  const consume = `/tokens/consume?reservation_id=${reserved.body?.reservation_id}&tokens=1350`;
  for (let times = 0; times < 2; times += 1) {
    const consumed = await client.call("POST", consume, 200, { token });
    client.check(consumed.body?.tokens_consumed === 1_350, `answer: consumed ${consumed.body?.tokens_consumed}`);
  }
  const other = await client.call("POST", "/tokens/reserve?tokens=100", 200, { token });
  const release = `/tokens/release?reservation_id=${other.body?.reservation_id}`;
  await client.call("POST", release, 200, { token });
  await client.call("POST", "/tokens/release?reservation_id=rsv_unknown", 404, { token });
  await client.call("POST", "/users/me/token-usage", 200, { token, body: { tokens_used: 150, model_name: "gpt-4o" } });
  const short = await client.call("POST", "/tokens/reserve?tokens=49000", 429, { token });
  client.check(
    short.body?.required_tokens === 49_000 && short.body?.available_tokens === 48_500,
    `answer: ${short.body?.required_tokens} tokens are needed and ${short.body?.available_tokens} left`,
  );
  await client.call("POST", "/tokens/reserve", 422, { token });
  const balance = await client.call("GET", "/tokens/balance", 200, { token });
  checkMembers(client, "/tokens/balance", balance.body, { tokens_remaining: "number", monthly_limit: "number" });
  client.check(balance.body?.tokens_used === 1_500, `answer: ${balance.body?.tokens_used} tokens are used, not 1500`);
  const limits = await client.call("GET", "/tokens/limits", 200, { token });
  checkMembers(client, "/tokens/limits", limits.body, { limits: "array", rate_limits: "object" });
  await replayUsageOfTokens(client, token);
}

async function replayUsageOfTokens(client: LegacyClient, token: string): Promise<void> {
  for (const path of ["/tokens/usage?limit=1000&offset=0", "/users/me/token-usage"]) {
    const { body } = await client.call("GET", path, 200, { token });
    checkMembers(client, path, body, {
      totals: "object",
      daily_usage: "array",
      weekly_usage: "array",
      usage_by_model: "array",
    });
    client.check(body?.total_tokens === 1_500, `answer: ${path} knows of ${body?.total_tokens} tokens, not 1500`);
  }
  for (const path of ["/tokens/stats?days=7", "/users/me/token-usage/stats", "/stats"]) {
    const { body } = await client.call("GET", path, 200, { token });
    client.check(body?.total_requests === 2, `answer: ${path} knows of ${body?.total_requests} requests, not 2`);
  }
}
