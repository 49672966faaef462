/** The model operations through OpenAI's own client, against the simulated provider. */
import {
  APIError,
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  RateLimitError,
} from "openai";
import { describe, expect, it } from "vitest";
import type { Bindings } from "#core/env";
import { countingBindings } from "#test/support/counting";
import { type Person, signUp } from "#test/support/harness";
import { clientOf, configured, used } from "./client.ts";

const ask = (text: string, model = "gpt-4o-mini") => ({ model, messages: [{ role: "user" as const, content: text }] });

const tokensUsed = (person: Person): Promise<number> => used(person, "aiTokens");

describe("a chat completion", () => {
  it("is answered, and charged as the provider counted it", async () => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const { data, response } = await api.chat.completions.create(ask("Say hello to the gateway.")).withResponse();
    await settled();
    const total = data.usage?.total_tokens ?? 0;
    expect(data.choices[0]?.message.content).toBeTruthy();
    expect(total).toBeGreaterThan(5);
    expect(await tokensUsed(person)).toBe(total);
    expect(response.headers.get("x-request-id")).toMatch(/^req_/);
    expect(response.headers.get("x-overtone-tokens-remaining")).toBe(String(50_000 - total));
    expect(data).toMatchObject({
      _usage_info: { tokens_used: total, provider: "openai", remaining_tokens: 50_000 - total },
    });
  });

  it("streams, and shows its use only to who asks for it", async () => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const hidden = await api.chat.completions.create({ ...ask("Count to five."), stream: true });
    let text = "";
    for await (const chunk of hidden) {
      expect(chunk.choices).toHaveLength(1);
      expect(chunk.usage ?? null).toBeNull();
      text += chunk.choices[0]?.delta.content ?? "";
    }
    await settled();
    const first = await tokensUsed(person);
    const shown = await api.chat.completions.create({
      ...ask("Count to five."),
      stream: true,
      stream_options: { include_usage: true },
    });
    let total = 0;
    let again = "";
    for await (const chunk of shown) {
      total = chunk.usage?.total_tokens ?? total;
      again += chunk.choices[0]?.delta.content ?? "";
    }
    await settled();
    expect(text).not.toBe("");
    expect(again).toBe(text);
    expect(first).toBe(total);
    expect(await tokensUsed(person)).toBe(2 * total);
  });

  it("gives tools and structured output through", async () => {
    const person = await signUp();
    const { api } = clientOf(person.token);
    const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
    const withTool = await api.chat.completions.create({
      ...ask("What is the weather?"),
      tools: [{ type: "function", function: { name: "weather", parameters } }],
      tool_choice: "required",
    });
    expect(withTool.choices[0]).toMatchObject({
      finish_reason: "tool_calls",
      message: { tool_calls: [{ function: { name: "weather" } }] },
    });
    const schema = { ...parameters, additionalProperties: false };
    const structured = await api.chat.completions.create({
      ...ask("Where?"),
      response_format: { type: "json_schema", json_schema: { name: "place", schema, strict: true } },
    });
    expect(JSON.parse(structured.choices[0]?.message.content ?? "")).toHaveProperty("city");
  });
});

describe("other operations", () => {
  it("completes, embeds and judges texts", async () => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const completion = await api.completions.create({ model: "gpt-3.5-turbo-instruct", prompt: "Once upon" });
    expect(completion.choices[0]?.text).toBeTruthy();
    const vectors = await api.embeddings.create({ model: "text-embedding-3-small", input: ["a", "b"] });
    expect(vectors.data).toHaveLength(2);
    await settled();
    expect(await tokensUsed(person)).toBe((completion.usage?.total_tokens ?? 0) + vectors.usage.total_tokens);
    const judged = await api.moderations.create({ model: "omni-moderation-latest", input: "Hello" });
    expect(judged.results).toHaveLength(1);
  });
});

describe.concurrent("a provider that fails", () => {
  const failures = [
    ["or/sandbox-error", InternalServerError, 502, "model_unavailable"],
    ["or/sandbox-empty", InternalServerError, 502, "model_unavailable"],
    ["or/sandbox-cut-3", InternalServerError, 502, "model_unavailable"],
    ["or/sandbox-rate-limited", RateLimitError, 429, "model_rate_limited"],
    ["or/sandbox-bad-request", BadRequestError, 400, "context_length_exceeded"],
  ] as const;

  it.each(failures)("is told of for %s, and costs nothing", async (model, kind, status, code) => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const error = await api.chat.completions.create(ask("Hello", model)).catch((thrown: unknown) => thrown);
    await settled();
    expect(error).toBeInstanceOf(kind);
    expect(error).toMatchObject({ status, code });
    expect((error as APIError).headers?.get("x-should-retry") ?? "false").toBe("false");
    expect(await tokensUsed(person)).toBe(0);
  });

  it("that recovers is asked again", async () => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const { data, response } = await api.chat.completions
      .create({ ...ask("Hello", "or/sandbox-flaky-2"), user: crypto.randomUUID() })
      .withResponse();
    await settled();
    expect(response.headers.get("x-overtone-attempts")).toBe("3");
    expect(await tokensUsed(person)).toBe(data.usage?.total_tokens);
  });

  it.each([
    ["or/sandbox-cut-3", {}],
    ["or/sandbox-bad-json-3", {}],
    ["or/sandbox-silent-3", { "x-overtone-idle-timeout-ms": "300" }],
  ])("in the middle of a stream ends it in an error (%s), and what came is charged", async (model, headers) => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const stream = await api.chat.completions.create(
      { ...ask("Say a long sentence, please.", model), stream: true },
      { headers },
    );
    let delivered = 0;
    const reading = (async () => {
      for await (const chunk of stream) if (chunk.choices[0]?.delta.content) delivered += 1;
    })();
    await expect(reading).rejects.toThrow(APIError);
    await settled();
    expect(delivered).toBe(3);
    const used = await tokensUsed(person);
    expect(used).toBeGreaterThan(3);
  });

  it.each(["or/sandbox-empty", "or/sandbox-cut-0", "or/sandbox-error"])(
    "before a stream begins is an error of the request (%s)",
    async (model) => {
      const person = await signUp();
      const { api, settled } = clientOf(person.token);
      const asked = api.chat.completions.create({ ...ask("Hello", model), stream: true });
      await expect(asked).rejects.toThrow(InternalServerError);
      await settled();
      expect(await tokensUsed(person)).toBe(0);
    },
  );

  it.each([
    ["or/sandbox-no-headers", "x-overtone-first-byte-timeout-ms"],
    ["or/sandbox-no-headers", "x-overtone-timeout-ms"],
    // The time is up between two tries.
    ["or/sandbox-rate-limited", "x-overtone-timeout-ms"],
  ])("to answer in the caller's time is a timeout (%s, %s)", async (model, header) => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const error = await api.chat.completions
      .create(ask("Hello", model), { headers: { [header]: "200" } })
      .catch((thrown: unknown) => thrown);
    await settled();
    expect(error).toMatchObject({ status: 504, code: "model_timeout" });
    expect(await tokensUsed(person)).toBe(0);
  });

  it("to tell the use of a stream has it estimated", async () => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const stream = await api.chat.completions.create({ ...ask("Hello there", "or/sandbox-no-usage"), stream: true });
    let chunks = 0;
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) chunks += 1;
    await settled();
    expect(await tokensUsed(person)).toBeGreaterThanOrEqual(chunks);
  });
});

describe("a caller who leaves", () => {
  it("pays for what the provider delivered, to the token", async () => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const whole = await api.chat.completions.create({ ...ask("Tell me a story.", "or/sandbox-slow-5") });
    await settled();
    const before = await tokensUsed(person);
    const stream = await api.chat.completions.create({ ...ask("Tell me a story.", "or/sandbox-slow-5"), stream: true });
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break;
    await settled();
    expect(before).toBe(whole.usage?.total_tokens);
    expect(await tokensUsed(person)).toBe(2 * before);
  });
});

describe("who may ask", () => {
  it("nobody without a key, for no model that does not exist, and never beyond the budget", async () => {
    const person = await signUp();
    const stranger = clientOf("ovt_live_nothing");
    await expect(stranger.api.chat.completions.create(ask("Hello"))).rejects.toThrow(AuthenticationError);
    const { PROVIDER_OPENROUTER_KEY: _, ...openAiOnly } = configured as Bindings & { PROVIDER_OPENROUTER_KEY: string };
    const { api } = clientOf(person.token, openAiOnly as Bindings);
    const unknown = await api.chat.completions.create(ask("Hello", "no-such-model")).catch((thrown: unknown) => thrown);
    expect(unknown).toBeInstanceOf(NotFoundError);
    expect(unknown).toMatchObject({ code: "model_not_found", type: "invalid_request_error" });
    const greedy = await api.chat.completions
      .create({ ...ask("Hello"), max_tokens: 60_000 })
      .catch((thrown: unknown) => thrown);
    expect(greedy).toBeInstanceOf(RateLimitError);
    expect(greedy).toMatchObject({ code: "quota_exceeded" });
    expect(await tokensUsed(person)).toBe(0);
  });

  it("64 at once at the end of a budget never overspend it", async () => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const body = { ...ask("Hello"), max_tokens: 900 };
    const answers = await Promise.allSettled(Array.from({ length: 64 }, () => api.chat.completions.create(body)));
    await settled();
    const fulfilled = answers.filter(({ status }) => status === "fulfilled");
    expect(fulfilled.length).toBeGreaterThan(40);
    expect(await tokensUsed(person)).toBeLessThanOrEqual(50_000);
  });
});

describe("answers that were given before", () => {
  const kept = { headers: { "x-overtone-cache": "on" } };

  it("are given again to the same workspace only, whole or as a stream, and cost nothing", async () => {
    const person = await signUp();
    const other = await signUp();
    const question = { ...ask(`Tell me about ${crypto.randomUUID()}.`), temperature: 0 };
    const { api, settled } = clientOf(person.token);
    const first = await api.chat.completions.create(question, kept).withResponse();
    await settled();
    const used = await tokensUsed(person);
    const turned = { temperature: 0, messages: question.messages, model: question.model };
    const second = await api.chat.completions.create(turned, kept).withResponse();
    await settled();
    expect([first, second].map(({ response }) => response.headers.get("x-overtone-cache"))).toEqual(["miss", "hit"]);
    expect(second.data.choices).toEqual(first.data.choices);
    expect(second.data).toMatchObject({ _usage_info: { tokens_used: 0, cost_usd: 0, cached: true } });
    expect(await tokensUsed(person)).toBe(used);
    const foreign = await clientOf(other.token).api.chat.completions.create(question, kept).withResponse();
    expect(foreign.response.headers.get("x-overtone-cache")).toBe("miss");

    const texts: string[] = [];
    for (const expected of ["miss", "hit"]) {
      const { data, response } = await api.chat.completions.create({ ...question, stream: true }, kept).withResponse();
      let text = "";
      for await (const chunk of data) text += chunk.choices[0]?.delta.content ?? "";
      await settled();
      expect(response.headers.get("x-overtone-cache")).toBe(expected);
      texts.push(text);
    }
    expect(texts[1]).toBe(texts[0]);
    expect(await tokensUsed(person)).toBe(2 * used);
  });

  it("are not given where chance has a say, unless that is asked for, nor when they broke off", async () => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const cacheOf = async (body: ReturnType<typeof ask> & { temperature?: number }, wish: string) => {
      const headers = { "x-overtone-cache": wish };
      const { response } = await api.chat.completions.create(body, { headers }).withResponse();
      await settled();
      return response.headers.get("x-overtone-cache");
    };
    const warm = { ...ask(`Guess ${crypto.randomUUID()}.`), temperature: 0.5 };
    expect(await cacheOf(warm, "on")).toBeNull();
    expect(await cacheOf(warm, "any-temperature")).toBe("miss");
    expect(await cacheOf(warm, "any-temperature")).toBe("hit");
    const broken = { ...ask("Break off.", "or/sandbox-cut-3"), temperature: 0, stream: true } as const;
    for (let time = 0; time < 2; time += 1) {
      const { data, response } = await api.chat.completions.create(broken, kept).withResponse();
      const reading = (async () => {
        for await (const chunk of data) expect(chunk.choices).toHaveLength(1);
      })();
      await expect(reading).rejects.toThrow(APIError);
      await settled();
      expect(response.headers.get("x-overtone-cache")).toBe("miss");
    }
    await expect(cacheOf(warm, "maybe")).rejects.toThrow(APIError);
  });
});

describe("the path of a request", () => {
  it("asks no object and no database for anything once its isolate knows the caller", async () => {
    const person = await signUp();
    const { env, counts, reset } = countingBindings();
    const { api, settled } = clientOf(person.token, { ...configured, ...env });
    for (let time = 0; time < 6; time += 1) await api.chat.completions.create(ask("Hello"));
    reset();
    for (let time = 0; time < 10; time += 1) await api.chat.completions.create(ask("Hello"));
    expect(counts).toEqual({ database: 0, objects: 0, files: 0 });
    await settled();
    expect(counts.objects).toBeGreaterThan(0);
  });
});
