/** System C's extension as it asks models and looks after its tokens, on its own paths. */
import { describe, expect, it } from "vitest";
import { overrideLimits, type Person, signUp } from "#test/support/harness";
import { configured } from "../features/chat/client.ts";

const messages = [{ role: "user", content: "Say hello." }];

const ask = (person: Person, path: string, body: object) => person.call("POST", path, { body, env: configured });

describe("system C asks a model", () => {
  it("for chats, completions and embeddings, and reads what each came to", async () => {
    const person = await signUp();
    const chat = await ask(person, "/llm/chat/completions", { model: "gpt-4o-mini", messages });
    const completion = await ask(person, "/llm/completions", { model: "gpt-3.5-turbo-instruct", prompt: "Once" });
    const vectors = await ask(person, "/llm/embeddings", { model: "text-embedding-3-small", input: "one" });
    expect(chat.body.object).toBe("chat.completion");
    expect(completion.body.object).toBe("text_completion");
    expect(vectors.body.data).toHaveLength(1);
    for (const [{ status, body }, provider] of [
      [chat, "openai"],
      [completion, "openrouter"],
      [vectors, "openai"],
    ] as const) {
      expect(status).toBe(200);
      expect(body._usage_info).toMatchObject({
        tokens_used: body.usage.total_tokens,
        cost_usd: expect.any(Number),
        provider,
        remaining_tokens: expect.any(Number),
      });
    }
  });

  it("by provider and model, and finds the answer in `response`", async () => {
    const person = await signUp();
    const execute = (provider: string, model: string) => ask(person, "/llm/execute", { provider, model, messages });
    const [named, prefixed, vendor] = [
      await execute("openrouter", "openai/gpt-4o-mini"),
      await execute("OpenRouter", "or/openai/gpt-4o-mini"),
      await execute("openai", "gpt-4o-mini"),
    ];
    for (const { status, body, headers } of [named, prefixed]) {
      expect(status, JSON.stringify(body)).toBe(200);
      expect(Object.keys(body)).toEqual(["response"]);
      expect(body.response).toMatchObject({ object: "chat.completion", _usage_info: { provider: "openrouter" } });
      expect(headers.get("x-overtone-provider")).toBe("openrouter");
    }
    expect(vendor.body.response._usage_info.provider).toBe("openai");
  });

  it.each(["/llm/chat/completions", "/llm/execute"])("as a stream on %s", async (path) => {
    const person = await signUp();
    const answer = await ask(person, path, { model: "gpt-4o-mini", messages, stream: true });
    expect(answer.headers.get("content-type")).toContain("text/event-stream");
    const lines = new TextDecoder()
      .decode(answer.bytes)
      .split("\n")
      .filter((line) => line.startsWith("data: "));
    expect(lines.length).toBeGreaterThan(2);
    expect(JSON.parse(lines[0]?.slice(6) ?? "")).toMatchObject({ object: "chat.completion.chunk" });
    expect(lines.at(-1)).toBe("data: [DONE]");
  });

  it("and is told what is short, in its own words", async () => {
    const person = await signUp();
    await overrideLimits(person.workspaceId, { aiTokensPerMonth: 50 });
    const body = { model: "gpt-4o-mini", messages, max_tokens: 1_000 };
    for (const [path, asked] of [
      ["/llm/chat/completions", body],
      ["/llm/execute", { ...body, provider: "openai" }],
    ] as const) {
      const short = await ask(person, path, asked);
      expect(short).toMatchObject({
        status: 429,
        body: {
          success: false,
          error: expect.stringContaining("tokens are needed"),
          message: expect.any(String),
          code: "quota_exceeded",
          available_tokens: 50,
          timestamp: expect.any(String),
          details: { request_id: short.headers.get("x-request-id") },
        },
      });
      expect(short.body.required_tokens).toBeGreaterThan(1_000);
    }
    expect((await person.call("POST", "/llm/chat/completions", { body: {}, as: "nobody" })).body).toMatchObject({
      success: false,
      error: expect.any(String),
    });
  });
});

describe("system C's tokens", () => {
  it("are reserved, consumed and given back by arguments in the query", async () => {
    const person = await signUp();
    const reserved = await person.call("POST", "/tokens/reserve?tokens=2000&model_name=gpt-4o&priority=high");
    expect(reserved).toMatchObject({ status: 200, body: { success: true, reserved_tokens: 2_000 } });
    const { reservation_id: id } = reserved.body;
    const query = `reservation_id=${id}&tokens_used=150&prompt_tokens=100&completion_tokens=50&provider=a4f&request_type=chat`;
    expect((await person.call("POST", `/tokens/consume?${query}`)).body).toMatchObject({
      tokens_consumed: 150,
      tokens_remaining: 49_850,
    });
    const other = await person.call("POST", "/tokens/reserve?amount=10");
    const path = `/tokens/release?reservation_id=${other.body.reservation_id}`;
    expect((await person.call("POST", path)).body).toMatchObject({ tokens_released: 10 });
    await person.call("POST", "/users/me/token-usage", { body: { tokens_used: 50, model_name: "gpt-4o" } });
    expect((await person.call("GET", "/tokens/balance")).body).toMatchObject({
      tokens_remaining: 49_800,
      tokens_used: 200,
      monthly_limit: 50_000,
    });
    expect((await person.call("GET", "/tokens/limits")).body).toMatchObject({ tokens_remaining: 49_800 });
    for (const usage of ["/tokens/usage?limit=1000&offset=0", "/users/me/token-usage"])
      expect((await person.call("GET", usage)).body).toMatchObject({
        total_tokens: 200,
        daily_usage: expect.any(Array),
        weekly_usage: expect.any(Array),
        usage_by_model: [{ model: "gpt-4o", requests: 2, tokens_used: 200, input_tokens: 100, output_tokens: 50 }],
      });
    for (const stats of ["/tokens/stats?days=7", "/users/me/token-usage/stats", "/stats"])
      expect((await person.call("GET", stats)).body).toMatchObject({ total_tokens: 200, total_requests: 2 });
  });

  it("are refused precisely, with nothing held", async () => {
    const person = await signUp();
    expect(await person.call("POST", "/tokens/reserve?tokens=60000")).toMatchObject({
      status: 429,
      body: { success: false, error: expect.any(String), required_tokens: 60_000, available_tokens: 50_000 },
    });
    for (const query of ["", "?tokens=many", "?tokens=-5", "?tokens=10&plan=pro"])
      expect(await person.call("POST", `/tokens/reserve${query}`)).toMatchObject({
        status: 422,
        body: { success: false },
      });
    expect((await person.call("POST", "/tokens/consume?reservation_id=rsv_none&tokens=1")).status).toBe(404);
    expect((await person.call("GET", "/tokens/balance")).body).toMatchObject({ tokens_used: 0, tokens_reserved: 0 });
  });
});
