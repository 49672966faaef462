/** What is answered, held against the rules: the provider is paid whatever they say, and nothing of what they hold back is told. */
import { toFile } from "openai";
import { describe, expect, it } from "vitest";
import { clientOf, used } from "#test/features/chat/client";
import { logOf, rowsOf, switchLog } from "#test/features/message-logs/support";
import { type Person, signUp } from "#test/support/harness";
import { ask, refusal, said, secretWord, setGuardrails, streamed } from "./support.ts";

const after = { ...secretWord, when: "after" };
const redacting = { ...after, action: "redact", replacement: "***" };
const mail = {
  id: "mail",
  name: "Mail",
  kind: "pattern",
  when: "after",
  action: "redact",
  pattern: "[\\w.+-]+@[\\w-]+\\.[a-z]+",
  replacement: "<mail>",
};
const schema = {
  id: "shape",
  name: "Shape",
  kind: "json-schema",
  when: "after",
  action: "block",
  schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false },
};

async function guarded(...rules: object[]) {
  const person = await signUp();
  await setGuardrails(person, { rules });
  return { person, client: clientOf(person.token) };
}

describe("a plain answer", () => {
  it("that is blocked is not told, and is charged as the provider counted it", async () => {
    const { person, client } = await guarded(after);
    const error = await refusal(said(client, ask("say: the BLUE\u200bBIRD flies")));
    expect(error).toMatchObject({ status: 400, code: "guardrail_blocked", error: { stage: "after" } });
    expect(JSON.stringify(error.error)).not.toMatch(/bluebird|BLUE/);
    await client.settled();
    const charged = await used(person, "aiTokens");
    await setGuardrails(person, { rules: [] });
    const answer = await client.api.chat.completions.create(ask("say: the BLUE\u200bBIRD flies"));
    expect(charged).toBe(answer.usage?.total_tokens);
  });

  it("is redacted in each of its choices, and in their single tokens", async () => {
    const { client } = await guarded(redacting, mail);
    const body = ask("say: bluebird of ada@example.com", { n: 3, logprobs: true });
    const { data, response } = await client.api.chat.completions.create(body).withResponse();
    expect(data.choices).toHaveLength(3);
    for (const { message, logprobs } of data.choices)
      expect({ said: message.content, logprobs }).toEqual({ said: "*** of <mail>", logprobs: null });
    expect(response.headers.get("x-overtone-guardrails")).toBe("no-secret=redact, mail=redact");
  });

  it("is marked where a rule flags, and then not kept for others", async () => {
    const { client } = await guarded({ ...after, action: "flag" });
    const options = { headers: { "x-overtone-cache": "on" } };
    for (const text of ["a bluebird", "a bluebird"]) {
      const { response } = await client.api.chat.completions
        .create(ask(`say: ${text}`, { temperature: 0 }), options)
        .withResponse();
      expect(response.headers.get("x-overtone-guardrails")).toBe("no-secret=flag");
      expect(response.headers.get("x-overtone-cache")).toBe("miss");
      await client.settled();
    }
  });

  it("has to have the shape that a schema says, tool calls apart", async () => {
    const { client } = await guarded(schema);
    expect(await said(client, ask('say: {"city":"Graz"}'))).toBe('{"city":"Graz"}');
    for (const wrong of ['{"city":1}', '{"city":"Graz","more":1}', '{"city":"Graz"} and more', "Graz"])
      expect(await refusal(said(client, ask(`say: ${wrong}`)))).toMatchObject({ error: { rule: { id: "shape" } } });
    const tools = [
      { type: "function" as const, function: { name: "weather", parameters: { type: "object", properties: {} } } },
    ];
    const called = await client.api.chat.completions.create(
      ask("What is the weather?", { tools, tool_choice: "required" }),
    );
    expect(called.choices[0]?.message.tool_calls).toHaveLength(1);
  });

  it("has to be as short as a rule says", async () => {
    const { client } = await guarded({
      id: "short",
      name: "Short",
      kind: "size",
      when: "after",
      action: "block",
      of: "output",
      maxTokens: 20,
    });
    expect(await said(client, ask("tokens=10"))).not.toBe("");
    expect(await refusal(said(client, ask("tokens=30")))).toMatchObject({ error: { rule: { id: "short" } } });
  });

  it("of a response is redacted before it is kept", async () => {
    const { client } = await guarded(redacting);
    const made = await client.api.responses.create({ model: "gpt-4o-mini", input: "say: a bluebird" });
    expect(made.output_text).toBe("a ***");
    const kept = await client.api.responses.retrieve(made.id);
    expect(JSON.stringify(kept.output)).not.toContain("bluebird");
  });

  it("of a recording is held to the rules in every format", async () => {
    const { person, client } = await guarded();
    const file = () => toFile(Buffer.alloc(16_000), "a.mp3");
    const heard = await client.api.audio.transcriptions.create({ model: "whisper-1", file: await file() });
    const [first = "", second = ""] = heard.text.split(" ");
    expect(second).not.toBe("");
    await setGuardrails(person, { rules: [{ ...redacting, words: [first] }] });
    const again = await client.api.audio.transcriptions.create({ model: "whisper-1", file: await file() });
    expect(again.text.startsWith("***")).toBe(true);
    // A phrase that is cut by the times of subtitles can only be refused.
    await setGuardrails(person, { rules: [{ ...redacting, words: [`${first} ${second}`] }] });
    const subtitles = client.api.audio.transcriptions.create({
      model: "whisper-1",
      response_format: "srt",
      file: await file(),
    });
    const told = await subtitles.then(
      (text) => String(text),
      (error: { code: string }) => error.code,
    );
    expect(told === "guardrail_blocked" || told.includes("***")).toBe(true);
  });
});

describe("a stream", () => {
  it("never tells a word, however it is cut, and ends in an error event", async () => {
    const { client } = await guarded(after);
    let text = "";
    const stream = await client.api.chat.completions.create({
      ...ask(`say: ${"fine ".repeat(20)}the bluebird flies`),
      model: "sandbox-slow-5",
      stream: true,
    });
    const reading = (async () => {
      for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
    })();
    expect(await refusal(reading)).toMatchObject({ code: "guardrail_blocked" });
    expect(text.startsWith("fine fine")).toBe(true);
    expect(text).not.toMatch(/blueb/);
  });

  it("that is blocked before anything was told is an ordinary error, and charged", async () => {
    const { person, client } = await guarded(after);
    expect(await refusal(streamed(client, ask("say: bluebird")))).toMatchObject({
      status: 400,
      code: "guardrail_blocked",
    });
    await client.settled();
    expect(await used(person, "aiTokens")).toBeGreaterThan(0);
  });

  it.each([
    "one bluebird, two bluebirds and BLUEBIRD",
    "ada@example.com or bob+x@mail.example.org",
    "blue\u200bbird then ｂｌｕｅｂｉｒｄ then blu\\u0065bird",
    "nothing at all to see in here",
    "ends in blueb",
    "ends in bluebird",
  ])("tells of %s what a plain answer does", async (text) => {
    const { client } = await guarded(redacting, mail);
    const body = ask(`say: ${text}`);
    expect((await streamed(client, body)).text).toBe(await said(client, body));
  });

  it("passes on at once what cannot be part of a match", async () => {
    const { person, client } = await guarded();
    const body = ask(`say: ${"all is well. ".repeat(40)}`);
    const free = await streamed(client, body);
    await setGuardrails(person, { rules: [redacting] });
    const held = await streamed(client, body);
    expect(held.text).toBe(free.text);
    expect(Math.abs(held.events - free.events)).toBeLessThan(3);
  });

  it("has each of its choices and each of its calls for itself", async () => {
    const { client } = await guarded({ ...redacting, words: ["sandbox"] });
    const texts = ["", "", ""];
    for await (const { choices } of await client.api.chat.completions.create({ ...ask("Hello."), n: 3, stream: true }))
      for (const { index, delta } of choices) texts[index] += delta.content ?? "";
    for (const text of texts) expect(text).toMatch(/^\*\*\* answer/);
    const tools = [
      {
        type: "function" as const,
        function: {
          name: "weather",
          parameters: {
            type: "object",
            properties: { city: { type: "string", enum: ["sandbox"] } },
            required: ["city"],
          },
        },
      },
    ];
    let given = "";
    const calling = await client.api.chat.completions.create({
      ...ask("weather", { tools, tool_choice: "required" }),
      stream: true,
    });
    for await (const { choices } of calling) given += choices[0]?.delta.tool_calls?.[0]?.function?.arguments ?? "";
    expect(JSON.parse(given)).toEqual({ city: "***" });
  });

  it("whose answer has the wrong shape or size never ends cleanly", async () => {
    const { client } = await guarded(schema);
    expect((await streamed(client, ask('say: {"city":"Graz"}'))).text).toBe('{"city":"Graz"}');
    expect(await refusal(streamed(client, ask("say: no JSON at all")))).toMatchObject({ code: "guardrail_blocked" });
    const short = await guarded({
      id: "short",
      name: "Short",
      kind: "size",
      when: "after",
      action: "block",
      of: "output",
      maxBytes: 60,
    });
    expect(await refusal(streamed(short.client, ask("tokens=100")))).toMatchObject({
      error: { rule: { id: "short" } },
    });
  });

  it("of a response is redacted in its deltas, in what repeats them, and in what is kept", async () => {
    const { client } = await guarded(redacting);
    const events: string[] = [];
    let deltas = "";
    let id = "";
    for await (const event of await client.api.responses.create({
      model: "gpt-4o-mini",
      input: "say: a bluebird sings",
      stream: true,
    })) {
      events.push(JSON.stringify(event));
      if (event.type === "response.output_text.delta") deltas += event.delta;
      if (event.type === "response.completed") id = event.response.id;
    }
    expect(deltas).toBe("a *** sings");
    expect(events.join("")).not.toContain("bluebird");
    expect(JSON.stringify((await client.api.responses.retrieve(id)).output)).not.toContain("bluebird");
  });
});

describe("answers that are kept", () => {
  it("are not those of other rules", async () => {
    const { person, client } = await guarded(mail);
    const asked = async () => {
      const body = ask("say: a bluebird", { temperature: 0 });
      const { data, response } = await client.api.chat.completions
        .create(body, { headers: { "x-overtone-cache": "on" } })
        .withResponse();
      await client.settled();
      return `${response.headers.get("x-overtone-cache")} ${data.choices[0]?.message.content}`;
    };
    expect([await asked(), await asked()]).toEqual(["miss a bluebird", "hit a bluebird"]);
    await setGuardrails(person, { rules: [redacting] });
    expect([await asked(), await asked()]).toEqual(["miss a ***", "hit a ***"]);
  });
});

it("a change holds for what comes after it, whatever is under way", async () => {
  const { person, client } = await guarded();
  const texts = (): Promise<string>[] =>
    Array.from({ length: 5 }, () =>
      said(client, ask("say: a bluebird", { max_tokens: 20 })).catch((error: { code: string }) => error.code),
    );
  const racing = [...texts(), setGuardrails(person as Person, { rules: [after] }).then(() => "changed"), ...texts()];
  for (const told of await Promise.all(racing)) expect(["a bluebird", "guardrail_blocked", "changed"]).toContain(told);
  expect(await Promise.all(texts())).toEqual(Array.from({ length: 5 }, () => "guardrail_blocked"));
});

it("what is blocked leaves nothing of itself in the log of messages, and what is redacted only the rest", async () => {
  const person = await signUp();
  await switchLog(person, "contents");
  const heron = { ...redacting, id: "heron", when: "before", words: ["heron"] };
  await setGuardrails(person, {
    rules: [{ ...after, when: "before" }, heron, { ...after, id: "own", words: ["sandbox"] }],
  });
  const client = clientOf(person.token);
  for (const text of ["Tell me of the bluebird.", "Tell me of the heron."])
    expect(await refusal(said(client, ask(text)))).toMatchObject({ code: "guardrail_blocked" });
  await client.settled();
  const entries = await logOf(person);
  expect(entries).toMatchObject([
    { status: "failed", errorCode: "guardrail-blocked" },
    { status: "failed", errorCode: "guardrail-blocked" },
  ]);
  const kept = JSON.stringify([entries, await rowsOf(person.userId)]);
  expect(kept).toContain("Tell me of the ***.");
  expect(kept).not.toMatch(/bluebird|heron\.|Sandbox answer/);
});
