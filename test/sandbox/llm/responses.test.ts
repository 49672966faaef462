/** Responses of the simulated models, read by the official SDK: made, streamed with the real events, read again, continued and deleted. */
import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import { collected, drain, openai, post, postStream, tokensOf } from "./support.ts";

const client = openai();
const model = "gpt-4o";
const tool = {
  type: "function" as const,
  name: "add",
  strict: true,
  parameters: { type: "object", properties: { a: { type: "integer" } }, required: ["a"], additionalProperties: false },
};

describe("a response", () => {
  it("is made, read again by the same key, and deleted", async () => {
    const made = await client.responses.create({ model, input: "Good morning", instructions: "Be brief" });
    expect(made).toMatchObject({ object: "response", status: "completed", model, error: null });
    expect(made.output_text).toMatch(/^Sandbox answer: /);
    expect(made.usage).toMatchObject({
      input_tokens: tokensOf("Good morning") + tokensOf("Be brief"),
      output_tokens: tokensOf(made.output_text),
      input_tokens_details: { cached_tokens: 0 },
    });
    const read = await client.responses.retrieve(made.id);
    expect(read.output).toEqual(made.output);
    await expect(openai("sk-another").responses.retrieve(made.id)).rejects.toThrow(OpenAI.NotFoundError);
    await client.responses.delete(made.id);
    await expect(client.responses.retrieve(made.id)).rejects.toThrow(OpenAI.NotFoundError);
    await expect(client.responses.delete(made.id)).rejects.toThrow(OpenAI.NotFoundError);
  });

  it("is like the next one but for its id, so that each can be deleted", async () => {
    const [first, second] = await Promise.all([
      client.responses.create({ model, input: "Twice" }),
      client.responses.create({ model, input: "Twice" }),
    ]);
    expect(second?.id).not.toBe(first?.id);
    expect({ ...second, id: "" }).toEqual({ ...first, id: "" });
  });

  it("is not kept when it should not be, or when it is too long", async () => {
    for (const more of [{ store: false }, { instructions: "x".repeat(70_000) }]) {
      const made = await client.responses.create({ model, input: "Gone", ...more });
      await expect(client.responses.retrieve(made.id)).rejects.toThrow(OpenAI.NotFoundError);
    }
  });

  it("lists what was given to it, newest first, page by page", async () => {
    const input = ["one", "two", "three"].map((content) => ({ role: "user" as const, content }));
    const made = await client.responses.create({ model, input });
    const page = await client.responses.inputItems.list(made.id, { limit: 2 });
    const texts = (items: unknown[]) => items.map((item) => (item as { content: { text: string }[] }).content[0]?.text);
    expect(texts(page.data)).toEqual(["three", "two"]);
    expect(page.has_more).toBe(true);
    const all = await collected(client.responses.inputItems.list(made.id, { limit: 2 }));
    expect(texts(all)).toEqual(["three", "two", "one"]);
    const ordered = await client.responses.inputItems.list(made.id, { order: "asc" });
    expect(texts(ordered.data)).toEqual(["one", "two", "three"]);
  });

  it("goes on from the one before, which counts once more", async () => {
    const first = await client.responses.create({ model, input: "Good morning" });
    const second = await client.responses.create({ model, input: "And then", previous_response_id: first.id });
    expect(second.usage?.input_tokens).toBe(tokensOf("And then") + (first.usage?.total_tokens ?? 0));
    const lost = client.responses.create({ model, input: "x", previous_response_id: "resp_none" });
    await expect(lost).rejects.toMatchObject({ status: 400, code: "previous_response_not_found" });
  });

  it("stops at its limit and at a refusal as incomplete", async () => {
    const cut = await client.responses.create({ model, input: "tokens=50", max_output_tokens: 20 });
    expect(cut).toMatchObject({ status: "incomplete", incomplete_details: { reason: "max_output_tokens" } });
    expect(cut.usage?.output_tokens).toBe(20);
    const refused = await client.responses.create({ model: "sandbox-refused", input: "Hello" });
    expect(refused).toMatchObject({ status: "incomplete", incomplete_details: { reason: "content_filter" } });
    expect(refused.output[0]).toMatchObject({ content: [{ type: "refusal" }] });
  });

  it("fits a schema and calls functions", async () => {
    const schema = {
      type: "object",
      properties: { ok: { const: true } },
      required: ["ok"],
      additionalProperties: false,
    };
    const format = { type: "json_schema" as const, name: "thing", schema, strict: true };
    const made = await client.responses.create({ model, input: "Hello", text: { format } });
    expect(JSON.parse(made.output_text)).toEqual({ ok: true });
    const called = await client.responses.create({ model, input: "Please add", tools: [tool] });
    const call = called.output[0];
    if (call?.type !== "function_call") throw new Error("no call");
    expect(JSON.parse(call.arguments)).toEqual({ a: expect.any(Number) });
    expect(called.usage?.output_tokens).toBe(1 + tokensOf(call.arguments));
    const output = { type: "function_call_output" as const, call_id: call.call_id, output: "5" };
    const after = await client.responses.create({
      model,
      tools: [tool],
      input: [{ role: "user", content: "Please add" }, call, output],
    });
    expect(after.output_text).toMatch(/^Sandbox answer: /);
  });
});

describe("a streamed response", () => {
  it("has the real events in their order, a token each", async () => {
    const events = await collected(await client.responses.create({ model, input: "Good morning", stream: true }));
    const types = events.map(({ type }) => type);
    expect([...new Set(types)]).toEqual([
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
    expect(events.map(({ sequence_number: number }) => number)).toEqual(events.map((_, index) => index));
    const deltas = events.flatMap((event) => (event.type === "response.output_text.delta" ? [event.delta] : []));
    const last = events.at(-1);
    if (last?.type !== "response.completed") throw new Error("not completed");
    expect(deltas.length).toBe(last.response.usage?.output_tokens);
    expect(deltas.map(tokensOf)).toEqual(deltas.map(() => 1));
    const plain = await client.responses.create({ model, input: "Good morning" });
    expect(deltas.join("")).toBe(plain.output_text);
    expect((await client.responses.retrieve(last.response.id)).status).toBe("completed");
  });

  it("is put together by the SDK, with calls, refusals and limits", async () => {
    const called = await client.responses.stream({ model, input: "add", tools: [tool] }).finalResponse();
    expect(called.output[0]).toMatchObject({ type: "function_call", name: "add", status: "completed" });
    const cut = await client.responses.stream({ model, input: "tokens=50", max_output_tokens: 20 }).finalResponse();
    expect([cut.status, cut.output_text.length]).toEqual(["incomplete", 80]);
    const refused = await collected(
      await client.responses.create({ model: "sandbox-refused", input: "Hello", stream: true }),
    );
    const text = refused.flatMap((event) => (event.type === "response.refusal.delta" ? [event.delta] : [])).join("");
    expect(text).toBe("The sandbox refuses this request.");
    expect(refused.at(-1)?.type).toBe("response.incomplete");
  });

  it("goes wrong as a chat does", async () => {
    const ask = (name: string) => postStream("responses", { model: name, input: "Hello", stream: true });
    const cut = await drain(await ask("sandbox-cut-2"));
    expect(cut.error).toBeInstanceOf(Error);
    expect(cut.pieces.filter((piece) => piece.includes("output_text.delta")).length).toBe(2);
    const opened = await drain(await ask("sandbox-end-start"));
    expect(opened.pieces.length).toBe(4);
    const failed = await drain(await ask("sandbox-error-event-1"));
    expect(failed.pieces.at(-1)).toMatch(/^event: error\n/);
    const unbilled = await drain(await ask("sandbox-no-usage"));
    expect(unbilled.pieces.at(-1)).toContain('"usage":null');
  });
});

describe("a response that is asked for wrongly", () => {
  it.each([
    ["has no input", { model }, "input", "missing_required_parameter"],
    ["has an empty input", { model, input: [] }, "input", "empty_array"],
    ["has an unknown role", { model, input: [{ role: "king", content: "" }] }, "input[0].role", "invalid_value"],
    ["works in the background", { model, input: "a", background: true }, "background", "unsupported_parameter"],
    ["searches", { model, input: "a", tools: [{ type: "web_search" }] }, "tools[0].type", "unsupported_parameter"],
    ["has a bad limit", { model, input: "a", max_output_tokens: 0 }, "max_output_tokens", "integer_below_min_value"],
  ])("is refused when it %s", async (_, body, param, code) => {
    const answer = await post("responses", body);
    expect([answer.status, answer.body.error.param, answer.body.error.code]).toEqual([400, param, code]);
  });
});
