import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodePng } from "#lib/png/encode";
import { readImage, readImageStream } from "#lib/seal/image";
import { checkChunkSet } from "#lib/seal/set";
import { fingerprintPixels } from "#lib/seal/hash";
import {
  type SealChunkInput,
  chunkImageSize,
  deriveKeyV1,
  imageNameV1,
  openChunkV1,
  readChunkHeader,
  readFileName,
  readMasterKey,
  readUserId,
  sealChunkV1,
  streamChunkV1,
} from "#lib/seal/v1";
import { writeChunkHeader } from "#lib/seal/v1-header";
import { briefingWav, echocipherImages } from "#test/support/fixtures";
import { buildPng, concat } from "../png/builder.ts";
import { hex, noise, range, refusal, sha256 } from "./samples.ts";

const masterKey = range(0, 32);
const alice = await deriveKeyV1({ masterKey, userId: "alice" });
const chunk = (bytes: Uint8Array, change: Partial<SealChunkInput> = {}): SealChunkInput => ({
  key: alice,
  userId: "alice",
  fileName: "tone.wav",
  chunkIndex: 0,
  chunkCount: 1,
  bytes,
  nonce: range(0, 12),
  createdAtSeconds: 1_700_000_000,
  compress: false,
  ...change,
});
const pixelsOf = async (input: SealChunkInput) => readImage((await sealChunkV1(input)).png).rgb;

/** Leaves `rgb` alone. */
async function openStreamed(rgb: Uint8Array): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of streamChunkV1({ key: alice, rgb: new Uint8Array(rgb) })) pieces.push(new Uint8Array(piece));
  return concat(pieces);
}

describe("the published vector", () => {
  it("derives the keys of three users", async () => {
    expect(hex(alice)).toBe("31fc154cda62f28df691ddb6177715d0010fdaa89086dc96a3d66853c6ea3c40");
    const bob = await deriveKeyV1({ masterKey, userId: "bob" });
    expect(hex(bob)).toBe("808cacd04788b73a872fdf87f1ceca516975d798defd949827a9e586b235162a");
    const other = await deriveKeyV1({ masterKey, userId: "Alice" });
    expect(hex(other)).toBe("b040cfeb1d9da36f82b6dd46072b605e77b3a318af5eec926c2cbc6612d7139a");
  });

  it("gives header, ciphertext, payload and pixels", async () => {
    const sealed = await sealChunkV1(chunk(range(0, 256)));
    const { rgb, width, height } = readImage(sealed.png);
    expect(readChunkHeader(rgb).json.byteLength).toBe(257);
    expect(sealed.payloadBytes).toBe(1_316);
    const payload = rgb.subarray(0, 1_316);
    expect(hex(payload.subarray(1_036, 1_052))).toBe("bab6008c9936f537a02a05b6dc999666");
    expect(hex(payload.subarray(-24, -8))).toBe("835ee82aae238fa06d07c8af67a5856c");
    expect(sha256(payload)).toBe("c9e5f5d8829a75f534172f8d883cc638f54e7b0428cc445ec5a6f9e5943e3364");
    expect([width, height, rgb.byteLength]).toEqual([21, 21, 1_323]);
    expect(sha256(rgb)).toBe("2d1e29d99d0a8c8980d0e97deef6b67486386a7e2883ec623bb21afa53ac0ce2");
  });

  it("gives the published image sizes", () => {
    const sizeOf = (bytes: number) => chunkImageSize(1_036 + bytes + 16 + 8);
    expect(sizeOf(176_444)).toEqual({ width: 244, height: 243 });
    expect(sizeOf(8_388_608)).toEqual({ width: 1_673, height: 1_672 });
    expect(sizeOf(52_428_800)).toEqual({ width: 4_181, height: 4_181 });
    expect(sizeOf(300_000_000).width).toBe(8_192);
  });
});

describe("EchoCipher's own kind of images", () => {
  it("open to the recording byte for byte, from memory and from a stream", async () => {
    const images = echocipherImages();
    const members = images.map((png) => {
      const { rgb } = readImage(png);
      return { header: readChunkHeader(rgb).header, fingerprint: fingerprintPixels(rgb) };
    });
    const { order, count, fileName } = checkChunkSet(members.toReversed());
    expect([count, fileName, order]).toEqual([3, "briefing.wav", [2, 1, 0]]);
    const opened: Uint8Array[] = [];
    const streamed: Uint8Array[] = [];
    for (const png of images) {
      opened.push((await openChunkV1({ key: alice, rgb: readImage(png).rgb })).bytes);
      streamed.push(await openStreamed((await readImageStream(new Blob([png]).stream())).rgb));
    }
    expect(sha256(concat(opened))).toBe(sha256(briefingWav()));
    expect(sha256(concat(streamed))).toBe(sha256(briefingWav()));
  });

  it("do not open for another user", async () => {
    const [png] = echocipherImages();
    const key = await deriveKeyV1({ masterKey, userId: "bob" });
    const { rgb } = readImage(png ?? new Uint8Array(0));
    expect(await refusal(() => openChunkV1({ key, rgb }))).toMatchObject({ reason: "wrong-key", index: 0 });
  });
});

describe("sealChunkV1 and openChunkV1", () => {
  it("give the bytes back, for any bytes, name and place", async () => {
    const input = fc.record({
      bytes: fc.uint8Array({ minLength: 1, maxLength: 3_000 }),
      repeat: fc.integer({ min: 1, max: 20 }),
      compress: fc.boolean(),
      chunkIndex: fc.integer({ min: 0, max: 9 }),
      fileName: fc.constantFrom("a.wav", "Größe \u{1f3b5}.mp3", "käse", "\u007fx".slice(1)),
      userId: fc.constantFrom("alice", "Zoë", "用户"),
    });
    await fc.assert(
      fc.asyncProperty(input, async ({ bytes, repeat, ...facts }) => {
        const whole = new Uint8Array(bytes.byteLength * repeat).map((_, index) => bytes[index % bytes.byteLength] ?? 0);
        const rgb = await pixelsOf(chunk(whole, { ...facts, chunkCount: 10 }));
        const streamed = await openStreamed(rgb);
        const { header, bytes: opened } = await openChunkV1({ key: alice, rgb });
        expect(opened).toEqual(whole);
        expect(streamed).toEqual(whole);
        expect(header).toMatchObject({ fileName: facts.fileName, userId: facts.userId, chunkIndex: facts.chunkIndex });
      }),
      { numRuns: 40 },
    );
  });

  it("pass over several megabytes, compressed and not", async () => {
    const bytes = noise(3_000_000).map((byte, index) => (index % 3 === 0 ? 0 : byte));
    for (const compress of [true, false]) {
      const rgb = await pixelsOf(chunk(bytes, { compress }));
      const opened = await openChunkV1({ key: alice, rgb });
      expect(opened.header.compressed).toBe(compress);
      expect(sha256(opened.bytes)).toBe(sha256(bytes));
    }
  });

  it("refuse what cannot be sealed", async () => {
    for (const change of [
      { bytes: new Uint8Array(0) },
      { nonce: range(0, 11) },
      { key: range(0, 31) },
      { chunkIndex: 1 },
      { chunkIndex: -1 },
      { chunkCount: 1.5 },
      { createdAtSeconds: 1.5 },
      { fileName: "../a" },
      { userId: "" },
      // 255 characters of three bytes each, six characters each when escaped: over 1,020 bytes of header.
      { fileName: "語".repeat(255) },
    ]) {
      expect(await refusal(() => sealChunkV1(chunk(range(0, 9), change)))).toMatchObject({ reason: "input-invalid" });
    }
  });
});

/** A compressed chunk, because only there is the length of the ciphertext unknown. */
async function compressedPixels(): Promise<{ rgb: Uint8Array<ArrayBuffer>; bytes: Uint8Array; end: number }> {
  const bytes = new Uint8Array(5_000).map((_, index) => (index * index) >>> 7);
  const sealed = await sealChunkV1(chunk(bytes, { compress: true }));
  expect(sealed.header.compressed).toBe(true);
  return { rgb: readImage(sealed.png).rgb, bytes, end: sealed.payloadBytes - 8 };
}

describe("the repairs of version 1", () => {
  it("find the end behind a sentinel that is part of the ciphertext", async () => {
    const { rgb, bytes, end } = await compressedPixels();
    const sentinel = rgb.subarray(end, end + 8);
    // As if eight bytes of the ciphertext were the sentinel: the first search would stop there, the last must win.
    const longer = new Uint8Array(rgb.byteLength + 64);
    longer.set(rgb);
    longer.set(sentinel, end + 20);
    longer.set(sentinel, end + 40);
    expect((await openChunkV1({ key: alice, rgb: longer })).bytes).toEqual(bytes);
  });

  it("give up after eight sentinels", async () => {
    const { rgb, end } = await compressedPixels();
    const sentinel = rgb.slice(end, end + 8);
    const longer = new Uint8Array(rgb.byteLength + 200);
    longer.set(rgb);
    for (let copy = 1; copy <= 8; copy++) longer.set(sentinel, end + copy * 8);
    expect(await refusal(() => openChunkV1({ key: alice, rgb: longer }))).toMatchObject({ reason: "wrong-key" });
  });

  it("trim zeros when there is no sentinel, and try again behind tag bytes that are zero", async () => {
    const { rgb, bytes, end } = await compressedPixels();
    rgb.fill(0, end);
    expect((await openChunkV1({ key: alice, rgb })).bytes).toEqual(bytes);
    let zeroTag: { rgb: Uint8Array; end: number } | undefined;
    for (let nonce = 0; zeroTag === undefined; nonce++) {
      const sealed = await sealChunkV1(
        chunk(bytes, { compress: true, nonce: Uint8Array.of(nonce, nonce >>> 8, ...range(0, 10)) }),
      );
      const pixels = readImage(sealed.png).rgb;
      const tagEnd = sealed.payloadBytes - 8;
      if (pixels[tagEnd - 1] === 0) zeroTag = { rgb: pixels, end: tagEnd };
    }
    zeroTag.rgb.fill(0, zeroTag.end);
    expect((await openChunkV1({ key: alice, rgb: zeroTag.rgb })).bytes).toEqual(bytes);
  });

  it("do not need a sentinel when nothing is compressed", async () => {
    const rgb = await pixelsOf(chunk(range(0, 256)));
    rgb.fill(0x41, 1_036 + 256 + 16);
    expect((await openChunkV1({ key: alice, rgb })).bytes).toEqual(range(0, 256));
  });

  it("leave the pixels alone when nothing authenticates", async () => {
    const { rgb } = await compressedPixels();
    const before = sha256(rgb);
    const key = await deriveKeyV1({ masterKey, userId: "bob" });
    expect(await refusal(() => openChunkV1({ key, rgb }))).toMatchObject({ reason: "wrong-key" });
    expect(sha256(rgb)).toBe(before);
  });

  it("open what other programs saved again without loss", async () => {
    const sealed = await sealChunkV1(chunk(range(0, 256)));
    const { rgb, width, height } = readImage(sealed.png);
    const png = buildPng({ width, height, rgb, channels: 4, filterOf: (row) => row % 5, idatBytes: 100 });
    expect((await openChunkV1({ key: alice, rgb: readImage(png).rgb })).bytes).toEqual(range(0, 256));
  });
});

/** Pixels with the header given, genuinely encrypted: what a faulty or hostile writer with the key could make. */
async function forge(json: string, plaintext: Uint8Array): Promise<Uint8Array> {
  const header = new TextEncoder().encode(json);
  const key = await crypto.subtle.importKey("raw", alice, "AES-GCM", false, ["encrypt"]);
  const algorithm = { name: "AES-GCM", iv: range(0, 12), additionalData: header };
  const ciphertext = new Uint8Array(await crypto.subtle.encrypt(algorithm, key, plaintext));
  const area = new Uint8Array(1_024);
  new DataView(area.buffer).setUint32(0, header.byteLength, true);
  area.set(header, 4);
  const parts = [area, range(0, 12), ciphertext, new TextEncoder().encode("AIMGEND1")];
  const size = chunkImageSize(parts.reduce((sum, part) => sum + part.byteLength, 0));
  return readImage(encodePng({ parts, ...size })).rgb;
}

describe("openChunkV1 refuses", () => {
  const members = {
    compressed: false,
    magic: "AUDIO-IMG-V1",
    orig_chunk_index: 0,
    orig_chunk_size: 9,
    orig_filename: "a",
    orig_total_chunks: 1,
    sha256: sha256(range(0, 9)),
    ts: 1,
    user_id: "alice",
    version: 1,
  };

  it.each([
    ["not-sealed", { magic: "AUDIO-IMG-V2" }],
    ["header-damaged", { version: 2 }],
    ["header-damaged", { version: 0 }],
    ["header-damaged", { compressed: "no" }],
    ["header-damaged", { orig_chunk_index: 1 }],
    ["header-damaged", { orig_chunk_index: -1 }],
    ["header-damaged", { orig_chunk_size: 0 }],
    ["header-damaged", { orig_chunk_size: 524_288_001 }],
    ["header-damaged", { orig_filename: 7 }],
    ["header-damaged", { sha256: "abc" }],
    ["wrong-key", { orig_chunk_size: 10 }],
    ["wrong-key", { orig_chunk_size: 50_000 }],
    ["hash-mismatch", { sha256: sha256(range(0, 8)) }],
    ["decompression-failed", { compressed: true }],
    ["image-too-large", { compressed: true, orig_chunk_size: 67_108_865 }],
  ])("%s: %o", async (reason, change) => {
    const rgb = await forge(JSON.stringify({ ...members, ...change }), range(0, 9));
    expect(await refusal(() => openChunkV1({ key: alice, rgb }))).toMatchObject({ reason });
  });

  it("a frame that holds more or less than the header says", async () => {
    const sealed = await sealChunkV1(chunk(new Uint8Array(900_000), { compress: true }));
    const { rgb } = readImage(sealed.png);
    const frameBytes = sealed.payloadBytes - 8 - 16 - 1_036;
    const key = await crypto.subtle.importKey("raw", alice, "AES-GCM", false, ["decrypt"]);
    const additionalData = readChunkHeader(rgb).json;
    const ciphertext = rgb.subarray(1_036, 1_036 + frameBytes + 16);
    const frame = new Uint8Array(
      await crypto.subtle.decrypt({ name: "AES-GCM", iv: range(0, 12), additionalData }, key, ciphertext),
    );
    for (const orig_chunk_size of [899_999, 900_001, 100]) {
      const forged = await forge(JSON.stringify({ ...members, compressed: true, orig_chunk_size }), frame);
      expect(await refusal(() => openChunkV1({ key: alice, rgb: forged }))).toMatchObject({
        reason: "hash-mismatch",
        detail: "size",
      });
    }
  });

  it("pixels without a version 1 header", async () => {
    const broken = ["[1]", "null", "{", '"text"'];
    for (const json of broken) {
      expect(await refusal(async () => readChunkHeader(await forge(json, range(0, 9))))).toEqual({
        reason: "not-sealed",
      });
    }
    expect(await refusal(() => readChunkHeader(new Uint8Array(1_023)))).toEqual({ reason: "not-sealed" });
    expect(await refusal(() => readChunkHeader(new Uint8Array(2_000)))).toEqual({ reason: "not-sealed" });
    expect(await refusal(() => readChunkHeader(new Uint8Array(2_000).fill(255)))).toEqual({ reason: "not-sealed" });
  });
});

describe("the header's JSON", () => {
  it("has sorted keys, no spaces and escapes, as Python writes it", () => {
    const json = writeChunkHeader({
      compressed: false,
      chunkIndex: 0,
      chunkCount: 2,
      chunkBytes: 3,
      fileName: "Ä \u{1f3b5}\u007f.wav",
      userId: "zoë",
      sha256: "0".repeat(64),
      createdAtSeconds: 7,
    });
    expect(new TextDecoder().decode(json)).toBe(
      String.raw`{"compressed":false,"magic":"AUDIO-IMG-V1","orig_chunk_index":0,"orig_chunk_size":3,"orig_filename":"\u00c4 \ud83c\udfb5\u007f.wav",` +
        String.raw`"orig_total_chunks":2,"sha256":"${"0".repeat(64)}","ts":7,"user_id":"zo\u00eb","version":1}`,
    );
  });
});

describe("keys and names", () => {
  it("take a strong hexadecimal key in either case", () => {
    expect(readMasterKey("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")).toEqual(masterKey);
    expect(readMasterKey("000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F")).toEqual(masterKey);
    expect(readMasterKey("000102030405060708090a0b0c0d0e0f".repeat(2))).toHaveLength(32);
  });

  it.each([
    "",
    "00".repeat(32),
    "0f".repeat(31),
    `${"0f".repeat(31)}0g`,
    "000102030405060708090a0b0c0d0e".repeat(2).padEnd(64, "0"),
  ])("refuse the key %j", async (value) => {
    expect(await refusal(() => readMasterKey(value))).toMatchObject({ reason: "input-invalid" });
  });

  it("trim names", () => {
    expect(readUserId("  alice ")).toBe("alice");
    expect(readFileName("a.b.wav")).toBe("a.b.wav");
    expect(readFileName("\u{1f3b5}".repeat(255))).toHaveLength(510);
  });

  it.each([
    "",
    "   ",
    "a/b",
    "a\\b",
    "a..b",
    "a\0b",
    "a<b",
    "a>b",
    "a:b",
    'a"b',
    "a|b",
    "a?b",
    "a*b",
    "a\nb",
    "a\u007fb",
    "\ud800",
    "x".repeat(256),
  ])("refuse the name %j", async (value) => {
    expect(await refusal(() => readUserId(value))).toMatchObject({ reason: "input-invalid" });
    expect(await refusal(() => readFileName(value))).toMatchObject({ reason: "input-invalid" });
  });

  it("name images as EchoCipher does", () => {
    expect(imageNameV1("tone.wav", { chunkIndex: 0, chunkCount: 3 })).toBe("tone_part0001_of_0003.png");
    expect(imageNameV1("a.b.wav", { chunkIndex: 11, chunkCount: 12 })).toBe("a.b_part0012_of_0012.png");
    expect(imageNameV1(".hidden", { chunkIndex: 0, chunkCount: 1 })).toBe(".hidden_part0001_of_0001.png");
  });
});
