import { describe, expect, it } from "vitest";
import type { Target } from "#adapters/llm/contract";
import { unknownFacts } from "#adapters/llm/catalogue";
import { dialectOf, type JsonObject } from "#adapters/llm/dialect";
import { Problem } from "#core/problem";

const dialect = dialectOf(
  { dialect: "anthropic", facts: unknownFacts("claude") },
  { name: "chat", path: "/chat/completions" },
);
const chat = { name: "chat", path: "/chat/completions" };
const target: Target = {
  provider: "anthropic",
  dialect: "anthropic",
  baseUrl: "https://api.anthropic.com/v1",
  secret: "a secret",
  ownKeyId: null,
  isTenantUrl: false,
  model: "claude-of-today",
  publicModel: "claude",
  weight: 1,
  facts: {
    id: "claude",
    displayName: "Claude",
    contextTokens: 200_000,
    maxOutputTokens: 8_192,
    capabilities: ["chat"],
    price: { inputMicroUsdPerMillion: 1, cachedInputMicroUsdPerMillion: 1, outputMicroUsdPerMillion: 1 },
  },
};

const asked = (body: JsonObject) => dialect.bodyOf(chat, { model: target.model, ...body }, target);
const now = { nowMs: Date.UTC(2026, 0, 1) };
const hello = [{ role: "user", content: "Hello" }];

describe("a request to Anthropic", () => {
  it("goes to its own path with its own headers", () => {
    expect(dialect.pathOf(chat)).toBe("/messages");
    expect(dialect.headersOf(target)).toEqual({ "x-api-key": "a secret", "anthropic-version": "2023-06-01" });
  });

  it("takes instructions out of the messages, and says how long the answer may be", () => {
    const messages = [
      { role: "system", content: "Be brief." },
      { role: "developer", content: [{ type: "text", text: "In French." }] },
      ...hello,
    ];
    expect(asked({ messages })).toEqual({
      model: "claude-of-today",
      max_tokens: 4_096,
      system: "Be brief.\n\nIn French.",
      messages: [{ role: "user", content: [{ type: "text", text: "Hello" }] }],
    });
    expect(asked({ messages: hello, max_tokens: 7 })).toMatchObject({ max_tokens: 7 });
    expect(asked({ messages: hello, max_tokens: 7, max_completion_tokens: 9 })).toMatchObject({ max_tokens: 9 });
  });

  it("carries sampling over, with its own end of the scale", () => {
    const body = asked({ messages: hello, temperature: 1.7, top_p: 0.4, stop: "END", user: "u1", stream: true });
    expect(body).toMatchObject({
      temperature: 1,
      top_p: 0.4,
      stop_sequences: ["END"],
      metadata: { user_id: "u1" },
      stream: true,
    });
    expect(asked({ messages: hello, stop: ["a", "b"] })).toMatchObject({ stop_sequences: ["a", "b"] });
  });

  it("is told to newer models as those take it: no sampling, and a schema without a tool", () => {
    const later = (body: JsonObject) =>
      dialect.bodyOf(chat, { messages: hello, ...body }, { ...target, model: "claude-sonnet-5-5" });
    const schema = { type: "object", properties: { city: { type: "string" } }, additionalProperties: false };
    const format = { type: "json_schema", json_schema: { name: "place", schema } };
    expect(later({ temperature: 0.3, top_p: 0.4, stop: "END", response_format: format })).toEqual({
      model: "claude-sonnet-5-5",
      max_tokens: 4_096,
      messages: [{ role: "user", content: [{ type: "text", text: "Hello" }] }],
      stop_sequences: ["END"],
      output_config: { format: { type: "json_schema", schema } },
    });
    expect(later({ response_format: { type: "json_object" } })).toMatchObject({
      system: "Answer with one JSON object and nothing else.",
    });
    const tools = [{ type: "function", function: { name: "x" } }];
    expect(later({ tools, response_format: format })).toMatchObject({ tools: [{ name: "x" }], output_config: {} });
    const earlier = { ...target, model: "claude-sonnet-4-5-20250929" };
    expect(dialect.bodyOf(chat, { messages: hello, temperature: 0.3 }, earlier)).toMatchObject({ temperature: 0.3 });
  });

  it("carries pictures over, inside the request or by address", () => {
    const content = [
      { type: "text", text: "What is it?" },
      { type: "image_url", image_url: { url: "data:image/png;base64,aGk=" } },
      { type: "image_url", image_url: { url: "https://example.com/a.png" } },
    ];
    expect(asked({ messages: [{ role: "user", content }] })["messages"]).toEqual([
      {
        role: "user",
        content: [
          { type: "text", text: "What is it?" },
          { type: "image", source: { type: "base64", media_type: "image/png", data: "aGk=" } },
          { type: "image", source: { type: "url", url: "https://example.com/a.png" } },
        ],
      },
    ]);
  });

  it("carries tools, calls and their results over; results of one turn are one message", () => {
    const call = (id: string) => ({
      id,
      type: "function",
      function: { name: "weather", arguments: '{"city":"Bonn"}' },
    });
    const body = asked({
      messages: [
        ...hello,
        { role: "assistant", content: null, tool_calls: [call("a"), call("b")] },
        { role: "tool", tool_call_id: "a", content: "Rain" },
        { role: "tool", tool_call_id: "b", content: "Sun" },
      ],
      tools: [{ type: "function", function: { name: "weather", description: "d", parameters: { type: "object" } } }],
      tool_choice: "required",
      parallel_tool_calls: false,
    });
    expect(body).toMatchObject({
      tools: [{ name: "weather", description: "d", input_schema: { type: "object" } }],
      tool_choice: { type: "any", disable_parallel_tool_use: true },
    });
    expect((body["messages"] as JsonObject[]).slice(1)).toEqual([
      {
        role: "assistant",
        content: ["a", "b"].map((id) => ({ type: "tool_use", id, name: "weather", input: { city: "Bonn" } })),
      },
      {
        role: "user",
        content: [
          { type: "tool_result", tool_use_id: "a", content: "Rain" },
          { type: "tool_result", tool_use_id: "b", content: "Sun" },
        ],
      },
    ]);
    expect(
      asked({ messages: hello, tools: [{ function: { name: "x" } }], tool_choice: { function: { name: "x" } } }),
    ).toMatchObject({
      tool_choice: { type: "tool", name: "x" },
    });
  });

  it("asks for an answer of a schema by a tool that has to be called", () => {
    const schema = { type: "object", properties: { a: { type: "number" } } };
    const format = { type: "json_schema", json_schema: { name: "x", schema } };
    expect(asked({ messages: hello, response_format: format })).toMatchObject({
      tools: [{ name: "structured_answer", input_schema: schema }],
      tool_choice: { type: "tool", name: "structured_answer" },
    });
  });

  it.each([
    ["several answers", { messages: hello, n: 2 }],
    ["sound", { messages: [{ role: "user", content: [{ type: "input_audio" }] }] }],
    [
      "arguments that are no JSON",
      { messages: [{ role: "assistant", tool_calls: [{ id: "a", function: { name: "x", arguments: "{" } }] }] },
    ],
  ])("refuses %s", (_, body) => {
    expect(() => asked(body)).toThrow(Problem);
  });

  it("refuses what is no chat", () => {
    expect(() => dialect.bodyOf({ name: "embeddings", path: "/embeddings" }, {}, target)).toThrow(Problem);
  });
});

describe("an answer of Anthropic", () => {
  const usage = { input_tokens: 10, cache_read_input_tokens: 5, cache_creation_input_tokens: 2, output_tokens: 3 };

  it("becomes a chat completion, with what the cache held among its input", () => {
    const answer = {
      id: "msg_1",
      model: "m",
      content: [{ type: "text", text: "Hi" }],
      stop_reason: "max_tokens",
      usage,
    };
    expect(dialect.answerOf(chat, answer, now)).toMatchObject({
      object: "chat.completion",
      created: now.nowMs / 1_000,
      choices: [{ index: 0, message: { role: "assistant", content: "Hi" }, finish_reason: "length" }],
      usage: { prompt_tokens: 17, completion_tokens: 3, total_tokens: 20, prompt_tokens_details: { cached_tokens: 5 } },
    });
  });

  it("has calls of tools, or the structured answer as its text", () => {
    const use = { type: "tool_use", id: "t1", name: "weather", input: { city: "Bonn" } };
    expect(dialect.answerOf(chat, { content: [use], stop_reason: "tool_use" }, now)).toMatchObject({
      choices: [
        {
          message: {
            content: null,
            tool_calls: [{ id: "t1", function: { name: "weather", arguments: '{"city":"Bonn"}' } }],
          },
          finish_reason: "tool_calls",
        },
      ],
    });
    const structured = { ...use, name: "structured_answer" };
    expect(dialect.answerOf(chat, { content: [structured], stop_reason: "tool_use" }, now)).toMatchObject({
      choices: [{ message: { content: '{"city":"Bonn"}' }, finish_reason: "stop" }],
    });
  });

  it("is no answer when it has none", () => {
    expect(dialect.answerOf(chat, {}, now)).toMatchObject({ choices: [] });
  });
});

describe("a stream of Anthropic", () => {
  const translate = (events: JsonObject[]) => {
    const translation = dialect.openTranslation?.(chat, now);
    if (!translation) throw new Error("nothing translates");
    return events.flatMap((data) => translation.read({ name: null, data }));
  };
  const start = {
    type: "message_start",
    message: { id: "msg_1", model: "m", usage: { input_tokens: 9, output_tokens: 1 } },
  };
  const end = [
    { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 4 } },
    { type: "message_stop" },
  ];
  const firstDelta = (chunk: JsonObject | undefined) =>
    (chunk as { choices: { delta: JsonObject }[] }).choices[0]?.delta;

  it("becomes chunks, the last one with the use", () => {
    const chunks = translate([
      start,
      { type: "ping" },
      { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
      { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Hel" } },
      { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "lo" } },
      { type: "content_block_stop", index: 0 },
      ...end,
    ]);
    expect(chunks).toHaveLength(5);
    expect(chunks.map(firstDelta)).toEqual([
      { role: "assistant", content: "" },
      { content: "Hel" },
      { content: "lo" },
      {},
      undefined,
    ]);
    expect(chunks[3]).toMatchObject({ choices: [{ finish_reason: "stop" }] });
    expect(chunks[4]).toMatchObject({ id: "msg_1", choices: [], usage: { prompt_tokens: 9, completion_tokens: 4 } });
  });

  it("counts the calls of tools from nothing, whatever else there is", () => {
    const use = (index: number, id: string) => ({
      type: "content_block_start",
      index,
      content_block: { type: "tool_use", id, name: "f" },
    });
    const input = (index: number, text: string) => ({
      type: "content_block_delta",
      index,
      delta: { type: "input_json_delta", partial_json: text },
    });
    const chunks = translate([start, use(1, "a"), input(1, "{}"), use(3, "b"), input(3, '{"x":1}')]);
    expect(chunks.slice(1).map(firstDelta)).toEqual([
      { tool_calls: [{ index: 0, id: "a", type: "function", function: { name: "f", arguments: "" } }] },
      { tool_calls: [{ index: 0, function: { arguments: "{}" } }] },
      { tool_calls: [{ index: 1, id: "b", type: "function", function: { name: "f", arguments: "" } }] },
      { tool_calls: [{ index: 1, function: { arguments: '{"x":1}' } }] },
    ]);
  });

  it("gives the structured answer as text", () => {
    const chunks = translate([
      start,
      {
        type: "content_block_start",
        index: 0,
        content_block: { type: "tool_use", id: "a", name: "structured_answer" },
      },
      { type: "content_block_delta", index: 0, delta: { type: "input_json_delta", partial_json: '{"a":1}' } },
      { type: "message_delta", delta: { stop_reason: "tool_use" }, usage: { output_tokens: 4 } },
    ]);
    expect(firstDelta(chunks[1])).toEqual({ content: '{"a":1}' });
    expect(chunks[2]).toMatchObject({ choices: [{ finish_reason: "stop" }] });
  });

  it("tells of an error in the middle", () => {
    expect(translate([start, { type: "error", error: { type: "overloaded_error" } }])[1]).toEqual({
      error: { type: "overloaded_error" },
    });
  });
});
