/** What is asked, held against the rules before any provider hears of it: nothing that is blocked is charged, and no disguise gets through. */
import { toFile } from "openai";
import { describe, expect, it } from "vitest";
import { clientOf, used } from "#test/features/chat/client";
import { signUp } from "#test/support/harness";
import { ask, refusal, said, secretWord, setGuardrails } from "./support.ts";

const before = { ...secretWord, when: "before" };
const redacting = { ...before, action: "redact", replacement: "***" };

async function guarded(...rules: object[]) {
  const person = await signUp();
  await setGuardrails(person, { rules });
  return { person, client: clientOf(person.token) };
}

describe("a rule that blocks what is asked", () => {
  it("names itself and not what it found, and costs nothing", async () => {
    const { person, client } = await guarded(before);
    const error = await refusal(said(client, ask("Tell me of Project BlueBird.")));
    expect(error).toMatchObject({ status: 400, code: "guardrail_blocked", type: "invalid_request_error" });
    expect(error.error).toMatchObject({ rule: { id: "no-secret", name: "No project names" }, stage: "before" });
    expect(JSON.stringify(error.error).toLowerCase()).not.toContain("bluebird");
    await client.settled();
    expect(await used(person, "aiTokens")).toBe(0);
    expect(await said(client, ask("Tell me of blue birds."))).not.toBe("");
  });

  it.each([
    ["wide letters", "ＢＬＵＥＢＩＲＤ"],
    ["letters that nobody sees", "blue\u200bb\u00adi\u2060r\u{e0001}d"],
    ["letters of mathematics", "𝐛𝐥𝐮𝐞𝐛𝐢𝐫𝐝"],
    ["escapes of JSON", 'as {"q":"blu\\u0065bird"}'],
    ["an escape before it", 'as {"q":"\\nbluebird"}'],
    ["other case", "BLUEbird's"],
  ])("is not deceived by %s", async (_, text) => {
    const { client } = await guarded(before);
    expect(await refusal(said(client, ask(`Think of ${text} now.`)))).toMatchObject({ code: "guardrail_blocked" });
  });

  const picture = {
    type: "image_url",
    image_url: { url: `data:image/png;base64,iVBORw0KGgoA${"bluebird".repeat(12)}` },
  };
  it.each([
    ["a part of a message", { messages: [{ role: "user", content: [picture, { type: "text", text: "a bluebird" }] }] }],
    [
      "two parts of a message",
      {
        messages: [
          {
            role: "user",
            content: [
              { type: "text", text: "a blue" },
              { type: "text", text: "bird" },
            ],
          },
        ],
      },
    ],
    [
      "an older message",
      {
        messages: [
          { role: "assistant", content: "bluebird" },
          { role: "user", content: "And?" },
        ],
      },
    ],
    [
      "a system message",
      {
        messages: [
          { role: "system", content: "bluebird" },
          { role: "user", content: "Hi" },
        ],
      },
    ],
    [
      "the arguments of a call",
      {
        messages: [
          {
            role: "assistant",
            tool_calls: [{ id: "c", type: "function", function: { name: "f", arguments: '{"a":"\\u0062luebird"}' } }],
          },
          { role: "tool", tool_call_id: "c", content: "done" },
        ],
      },
    ],
    ["the result of a call", { messages: [{ role: "tool", tool_call_id: "c", content: "bluebird" }] }],
    [
      "the description of a tool",
      {
        tools: [
          { type: "function", function: { name: "f", description: "of bluebird", parameters: { type: "object" } } },
        ],
      },
    ],
    [
      "the name of a parameter",
      {
        tools: [
          { type: "function", function: { name: "f", parameters: { type: "object", properties: { bluebird: {} } } } },
        ],
      },
    ],
    ["metadata", { metadata: { project: "bluebird" } }],
    ["a member that nobody here knows", { prediction: { type: "content", content: "bluebird" } }],
    ["a member that has words of its own", { reasoning_effort: "low, and think of bluebird" }],
  ])("looks into %s", async (_, more) => {
    const { client } = await guarded(before);
    expect(await refusal(said(client, ask("Hello.", more)))).toMatchObject({ code: "guardrail_blocked" });
  });

  it("takes no word of the API and no picture for one", async () => {
    const words = ["user", "role", "text", "image_url", "gpt-4o-mini", "auto", "low", "function", "object"];
    const { client } = await guarded({ ...before, words: [...words, "bluebird"], whole: false });
    const tools = [{ type: "function" as const, function: { name: "f", parameters: { type: "object" } } }];
    const picture = {
      type: "image_url",
      image_url: { url: `data:image/png;base64,iVBORw0KGgoA${"bluebird".repeat(12)}`, detail: "low" },
    };
    const body = ask([{ type: "text", text: "What is it?" }, picture], {
      tools,
      tool_choice: "auto",
      reasoning_effort: "low",
    });
    expect(await said(client, body)).not.toBe("");
  });

  it("holds for completions, responses, embeddings, moderations, pictures and speech", async () => {
    const { client } = await guarded(before);
    const { api } = client;
    const calls = [
      () => api.completions.create({ model: "gpt-3.5-turbo-instruct", prompt: ["fine", "bluebird"] }),
      () => api.responses.create({ model: "gpt-4o-mini", input: "bluebird" }),
      () => api.responses.create({ model: "gpt-4o-mini", input: "fine", instructions: "of bluebird" }),
      () => api.embeddings.create({ model: "text-embedding-3-small", input: ["fine", "bluebird"] }),
      () => api.moderations.create({ model: "omni-moderation-latest", input: "bluebird" }),
      () => api.images.generate({ model: "gpt-image-1", prompt: "a bluebird" }),
      () => api.audio.speech.create({ model: "tts-1", voice: "alloy", input: "bluebird" }),
      async () =>
        api.images.edit({ model: "gpt-image-1", prompt: "a bluebird", image: await toFile(Buffer.alloc(64), "a.png") }),
      async () =>
        api.audio.transcriptions.create({
          model: "whisper-1",
          prompt: "bluebird",
          file: await toFile(Buffer.alloc(64), "a.wav"),
        }),
    ];
    for (const call of calls) expect(await refusal(call())).toMatchObject({ code: "guardrail_blocked" });
  });

  it("refuses numbers of tokens, which cannot be read here", async () => {
    const { client } = await guarded(before);
    const { api } = client;
    const model = "text-embedding-3-small";
    expect(await refusal(api.embeddings.create({ model, input: [[1, 2], [3]] }))).toMatchObject({
      code: "guardrail_blocked",
    });
    expect(await refusal(api.embeddings.create({ model, input: [1, 2] }))).toMatchObject({ code: "guardrail_blocked" });
  });
});

describe("a rule that redacts what is asked", () => {
  it("lets the provider hear the rest, and marks the answer", async () => {
    const { person, client } = await guarded(redacting);
    const { data, response } = await client.api.chat.completions
      .create(ask("say: one BLUE\u200bBIRD, two bluebirds, bluebird"))
      .withResponse();
    expect(data.choices[0]?.message.content).toBe("one ***, two bluebirds, ***");
    expect(response.headers.get("x-overtone-guardrails")).toBe("no-secret=redact");
    const clean = await client.api.chat.completions.create(ask("say: nothing")).withResponse();
    expect(clean.response.headers.get("x-overtone-guardrails")).toBeNull();
    expect(person.userId).not.toBe("");
  });

  it("goes by its order, and refuses what it cannot take out of one text", async () => {
    const second = {
      id: "stars",
      name: "No stars",
      kind: "pattern",
      when: "before",
      action: "redact",
      pattern: "\\*{3}",
      replacement: "x",
    };
    const { client } = await guarded(redacting, second);
    expect(await said(client, ask("say: a bluebird"))).toBe("a x");
    const spread = [
      { type: "text", text: "a blue" },
      { type: "text", text: "bird" },
    ];
    expect(await refusal(said(client, ask(spread)))).toMatchObject({ code: "guardrail_blocked" });
  });
});

describe("a rule of sizes", () => {
  const size = { id: "short", name: "Short", kind: "size", when: "before", action: "block" };

  it("counts all texts, or those of the largest message, in bytes or tokens", async () => {
    const { client } = await guarded(
      { ...size, of: "input", maxBytes: 100 },
      { ...size, id: "m", of: "message", maxTokens: 10 },
    );
    const of = (...lengths: number[]) => ({
      ...ask(""),
      messages: lengths.map((length) => ({ role: "user" as const, content: "é".repeat(length) })),
    });
    expect(await said(client, of(20, 20))).not.toBe("");
    expect(await refusal(said(client, of(21)))).toMatchObject({ error: { rule: { id: "m" } } });
    expect(await refusal(said(client, of(20, 20, 20)))).toMatchObject({ error: { rule: { id: "short" } } });
  });

  it("only marks where it flags", async () => {
    const { client } = await guarded({ ...size, of: "input", maxBytes: 1, action: "flag" });
    const { response } = await client.api.chat.completions.create(ask("Hello.")).withResponse();
    expect(response.headers.get("x-overtone-guardrails")).toBe("short=flag");
  });
});

describe("prompts that are meant to keep matching busy", () => {
  it("of a mebibyte are checked, and hostile patterns end within their bounds", async () => {
    const hostile = ["(a+)+b", "(?:a|aa)+$b", "(.*a){8}c", "(a|b)*a(a|b){9}c"].map((pattern, index) => ({
      id: `h${index}`,
      name: "Hostile",
      kind: "pattern",
      when: "before",
      action: "flag",
      pattern,
    }));
    const { client } = await guarded(...hostile, before);
    const text = "a".repeat(1_048_576);
    expect(await refusal(said(client, ask(`${text} bluebird`, { max_tokens: 1 })))).toMatchObject({
      code: "guardrail_blocked",
    });
  });

  it("that take more than there is are refused, because they were not checked", async () => {
    const wide = Array.from({ length: 50 }, (_, index) => ({
      id: `w${index}`,
      name: "Wide",
      kind: "pattern",
      when: "before",
      action: "flag",
      pattern: `[^${index % 10}]{1,900}x${index}`,
    }));
    const { person, client } = await guarded(...wide);
    expect(await refusal(said(client, ask("ab".repeat(700_000))))).toMatchObject({ code: "guardrail_blocked" });
    expect(await used(person, "aiTokens")).toBe(0);
  });

  it("nested deeper than can be looked are refused", async () => {
    const { client } = await guarded(before);
    let deep: unknown = "bluebird";
    for (let level = 0; level < 500; level += 1) deep = { a: deep };
    expect(await refusal(said(client, ask("Hello.", { metadata: { deep } })))).toMatchObject({
      code: "guardrail_blocked",
    });
  });
});
