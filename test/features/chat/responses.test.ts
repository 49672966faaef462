/** Responses through OpenAI's own client: made, streamed, continued, read again, deleted; also from models that know chats only. */
import { BadRequestError, InternalServerError, NotFoundError } from "openai";
import type { ResponseStreamEvent } from "openai/resources/responses/responses";
import { describe, expect, it } from "vitest";
import { purgeExpiredResponses, rewrapResponses } from "#features/chat/kept-responses";
import { bindings, signUp, systemContext } from "#test/support/harness";
import { clientOf, configured, used } from "./client.ts";

/** One that knows responses, one of another company, one of the same dialect that knows chats only. */
const models = ["gpt-4o-mini", "claude-sonnet-4-5", "@cf/meta/llama-3.3-70b-instruct-fp8-fast"];

describe.each(models)("a response of %s", (model) => {
  it("is answered, charged as it was counted, and read again", async () => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const made = await api.responses.create({ model, input: "Say hello.", instructions: "Be brief." });
    await settled();
    const total = made.usage?.total_tokens ?? 0;
    expect(made).toMatchObject({ object: "response", status: "completed", instructions: "Be brief.", store: true });
    expect(made.id).toMatch(/^resp_[0-9a-z]{26}$/);
    expect(made.output_text).not.toBe("");
    expect(total).toBeGreaterThan(4);
    expect(await used(person, "aiTokens")).toBe(total);
    const again = await api.responses.retrieve(made.id);
    expect(again.output).toEqual(made.output);
    expect(again.id).toBe(made.id);
    const items = await api.responses.inputItems.list(made.id);
    expect(items.data).toMatchObject([
      { type: "message", role: "user", content: [{ type: "input_text", text: "Say hello." }] },
    ]);
    expect(await used(person, "aiTokens")).toBe(total);
  });

  it("streams OpenAI's events in their order, and says the same as a plain one", async () => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const events: ResponseStreamEvent[] = [];
    const question = { model, input: "Count to five." };
    for await (const event of await api.responses.create({ ...question, stream: true })) events.push(event);
    await settled();
    const types = events.map(({ type }) => type).filter((type, at, all) => type !== all[at - 1]);
    expect(types).toEqual([
      "response.created",
      "response.in_progress",
      "response.output_item.added",
      "response.content_part.added",
      "response.output_text.delta",
      "response.output_text.done",
      "response.content_part.done",
      "response.output_item.done",
      "response.completed",
    ]);
    expect(events.map((event) => event.sequence_number)).toEqual(events.map((_, at) => at));
    const last = events.at(-1);
    if (last?.type !== "response.completed") throw new Error("the stream has no end");
    const first = await used(person, "aiTokens");
    expect(first).toBe(last.response.usage?.total_tokens);
    for (const event of events) if ("response" in event) expect(event.response.id).toBe(last.response.id);
    const text = events.flatMap((event) => (event.type === "response.output_text.delta" ? [event.delta] : [])).join("");
    expect((await api.responses.retrieve(last.response.id)).output_text ?? text).toBe(text);
    const plain = await api.responses.create(question);
    expect(plain.output_text).toBe(text);
    await settled();
    expect(await used(person, "aiTokens")).toBe(2 * first);
  });

  it("calls functions, whole and streamed, and goes on after their results", async () => {
    const person = await signUp();
    const { api } = clientOf(person.token);
    const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
    const tools = [{ type: "function" as const, name: "weather", description: "Now", parameters, strict: false }];
    const question = { model, input: "What is the weather?", tools, tool_choice: "required" as const };
    const asked = await api.responses.create(question);
    const [call] = asked.output;
    if (call?.type !== "function_call") throw new Error("no function was called");
    expect(call.name).toBe("weather");
    expect(JSON.parse(call.arguments)).toHaveProperty("city");
    const streamed: string[] = [];
    for await (const event of await api.responses.create({ ...question, stream: true }))
      if (event.type === "response.function_call_arguments.delta") streamed.push(event.delta);
    expect(streamed.join("")).toBe(call.arguments);
    const output = { type: "function_call_output" as const, call_id: call.call_id, output: "Rain." };
    const told = await api.responses.create({ model, previous_response_id: asked.id, input: [output], tools });
    expect(told.output_text).not.toBe("");
  });
});

describe("a conversation", () => {
  it("goes on with another provider, as if all of it had been sent at once", async () => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const first = await api.responses.create({ model: "gpt-4o-mini", input: "My name is Ada." });
    const second = await api.responses.create({
      model: "or/sandbox-echo",
      previous_response_id: first.id,
      input: "What is my name?",
    });
    await settled();
    expect(second.previous_response_id).toBe(first.id);
    const sent = JSON.parse(second.output_text);
    expect(sent).toMatchObject({ store: false });
    expect(sent).not.toHaveProperty("previous_response_id");
    expect(sent.input).toMatchObject([
      { role: "user", content: [{ text: "My name is Ada." }] },
      { role: "assistant", content: [{ text: first.output_text }] },
      { role: "user", content: [{ text: "What is my name?" }] },
    ]);
    const third = await api.responses.create({
      model: "claude-sonnet-4-5",
      previous_response_id: second.id,
      input: "Thank you.",
    });
    expect(third.usage?.input_tokens).toBeGreaterThan(second.usage?.total_tokens ?? 0);
    const { data } = await api.responses.inputItems.list(third.id);
    expect(data).toHaveLength(1);
  });

  it("is another workspace's secret, and another mode's", async () => {
    const [person, stranger] = [await signUp(), await signUp()];
    const mine = clientOf(person.token).api;
    const { id } = await mine.responses.create({ model: "gpt-4o-mini", input: "A secret." });
    const key = await person.call("POST", "/v1/api-keys", {
      body: { name: "test", mode: "test", scopes: ["models:use"] },
    });
    expect(key.status).toBe(201);
    for (const { api } of [clientOf(stranger.token), clientOf(key.body.key)]) {
      await expect(api.responses.retrieve(id)).rejects.toThrow(NotFoundError);
      await expect(api.responses.delete(id)).rejects.toThrow(NotFoundError);
      await expect(api.responses.inputItems.list(id)).rejects.toThrow(NotFoundError);
      const error = await api.responses
        .create({ model: "gpt-4o-mini", input: "Go on.", previous_response_id: id })
        .catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(BadRequestError);
      expect(error).toMatchObject({ code: "previous_response_not_found", param: "previous_response_id" });
    }
    expect((await mine.responses.retrieve(id)).id).toBe(id);
  });
});

describe("what is kept", () => {
  it("is in no row in clear, and gone when it is deleted", async () => {
    const person = await signUp();
    const { api } = clientOf(person.token);
    const { id } = await api.responses.create({ model: "gpt-4o-mini", input: "A secret about Paris." });
    const row = await bindings.DB.prepare("select * from model_responses where id = ?").bind(id).first();
    expect(JSON.stringify(row)).not.toContain("Paris");
    await api.responses.delete(id);
    await expect(api.responses.retrieve(id)).rejects.toThrow(NotFoundError);
    expect(await bindings.DB.prepare("select id from model_responses where id = ?").bind(id).first()).toBeNull();
  });

  it("lies in the bucket when it is large", async () => {
    const person = await signUp();
    const { api } = clientOf(person.token);
    const input = "many words ".repeat(7_000);
    const { id } = await api.responses.create({ model: "gpt-4o-mini", input, max_output_tokens: 50 });
    const row = await bindings.DB.prepare("select r2_key, wrapped from model_responses where id = ?").bind(id).first();
    expect(row).toMatchObject({ wrapped: null });
    const key = String(row?.["r2_key"]);
    expect(await bindings.FILES.head(key)).not.toBeNull();
    expect((await api.responses.inputItems.list(id)).data).toHaveLength(1);
    await api.responses.delete(id);
    expect(await bindings.FILES.head(key)).toBeNull();
  });

  it("goes when its time is over, and nothing else does", async () => {
    const person = await signUp();
    const { api } = clientOf(person.token);
    const [old, young] = await Promise.all([
      api.responses.create({ model: "gpt-4o-mini", input: "many words ".repeat(7_000), max_output_tokens: 50 }),
      api.responses.create({ model: "gpt-4o-mini", input: "Hello." }),
    ]);
    const row = await bindings.DB.prepare(
      "update model_responses set expires_at = created_at where id = ? returning r2_key",
    )
      .bind(old.id)
      .first();
    await expect(api.responses.retrieve(old.id)).rejects.toThrow(NotFoundError);
    await purgeExpiredResponses(systemContext());
    expect(await bindings.FILES.head(String(row?.["r2_key"]))).toBeNull();
    const { results } = await bindings.DB.prepare("select id from model_responses where workspace_id = ?")
      .bind(person.workspaceId)
      .all();
    expect(results).toEqual([{ id: young.id }]);
  });

  it("is read under a new master key, too", async () => {
    const person = await signUp();
    const { api } = clientOf(person.token);
    const { id } = await api.responses.create({ model: "gpt-4o-mini", input: "Hello." });
    const newer = `8:${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64")}`;
    const rotated = { MASTER_KEYS: `${newer},${(bindings as unknown as Record<string, string>)["MASTER_KEYS"]}` };
    await rewrapResponses(systemContext(rotated as object));
    const row = await bindings.DB.prepare("select master_version from model_responses where id = ?").bind(id).first();
    expect(row).toEqual({ master_version: 8 });
    const after = clientOf(person.token, { ...configured, ...rotated });
    expect((await after.api.responses.retrieve(id)).id).toBe(id);
  });

  it("is what a caller who left was not told any more, paid to the token", async () => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const question = { model: "or/sandbox-slow-5", input: "Tell me a story." };
    let id = "";
    for await (const event of await api.responses.create({ ...question, stream: true })) {
      if (event.type === "response.created") ({ id } = event.response);
      if (event.type === "response.output_text.delta") break;
    }
    await settled();
    const kept = await api.responses.retrieve(id);
    expect(kept.status).toBe("completed");
    expect(await used(person, "aiTokens")).toBe(kept.usage?.total_tokens);
  });

  it("is nothing when that is wished", async () => {
    const person = await signUp();
    const { api } = clientOf(person.token);
    const made = await api.responses.create({ model: "gpt-4o-mini", input: "Hello.", store: false });
    expect(made).toMatchObject({ store: false });
    await expect(api.responses.retrieve(made.id)).rejects.toThrow(NotFoundError);
  });
});

describe.concurrent("a response that cannot be", () => {
  it.each([
    [{ background: true }, "background"],
    [{ conversation: "conv_1" }, "conversation"],
    [{ tools: [{ type: "web_search" }] }, "tools"],
    [{ input: [] }, "input"],
  ])("is refused and costs nothing (%j)", async (members, param) => {
    const person = await signUp();
    const { api } = clientOf(person.token);
    const body = { model: "gpt-4o-mini", input: "Hello.", ...members } as never;
    const error = await api.responses.create(body).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(BadRequestError);
    expect(String(error)).toContain(param);
    expect(await used(person, "aiTokens")).toBe(0);
  });

  it.each(["or/sandbox-cut-4", "or/sandbox-end-4", "or/sandbox-empty"])(
    "fails and costs nothing (%s)",
    async (model) => {
      const person = await signUp();
      const { api, settled } = clientOf(person.token);
      await expect(api.responses.create({ model, input: "Hello." })).rejects.toThrow(InternalServerError);
      await settled();
      expect(await used(person, "aiTokens")).toBe(0);
    },
  );

  it.each(["or/sandbox-cut-5", "or/sandbox-end-5", "or/sandbox-error-event-5"])(
    "ends in an error in mid-stream, and is not kept (%s)",
    async (model) => {
      const person = await signUp();
      const { api, settled } = clientOf(person.token);
      const stream = await api.responses.create({ model, input: "Tell me a story.", stream: true });
      let id = "";
      const reading = (async () => {
        for await (const event of stream) if (event.type === "response.created") ({ id } = event.response);
      })();
      await expect(reading).rejects.toThrow();
      await settled();
      await expect(api.responses.retrieve(id)).rejects.toThrow(NotFoundError);
    },
  );
});
