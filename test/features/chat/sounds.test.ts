/** Speech and pictures through OpenAI's own client. */
import { BadRequestError, InternalServerError, RateLimitError } from "openai";
import { describe, expect, it } from "vitest";
import { signUp } from "#test/support/harness";
import { clientOf, used } from "./client.ts";

const voice = "alloy";

describe.concurrent("speech", () => {
  it("is passed on as sound, and costs a token for four characters", async () => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const input = "Good morning, all of you.";
    const answer = await api.audio.speech.create({ model: "tts-1", input, voice, response_format: "wav" });
    const bytes = new Uint8Array(await answer.arrayBuffer());
    await settled();
    expect(answer.headers.get("content-type")).toBe("audio/wav");
    expect(Buffer.from(bytes.subarray(0, 4)).toString()).toBe("RIFF");
    expect(await used(person, "aiTokens")).toBe(Math.ceil(input.length / 4));
    // 15 USD for a million characters.
    expect(answer.headers.get("x-overtone-cost-micro-usd")).toBe(String(7 * 60));
    expect(answer.headers.get("x-overtone-tokens-remaining")).toBe(String(50_000 - 7));
    expect(answer.headers.get("x-overtone-provider")).toBe("openai");
  });

  it("of the longest text is streamed whole, of a longer one refused", async () => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const input = "word ".repeat(819).slice(0, 4_094);
    const answer = await api.audio.speech.create({ model: "tts-1", input, voice, response_format: "pcm" });
    const bytes = await answer.arrayBuffer();
    await settled();
    expect(bytes.byteLength).toBe(1_024 * 100 * 24 * 2);
    expect(await used(person, "aiTokens")).toBe(1_024);
    const tooLong = api.audio.speech.create({ model: "tts-1", input: "a".repeat(4_097), voice });
    await expect(tooLong).rejects.toThrow(BadRequestError);
    await expect(api.audio.speech.create({ model: "gpt-4o-mini", input: "a", voice })).rejects.toThrow(BadRequestError);
    expect(await used(person, "aiTokens")).toBe(1_024);
  });

  it.each([
    ["or/sandbox-error", InternalServerError],
    ["or/sandbox-empty", InternalServerError],
    ["or/sandbox-html", InternalServerError],
    ["or/sandbox-bad-request", BadRequestError],
    ["or/sandbox-rate-limited", RateLimitError],
  ])("fails and costs nothing (%s)", async (model, kind) => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    await expect(api.audio.speech.create({ model, input: "Hello.", voice })).rejects.toThrow(kind);
    await settled();
    expect(await used(person, "aiTokens")).toBe(0);
  });

  it.each([
    ["or/sandbox-cut-6", {}],
    ["or/sandbox-silent-6", { "x-overtone-idle-timeout-ms": "300" }],
  ])("that breaks off breaks the caller's connection, and costs nothing (%s)", async (model, headers) => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const input = "A long text. ".repeat(100);
    const reading = api.audio.speech
      .create({ model, input, voice, response_format: "wav" }, { headers })
      .then((answer) => answer.arrayBuffer());
    await expect(reading).rejects.toThrow();
    await settled();
    expect(await used(person, "aiTokens")).toBe(0);
  });

  it("whose caller leaves in its middle costs all of it: it has been made", async () => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const input = "A long text. ".repeat(40);
    const leaving = new AbortController();
    const answer = await api.audio.speech.create(
      { model: "or/sandbox-silent-6", input, voice, response_format: "wav" },
      { signal: leaving.signal },
    );
    const reader = answer.body?.getReader();
    await reader?.read();
    leaving.abort();
    await reader?.cancel().catch(() => undefined);
    await settled();
    expect(await used(person, "aiTokens")).toBe(input.length / 4);
  });
});

describe("pictures", () => {
  it("are made and charged as they were counted", async () => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const { data, response } = await api.images
      .generate({ model: "gpt-image-1", prompt: "A lighthouse", n: 2, quality: "low" })
      .withResponse();
    await settled();
    expect(data.data).toHaveLength(2);
    expect(Buffer.from(data.data?.[0]?.b64_json ?? "", "base64").toString("latin1", 1, 4)).toBe("PNG");
    const { input_tokens: input = 0, output_tokens: output = 0 } = data.usage ?? {};
    expect(output).toBe(2 * 1_024);
    expect(await used(person, "aiTokens")).toBe(input + output);
    expect(response.headers.get("x-overtone-cost-micro-usd")).toBe(String(input * 10 + output * 40));
  });

  it("may be addresses", async () => {
    const person = await signUp();
    const { api } = clientOf(person.token);
    const body = { model: "or/dall-e-3", prompt: "A lighthouse", response_format: "url" as const };
    const { data } = await api.images.generate({ ...body, quality: "medium" });
    expect(data?.[0]?.url).toMatch(/^http/);
  });

  it("are refused, or fail, at no cost", async () => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const prompt = "A lighthouse";
    await expect(api.images.generate({ prompt, n: 11 })).rejects.toThrow(BadRequestError);
    await expect(api.images.generate({ prompt, stream: true })).rejects.toThrow(BadRequestError);
    await expect(api.images.generate({ prompt: "" })).rejects.toThrow(BadRequestError);
    await expect(api.images.generate({ prompt, n: 10, quality: "high" })).rejects.toThrow(RateLimitError);
    await expect(api.images.generate({ model: "or/sandbox-refused", prompt })).rejects.toThrow(BadRequestError);
    await expect(api.images.generate({ model: "or/sandbox-cut-7", prompt })).rejects.toThrow(InternalServerError);
    await settled();
    expect(await used(person, "aiTokens")).toBe(0);
  });
});
