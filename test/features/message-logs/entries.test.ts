/** What the log says of each kind of model request: what it came to, how it ended, and what was said where that is wished. */
import { toFile } from "openai";
import { beforeAll, describe, expect, it } from "vitest";
import type { Bindings } from "#core/env";
import { call, type Person, signUp } from "#test/support/harness";
import { clientOf, configured } from "../chat/client.ts";
import { ask, chat, logOf, rowsOf, switchLog } from "./support.ts";

let person: Person;

beforeAll(async () => {
  person = await signUp();
});

describe("an entry", () => {
  it("says who asked what, what it came to and how long it took, and nothing of what was said", async () => {
    const own = await signUp();
    const { api, settled } = clientOf(own.token);
    const { data, response } = await api.chat.completions.create(ask("My secret plan")).withResponse();
    await settled();
    const entries = await logOf(own);
    expect(entries).toHaveLength(1);
    expect(entries[0]).toMatchObject({
      userId: own.userId,
      keyId: null,
      mode: "live",
      operation: "chat",
      model: "gpt-4o-mini",
      provider: "openai",
      status: "succeeded",
      httpStatus: 200,
      errorCode: null,
      isStream: false,
      isCached: false,
      inputTokens: data.usage?.prompt_tokens,
      outputTokens: data.usage?.completion_tokens,
      tokensUsed: data.usage?.total_tokens,
      isEstimated: false,
      costMicroUsd: Number(response.headers.get("x-overtone-cost-micro-usd")),
      requestId: response.headers.get("x-request-id"),
      messages: null,
    });
    expect(Date.parse(entries[0].at)).toBeLessThanOrEqual(Date.now());
    expect(entries[0].durationMs).toBeGreaterThanOrEqual(0);
    expect(JSON.stringify(await rowsOf(own.userId))).not.toContain("secret plan");
  });

  it("is made of every operation", async () => {
    const own = await signUp();
    await switchLog(own, "contents");
    const { api, settled } = clientOf(own.token);
    const file = await toFile(new Uint8Array(64_000), "talk.mp3");
    const image = await toFile(new Uint8Array([137, 80, 78, 71, 13, 10, 26, 10]), "in.png", { type: "image/png" });
    await api.completions.create({ model: "gpt-3.5-turbo-instruct", prompt: "Once upon" });
    await api.embeddings.create({ model: "text-embedding-3-small", input: ["a", "b"] });
    await api.moderations.create({ model: "omni-moderation-latest", input: "Hello" });
    await api.responses.create({ model: "gpt-4o-mini", instructions: "Be brief.", input: "Say hello" });
    await (await api.audio.speech.create({ model: "tts-1", voice: "alloy", input: "Good morning" })).arrayBuffer();
    await api.audio.transcriptions.create({ model: "whisper-1", file, prompt: "About radio" });
    await api.images.generate({ model: "gpt-image-1", prompt: "A hill", quality: "low" });
    await api.images.edit({ model: "gpt-image-1", image, prompt: "At night", quality: "low" });
    await settled();
    const entries = await logOf(own);
    const byOperation = Object.fromEntries(entries.map((entry) => [entry.operation, entry]));
    expect(entries.map(({ operation }) => operation).toReversed()).toEqual([
      "completions",
      "embeddings",
      "moderations",
      "responses",
      "speech",
      "transcriptions",
      "images",
      "image-edits",
    ]);
    expect(entries.filter(({ status, provider }) => status !== "succeeded" || provider === null)).toEqual([]);
    expect(byOperation["completions"].messages).toMatchObject({
      request: "Once upon",
      response: expect.stringMatching(/./),
    });
    expect(byOperation["embeddings"].messages).toEqual({ request: ["a", "b"], response: null, isCut: false });
    expect(byOperation["responses"].messages).toMatchObject({
      request: { instructions: "Be brief.", input: "Say hello" },
      response: expect.stringMatching(/./),
    });
    expect(byOperation["speech"].messages).toEqual({ request: "Good morning", response: null, isCut: false });
    expect(byOperation["transcriptions"].messages).toMatchObject({
      request: "About radio",
      response: expect.stringMatching(/./),
    });
    expect(byOperation["image-edits"].messages).toMatchObject({ request: "At night", response: null });
  });

  it("names the style of a prompt, and is made of each task of a batch", async () => {
    const own = await signUp();
    await switchLog(own, "contents");
    const messages = [{ role: "user", content: "Plan my week" }];
    const prompt = await own.call("POST", "/v1/prompt/completions", {
      body: { level: "low", r_type: "bpe", messages },
      env: configured,
    });
    expect(prompt.status).toBe(200);
    const body = { level: "low", batch: [{ prompt: "One", r_type: "tot" }, { prompt: "Two" }] };
    expect((await own.call("POST", "/v1/batch/process", { body, env: configured })).status).toBe(200);
    const quiet = { body, env: configured, headers: { "x-overtone-log": "off" } };
    expect((await own.call("POST", "/v1/batch/process", quiet)).status).toBe(200);
    const entries = await logOf(own);
    expect(entries.map(({ promptStyle }) => promptStyle).toSorted()).toEqual(["bpe", "bpe", "tot"]);
    expect(entries.at(-1).messages.request.at(-1)).toEqual(messages[0]);
  });

  it("of a failure says which, and that it cost nothing", async () => {
    const own = await signUp();
    const { api, settled } = clientOf(own.token);
    for (const model of ["glama/no-key", "or/sandbox-bad-request", "or/sandbox-error"])
      await api.chat.completions.create(ask("Hello", model)).catch(() => undefined);
    const slow = { headers: { "x-overtone-timeout-ms": "150" } };
    await api.chat.completions.create(ask("Hello", "or/sandbox-silent-0"), slow).catch(() => undefined);
    await settled();
    const entries = (await logOf(own)).toReversed();
    expect(entries.map(({ status, errorCode, httpStatus }) => [status, errorCode, httpStatus])).toEqual([
      ["failed", "model-provider-not-configured", 503],
      ["failed", "model-request-refused", 400],
      ["failed", "model-unavailable", 502],
      ["failed", "model-timeout", 504],
    ]);
    expect(entries.every(({ costMicroUsd, tokensUsed }) => costMicroUsd === 0 && tokensUsed === 0)).toBe(true);
  });

  it("of an answer from the cache costs nothing and has its words", async () => {
    const own = await signUp();
    await switchLog(own, "contents");
    const { api, settled } = clientOf(own.token);
    const headers = { "x-overtone-cache": "on" };
    const body = { ...ask(`Once ${crypto.randomUUID()}`), temperature: 0 };
    for (const isStream of [false, true])
      for (let time = 0; time < 2; time += 1) {
        if (!isStream) await api.chat.completions.create(body, { headers });
        else
          for await (const chunk of await api.chat.completions.create({ ...body, stream: true }, { headers }))
            expect(chunk.choices).toHaveLength(1);
        await settled();
      }
    const entries = (await logOf(own)).toReversed();
    expect(entries.map(({ isCached, isStream }) => [isStream, isCached])).toEqual([
      [false, false],
      [false, true],
      [true, false],
      [true, true],
    ]);
    for (const [asked, cached] of [entries.slice(0, 2), entries.slice(2)])
      expect(cached).toMatchObject({ costMicroUsd: 0, tokensUsed: 0, messages: asked?.messages });
  });
});

describe("a stream", () => {
  it("is logged with what was delivered, and says when it was cut or left", async () => {
    const own = await signUp();
    await switchLog(own, "contents");
    const { api, settled } = clientOf(own.token);
    const read = async (model: string, most = Infinity) => {
      let text = "";
      try {
        for await (const chunk of await api.chat.completions.create({ ...ask("Tell", model), stream: true })) {
          text += chunk.choices[0]?.delta.content ?? "";
          if (text.length >= most) break;
        }
      } catch {
        // The stream was cut, and said so.
      }
      await settled();
      return text;
    };
    const whole = await read("gpt-4o-mini");
    const cut = await read("or/sandbox-cut-3");
    await read("or/sandbox-slow-5", 1);
    const [left, broken, first] = await logOf(own);
    expect(first).toMatchObject({ status: "succeeded", isStream: true, messages: { response: whole } });
    expect(broken).toMatchObject({
      status: "cut",
      httpStatus: 200,
      errorCode: "model-stream-broken",
      messages: { response: cut },
    });
    expect(cut).not.toBe("");
    expect(broken.outputTokens).toBeGreaterThan(0);
    expect(left).toMatchObject({ status: "cancelled", errorCode: null });
    expect(left.messages.response.length).toBeLessThan(whole.length);
  });

  it("of tools and of responses has its words, too", async () => {
    const own = await signUp();
    await switchLog(own, "contents");
    const { api, settled } = clientOf(own.token);
    const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
    const called = await api.chat.completions.create({
      ...ask("Weather?"),
      stream: true,
      tools: [{ type: "function", function: { name: "weather", parameters } }],
      tool_choice: "required",
    });
    for await (const chunk of called) expect(chunk.object).toBe("chat.completion.chunk");
    let text = "";
    for await (const event of await api.responses.create({ model: "gpt-4o-mini", input: "Count", stream: true }))
      if (event.type === "response.output_text.delta") text += event.delta;
    await settled();
    const [response, tools] = await logOf(own);
    expect(tools.messages.response).toMatch(/^weather\{.*city/);
    expect(response.messages.response).toBe(text);
  });
});

describe("contents", () => {
  it("are kept where the workspace says so, redacted, without bytes, and cut from the beginning", async () => {
    const own = await signUp();
    await switchLog(own, "contents");
    const { api, settled } = clientOf(own.token);
    const key = ["sk", "live", "a1B2c3D4e5F6g7H8i9"].join("_");
    const url = `data:image/png;base64,${"iVBORw0KGgo".repeat(200)}`;
    await api.chat.completions.create({
      model: "gpt-4o-mini",
      messages: [
        { role: "system", content: "no. ".repeat(2_500) },
        { role: "assistant", content: `Use ${key}`, "a@example.com": 1, password: "plain" } as never,
        {
          role: "user",
          content: [
            { type: "text", text: "Mail me at ada@example.com" },
            { type: "image_url", image_url: { url } },
          ],
        },
      ],
    });
    await settled();
    const [entry] = await logOf(own);
    const { request, response, isCut } = entry.messages;
    expect(isCut).toBe(true);
    expect(response).not.toBe("");
    expect(request.slice(-2)).toEqual([
      { role: "assistant", content: "Use [key]", "[email]": 1, password: "[secret]" },
      {
        role: "user",
        content: [
          { type: "text", text: "Mail me at [email]" },
          { type: "image_url", image_url: { url: `[${url.length} characters of bytes]` } },
        ],
      },
    ]);
    expect(JSON.stringify(request).length).toBeLessThan(8_500);
    expect(JSON.stringify(await rowsOf(own.userId))).not.toContain("a1B2c3D4");
  });

  it("are switched off for one request, as are entries, but never on", async () => {
    const own = await signUp();
    const { api, settled } = clientOf(own.token);
    const wishes = [
      [{}, {}],
      [{ store: false }, {}],
      [{}, { "x-overtone-log": "metadata" }],
      [{}, { "x-overtone-log": "off" }],
    ] as const;
    const levels: string[][] = [];
    for (const messageLog of ["contents", "metadata", "off"]) {
      expect((await switchLog(own, messageLog)).status).toBe(200);
      for (const [members, headers] of wishes) {
        await api.chat.completions.create({ ...ask("Hello"), ...members }, { headers });
        await settled();
      }
      const raised = { headers: { "x-overtone-log": "contents" } };
      await api.chat.completions.create(ask("Hello"), raised);
      await settled();
      levels.push((await logOf(own)).toReversed().map(({ messages }) => (messages === null ? "metadata" : "contents")));
      await own.call("DELETE", "/v1/message-logs");
    }
    expect(levels).toEqual([
      ["contents", "metadata", "metadata", "contents"],
      ["metadata", "metadata", "metadata", "metadata"],
      [],
    ]);
  });

  it("of a response follow its `store`, although no provider is asked to keep anything", async () => {
    const own = await signUp();
    await switchLog(own, "contents");
    const { api, settled } = clientOf(own.token);
    await api.responses.create({ model: "gpt-4o-mini", input: "Keep this" });
    await api.responses.create({ model: "gpt-4o-mini", input: "Not this", store: false });
    await settled();
    expect((await logOf(own)).map(({ messages }) => messages?.request ?? null)).toEqual([null, "Keep this"]);
  });

  it("are never more than the deployer lets be kept", async () => {
    const own = await signUp();
    await switchLog(own, "contents");
    await chat(own.token, "Hello", { ...configured, MESSAGE_LOG: "metadata" } as Bindings);
    await chat(own.token, "Hello", { ...configured, MESSAGE_LOG: "off" } as Bindings);
    expect((await logOf(own)).map(({ messages }) => messages)).toEqual([null]);
  });

  it("are a setting with three words", async () => {
    expect(await switchLog(person, "everything")).toMatchObject({ status: 422, body: { code: "validation-failed" } });
    const { api } = clientOf(person.token);
    const wrong = api.chat.completions.create(ask("Hello"), { headers: { "x-overtone-log": "loud" } });
    await expect(wrong).rejects.toMatchObject({ status: 400 });
    const body = { level: "low", messages: [{ role: "user", content: "x" }] };
    const headers = { "x-overtone-log": "loud" };
    expect((await call("POST", "/v1/prompt/completions", { as: person.token, body, headers })).status).toBe(422);
  });
});
