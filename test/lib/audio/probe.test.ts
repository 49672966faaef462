import { describe, expect, it } from "vitest";
import { probe } from "#lib/audio/probe";
import type { MediaFacts } from "#lib/audio/probe";
import { counted, joinBytes, makeWav, media } from "#test/lib/audio/media";
import { briefingWav } from "#test/support/fixtures";

async function factsOf(bytes: Uint8Array, contentType = ""): Promise<MediaFacts> {
  const outcome = await probe(counted(bytes), contentType);
  if (!outcome.ok) throw new Error(`${outcome.fault}: ${outcome.detail}`);
  return outcome.facts;
}

async function faultOf(bytes: Uint8Array, contentType = ""): Promise<string> {
  const outcome = await probe(counted(bytes), contentType);
  return outcome.ok ? `facts of ${outcome.facts.container}` : outcome.fault;
}

describe("the facts of the samples", () => {
  const stereo = { channels: 2, sampleRateHz: 44_100 };
  it.each([
    ["interview.mp3", "audio/mpeg", "mp3", { codec: "mp3", ...stereo, bitsPerSample: null }, 2],
    ["interview.aac", "audio/aac", "adts", { codec: "aac", ...stereo, bitsPerSample: null }, 4],
    ["interview.m4a", "audio/mp4", "mp4", { codec: "aac", ...stereo, bitsPerSample: null }, 3],
    ["interview.ogg", "audio/ogg", "ogg", { codec: "opus", channels: 2, sampleRateHz: 48_000, bitsPerSample: null }, 4],
    [
      "interview.webm",
      "audio/webm",
      "webm",
      { codec: "opus", channels: 2, sampleRateHz: 48_000, bitsPerSample: null },
      3,
    ],
    ["interview.flac", "audio/flac", "flac", { codec: "flac", ...stereo, bitsPerSample: 16 }, 1],
  ] as const)("%s", async (name, contentType, container, audio, readsMax) => {
    const source = counted(media(name));
    const outcome = await probe(source, contentType);
    expect(outcome).toMatchObject({ ok: true, facts: { container, audio, video: null, cover: null } });
    if (!outcome.ok) return;
    // The encoders of three of them add up to 30 ms of lead-in.
    expect(Math.abs((outcome.facts.durationSeconds ?? 0) - 13.14)).toBeLessThan(0.03);
    expect(source.reads).toBeLessThanOrEqual(readsMax);
  });

  it("briefing.wav in one read", async () => {
    const source = counted(briefingWav());
    expect(await probe(source, "audio/wav")).toMatchObject({
      ok: true,
      facts: {
        container: "wav",
        durationSeconds: 16.8076875,
        audio: { codec: "pcm-s16", channels: 1, sampleRateHz: 16_000, bitsPerSample: 16 },
      },
    });
    expect(source.reads).toBe(1);
  });

  it("clip.mp4 has pictures too", async () => {
    expect(await factsOf(media("clip.mp4"), "video/mp4")).toMatchObject({
      video: { codec: "avc", widthPixels: 720, heightPixels: 1_280, rotationDegrees: 0 },
      audio: { codec: "aac" },
      isEncrypted: false,
    });
  });
});

describe("kinds of WAVE", () => {
  const second = new Uint8Array(8_000 * 8);
  it.each([
    ["u8", { bits: 8 }, "pcm-u8", 8],
    ["24 bits", { bits: 24 }, "pcm-s24", 24],
    ["float", { tag: 3, bits: 32 }, "pcm-f32", 32],
    ["double", { tag: 3, bits: 64 }, "pcm-f64", 64],
    ["A-law", { tag: 6, bits: 8 }, "alaw", 8],
    ["mu-law", { tag: 7, bits: 8 }, "ulaw", 8],
    ["extensible", { isExtensible: true }, "pcm-s16", 16],
    ["RF64", { isLong: true }, "pcm-s16", 16],
    ["an odd chunk in front", { hasNote: true }, "pcm-s16", 16],
    ["size not yet known (0)", { declaredBytes: 0 }, "pcm-s16", 16],
    ["size not yet known (all ones)", { declaredBytes: 0xffffffff }, "pcm-s16", 16],
  ] as const)("%s", async (_, shape, codec, bitsPerSample) => {
    const facts = await factsOf(makeWav({ ...shape, data: second.subarray(0, 1_000 * bitsPerSample) }));
    expect(facts).toMatchObject({ durationSeconds: 1, audio: { codec, bitsPerSample, channels: 1 } });
  });

  it("refuses compressed WAVE, and tells of one that was cut or holds nothing", async () => {
    expect(await faultOf(makeWav({ tag: 0x11, bits: 4, data: second }))).toBe("unsupported-codec");
    expect(await faultOf(makeWav({ data: second, declaredBytes: 9_999_999 }))).toBe("truncated");
    expect(await faultOf(makeWav({ data: new Uint8Array(0) }))).toBe("empty");
    expect(await faultOf(briefingWav().subarray(0, 30))).toBe("truncated");
  });
});

describe("what stands in a file beside its sound", () => {
  it.each(["cover.mp3", "cover.m4a", "cover.flac"] as const)("the picture of %s, byte for byte", async (name) => {
    const bytes = media(name);
    const { cover } = await factsOf(bytes);
    expect(cover?.contentType).toBe("image/png");
    expect(bytes.subarray(cover?.startByte, cover?.endByte)).toEqual(media("cover.png"));
  });

  it("encryption", async () => {
    expect(await factsOf(media("encrypted.mp4"))).toMatchObject({ container: "mp4", isEncrypted: true });
  });

  it("a film without sound", async () => {
    expect(await factsOf(media("silent-film.mov"), "video/quicktime")).toMatchObject({
      audio: null,
      durationSeconds: 1,
    });
  });

  it("durations without a header that tells them", async () => {
    expect((await factsOf(media("fragmented.mp4"))).durationSeconds).toBeCloseTo(2.043, 2);
    expect((await factsOf(media("recorder.webm"))).durationSeconds).toBeCloseTo(2.0, 1);
    // Without its index frame the varying bit rate has to be walked, the constant one not.
    expect((await factsOf(media("vbr.mp3").subarray(await firstSound("vbr.mp3")))).durationSeconds).toBeCloseTo(
      3.096,
      2,
    );
    const constant = counted(media("interview.mp3").subarray(await firstSound("interview.mp3")));
    const outcome = await probe(constant, "");
    expect(outcome.ok && outcome.facts.durationSeconds).toBeCloseTo(13.1657, 2);
    expect(constant.bytesRead).toBeLessThan(100_000);
  });
});

async function firstSound(name: "vbr.mp3" | "interview.mp3"): Promise<number> {
  const { readMp3 } = await import("#lib/audio/mp3");
  return (await readMp3(counted(media(name))))?.startByte ?? 0;
}

describe("hostile bytes end in a fault, soon", () => {
  const names = [
    "interview.mp3",
    "interview.aac",
    "interview.m4a",
    "interview.ogg",
    "interview.webm",
    "interview.flac",
    "cover.mp3",
    "cover.flac",
    "fragmented.mp4",
    "encrypted.mp4",
  ] as const;

  it("nothing, noise and a wrong name", async () => {
    expect(await faultOf(new Uint8Array(0))).toBe("empty");
    expect(await faultOf(Uint8Array.from({ length: 5_000 }, (_, index) => (index * 37) & 0x7f))).toBe("not-media");
    expect(await faultOf(briefingWav(), "audio/mpeg")).toBe("not-media");
    expect(await faultOf(media("alac.m4a"))).toBe("unsupported-codec");
  });

  it("tells of an MP4 and an MP3 that end too early", async () => {
    const clip = media("clip.mp4");
    expect(await faultOf(clip.subarray(0, clip.length - 1_000))).toBe("truncated");
    expect(await faultOf(media("interview.m4a").subarray(0, 100_000))).toBe("truncated");
    expect(await faultOf(media("interview.mp3").subarray(0, 100_000))).toBe("truncated");
    expect(await faultOf(media("cover.mp3").subarray(0, 200))).toBe("truncated");
  });

  it.each(names)("%s with its bytes changed or cut anywhere", async (name) => {
    const bytes = media(name);
    let state = 12_345;
    const random = (below: number) => {
      state = (state * 1_103_515_245 + 12_345) & 0x7fffffff;
      return state % below;
    };
    for (let round = 0; round < 60; round += 1) {
      const broken = bytes.slice(0, round % 3 === 0 ? random(bytes.length) : bytes.length);
      // Headers are where it hurts.
      for (let change = 0; change < 1 + (round % 8); change += 1) {
        const at = random(round % 2 === 0 ? Math.min(broken.length, 2_000) || 1 : broken.length || 1);
        if (at < broken.length) broken[at] = [0x00, 0xff, 0x7f, random(256)][random(4)] ?? 0;
      }
      const source = counted(broken);
      const outcome = await probe(source, "");
      expect(typeof outcome.ok).toBe("boolean");
      expect(source.reads).toBeLessThan(220);
    }
  });

  const box = (name: string, ...content: Uint8Array[]) => {
    const inner = joinBytes(...content);
    const bytes = new Uint8Array(8 + inner.length);
    new DataView(bytes.buffer).setUint32(0, bytes.length);
    bytes.set(
      Uint8Array.from(name, (letter) => letter.charCodeAt(0)),
      4,
    );
    bytes.set(inner, 8);
    return bytes;
  };
  const ftyp = box(
    "ftyp",
    Uint8Array.from("isom\0\0\0\0isom", (letter) => letter.charCodeAt(0)),
  );
  const nested = (name: string, depth: number) => {
    let inner = box("free");
    for (let level = 0; level < depth; level += 1) inner = box(name, inner);
    return inner;
  };

  it.each([
    ["boxes within themselves, 2,000 deep", joinBytes(ftyp, box("moov", nested("trak", 2_000)))],
    ["a box of no length", joinBytes(ftyp, new Uint8Array(64))],
    [
      "a box that counts four thousand million samples",
      joinBytes(
        ftyp,
        box(
          "moov",
          box(
            "trak",
            box(
              "mdia",
              box(
                "minf",
                box("stbl", box("ctts", Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]))),
              ),
            ),
          ),
        ),
      ),
    ],
    ["no tracks", joinBytes(ftyp, box("moov"))],
  ])("MP4: %s", async (_, bytes) => {
    const source = counted(bytes);
    const outcome = await probe(source, "");
    expect(outcome.ok).toBe(false);
    expect(source.reads).toBeLessThan(10);
  });

  it("a tag that claims 256 MiB, and a file of 500 MiB that is zeros behind its head", async () => {
    const tag = Uint8Array.from([0x49, 0x44, 0x33, 3, 0, 0, 0x7f, 0x7f, 0x7f, 0x7f]);
    expect(await faultOf(joinBytes(tag, new Uint8Array(70_000)))).toBe("truncated");
    for (const name of ["interview.aac", "interview.ogg", "interview.webm", "fragmented.mp4"] as const) {
      const source = counted(media(name).subarray(0, 3_000), 524_288_000);
      const outcome = await probe(source, "");
      expect(typeof outcome.ok).toBe("boolean");
      expect(source.reads).toBeLessThan(420);
    }
  });
});
