/** What no provider can make anything of: OpenAI's own client gets a precise error of the right class, nothing is charged and nothing stays set aside. */
import OpenAI, {
  type APIError,
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  RateLimitError,
} from "openai";
import { describe, expect, it } from "vitest";
import type { Target } from "#adapters/llm/contract";
import { unknownFacts } from "#adapters/llm/catalogue";
import { call, type Person, signUp, systemContext } from "#test/support/harness";
import { operations } from "#features/chat/operations";
import { readPlain } from "#features/chat/plain-answer";
import { beginStream } from "#features/chat/relay";
import { clientOf, configured } from "./client.ts";

type Json = Record<string, unknown>;

const hello = [{ role: "user", content: "Hello" }];
const chat = { model: "gpt-4o-mini", messages: hello };
const tool = (name: string, parameters: unknown = { type: "object", properties: {} }) => ({
  type: "function",
  function: { name, parameters },
});
const picture = (url: unknown) => ({
  messages: [{ role: "user", content: [{ type: "image_url", image_url: { url } }] }],
});
const schema = (json_schema: unknown) => ({ response_format: { type: "json_schema", json_schema } });
const nested = (levels: number) => JSON.parse("[".repeat(levels) + "]".repeat(levels)) as unknown;

/** What the client threw, with what every error has to have. */
async function errorOf(asked: PromiseLike<unknown>): Promise<APIError> {
  const error = await Promise.resolve(asked).catch((thrown: unknown) => thrown);
  if (!(error instanceof OpenAI.APIError)) throw new Error("it was answered", { cause: error });
  expect(error.requestID).toMatch(/^req_/);
  expect(error.message).not.toMatch(/sandbox|127\.0\.0\.1|sk-live|at .+\.ts/);
  if (error.status !== 401) expect(error.headers?.get("x-ratelimit-limit")).toMatch(/^\d+$/);
  return error;
}

async function expectNothingUsed(person: Person): Promise<void> {
  const { body } = await person.call("GET", "/v1/usage/quota/aiTokens");
  expect(body).toMatchObject({ used: 0, reserved: 0 });
}

describe("a chat completion that is none", () => {
  const bad: [string, Json, string | null][] = [
    ["no messages", { messages: [] }, "messages"],
    ["messages that are a text", { messages: "Hello" }, "messages"],
    ["an unknown role", { messages: [...hello, { role: "robot", content: "Hi" }] }, "messages[1].role"],
    ["no role", { messages: [{ content: "Hi" }] }, "messages[0].role"],
    ["no content", { messages: [{ role: "user", content: null }] }, "messages[0].content"],
    ["no parts", { messages: [{ role: "user", content: [] }] }, "messages[0].content"],
    [
      "a part without its text",
      { messages: [{ role: "user", content: [{ type: "text" }] }] },
      "messages[0].content[0].text",
    ],
    ["an answer to no call", { messages: [...hello, { role: "tool", content: "4" }] }, "messages[1].tool_call_id"],
    ["a picture by no address", picture("cat"), "messages[0].content[0].image_url.url"],
    ["a picture in a file of ours", picture("file:///etc/passwd"), "messages[0].content[0].image_url.url"],
    ["a picture that is a text", picture("data:text/plain;base64,aGk="), "messages[0].content[0].image_url.url"],
    ["a picture of other bytes", picture("data:image/png;base64,aGVsbG8="), "messages[0].content[0].image_url.url"],
    ["a picture of nothing", picture(undefined), "messages[0].content[0].image_url.url"],
    ["tools that are no list", { tools: { a: 1 } }, "tools"],
    ["a tool of a bad name", { tools: [tool("two words")] }, "tools[0].function.name"],
    ["a tool without a name", { tools: [{ type: "function" }] }, "tools[0].function"],
    ["a tool whose schema is a text", { tools: [tool("a"), tool("b", "x")] }, "tools[1].function.parameters"],
    ["a tool of one value", { tools: [tool("a", { type: "string" })] }, "tools[0].function.parameters.type"],
    [
      "the choice of a tool that is not there",
      { tools: [tool("a")], tool_choice: tool("b") },
      "tool_choice.function.name",
    ],
    ["the choice of a tool of none", { tool_choice: "required" }, "tool_choice"],
    ["an unknown choice", { tools: [tool("a")], tool_choice: "perhaps" }, "tool_choice"],
    ["no answer", { n: 0 }, "n"],
    ["too many answers", { n: 129 }, "n"],
    ["half an answer", { n: 1.5 }, "n"],
    ["an answer of no length", { max_tokens: 0 }, "max_tokens"],
    ["an answer of less than none", { max_completion_tokens: -1 }, "max_completion_tokens"],
    ["two lengths", { max_tokens: 5, max_completion_tokens: 50_000 }, "max_tokens"],
    ["too much chance", { temperature: 2.1 }, "temperature"],
    ["less chance than none", { temperature: -0.1 }, "temperature"],
    ["chance in words", { temperature: "hot" }, "temperature"],
    ["more than all words", { top_p: 1.1 }, "top_p"],
    ["a format that is a text", { response_format: "json" }, "response_format"],
    ["a format without its schema", { response_format: { type: "json_schema" } }, "response_format.json_schema"],
    ["a schema of a bad name", schema({ name: "a b", schema: {} }), "response_format.json_schema.name"],
    ["a schema that is a text", schema({ name: "a", schema: "x" }), "response_format.json_schema.schema"],
    ["options of a stream that is none", { stream_options: { include_usage: true } }, "stream_options"],
    ["a stream in words", { stream: "yes" }, "stream"],
    ["messages nested too deep", { messages: [{ role: "user", content: "Hi", deep: nested(200) }] }, null],
  ];

  it("is refused before anybody is asked, with the member that is wrong", async () => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    for (const [what, change, param] of bad) {
      const error = await errorOf(api.chat.completions.create({ ...chat, ...change } as never));
      expect(error, what).toBeInstanceOf(BadRequestError);
      expect(error, what).toMatchObject({ type: "invalid_request_error", code: "validation_failed", param });
    }
    await settled();
    await expectNothingUsed(person);
  });

  it("is told by Anthropic's models, too, where those know less", async () => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const model = "claude-sonnet-4-5";
    const cases: [Json, string | null][] = [
      [{ n: 2 }, "n"],
      [{ messages: [{ role: "system", content: "Be brief." }] }, "messages"],
      [{ messages: [{ role: "user", content: "" }] }, "messages"],
      [{ response_format: { type: "xml" } }, "response_format"],
    ];
    for (const [change, param] of cases) {
      const error = await errorOf(api.chat.completions.create({ ...chat, model, ...change } as never));
      expect(error).toBeInstanceOf(BadRequestError);
      expect(error).toMatchObject({ code: "model_request_refused", param });
    }
    await settled();
    await expectNothingUsed(person);
  });

  it("whose prompt is longer than the model reads, or its body than we do", async () => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const tooLong = await errorOf(api.chat.completions.create({ ...chat, model: "or/sandbox-bad-request" } as never));
    expect(tooLong).toBeInstanceOf(BadRequestError);
    expect(tooLong).toMatchObject({ code: "context_length_exceeded" });
    const content = "a".repeat(21 * 1024 * 1024);
    const tooLarge = await errorOf(api.chat.completions.create({ ...chat, messages: [{ role: "user", content }] }));
    expect(tooLarge).toMatchObject({ status: 413, code: "body_too_large", type: "invalid_request_error" });
    await settled();
    await expectNothingUsed(person);
  });

  it.each(["{nope", "[]", "null", ""])("and no object at all: %s", async (body) => {
    const person = await signUp();
    const headers = { "content-type": "application/json" };
    const answer = await call("POST", "/v1/chat/completions", { as: person.token, env: configured, body, headers });
    expect(answer).toMatchObject({ status: 400, body: { error: { type: "invalid_request_error" } } });
  });
});

describe("a member that nobody knows", () => {
  it("may be of any form, unless an answer is to be kept by it", async () => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const body = { ...chat, temperature: 0, unknown: nested(1_000) } as never;
    expect(await api.chat.completions.create(body)).toMatchObject({ object: "chat.completion" });
    await settled();
    const error = await errorOf(api.chat.completions.create(body, { headers: { "x-overtone-cache": "on" } }));
    expect(error).toBeInstanceOf(BadRequestError);
    expect(error).toMatchObject({ code: "validation_failed" });
  });
});

describe("texts that are no text", () => {
  it("are passed on as JSON has them: NUL, half a character, members that name prototypes", async () => {
    const person = await signUp();
    const { api } = clientOf(person.token);
    const messages = [{ role: "user" as const, content: "a\0b \ud800" }];
    const answered = await api.chat.completions.create({
      ...chat,
      messages,
      user: "\0\udfff",
      metadata: { "a\0": "b" },
    });
    expect(answered.choices).toHaveLength(1);
  });

  it.each(["gpt\0-4", "gpt-\ud800", "gpt-４", "gpt\r\nx: y"])("name no model (%j)", async (model) => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    for (const asked of [
      () => api.chat.completions.create({ model, messages: chat.messages as never }),
      () => api.chat.completions.create({ model, messages: chat.messages as never, stream: true }),
      () => api.audio.speech.create({ model, input: "Hello", voice: "alloy" }),
    ])
      expect(await errorOf(asked())).toBeInstanceOf(NotFoundError);
    await settled();
    await expectNothingUsed(person);
  });
});

describe("other operations", () => {
  const other: [string, (api: OpenAI) => PromiseLike<unknown>, string][] = [
    ["vectors of nothing", (api) => api.embeddings.create({ model: "text-embedding-3-small", input: [] }), "input"],
    ["vectors of no text", (api) => api.embeddings.create({ model: "text-embedding-3-small", input: "" }), "input"],
    [
      "vectors of an empty text",
      (api) => api.embeddings.create({ model: "text-embedding-3-small", input: ["a", ""] }),
      "input",
    ],
    [
      "vectors of a mixture",
      (api) => api.embeddings.create({ model: "text-embedding-3-small", input: ["a", 1] as never }),
      "input",
    ],
    [
      "sound of an unknown kind",
      (api) => api.audio.speech.create({ model: "tts-1", input: "a", voice: "alloy", response_format: "ogg" as never }),
      "response_format",
    ],
    ["eleven pictures", (api) => api.images.generate({ model: "gpt-image-1", prompt: "a", n: 11 }), "n"],
    ["a response to nothing", (api) => api.responses.create({ model: "gpt-4o-mini", input: "" }), "input"],
    [
      "a response of no length",
      (api) => api.responses.create({ model: "gpt-4o-mini", input: "a", max_output_tokens: 0 }),
      "max_output_tokens",
    ],
    ["a judgement of nothing", (api) => api.moderations.create({ input: "" }), "input"],
  ];

  it("say what is wrong as precisely", async () => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    for (const [what, ask, param] of other) {
      const error = await errorOf(ask(api));
      expect(error, what).toBeInstanceOf(BadRequestError);
      expect(error, what).toMatchObject({ code: "validation_failed", param });
    }
    await settled();
    await expectNothingUsed(person);
  });

  it("take a text of tokens as one text, however many they are", async () => {
    const person = await signUp();
    const { api } = clientOf(person.token);
    const tokens = Array.from({ length: 3_000 }, () => 5);
    const { data } = await api.embeddings.create({ model: "text-embedding-3-small", input: tokens });
    expect(data).toHaveLength(1);
    const prompt = tokens.slice(0, 100);
    const completed = await api.completions.create({ model: "gpt-3.5-turbo-instruct", prompt });
    expect(completed.choices).toHaveLength(1);
  });
});

describe("who asks", () => {
  const ask = (api: OpenAI, headers: Record<string, string> = {}, model = "gpt-4o-mini") =>
    errorOf(api.chat.completions.create({ model, messages: chat.messages as never }, { headers }));

  it("shows one credential, in one header, that is still good", async () => {
    const person = await signUp();
    const { api } = clientOf(person.token);
    expect(await ask(api, { "x-api-key": "ovt_live_other" })).toMatchObject({ code: "ambiguous_credentials" });
    expect(await ask(api, { authorization: `Bearer ${person.token}, Bearer ${person.token}` })).toBeInstanceOf(
      AuthenticationError,
    );
    const made = await person.call("POST", "/v1/api-keys", { body: { name: "brief", scopes: ["models:use"] } });
    await person.call("DELETE", `/v1/api-keys/${made.body.id}`);
    const revoked = await ask(clientOf(made.body.key).api);
    expect(revoked).toBeInstanceOf(AuthenticationError);
    expect(revoked).toMatchObject({ type: "authentication_error" });
    await expectNothingUsed(person);
  });

  it("with a test key reaches the simulator under the name of a live model, and pays nothing", async () => {
    const person = await signUp();
    const made = await person.call("POST", "/v1/api-keys", {
      body: { name: "test", mode: "test", scopes: ["models:use"] },
    });
    const { api, settled } = clientOf(made.body.key);
    const { data, response } = await api.chat.completions
      .create({ model: "gpt-4o", messages: chat.messages as never })
      .withResponse();
    await settled();
    expect(response.headers.get("x-overtone-provider")).toBe("sandbox");
    expect(data).toMatchObject({ _usage_info: { provider: "sandbox", cached: false } });
    await expectNothingUsed(person);
  });

  it("and has nothing left is told so, and not to ask again at once", async () => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const asked = api.chat.completions.create({
      model: "gpt-4o-mini",
      messages: chat.messages as never,
      max_tokens: 60_000,
    });
    const error = await errorOf(asked);
    expect(error).toBeInstanceOf(RateLimitError);
    expect(error).toMatchObject({ code: "quota_exceeded", type: "rate_limit_error" });
    expect(error.headers?.get("x-should-retry")).toBe("false");
    await settled();
    await expectNothingUsed(person);
  });

  it("for a model that its provider does not know gets a 404 in our words", async () => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const error = await ask(api, {}, "or/sandbox-nothing");
    expect(error).toBeInstanceOf(NotFoundError);
    expect(error).toMatchObject({ code: "model_not_found", param: "model" });
    await settled();
    await expectNothingUsed(person);
  });
});

describe("a provider that lies about its answer", () => {
  const target = { provider: "openai", dialect: "openai", facts: unknownFacts("x"), isTenantUrl: false } as Target;
  const page = "<!doctype html><html>\n\n<body>Sign in</body></html>";
  const json = JSON.stringify({ choices: [{ message: { content: "Hi" } }] }, null, 2);
  const events = 'data: {"choices":[{"delta":{"content":"Hi"}}]}\n\ndata: [DONE]\n\n';
  const said = (type: string, body: string) => new Response(body, { headers: { "content-type": type } });
  const rules = {
    operation: operations.chat,
    patience: { firstByteMs: 1_000, idleMs: 1_000, totalMs: 1_000 },
    showsUsage: true,
    isTaped: false,
    isHeard: false,
  };

  it.each([
    ["a page as JSON", "application/json", page],
    ["events as JSON", "application/json", events],
    ["choices that are none", "application/json", '{"choices":[null]}'],
    ["an error as an answer", "application/json", '{"error":{"message":"no"},"choices":[{}]}'],
  ])("is asked for nothing more: %s", async (_, type, body) => {
    const read = await readPlain(operations.chat, systemContext())(target, said(type, body));
    expect(read).toMatchObject({ ok: false, fault: { kind: "invalid-answer" } });
  });

  it.each([
    ["a page as events", page],
    ["JSON as events", json],
    ["JSON as events, with an empty line behind it", `${json}\n\n`],
    ["an error as events", '{"error":{"message":"no"}}\n\n'],
    ["nothing but the end", "data: [DONE]\n\n"],
  ])("begins no stream: %s", async (_, body) => {
    const begun = await beginStream(rules as never)(target, said("text/event-stream", body));
    expect(begun).toMatchObject({ ok: false, fault: { kind: "invalid-answer" } });
  });

  it("or counts nothing has its use estimated", async () => {
    const body = JSON.stringify({ choices: [{ message: { content: "Hi" } }], usage: {} });
    const read = await readPlain(operations.chat, systemContext())(target, said("application/json", body));
    expect(read).toMatchObject({ ok: true, begun: { usage: null } });
  });

  it.each([false, true])("is a 502 for its caller (stream: %s)", async (stream) => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const body = { model: "or/sandbox-html", messages: chat.messages as never, stream };
    const error = await errorOf(api.chat.completions.create(body as never));
    expect(error).toBeInstanceOf(InternalServerError);
    expect(error).toMatchObject({ status: 502, code: "model_unavailable" });
    await settled();
    await expectNothingUsed(person);
  });
});
