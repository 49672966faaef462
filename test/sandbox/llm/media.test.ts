/** What is no text, from the simulated models: vectors, speech, recordings and pictures, read by the official SDK. */
import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import { checkFileType } from "#lib/file-type";
import { decodePng } from "#lib/png/decode";
import { call, systemContext } from "#test/support/harness";
import { base, collected, drain, openai, post, sandboxFetch, tokensOf } from "./support.ts";

const client = openai();
const sum = (list: readonly number[]) => list.reduce((total, value) => total + value, 0);

describe("embeddings", () => {
  const embed = async (input: string, more = {}) => {
    const { data } = await client.embeddings.create({ model: "text-embedding-3-small", input, ...more });
    return data[0]?.embedding ?? [];
  };

  it("are unit vectors of the size asked for, near for texts with words in common", async () => {
    const [dog, again, cat, other] = [
      await embed("a big dog"),
      await embed("a big dog"),
      await embed("a big cat"),
      await embed("quiet seas"),
    ];
    expect(again).toEqual(dog);
    expect(dog.length).toBe(1_536);
    expect(sum(dog.map((value) => value * value))).toBeCloseTo(1, 5);
    const near = (first: number[], second: number[]) => sum(first.map((value, index) => value * (second[index] ?? 0)));
    expect(near(dog, cat)).toBeGreaterThan(near(dog, other) + 0.3);
    expect((await embed("a", { dimensions: 8 })).length).toBe(8);
  });

  it("are the same as numbers and as base64, for several inputs, and count their tokens", async () => {
    const input = ["one", "and two"];
    const plain = await client.embeddings.create({ model: "m-large", input, encoding_format: "float", dimensions: 16 });
    const packed = await client.embeddings.create({ model: "m-large", input, dimensions: 16 });
    expect(packed.data.map(({ embedding }) => [...embedding])).toEqual(plain.data.map(({ embedding }) => embedding));
    expect(plain.usage).toEqual({ prompt_tokens: 3, total_tokens: 3 });
    const raw = await post("embeddings", { model: "m", input: "one", dimensions: 4, encoding_format: "base64" });
    expect(atob(raw.body.data[0].embedding).length).toBe(16);
    const counted = await post("embeddings", { model: "m", input: [[1, 2, 3], [4]], dimensions: 2 });
    expect(counted.body.usage.prompt_tokens).toBe(4);
  });

  it.each([[undefined], [""], [[]], [[1.5]], [[{}]]])("are refused for %j", async (input) => {
    const answer = await post("embeddings", { model: "m", input });
    expect([answer.status, answer.body.error.param]).toEqual([400, "input"]);
  });
});

describe("speech and hearing", () => {
  const say = async (input: string, format: "mp3" | "wav" | "pcm") => {
    const answer = await client.audio.speech.create({ model: "tts-1", voice: "alloy", input, response_format: format });
    return new Uint8Array(await answer.arrayBuffer());
  };

  it("speaks as long as the text is, in files that are what they say", async () => {
    const short = await say("four", "wav");
    const long = await say("four".repeat(30), "wav");
    expect([short.length, long.length]).toEqual([44 + 1_600, 44 + 48_000]);
    expect(checkFileType({ fileName: "a.wav", declaredType: "audio/wav", head: short })).toMatchObject({ ok: true });
    expect((await say("four", "pcm")).length).toBe(4_800);
    const mp3 = await say("four".repeat(30), "mp3");
    // 3 s in frames of 24 ms and 96 bytes, each of which begins with its header.
    expect(mp3.length).toBe(125 * 96);
    expect([...mp3.subarray(96, 100)]).toEqual([0xff, 0xfb, 0x14, 0xc0]);
  });

  it("hears a word for each 400 ms, as long as the WAV header says", async () => {
    const file = new File([await say("four".repeat(100), "wav")], "speech.wav");
    const json = await client.audio.transcriptions.create({ model: "gpt-4o-transcribe", file });
    const words = json.text.split(" ");
    expect([words.length, words[0], words[20]]).toEqual([25, "one", "twenty-one"]);
    expect(json.usage).toEqual({
      type: "tokens",
      input_tokens: 100,
      input_token_details: { text_tokens: 0, audio_tokens: 100 },
      output_tokens: tokensOf(json.text),
      total_tokens: 100 + tokensOf(json.text),
    });
    const verbose = await client.audio.transcriptions.create({
      model: "whisper-1",
      file,
      response_format: "verbose_json",
      timestamp_granularities: ["word", "segment"],
    });
    expect(verbose.words?.[2]).toEqual({ word: "three", start: 0.8, end: 1.2 });
    expect(verbose.segments?.map(({ start, end }) => [start, end])).toEqual([
      [0, 4],
      [4, 8],
      [8, 10],
    ]);
    expect([verbose.duration, verbose.usage]).toEqual([10, { type: "duration", seconds: 10 }]);
  });

  it("writes text and subtitles, streams, and translates", async () => {
    const file = new File([new Uint8Array(16_000)], "speech.mp3");
    const as = (format: "text" | "srt" | "vtt") =>
      client.audio.transcriptions.create({ model: "whisper-1", file, response_format: format });
    expect(await as("text")).toBe("one two three\n");
    expect(await as("srt")).toContain("1\n00:00:00,000 --> 00:00:01,000\none two three\n");
    expect(await as("vtt")).toMatch(/^WEBVTT\n\n00:00:00\.000 --> 00:00:01\.000\n/);
    const stream = await client.audio.transcriptions.create({ model: "gpt-4o-transcribe", file, stream: true });
    const events = await collected(stream);
    const deltas = events.flatMap((event) => (event.type === "transcript.text.delta" ? [event.delta] : []));
    expect(deltas).toEqual(["one ", "two ", "thre", "e"]);
    expect(events.at(-1)).toMatchObject({
      type: "transcript.text.done",
      text: "one two three",
      usage: { output_tokens: 4 },
    });
    expect(await client.audio.translations.create({ model: "whisper-1", file })).toMatchObject({
      text: "one two three",
    });
  });

  it("refuses what it cannot hear or speak", async () => {
    const hear = (name: string, bytes: number) =>
      client.audio.transcriptions.create({ model: "whisper-1", file: new File([new Uint8Array(bytes)], name) });
    await expect(hear("a.txt", 9_999)).rejects.toThrow(OpenAI.BadRequestError);
    await expect(hear("a.mp3", 10)).rejects.toMatchObject({ code: "audio_too_short" });
    await expect(hear("a.mp3", 26_300_000)).rejects.toMatchObject({ status: 413 });
    const form = new FormData();
    form.set("model", "whisper-1");
    const answer = await sandboxFetch(`${base}/v1/audio/transcriptions`, {
      method: "POST",
      headers: { authorization: "Bearer a" },
      body: form,
    });
    expect([answer.status, await answer.json()]).toMatchObject([400, { error: { param: "file" } }]);
    for (const more of [{ input: "" }, { input: "a".repeat(4_097) }, { voice: null }, { response_format: "ogg" }])
      expect((await post("audio/speech", { model: "tts-1", voice: "alloy", input: "a", ...more })).status).toBe(400);
  });

  it("breaks off in the middle of a file", async () => {
    const body = { model: "sandbox-cut", voice: "alloy", input: "four", response_format: "wav" };
    const { pieces, error } = await drain(
      await sandboxFetch(`${base}/v1/audio/speech`, {
        method: "POST",
        headers: { authorization: "Bearer a" },
        body: JSON.stringify(body),
      }),
    );
    expect([pieces.length, error]).toEqual([1, expect.any(Error)]);
  });
});

describe("pictures", () => {
  it("are PNG in the size asked for, alike each time, each another", async () => {
    const draw = () => client.images.generate({ model: "gpt-image-1", prompt: "A hill", n: 2, size: "1024x1536" });
    const made = await draw();
    expect(await draw()).toEqual(made);
    const [first, second] = (made.data ?? []).map(({ b64_json: text }) => Uint8Array.fromBase64(text ?? ""));
    if (!first || !second) throw new Error("two pictures were asked for");
    expect(decodePng(first, { rgbBytesMax: 10_000_000 })).toMatchObject({ width: 1_024, height: 1_536 });
    expect(second).not.toEqual(first);
    expect(first.length).toBeLessThan(100_000);
    expect(made.usage).toMatchObject({ input_tokens: 2, output_tokens: 2 * 32 * 48, total_tokens: 2 + 2 * 32 * 48 });
  });

  it("stand behind a URL when they should", async () => {
    const made = await client.images.generate({
      model: "dall-e-3",
      prompt: "A hill",
      response_format: "url",
      size: "256x256",
    });
    const url = made.data?.[0]?.url ?? "";
    expect(url.startsWith(`${base}/images/`)).toBe(true);
    const answer = await sandboxFetch(url);
    expect(answer.headers.get("content-type")).toBe("image/png");
    expect(decodePng(new Uint8Array(await answer.arrayBuffer()), { rgbBytesMax: 1_000_000 }).width).toBe(256);
    expect((await sandboxFetch(`${base}/images/${"0".repeat(32)}-999x999.png`)).status).toBe(404);
  });

  it("are edited from pictures, which count", async () => {
    const hill = await client.images.generate({ prompt: "A hill", size: "256x256" });
    const bytes = Uint8Array.fromBase64(hill.data?.[0]?.b64_json ?? "");
    const edit = (image: File) => client.images.edit({ image: [image], prompt: "A tree", size: "256x256" });
    const edited = await edit(new File([bytes], "hill.png", { type: "image/png" }));
    expect(edited.usage?.input_tokens_details).toEqual({ text_tokens: 2, image_tokens: 85 });
    expect(edited.data?.[0]?.b64_json).not.toBe(hill.data?.[0]?.b64_json);
    await expect(edit(new File(["text"], "hill.png"))).rejects.toMatchObject({ status: 400, param: "image" });
    const missing = await post("images/edits", { prompt: "A tree" });
    expect([missing.status, missing.body.error.param]).toEqual([400, "image"]);
  });

  it.each([
    [{ prompt: "" }],
    [{ prompt: "a", n: 11 }],
    [{ prompt: "a", size: "1x1" }],
    [{ prompt: "a", stream: true }],
  ])("are refused for %j", async (body) => {
    expect((await post("images/generations", body)).status).toBe(400);
  });
});

describe("moderation", () => {
  it("flags what is named, a text at a time", async () => {
    const { results } = await client.moderations.create({ input: ["A calm day", "violence and self-harm"] });
    expect(results.map(({ flagged }) => flagged)).toEqual([false, true]);
    const named = Object.entries(results[1]?.categories ?? {}).filter(([, is]) => is);
    expect(named.map(([name]) => name)).toEqual(["self-harm", "violence"]);
    expect(results[1]?.category_scores.violence).toBeGreaterThan(0.9);
  });

  it("takes parts as one input", async () => {
    const image = { type: "image_url" as const, image_url: { url: "https://example.com/a.png" } };
    const { results } = await client.moderations.create({ input: [{ type: "text", text: "hate" }, image] });
    expect(results.length).toBe(1);
    expect(results[0]).toMatchObject({ flagged: true, category_applied_input_types: { violence: ["text", "image"] } });
  });
});

describe("models, completions and paths", () => {
  it("lists models, faults among them, and describes any ordinary name", async () => {
    const ids = (await collected(client.models.list())).map(({ id }) => id);
    expect(ids).toEqual(expect.arrayContaining(["gpt-4o", "sandbox-cut", "sandbox-flaky"]));
    expect(await client.models.retrieve("vendor/any-model")).toMatchObject({
      id: "vendor/any-model",
      owned_by: "sandbox",
    });
    await expect(client.models.retrieve("sandbox-typo")).rejects.toThrow(OpenAI.NotFoundError);
  });

  it("completes texts, plain and streamed alike", async () => {
    const ask = { model: "gpt-3.5-turbo-instruct", prompt: ["tokens=30", "Good morning"], n: 2 };
    const plain = await client.completions.create(ask);
    expect(plain.choices.map(({ finish_reason: reason }) => reason).slice(0, 2)).toEqual(["length", "length"]);
    expect(plain.usage?.prompt_tokens).toBe(3 + 3);
    expect(plain.usage?.completion_tokens).toBe(sum(plain.choices.map(({ text }) => tokensOf(text))));
    const stream = await client.completions.create({ ...ask, stream: true, stream_options: { include_usage: true } });
    const texts = ["", "", "", ""];
    let usage: unknown = null;
    for await (const chunk of stream) {
      for (const { index, text } of chunk.choices) texts[index] += text;
      usage = chunk.usage ?? usage;
    }
    expect(texts).toEqual(plain.choices.map(({ text }) => text));
    expect(usage).toEqual(plain.usage);
    const echoed = await client.completions.create({ model: "m", prompt: "say: hi", echo: true, logprobs: 1 });
    expect(echoed.choices[0]).toMatchObject({ text: "say: hihi", logprobs: { tokens: ["hi"], text_offset: [7] } });
    expect(echoed.usage?.completion_tokens).toBe(1);
  });

  it("are served by the Worker, with the network and without", async () => {
    const path = "/__sandbox/llm/v1/models/any";
    const served = await call("GET", path, { as: "sk-any" });
    expect([served.status, served.headers.get("x-sandbox"), served.body.id]).toEqual([200, "1", "any"]);
    const { outbound } = systemContext();
    const request = new Request(`${base}/v1/models/any`, { headers: { authorization: "Bearer sk-any" } });
    const answer = await outbound.operator(request, { timeoutMs: 5_000 });
    expect(await answer.json()).toEqual(served.body);
  });

  it("knows no other paths", async () => {
    for (const [method, path] of [
      ["GET", "v1/chat/completions"],
      ["POST", "v1/nothing"],
      ["GET", "v2/models"],
      ["DELETE", "v1/constructor"],
    ]) {
      const answer = await sandboxFetch(`${base}/${path}`, { method, headers: { authorization: "Bearer a" } });
      expect([path, answer.status]).toEqual([path, 404]);
    }
  });
});
