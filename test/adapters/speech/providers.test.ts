/** Four providers through one contract: the same words with their times from each, and every way to fail as a fault in our own words. */
import { describe, expect, it } from "vitest";
import { capabilitiesOf, languageFor } from "#adapters/speech/capabilities";
import { type SpeechAdapterName, speechAdapterNames } from "#adapters/speech/contract";
import { speechProviders } from "#adapters/speech/index";
import { mergeChunks } from "#lib/audio/merge";
import { probe } from "#lib/audio/probe";
import { rangesOfBytes } from "#lib/audio/ranges";
import { planChunks, readChunk } from "#lib/audio/split";
import { bare } from "#sandbox/speech/segments";
import { interview, type interviews, type SampleWord, words, wavOf } from "../../sandbox/speech/samples.ts";
import { briefingWav } from "#test/support/fixtures";
import { contextOf, requestOf, targetOf, usualModels } from "./support.ts";

const wordsOf = (list: readonly SampleWord[]) => list.map(({ word }) => word);

async function hear(adapter: SpeechAdapterName, request = requestOf(briefingWav()), more = {}) {
  const outcome = await speechProviders[adapter].transcribe(contextOf(), targetOf(adapter, more), request);
  if (!outcome.ok) throw new Error(outcome.fault.detail);
  return outcome.result;
}

describe.each(speechAdapterNames)("%s", (adapter) => {
  it("says every word at its time, in sentences", async () => {
    const result = await hear(adapter);
    expect(result.segments.map(({ text }) => text)).toEqual([
      "Welcome to the morning briefing.",
      "The harbor bridge reopens on Tuesday after nine weeks of repairs.",
      "Ferry service returns to its winter timetable at six thirty.",
      "Engineers replaced four hundred and twelve steel bolts.",
      "Thank you for listening.",
    ]);
    const said = result.segments.flatMap((segment) => segment.words);
    expect(said.map(({ text }) => bare(text))).toEqual(wordsOf(words.briefing));
    expect(said.map(({ startSeconds }) => startSeconds)).toEqual(words.briefing.map(({ startMs }) => startMs / 1_000));
    expect(result).toMatchObject({ language: "en", text: result.segments.map(({ text }) => text).join(" ") });
    expect([null, 16.808]).toContain(result.durationSeconds);
    expect(said.every(({ confidence }) => (adapter === "deepgram" ? confidence === 0.99 : confidence === null))).toBe(
      true,
    );
  });

  it("hears nothing in silence", async () => {
    const result = await hear(adapter, requestOf(wavOf(new Uint8Array(64_000))));
    expect([result.text, result.segments]).toEqual(["", []]);
  });

  it("leaves words out that nobody asked for, and refuses what it does not know before the call", async () => {
    const short = await hear(adapter, requestOf(briefingWav(), { wantsWords: false, language: "en-GB" }));
    expect(short.segments.flatMap((segment) => segment.words)).toEqual([]);
    const never = contextOf(() => {
      throw new Error("nobody may be called");
    });
    const ask = (more: object) =>
      speechProviders[adapter].transcribe(never, targetOf(adapter), requestOf(briefingWav(), more));
    expect(await ask({ language: "tlh" })).toMatchObject({ ok: false, fault: { kind: "refused" } });
    const { requestBytesMax } = speechProviders[adapter].capabilities;
    expect(await ask({ audio: new Uint8Array(requestBytesMax + 1) })).toMatchObject({
      ok: false,
      fault: { kind: "too-large" },
    });
  });

  it.each([
    [{ model: "sandbox-rate-limited" }, "rate-limited", 1_000],
    [{ model: "sandbox-error" }, "overloaded", null],
    [{ model: "sandbox-unavailable" }, "overloaded", null],
    [{ model: "sandbox-bad-request" }, "refused", null],
    [{ model: "sandbox-empty" }, "invalid-answer", null],
    [{ model: "sandbox-html" }, "invalid-answer", null],
    [{ model: "sandbox-bad-json-1" }, "invalid-answer", null],
    [{ model: "sandbox-cut-1" }, "unreachable", null],
    [{ secret: "sk-sandbox-invalid" }, "credentials", null],
  ] as const)("fails precisely: %j", async (more, kind, retryAfterMs) => {
    const outcome = await speechProviders[adapter].transcribe(
      contextOf(),
      targetOf(adapter, more),
      requestOf(briefingWav()),
    );
    expect(outcome).toMatchObject({ ok: false, fault: { kind, retryAfterMs } });
  });

  it.each([
    [402, "credentials"],
    [403, "credentials"],
    [404, "refused"],
    [413, "too-large"],
    [302, "invalid-answer"],
    [504, "timeout"],
    [529, "overloaded"],
  ])("tells what a status means, and none of its words: %s", async (status, kind) => {
    const words_ = "the key sk-secret of Mr Smith";
    const ctx = contextOf(() =>
      Response.json({ error: { message: words_ }, err_msg: words_, detail: words_ }, { status }),
    );
    const outcome = await speechProviders[adapter].transcribe(ctx, targetOf(adapter), requestOf(briefingWav()));
    expect(outcome).toMatchObject({ ok: false, fault: { kind } });
    expect(JSON.stringify(outcome)).not.toContain("Smith");
  });

  it("tells late answers and lost connections apart", async () => {
    const failing = async (error: Error) => {
      const ctx = contextOf(() => Promise.reject(error));
      return speechProviders[adapter].transcribe(ctx, targetOf(adapter), requestOf(briefingWav()));
    };
    expect(await failing(new DOMException("late", "TimeoutError"))).toMatchObject({ fault: { kind: "timeout" } });
    expect(await failing(new TypeError("no network"))).toMatchObject({ fault: { kind: "unreachable" } });
  });

  it.each([null, [], "text", {}, { text: 7 }, { result: { text: null } }, { results: { channels: [{}] } }])(
    "takes no nonsense for a transcript: %j",
    async (body) => {
      const ctx = contextOf(() => Response.json(body));
      const outcome = await speechProviders[adapter].transcribe(ctx, targetOf(adapter), requestOf(briefingWav()));
      expect(outcome).toMatchObject({ ok: false, fault: { kind: "invalid-answer" } });
    },
  );

  it("calls an address that a tenant named by the tenants' rules", async () => {
    const target = targetOf(adapter, { isTenantUrl: true, baseUrl: "https://169.254.169.254/v1" });
    const outcome = await speechProviders[adapter].transcribe(contextOf(), target, requestOf(briefingWav()));
    expect(outcome).toMatchObject({ ok: false, fault: { kind: "unreachable" } });
  });
});

describe("speakers", () => {
  it.each([
    ["openai", "gpt-4o-transcribe-diarize", ["A", "B", "A", "B", "A"]],
    ["deepgram", "nova-3", ["speaker_0", "speaker_1", "speaker_0", "speaker_1", "speaker_0"]],
    ["elevenlabs", "scribe_v1", ["speaker_0", "speaker_1", "speaker_0", "speaker_1", "speaker_0"]],
  ] as const)("are told by %s", async (adapter, model, speakers) => {
    const result = await hear(adapter, requestOf(briefingWav(), { wantsSpeakers: true }), { model });
    expect(result.segments.map(({ speaker }) => speaker)).toEqual(speakers);
    expect((await hear(adapter, requestOf(briefingWav()), { model })).segments[0]?.speaker).toBeNull();
  });
});

describe("limits of OpenAI", () => {
  it("are told by their own texts", async () => {
    const long = wavOf(new Uint8Array(0));
    new DataView(long.buffer).setUint32(28, 1, true);
    const audio = new Uint8Array(2_000);
    audio.set(long);
    new DataView(audio.buffer).setUint32(40, 1_956, true);
    const tooLong = await speechProviders.openai.transcribe(contextOf(), targetOf("openai"), requestOf(audio));
    expect(tooLong).toMatchObject({ ok: false, fault: { kind: "too-long" } });
    const words_ = { error: { message: "Maximum content size limit (26214400) exceeded (26300000 bytes read)" } };
    const ctx = contextOf(() => Response.json(words_, { status: 400 }));
    const tooLarge = await speechProviders.openai.transcribe(ctx, targetOf("openai"), requestOf(briefingWav()));
    expect(tooLarge).toMatchObject({ ok: false, fault: { kind: "too-large" } });
  });

  it("have no times with models that tell none", async () => {
    const result = await hear("openai", undefined, { model: "gpt-4o-transcribe" });
    expect([result.text.split(" ").length, result.segments]).toEqual([words.briefing.length, []]);
  });
});

describe("capabilities", () => {
  it("know languages by code, region and older names", () => {
    const whisper = capabilitiesOf("openai", "whisper-1");
    expect(["en", "EN-us", "pt_BR", "iw", "nb", "tlh", ""].map((code) => languageFor(whisper, code))).toEqual([
      "en",
      "en",
      "pt",
      "he",
      "no",
      null,
      null,
    ]);
    expect(languageFor({ ...whisper, languages: "any" }, "tlh-x")).toBe("tlh");
    for (const adapter of speechAdapterNames) {
      const { languages } = capabilitiesOf(adapter, usualModels[adapter]);
      for (const code of ["en", "es", "fr", "de", "it", "pt", "ru", "ja", "ko", "zh"])
        expect(languages).toContain(code);
      expect(new Set(languages).size).toBe(languages.length);
    }
  });
});

describe("a recording in chunks", () => {
  const chunked = async (bytes: Uint8Array<ArrayBuffer>, contentType: string, overlapSeconds: number) => {
    const source = rangesOfBytes(bytes);
    const probed = await probe(source, contentType);
    if (!probed.ok) throw new Error(probed.detail);
    const limits = { chunkBytesMax: 16_777_216, chunkSecondsMax: 5, overlapSeconds };
    const parts = [];
    for (const plan of await planChunks(source, probed.facts, limits)) {
      const fileName = `chunk.${plan.fileExtension}`;
      const request = requestOf(await readChunk(source, plan), { fileName, contentType: plan.contentType });
      parts.push({ plan, result: await hear("openai", request) });
    }
    return { count: parts.length, merged: mergeChunks(parts) };
  };

  it.each([
    ["wav", "audio/wav"],
    ["aac", "audio/aac"],
    ["flac", "audio/flac"],
    ["m4a", "audio/mp4"],
    ["mp3", "audio/mpeg"],
    ["ogg", "audio/ogg"],
    ["webm", "audio/webm"],
    ["mp4", "video/mp4"],
  ] as const)("is put together word for word: %s", async (extension, contentType) => {
    const bytes = extension === "wav" ? briefingWav() : interview(extension as keyof typeof interviews);
    const expected = extension === "wav" ? words.briefing : words.interview;
    for (const overlapSeconds of [0, 1]) {
      const { count, merged } = await chunked(bytes, contentType, overlapSeconds);
      const said = merged.segments.flatMap((segment) => segment.words);
      expect(count).toBeGreaterThan(2);
      expect(said.map(({ text }) => bare(text))).toEqual(wordsOf(expected));
      for (const [index, { startSeconds }] of said.entries())
        expect(Math.abs(startSeconds - (expected[index]?.startMs ?? 0) / 1_000)).toBeLessThan(0.1);
    }
  });
});
