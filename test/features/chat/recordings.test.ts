/** Recordings and edited pictures, which come in forms, through OpenAI's own client. */
import { BadRequestError, InternalServerError, NotFoundError, toFile } from "openai";
import { describe, expect, it } from "vitest";
import { wavHeader, wavHeaderBytes } from "#lib/audio/wav-header";
import { briefingWav } from "#test/support/fixtures";
import { bindings, call, signUp, systemContext } from "#test/support/harness";
import { sweepSpool } from "#features/chat/spool";
import { storeFile, wav } from "../conversions/support.ts";
import { clientOf, configured, used } from "./client.ts";

/** WAV of 8 kHz, 8 bits, mono: 8,000 bytes a second. */
function recording(seconds: number): Uint8Array<ArrayBuffer> {
  const dataBytes = seconds * 8_000;
  const bytes = new Uint8Array(wavHeaderBytes + dataBytes);
  bytes.set(wavHeader({ channels: 1, sampleRateHz: 8_000, bitsPerSample: 8, dataBytes }));
  return bytes;
}

/** With its length, as a client on the network sends it. */
async function sendForm(as: string, entries: [string, string | File][]) {
  const form = new FormData();
  for (const [name, value] of entries) form.append(name, value);
  const request = new Request("http://127.0.0.1", { method: "POST", body: form });
  const body = new Uint8Array(await request.arrayBuffer());
  const headers = {
    "content-type": request.headers.get("content-type") ?? "",
    "content-length": String(body.byteLength),
  };
  return call("POST", "/v1/audio/transcriptions", { as, env: configured, body, headers });
}

const wavFile = (seconds: number) => toFile(recording(seconds), "talk.wav", { type: "audio/wav" });
/** Seconds, as the ledger counts; the report shows minutes. */
const secondsUsed = async (person: Parameters<typeof used>[0]) =>
  Math.round((await used(person, "transcription")) * 60);

describe("a recording", () => {
  it.each(["transcriptions", "translations"] as const)(
    "is written down and billed by its seconds (%s)",
    async (kind) => {
      const person = await signUp();
      const { api, settled } = clientOf(person.token);
      const body = { file: await wavFile(12), model: "whisper-1" };
      const { data, response } = await api.audio[kind].create(body).withResponse();
      await settled();
      expect(data.text).toMatch(/^one two three/);
      expect(await secondsUsed(person)).toBe(12);
      expect(await used(person, "aiTokens")).toBe(0);
      // 0.006 USD a minute.
      expect(response.headers.get("x-overtone-cost-micro-usd")).toBe("1200");
    },
  );

  it("is counted in tokens where the provider counts so", async () => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const file = await wavFile(7);
    const { data, response } = await api.audio.transcriptions
      .create({ file, model: "gpt-4o-transcribe" })
      .withResponse();
    await settled();
    const { usage } = data;
    if (usage?.type !== "tokens") throw new Error("no tokens");
    expect(usage.input_tokens).toBe(70);
    expect(await secondsUsed(person)).toBe(7);
    const cost = Math.ceil(usage.input_tokens * 2.5 + usage.output_tokens * 10);
    expect(response.headers.get("x-overtone-cost-micro-usd")).toBe(String(cost));
  });

  it.each([
    ["text", /^one two/],
    ["srt", /00:00:00,000 --> /],
    ["vtt", /^WEBVTT/],
  ] as const)("comes in every format (%s)", async (format, expected) => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const body = { file: await wavFile(4), model: "whisper-1", response_format: format };
    const text: unknown = await api.audio.transcriptions.create(body as never);
    await settled();
    expect(text).toMatch(expected);
    expect(await secondsUsed(person)).toBe(4);
  });

  it("that is a sample comes word for word in test mode", async () => {
    const person = await signUp();
    const { api } = clientOf(person.token);
    const file = await toFile(briefingWav(), "briefing.wav", { type: "audio/wav" });
    const heard = await api.audio.transcriptions.create({ file, model: "whisper-1" });
    expect(heard.text).toMatch(/^Welcome to the morning briefing\. The harbor bridge .* Thank you for listening\.$/);
  });

  it("comes with its words", async () => {
    const person = await signUp();
    const { api } = clientOf(person.token);
    const verbose = await api.audio.transcriptions.create({
      file: await wavFile(3),
      model: "whisper-1",
      response_format: "verbose_json",
      timestamp_granularities: ["word"],
    });
    expect(verbose.words?.[0]).toMatchObject({ word: "one", start: 0 });
    expect(verbose.duration).toBe(3);
  });

  it("above 4 MiB is passed on as it comes, with the model before it", async () => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const file = await wavFile(550);
    const heard = await api.audio.transcriptions.create({ model: "whisper-1", file, language: "en" });
    await settled();
    expect(heard.text).toMatch(/^one two/);
    expect(await secondsUsed(person)).toBe(550);
    const translated = await api.audio.translations.create({ model: "whisper-1", file });
    await settled();
    expect(translated.text).toMatch(/^one two/);
    expect(await secondsUsed(person)).toBe(1_100);
    const response = await sendForm(person.token, [
      ["model", "whisper-1"],
      ["file", new File([recording(550)], "talk.wav")],
      ["response_format", "text"],
    ]);
    expect(response).toMatchObject({ status: 400, body: { error: { param: "response_format" } } });
    const twice = api.audio.transcriptions.create({ model: "or/sandbox-error", file });
    await expect(twice).rejects.toThrow(InternalServerError);
    await settled();
    expect(await secondsUsed(person)).toBe(1_100);
  });

  it("above 4 MiB, with the model behind it, waits in the bucket until the model is known", async () => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const body = { file: await wavFile(550), model: "or/sandbox-flaky-1", prompt: crypto.randomUUID() };
    const { data, response } = await api.audio.transcriptions.create(body).withResponse();
    await settled();
    expect(data.text).toMatch(/^one two/);
    expect(response.headers.get("x-overtone-attempts")).toBe("2");
    expect(await secondsUsed(person)).toBe(550);
    const nameless = await sendForm(person.token, [["file", new File([recording(550)], "talk.wav")]]);
    expect(nameless).toMatchObject({ status: 400, body: { error: { param: "model" } } });
    const head = '--x\r\ncontent-disposition: form-data; name="file"; filename="talk.wav"\r\n\r\n';
    const cut = await call("POST", "/v1/audio/transcriptions", {
      as: person.token,
      env: configured,
      body: Uint8Array.from(Buffer.concat([Buffer.from(head), recording(550)])),
      headers: { "content-type": "multipart/form-data; boundary=x" },
    });
    expect(cut).toMatchObject({ status: 400, body: { error: { code: "form_invalid" } } });
    expect((await bindings.FILES.list({ prefix: "spool/" })).objects).toEqual([]);
    expect(await secondsUsed(person)).toBe(550);
  });

  it("that a vanished isolate left in the bucket is swept", async () => {
    await bindings.FILES.put("spool/upl_left", "left");
    await sweepSpool(systemContext());
    expect(await bindings.FILES.head("spool/upl_left")).not.toBeNull();
    await sweepSpool({ ...systemContext(), now: () => Date.now() + 2 * 3_600_000 });
    expect(await bindings.FILES.head("spool/upl_left")).toBeNull();
  });

  it("above 95 MiB is refused at once", async () => {
    const person = await signUp();
    const answer = await call("POST", "/v1/audio/transcriptions", {
      as: person.token,
      env: configured,
      body: "--x\r\n",
      headers: { "content-type": "multipart/form-data; boundary=x", "content-length": String(96 * 1024 * 1024) },
    });
    expect(answer.status).toBe(413);
    expect(answer.body.error.code).toBe("use_direct_upload");
  });

  it("of the workspace's files is read from storage, and no other's", async () => {
    const [person, stranger] = [await signUp(), await signUp()];
    const fileId = await storeFile(person, "talk.wav", wav(80_044));
    const body = { fileId, model: "whisper-1", response_format: "verbose_json", timestamp_granularities: ["word"] };
    const ask = (as: string, changes = {}) =>
      call("POST", "/v1/audio/transcriptions", { as, env: configured, body: { ...body, ...changes } });
    const mine = await ask(person.token);
    expect(mine.status).toBe(200);
    expect(mine.body.text).toMatch(/^one/);
    expect(mine.body.words.length).toBeGreaterThan(0);
    expect(await secondsUsed(person)).toBe(Math.ceil(mine.body.duration));
    const foreign = await ask(stranger.token);
    const unknown = await ask(stranger.token, { fileId: "file_00000000000000000000000000" });
    expect([foreign.status, unknown.status]).toEqual([404, 404]);
    expect(foreign.body.error).toEqual(unknown.body.error);
    expect((await ask(person.token, { stream: true })).status).toBe(400);
  });
});

describe.concurrent("a recording that cannot be heard", () => {
  it.each([
    ["or/sandbox-error", InternalServerError],
    ["or/sandbox-empty", InternalServerError],
    ["or/sandbox-html", InternalServerError],
    ["or/sandbox-cut-11", InternalServerError],
    ["or/sandbox-bad-json-3", InternalServerError],
    ["or/sandbox-bad-request", BadRequestError],
    ["or/sandbox-nothing", NotFoundError],
    ["gpt-4o-mini", BadRequestError],
  ])("costs nothing (%s)", async (model, kind) => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const asked = api.audio.transcriptions.create({ file: await wavFile(2), model });
    await expect(asked).rejects.toThrow(kind);
    await settled();
    expect(await used(person, "transcription")).toBe(0);
  });

  it("is asked for again where the form was kept", async () => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const body = { file: await wavFile(2), model: "or/sandbox-flaky-1", prompt: crypto.randomUUID() };
    const { response } = await api.audio.transcriptions.create(body).withResponse();
    await settled();
    expect(response.headers.get("x-overtone-attempts")).toBe("2");
    expect(await secondsUsed(person)).toBe(2);
  });

  it.each([
    [{ response_format: "pdf" }, BadRequestError],
    [{ stream: true }, BadRequestError],
    [{ model: "" }, BadRequestError],
  ])("is refused (%j)", async (members, kind) => {
    const person = await signUp();
    const { api } = clientOf(person.token);
    const body = { file: await wavFile(2), model: "whisper-1", ...members } as never;
    await expect(api.audio.transcriptions.create(body)).rejects.toThrow(kind);
    expect(await used(person, "transcription")).toBe(0);
  });

  it("says what is wrong with the form", async () => {
    const person = await signUp();
    const send = (body: BodyInit, type?: string) =>
      call("POST", "/v1/audio/transcriptions", {
        as: person.token,
        env: configured,
        body,
        headers: type ? { "content-type": type } : {},
      });
    const form = new FormData();
    form.set("model", "whisper-1");
    expect((await send(form)).body.error.code).toBe("form_file_missing");
    form.set("picture", new File(["x"], "x.wav"));
    expect((await send(form)).body.error.code).toBe("form_invalid");
    form.delete("picture");
    form.set("file", new File([], "x.wav"));
    expect((await send(form)).body.error.code).toBe("file_empty");
    expect((await send("--x\r\nbroken", "multipart/form-data; boundary=x")).status).toBe(400);
    expect((await send("{", "application/json")).body.error.code).toBe("invalid_json");
    expect((await send("x", "text/plain")).status).toBe(415);
  });

  it("is not begun beyond the budget", async () => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    // 30 minutes a month on the free plan.
    const tooLong = api.audio.transcriptions.create({ model: "whisper-1", file: await wavFile(1_801) });
    await expect(tooLong).rejects.toMatchObject({ status: 429, code: "quota_exceeded" });
    await settled();
    expect(await used(person, "transcription")).toBe(0);
  });
});

describe("pictures made out of others", () => {
  const png = async () => {
    const { api } = clientOf((await signUp()).token);
    const { data } = await api.images.generate({ prompt: "A lighthouse", quality: "low" });
    return Buffer.from(data?.[0]?.b64_json ?? "", "base64");
  };

  it("are charged as they were counted, also when they are many or large", async () => {
    const bytes = await png();
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const image = await Promise.all([1, 2].map((n) => toFile(bytes, `${n}.png`, { type: "image/png" })));
    const edited = await api.images.edit({ image, prompt: "At night", quality: "low" });
    await settled();
    expect(edited.data).toHaveLength(1);
    const first = (edited.usage?.input_tokens ?? 0) + (edited.usage?.output_tokens ?? 0);
    expect(first).toBeGreaterThan(1_024);
    expect(await used(person, "aiTokens")).toBe(first);
    const large = await toFile(Buffer.concat([bytes, Buffer.alloc(5 * 1024 * 1024)]), "large.png", {
      type: "image/png",
    });
    const again = await api.images.edit({ prompt: "By day", quality: "low", image: large });
    await settled();
    const second = (again.usage?.input_tokens ?? 0) + (again.usage?.output_tokens ?? 0);
    expect(await used(person, "aiTokens")).toBe(first + second);
  });

  it("are refused, or fail, at no cost", async () => {
    const bytes = await png();
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const image = await toFile(bytes, "1.png", { type: "image/png" });
    const body = { image, prompt: "At night", quality: "low" as const };
    await expect(api.images.edit({ ...body, n: 11 })).rejects.toThrow(BadRequestError);
    await expect(api.images.edit({ ...body, prompt: "" })).rejects.toThrow(BadRequestError);
    await expect(api.images.edit({ ...body, stream: true })).rejects.toThrow(BadRequestError);
    await expect(api.images.edit({ ...body, model: "or/sandbox-cut-12" })).rejects.toThrow(InternalServerError);
    const noPicture = await toFile(Buffer.from("no picture"), "1.png", { type: "image/png" });
    await expect(api.images.edit({ ...body, image: noPicture })).rejects.toThrow(BadRequestError);
    await settled();
    expect(await used(person, "aiTokens")).toBe(0);
  });
});
