/** The simulated Anthropic: messages, their events, tools, what is cached, and errors in its own shape. */
import { describe, expect, it } from "vitest";
import { drain, post, postStream, tokensOf } from "./support.ts";

const headers = { "x-api-key": "sk-sandbox-test", "anthropic-version": "2023-06-01" };
const model = "claude-sonnet-4-5";
const said = (content: unknown) => ({ model, max_tokens: 1_000, messages: [{ role: "user", content }] });
const create = (body: object) => post("messages", body, { headers });
const tool = {
  name: "add",
  input_schema: { type: "object", properties: { a: { type: "integer" } }, required: ["a"] },
};

interface Event {
  type: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into answers freely
  [field: string]: any;
}

async function eventsOf(body: object): Promise<Event[]> {
  const { pieces } = await drain(await postStream("messages", { ...body, stream: true }, { headers }));
  return pieces.map((piece) => {
    const [, name, data] = /^event: (\S+)\ndata: (.*)\n\n$/s.exec(piece) ?? [];
    const event = JSON.parse(data ?? "") as Event;
    expect(event.type).toBe(name);
    return event;
  });
}

describe("a message", () => {
  it("is answered alike each time, and billed by the token rule", async () => {
    const answer = await create({ ...said("Good morning"), system: "Be brief" });
    expect(answer.body).toMatchObject({ type: "message", role: "assistant", model, stop_reason: "end_turn" });
    const [{ type, text }] = answer.body.content;
    expect([type, text.slice(0, 15)]).toEqual(["text", "Sandbox answer:"]);
    expect(answer.body.usage).toMatchObject({
      input_tokens: tokensOf("Good morning") + tokensOf("Be brief"),
      output_tokens: tokensOf(text),
      cache_read_input_tokens: 0,
      cache_creation_input_tokens: 0,
    });
    expect((await create({ ...said("Good morning"), system: "Be brief" })).body).toEqual(answer.body);
    expect([answer.headers.get("x-sandbox"), answer.headers.has("request-id")]).toEqual(["1", true]);
  });

  it("streams the same text, a token an event, with usage at both ends", async () => {
    const plain = (await create(said("Good morning"))).body;
    const events = await eventsOf(said("Good morning"));
    expect([...new Set(events.map(({ type }) => type))]).toEqual([
      "message_start",
      "content_block_start",
      "ping",
      "content_block_delta",
      "content_block_stop",
      "message_delta",
      "message_stop",
    ]);
    const texts = events.filter(({ type }) => type === "content_block_delta").map(({ delta }) => String(delta.text));
    expect(texts.join("")).toBe(plain.content[0].text);
    expect(texts.length).toBe(plain.usage.output_tokens);
    expect(events[0]?.["message"].usage.input_tokens).toBe(plain.usage.input_tokens);
    expect(events.at(-2)).toMatchObject({
      delta: { stop_reason: "end_turn", stop_sequence: null },
      usage: { output_tokens: plain.usage.output_tokens },
    });
  });

  it("ends at its limit, at a stop sequence and at a refusal", async () => {
    const ending = async (more: object) => {
      const { body } = await create({ ...said("say: 12345678"), ...more });
      return [body.stop_reason, body.stop_sequence, body.content[0].text, body.usage.output_tokens];
    };
    expect(await ending({ max_tokens: 1 })).toEqual(["max_tokens", null, "1234", 1]);
    expect(await ending({ stop_sequences: ["56"] })).toEqual(["stop_sequence", "56", "1234", 1]);
    expect((await ending({ model: "sandbox-refused" }))[0]).toBe("refusal");
  });

  it("counts what is marked for the cache apart: read, or written when it asks for an hour", async () => {
    const long = "word".repeat(1_100);
    const marked = (cache: object) => [
      { type: "text", text: long, cache_control: cache },
      { type: "text", text: "and now" },
    ];
    const usage = async (content: unknown) => (await create(said(content))).body.usage;
    expect(await usage(marked({ type: "ephemeral" }))).toMatchObject({
      input_tokens: 2,
      cache_read_input_tokens: 1_100,
      cache_creation_input_tokens: 0,
    });
    expect(await usage(marked({ type: "ephemeral", ttl: "1h" }))).toMatchObject({
      input_tokens: 2,
      cache_read_input_tokens: 0,
      cache_creation_input_tokens: 1_100,
    });
    const short = [{ type: "text", text: "a word", cache_control: { type: "ephemeral" } }];
    expect(await usage(short)).toMatchObject({ input_tokens: 2, cache_read_input_tokens: 0 });
  });

  it("calls tools, and takes what they gave", async () => {
    const asked = { ...said("Please add"), tools: [tool] };
    const { body } = await create(asked);
    expect(body).toMatchObject({ stop_reason: "tool_use", content: [{ type: "tool_use", name: "add" }] });
    const input = JSON.stringify(body.content[0].input);
    expect(body.usage.output_tokens).toBe(1 + tokensOf(input));
    expect(body.usage.input_tokens).toBe(tokensOf("Please add") + tokensOf(JSON.stringify(tool)));
    const events = await eventsOf(asked);
    const pieces = events.filter(({ type }) => type === "content_block_delta").map(({ delta }) => delta.partial_json);
    expect(pieces.join("")).toBe(input);
    const result = { type: "tool_result", tool_use_id: body.content[0].id, content: "5" };
    const messages = [
      ...asked.messages,
      { role: "assistant", content: body.content },
      { role: "user", content: [result] },
    ];
    expect((await create({ ...asked, messages })).body.stop_reason).toBe("end_turn");
    const forced = await create({ ...said("Hello"), tools: [tool], tool_choice: { type: "any" } });
    expect(forced.body.stop_reason).toBe("tool_use");
    const barred = await create({ ...asked, tool_choice: { type: "none" } });
    expect(barred.body.stop_reason).toBe("end_turn");
  });

  it("fits a schema, and is counted without being answered", async () => {
    const schema = { type: "object", properties: { ok: { type: "boolean" } }, required: ["ok"] };
    const { body } = await create({ ...said("Hello"), output_config: { format: { type: "json_schema", schema } } });
    expect(JSON.parse(body.content[0].text)).toEqual({ ok: expect.any(Boolean) });
    const counted = await post("messages/count_tokens", said("Good morning"), { headers });
    expect(counted.body).toEqual({ input_tokens: 3 });
  });
});

describe("a message that goes wrong", () => {
  it.each([
    ["sandbox-rate-limited", 429, "rate_limit_error"],
    ["sandbox-error", 500, "api_error"],
    ["sandbox-unavailable", 529, "overloaded_error"],
    ["sandbox-bad-request", 400, "invalid_request_error"],
    ["sandbox-nonsense", 404, "not_found_error"],
  ])("with %s is refused in Anthropic's shape", async (name, status, type) => {
    const answer = await create({ ...said("Hello"), model: name });
    expect(answer.status).toBe(status);
    expect(answer.headers.get("retry-after")).toBe(status === 429 ? "1" : null);
    expect(answer.body).toEqual({
      type: "error",
      error: { type, message: expect.any(String) },
      request_id: answer.headers.get("request-id"),
    });
  });

  it("breaks in mid-stream", async () => {
    const ask = (name: string) => postStream("messages", { ...said("Hello"), model: name, stream: true }, { headers });
    const cut = await drain(await ask("sandbox-cut-2"));
    expect(cut.error).toBeInstanceOf(Error);
    expect(cut.pieces.filter((piece) => piece.includes("text_delta")).length).toBe(2);
    const opened = await drain(await ask("sandbox-cut-start"));
    expect(opened.pieces.length).toBe(3);
    const failed = await drain(await ask("sandbox-error-event-1"));
    expect(failed.pieces.at(-1)).toContain('"overloaded_error"');
    const unbilled = await drain(await ask("sandbox-no-usage"));
    expect(unbilled.pieces.at(-1)).toContain("message_stop");
    expect(unbilled.pieces.join("")).not.toContain("_tokens");
  });

  it.each([
    ["no limit", { model, messages: said("a").messages }],
    ["no messages", { model, max_tokens: 1 }],
    ["a system role", { ...said("a"), messages: [{ role: "system", content: "a" }] }],
    ["a hot temperature", { ...said("a"), temperature: 1.5 }],
    ["a tool without a schema", { ...said("a"), tools: [{ name: "add" }] }],
    ["a choice of a strange tool", { ...said("a"), tools: [tool], tool_choice: { type: "tool", name: "b" } }],
    ["too long a prompt", said("word".repeat(200_001))],
  ])("is refused with %s", async (_, body) => {
    const answer = await create(body);
    expect([answer.status, answer.body.error.type]).toEqual([400, "invalid_request_error"]);
  });

  it("needs a key, credit and a version", async () => {
    const ask = async (given: Record<string, string>) => {
      const answer = await post("messages", said("a"), { headers: { authorization: "", ...given } });
      return [answer.status, answer.body.error.type];
    };
    expect(await ask({})).toEqual([401, "authentication_error"]);
    expect(await ask({ ...headers, "x-api-key": "sk-sandbox-invalid" })).toEqual([401, "authentication_error"]);
    expect(await ask({ ...headers, "x-api-key": "sk-sandbox-exhausted" })).toEqual([400, "invalid_request_error"]);
    expect(await ask({ "x-api-key": "sk-any" })).toEqual([400, "invalid_request_error"]);
  });
});
