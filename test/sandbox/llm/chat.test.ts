/** Chats of the simulated models, read by the official SDK: text, tools, structured output, and usage to the token. */
import fc from "fast-check";
import { z } from "zod";
import { describe, expect, it } from "vitest";
import { collected, hello, openai, post, tokensOf } from "./support.ts";

const client = openai();
const model = "gpt-4o-mini";
const weather = {
  type: "function" as const,
  function: {
    name: "get_weather",
    parameters: {
      type: "object",
      properties: { city: { type: "string" }, days: { type: "integer", minimum: 1, maximum: 3 } },
      required: ["city", "days"],
      additionalProperties: false,
    },
  },
};
const clock = {
  type: "function" as const,
  function: { name: "get_time", parameters: { type: "object", properties: {} } },
};

describe("a chat", () => {
  it("is answered alike each time, and billed by the token rule", async () => {
    const first = await client.chat.completions.create({ model, messages: hello });
    const second = await client.chat.completions.create({ model, messages: hello });
    expect(second).toEqual(first);
    const content = first.choices[0]?.message.content ?? "";
    expect(content).toMatch(/^Sandbox answer: /);
    expect(first.usage).toMatchObject({
      prompt_tokens: tokensOf("Good morning"),
      completion_tokens: tokensOf(content),
      total_tokens: tokensOf("Good morning") + tokensOf(content),
      prompt_tokens_details: { cached_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 0 },
    });
    expect(first).toMatchObject({ object: "chat.completion", model, system_fingerprint: "sandbox" });
    expect(first.choices[0]?.finish_reason).toBe("stop");
  });

  it("is another one for another model, message or setting", async () => {
    const answers = await Promise.all([
      client.chat.completions.create({ model, messages: hello }),
      client.chat.completions.create({ model: "gpt-4o", messages: hello }),
      client.chat.completions.create({ model, messages: [{ role: "user", content: "Good evening" }] }),
      client.chat.completions.create({ model, messages: hello, temperature: 0 }),
    ]);
    expect(new Set(answers.map(({ choices }) => choices[0]?.message.content)).size).toBe(4);
  });

  it("streams the same text with one token a chunk, and usage at the end", async () => {
    const plain = await client.chat.completions.create({ model, messages: hello });
    const stream = await client.chat.completions.create({
      model,
      messages: hello,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = await collected(stream);
    const texts = chunks.map(({ choices }) => choices[0]?.delta.content ?? "").filter((text) => text !== "");
    expect(texts.join("")).toBe(plain.choices[0]?.message.content);
    expect(texts.map(tokensOf)).toEqual(texts.map(() => 1));
    expect(texts.length).toBe(plain.usage?.completion_tokens);
    expect(chunks[0]?.choices[0]?.delta).toMatchObject({ role: "assistant", content: "" });
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: plain.usage });
    expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true);
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe("stop");
    expect(new Set(chunks.map(({ id }) => id))).toEqual(new Set([plain.id]));
  });

  it("says nothing of usage in a stream that was not asked for it", async () => {
    const { text, headers } = await post("chat/completions", { model, messages: hello, stream: true });
    expect(headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    expect(headers.get("x-sandbox")).toBe("1");
    expect(text).not.toContain("usage");
    expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
  });

  it("has as many tokens as the message asks for, says what it is told, and ends at its limits", async () => {
    const ask = async (content: string, more = {}) => {
      const answer = await client.chat.completions.create({ model, messages: [{ role: "user", content }], ...more });
      const choice = answer.choices[0];
      return [choice?.message.content, answer.usage?.completion_tokens, choice?.finish_reason];
    };
    expect((await ask("tokens=250"))[1]).toBe(250);
    expect(await ask("Please.\nsay: äöü and 🎧 done")).toEqual(["äöü and 🎧 done", 6, "stop"]);
    expect(await ask("say: 12345678", { max_tokens: 1 })).toEqual(["1234", 1, "length"]);
    expect(await ask("say: 12345678", { max_completion_tokens: 2 })).toEqual(["12345678", 2, "stop"]);
    expect(await ask("say: 12345678", { stop: ["78", "56"] })).toEqual(["1234", 1, "stop"]);
  });

  it("gives as many choices as were asked for, each its own, and bills them all", async () => {
    const plain = await client.chat.completions.create({ model, messages: hello, n: 3 });
    const texts = plain.choices.map(({ message }) => message.content ?? "");
    expect(new Set(texts).size).toBe(3);
    expect(plain.usage?.completion_tokens).toBe(texts.reduce((sum, text) => sum + tokensOf(text), 0));
    const stream = await client.chat.completions.create({ model, messages: hello, n: 3, stream: true });
    const streamed = ["", "", ""];
    for await (const { choices } of stream)
      for (const { index, delta } of choices) streamed[index] += delta.content ?? "";
    expect(streamed).toEqual(texts);
  });

  it("names log probabilities for each token", async () => {
    const answer = await client.chat.completions.create({ model, messages: hello, logprobs: true, top_logprobs: 2 });
    const marks = answer.choices[0]?.logprobs?.content ?? [];
    expect(marks.map(({ token }) => token).join("")).toBe(answer.choices[0]?.message.content);
    expect(marks.every(({ logprob, top_logprobs: top }) => logprob < 0 && top.length === 2)).toBe(true);
    const stream = await client.chat.completions.create({
      model,
      messages: hello,
      logprobs: true,
      top_logprobs: 2,
      stream: true,
    });
    const streamed = (await collected(stream)).flatMap(({ choices }) => choices[0]?.logprobs?.content ?? []);
    expect(streamed.map(({ token }) => token)).toEqual(marks.map(({ token }) => token));
  });

  it("counts an image the same whatever its size, and a long prompt with a cache key as cached", async () => {
    const image = { type: "image_url" as const, image_url: { url: `data:image/png;base64,${"A".repeat(5_000)}` } };
    const seen = await client.chat.completions.create({
      model,
      messages: [{ role: "user", content: [{ type: "text", text: "What is this" }, image, image] }],
    });
    expect(seen.usage?.prompt_tokens).toBe(tokensOf("What is this") + 2 * 85);
    const long = { model, messages: [{ role: "user" as const, content: "word".repeat(1_300) }] };
    const cached = await client.chat.completions.create({ ...long, prompt_cache_key: "a" });
    expect(cached.usage?.prompt_tokens).toBe(1_300);
    expect(cached.usage?.prompt_tokens_details?.cached_tokens).toBe(1_280);
    expect((await client.chat.completions.create(long)).usage?.prompt_tokens_details?.cached_tokens).toBe(0);
  });

  it("echoes the request that arrived, and refuses by a content filter", async () => {
    const echo = await client.chat.completions.create({ model: "sandbox-echo", messages: hello, temperature: 0.5 });
    expect(JSON.parse(echo.choices[0]?.message.content ?? "")).toEqual({
      model: "sandbox-echo",
      messages: hello,
      temperature: 0.5,
    });
    const refused = await client.chat.completions.create({ model: "vendor/sandbox-refused", messages: hello });
    expect(refused.choices[0]).toMatchObject({ finish_reason: "content_filter", message: { content: null } });
    expect(refused.usage?.completion_tokens).toBe(tokensOf(refused.choices[0]?.message.refusal ?? ""));
    const stream = await client.chat.completions.create({ model: "sandbox-refused", messages: hello, stream: true });
    const deltas = (await collected(stream)).map(({ choices }) => choices[0]?.delta.refusal ?? "");
    expect(deltas.join("")).toBe(refused.choices[0]?.message.refusal);
  });
});

it("bills what it delivers, whatever is asked", async () => {
  const asks = fc.record({
    content: fc.oneof(
      fc.string({ unit: "binary", maxLength: 40 }),
      fc.integer({ min: 0, max: 60 }).map((tokens) => `tokens=${tokens}`),
      fc.string({ unit: "grapheme", maxLength: 30 }).map((text) => `say: ${text}`),
      fc.constantFrom("get_time", "get_weather and get_time"),
    ),
    n: fc.integer({ min: 1, max: 3 }),
    max_tokens: fc.option(fc.integer({ min: 1, max: 40 }), { nil: undefined }),
    stop: fc.option(fc.constantFrom("a", "er", " "), { nil: undefined }),
  });
  await fc.assert(
    fc.asyncProperty(asks, async ({ content, ...limits }) => {
      const ask = { model, messages: [{ role: "user" as const, content }], tools: [weather, clock], ...limits };
      const plain = await client.chat.completions.create(ask);
      const chunks = await collected(
        await client.chat.completions.create({ ...ask, stream: true, stream_options: { include_usage: true } }),
      );
      const deltas = chunks.flatMap(({ choices }) => choices.map(({ delta }) => delta));
      const delivered = deltas.filter(({ content: text, tool_calls: calls }) => (text ?? "") !== "" || calls);
      expect(delivered.length).toBe(plain.usage?.completion_tokens);
      expect(chunks.at(-1)?.usage).toEqual(plain.usage);
      const text = plain.choices.map(({ message }) => message.content ?? "");
      const streamed = text.map((_, index) =>
        chunks.map(({ choices }) => choices.find((choice) => choice.index === index)?.delta.content ?? "").join(""),
      );
      expect(streamed).toEqual(text);
    }),
    { numRuns: 60 },
  );
});

it("is bounded, whatever is asked", async () => {
  const ask = async (content: string, more = {}) => {
    const { choices, usage } = await client.chat.completions.create({
      model,
      messages: [{ role: "user", content }],
      ...more,
    });
    return [choices.map(({ finish_reason: reason }) => reason).join(), usage?.completion_tokens];
  };
  expect(await ask("tokens=99999")).toEqual(["stop", 20_000]);
  expect(await ask(`say: ${"long".repeat(40_000)}`)).toEqual(["length", 20_000]);
  expect(await ask("word".repeat(50_000), { model: "sandbox-echo" })).toEqual(["length", 20_000]);
  expect(await ask("tokens=3000", { logprobs: true, top_logprobs: 20 })).toEqual(["length", 2_000]);
  expect(await ask("tokens=20000", { n: 4 })).toEqual(["length,length,length,length", 20_000]);
});

describe("tools", () => {
  const ask = (content: string, more = {}) =>
    client.chat.completions.create({
      model,
      messages: [{ role: "user", content }],
      tools: [weather, clock],
      ...more,
    });

  it("are called when they must be or when the message names them", async () => {
    const called = async (content: string, more = {}) => {
      const { choices } = await ask(content, more);
      const calls = (choices[0]?.message.tool_calls ?? []) as { function: { name: string } }[];
      return [choices[0]?.finish_reason, ...calls.map((call) => call.function.name)];
    };
    expect(await called("Hello")).toEqual(["stop"]);
    expect(await called("Use get_time.")).toEqual(["tool_calls", "get_time"]);
    expect(await called("Use get_timer.")).toEqual(["stop"]);
    expect(await called("get_time get_weather")).toEqual(["tool_calls", "get_weather", "get_time"]);
    expect(await called("get_time get_weather", { parallel_tool_calls: false })).toEqual(["tool_calls", "get_weather"]);
    expect(await called("Use get_time.", { tool_choice: "none" })).toEqual(["stop"]);
    expect(await called("Hello", { tool_choice: "required" })).toEqual(["tool_calls", "get_weather"]);
    const named = { type: "function", function: { name: "get_time" } };
    expect(await called("Hello", { tool_choice: named })).toEqual(["tool_calls", "get_time"]);
    const allowed = { type: "allowed_tools", allowed_tools: { mode: "required", tools: [clock] } };
    expect(await called("get_weather", { tool_choice: allowed })).toEqual(["tool_calls", "get_time"]);
  });

  it("get arguments that fit their parameters, streamed one token a chunk, counted with the name", async () => {
    const plain = await ask("get_weather", { stream: false });
    const call = plain.choices[0]?.message.tool_calls?.[0];
    if (call?.type !== "function") throw new Error("no call");
    z.strictObject({ city: z.string(), days: z.int().min(1).max(3) }).parse(JSON.parse(call.function.arguments));
    expect(plain.usage?.completion_tokens).toBe(1 + tokensOf(call.function.arguments));
    expect(plain.usage?.prompt_tokens).toBe(tokensOf("get_weather") + tokensOf(JSON.stringify([weather, clock])));
    const runner = client.chat.completions.stream({
      model,
      messages: [{ role: "user", content: "get_weather" }],
      tools: [weather, clock],
    });
    const chunks: number[] = [];
    runner.on("chunk", ({ choices }) => chunks.push(choices[0]?.delta.tool_calls?.length ?? 0));
    const message = await runner.finalMessage();
    expect(message.tool_calls?.[0]).toMatchObject({ id: call.id, function: call.function });
    expect(chunks.filter((count) => count > 0).length).toBe(plain.usage?.completion_tokens);
  });

  it("are not called again for what they gave, and their calls end at the limit", async () => {
    const first = await ask("get_time");
    const message = first.choices[0]?.message;
    if (!message) throw new Error("no message");
    const tool = { role: "tool" as const, tool_call_id: message.tool_calls?.[0]?.id ?? "", content: "noon" };
    const { choices, usage } = await client.chat.completions.create({
      model,
      messages: [{ role: "user", content: "get_time" }, message, tool],
      tools: [clock],
    });
    expect(choices[0]?.finish_reason).toBe("stop");
    // The message, the call's name and its arguments, what the tool gave, and the tools themselves.
    expect(usage?.prompt_tokens).toBe(2 + (1 + 1) + 1 + tokensOf(JSON.stringify([clock])));
    const cut = await ask("get_weather", { max_tokens: 3 });
    expect(cut.choices[0]?.finish_reason).toBe("length");
    expect(cut.usage?.completion_tokens).toBe(3);
  });
});

describe("structured output", () => {
  it("fits the schema, plain and streamed", async () => {
    const shape = z.strictObject({
      name: z.string().min(3),
      tags: z.array(z.enum(["a", "b"])).min(2),
      score: z.number().min(0).max(1),
      next: z.union([z.null(), z.strictObject({ at: z.iso.datetime() })]),
    });
    const format = {
      type: "json_schema" as const,
      json_schema: { name: "thing", strict: true, schema: z.toJSONSchema(shape) as Record<string, unknown> },
    };
    const plain = await client.chat.completions.parse({ model, messages: hello, response_format: format });
    shape.parse(plain.choices[0]?.message.parsed);
    const streamed = await client.chat.completions
      .stream({ model, messages: hello, response_format: format })
      .finalChatCompletion();
    expect(streamed.choices[0]?.message.parsed).toEqual(plain.choices[0]?.message.parsed);
  });

  it("without a schema wants to be spoken of", async () => {
    const json = { type: "json_object" };
    const told = [{ role: "user", content: "Answer as JSON" }];
    const answer = await post("chat/completions", { model, messages: told, response_format: json });
    expect(JSON.parse(answer.body.choices[0].message.content)).toMatchObject({ answer: expect.any(String) });
    const silent = await post("chat/completions", { model, messages: hello, response_format: json });
    expect([silent.status, silent.body.error.param]).toEqual([400, "messages"]);
  });
});

describe("a chat that is asked wrongly", () => {
  const cases: [string, object, string | null, string | null][] = [
    ["has no model", { messages: hello }, "model", "invalid_value"],
    ["has no messages", { model }, "messages", "missing_required_parameter"],
    ["has a text for messages", { model, messages: "hi" }, "messages", "invalid_type"],
    ["has no message", { model, messages: [] }, "messages", "empty_array"],
    ["has an unknown role", { model, messages: [{ role: "king", content: "" }] }, "messages[0].role", "invalid_value"],
    ["has no content", { model, messages: [{ role: "user" }] }, "messages[0].content", "invalid_type"],
    [
      "has a part without a type",
      { model, messages: [{ role: "user", content: [{}] }] },
      "messages[0].content[0].type",
      "missing_required_parameter",
    ],
    [
      "answers no tool",
      { model, messages: [...hello, { role: "tool", tool_call_id: "x", content: "" }] },
      "messages.[1].role",
      null,
    ],
    ["is too hot", { model, messages: hello, temperature: 3 }, "temperature", "decimal_above_max_value"],
    ["wants no choice", { model, messages: hello, n: 0 }, "n", "integer_below_min_value"],
    [
      "has two limits",
      { model, messages: hello, max_tokens: 1, max_completion_tokens: 1 },
      "max_tokens",
      "invalid_value",
    ],
    [
      "has a bad tool",
      {
        model,
        messages: hello,
        tools: [{ type: "function", function: { name: "a", parameters: { type: "string" } } }],
      },
      "tools[0].function.parameters",
      "invalid_function_parameters",
    ],
    [
      "has a tool without a name",
      { model, messages: hello, tools: [{ type: "function", function: {} }] },
      "tools[0].function.name",
      "invalid_value",
    ],
    ["must call nothing", { model, messages: hello, tool_choice: "required" }, "tool_choice", "invalid_value"],
    [
      "must call a stranger",
      { model, messages: hello, tools: [clock], tool_choice: { type: "function", function: { name: "b" } } },
      "tool_choice",
      "invalid_value",
    ],
    [
      "wants a list",
      {
        model,
        messages: hello,
        response_format: { type: "json_schema", json_schema: { name: "a", schema: { type: "array" } } },
      },
      "response_format.json_schema",
      "invalid_value",
    ],
    [
      "has stream options without a stream",
      { model, messages: hello, stream_options: { include_usage: true } },
      "stream_options",
      "invalid_value",
    ],
    [
      "is too long",
      { model, messages: [{ role: "user", content: "word".repeat(200_001) }] },
      "messages",
      "context_length_exceeded",
    ],
    ["has an unknown model", { model: "sandbox-typo", messages: hello }, "model", "model_not_found"],
  ];

  it.each(cases)("is refused when it %s", async (_, body, param, code) => {
    const answer = await post("chat/completions", body);
    expect(answer.body).toEqual({ error: { message: expect.any(String), type: "invalid_request_error", param, code } });
    expect(answer.status).toBe(code === "model_not_found" ? 404 : 400);
  });

  it("is refused when it is no JSON", async () => {
    for (const text of ["{", "[]", ""]) {
      const answer = await post("chat/completions", text);
      expect([answer.status, answer.body.error.type]).toEqual([400, "invalid_request_error"]);
    }
  });
});
