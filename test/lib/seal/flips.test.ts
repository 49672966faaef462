import { describe, expect, it } from "vitest";
import { readImage } from "#lib/seal/image";
import { sniffPixels } from "#lib/seal/sniff";
import { openShard } from "#lib/seal/v2";
import { SHARD_BYTES, type ShardHeader, readShardHeader, writeShardHeader } from "#lib/seal/v2-header";
import { compressIfShorter } from "#lib/seal/zstd";
import { concat } from "../png/builder.ts";
import { keys, metadata, noise, payloadOf, refusal, sealFile } from "./samples.ts";

async function reasonsOfFlips(payload: Uint8Array, bits: number): Promise<Map<string, number>> {
  const reasons = new Map<string, number>();
  for (let bit = 0; bit < bits; bit++) {
    payload[bit >>> 3] = (payload[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
    const { reason } = await refusal(() => openShard({ dataKey: keys.dataKey, rgb: payload }));
    payload[bit >>> 3] = (payload[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  return reasons;
}

describe("one flipped bit", () => {
  it("anywhere in the payload of a small shard is refused", async () => {
    const [shard] = await sealFile(noise(150));
    const payload = new Uint8Array(payloadOf(shard ?? { png: new Uint8Array(0), payloadBytes: 0 }));
    const reasons = await reasonsOfFlips(payload, payload.byteLength * 8);
    // Ids, nonce prefix, ciphertext and tag: only authentication can tell. The magic: 64 bits.
    expect(reasons.get("altered")).toBe((16 + 16 + 7) * 8 + (payload.byteLength - 128) * 8);
    expect(reasons.get("not-sealed")).toBe(64);
    const others = (reasons.get("header-damaged") ?? 0) + (reasons.get("lossy-image") ?? 0);
    expect(others).toBe((128 - 8 - 39) * 8);
    expect((await openShard({ dataKey: keys.dataKey, rgb: payload })).metadata).toEqual(metadata);
  });

  it("anywhere in the header of either shard of two is refused", async () => {
    const shards = await sealFile(noise(SHARD_BYTES + 500));
    for (const shard of shards) {
      const payload = new Uint8Array(payloadOf(shard));
      const reasons = await reasonsOfFlips(payload, 128 * 8);
      expect([...reasons.values()].reduce((sum, count) => sum + count, 0)).toBe(1_024);
    }
  });

  it("anywhere in a small image file is refused or leaves the pixels alone", async () => {
    const [shard] = await sealFile(noise(20));
    const png = shard?.png ?? new Uint8Array(0);
    const { rgb } = readImage(png);
    for (let bit = 0; bit < png.byteLength * 8; bit++) {
      const flipped = new Uint8Array(png);
      flipped[bit >>> 3] = (flipped[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
      let pixels: Uint8Array = rgb;
      try {
        pixels = readImage(flipped).rgb;
      } catch {
        continue;
      }
      expect(pixels).toEqual(rgb);
    }
  });
});

describe("a header that contradicts itself", () => {
  const valid: ShardHeader = {
    compressed: false,
    last: true,
    shardIndex: 1,
    shardCount: 2,
    conversionId: noise(16),
    keyId: noise(16),
    fileSizeBytes: SHARD_BYTES + 100,
    originalBytes: 100,
    ciphertextBytes: 148,
    metadataBytes: 0,
    nonce: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 0, 0, 0, 1, 1),
  };
  const first = {
    shardIndex: 0,
    last: false,
    originalBytes: SHARD_BYTES,
    nonce: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 0, 0, 0, 0, 0),
  };

  it("is told from a valid one", () => {
    expect(readShardHeader(writeShardHeader(valid))).toEqual(valid);
    const ciphertextBytes = SHARD_BYTES + 16 + 77;
    const withMetadata = { ...valid, ...first, metadataBytes: 77, ciphertextBytes };
    expect(readShardHeader(writeShardHeader(withMetadata))).toEqual(withMetadata);
  });

  it.each<[string, Partial<ShardHeader>]>([
    [
      "last flag elsewhere",
      {
        ...first,
        last: true,
        ciphertextBytes: SHARD_BYTES + 48,
        nonce: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 0, 0, 0, 0, 1),
      },
    ],
    [
      "last flag missing",
      { last: false, ciphertextBytes: 116, nonce: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 0, 0, 0, 1, 0) },
    ],
    ["index beyond the count", { shardIndex: 2 }],
    ["count that does not fit the size", { shardCount: 3 }],
    ["size zero", { fileSizeBytes: 0, shardCount: 0 }],
    ["size beyond 2^53", { fileSizeBytes: 2 ** 60 }],
    ["original size", { originalBytes: 99 }],
    ["nonce counter", { nonce: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 0, 0, 0, 0, 1) }],
    ["nonce last byte", { nonce: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 0, 0, 0, 1, 0) }],
    ["ciphertext too short", { ciphertextBytes: 147 }],
    ["ciphertext too long", { ciphertextBytes: 149 }],
    ["frame not shorter than the bytes", { compressed: true }],
    ["frame without a byte", { compressed: true, ciphertextBytes: 48 }],
    ["metadata outside the first shard", { metadataBytes: 10, ciphertextBytes: 158 }],
    ["endless metadata", { ...first, metadataBytes: 4_097, ciphertextBytes: SHARD_BYTES + 16 + 4_097 }],
  ])("%s", async (_name, change) => {
    const bytes = writeShardHeader({ ...valid, ...change });
    expect(await refusal(() => readShardHeader(bytes))).toMatchObject({ reason: "header-damaged" });
  });

  it.each([8, 9, 10, 11, 84, 127])("byte %i", async (offset) => {
    const bytes = writeShardHeader(valid);
    bytes[offset] = (bytes[offset] ?? 0) | 0x80;
    expect(await refusal(() => readShardHeader(bytes))).toMatchObject({ reason: "header-damaged" });
  });

  it("cut off", async () => {
    const bytes = writeShardHeader(valid);
    expect(await refusal(() => readShardHeader(bytes.subarray(0, 127)))).toMatchObject({ reason: "header-damaged" });
    expect(await refusal(() => readShardHeader(bytes.subarray(0, 7)))).toMatchObject({ reason: "not-sealed" });
  });
});

/** A shard that authenticates although its body is not what the header says: only somebody with the key can make one. */
async function forge(
  plaintext: Uint8Array,
  header: { originalBytes: number; compressed: boolean; metadataBytes?: number },
): Promise<Uint8Array> {
  const nonce = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 0, 0, 0, 0, 1);
  const headerBytes = writeShardHeader({
    last: true,
    shardIndex: 0,
    shardCount: 1,
    conversionId: noise(16),
    keyId: noise(16),
    fileSizeBytes: header.originalBytes,
    ciphertextBytes: plaintext.byteLength + 16,
    metadataBytes: 0,
    nonce,
    ...header,
  });
  const key = await crypto.subtle.importKey("raw", keys.dataKey, "AES-GCM", false, ["encrypt"]);
  const ciphertext = await crypto.subtle.encrypt(
    { name: "AES-GCM", iv: nonce, additionalData: headerBytes },
    key,
    plaintext,
  );
  const rgb = new Uint8Array(128 + ciphertext.byteLength);
  rgb.set(headerBytes);
  rgb.set(new Uint8Array(ciphertext), 128);
  return rgb;
}

describe("a genuine shard with a wrong body", () => {
  const zeros = new Uint8Array(1_000);
  const frame = compressIfShorter(zeros) ?? zeros;

  it("opens when the frame is right", async () => {
    const rgb = await forge(concat([frame, noise(32)]), { compressed: true, originalBytes: 1_000 });
    expect((await openShard({ dataKey: keys.dataKey, rgb })).bytes).toEqual(zeros);
  });

  it.each([
    ["a bomb", () => compressIfShorter(new Uint8Array(8_000_000)) ?? zeros],
    ["a frame that is too short", () => compressIfShorter(new Uint8Array(999)) ?? zeros],
    ["no frame", () => noise(40)],
    ["a frame and more", () => concat([frame, noise(3)])],
    ["two frames", () => concat([frame, frame])],
    ["half a frame", () => frame.subarray(0, -4)],
  ])("is refused with %s", async (_name, body) => {
    const rgb = await forge(concat([body(), noise(32)]), { compressed: true, originalBytes: 1_000 });
    expect(await refusal(() => openShard({ dataKey: keys.dataKey, rgb }))).toMatchObject({
      reason: "decompression-failed",
    });
  });

  it.each(['{"name":1}', "not json", "null", '"text"', '{"createdAt":"a","name":"b"}'])(
    "is refused with metadata %s",
    async (text) => {
      const bytes = new TextEncoder().encode(text);
      const rgb = await forge(concat([bytes, noise(10), noise(32)]), {
        compressed: false,
        originalBytes: 10,
        metadataBytes: bytes.byteLength,
      });
      expect(await refusal(() => openShard({ dataKey: keys.dataKey, rgb }))).toMatchObject({
        reason: "header-damaged",
      });
    },
  );
});

describe("sniffPixels", () => {
  it("tells both versions, nearly sealed and other pixels apart", async () => {
    const [shard] = await sealFile(noise(10));
    const rgb = new Uint8Array(readImage(shard?.png ?? new Uint8Array(0)).rgb);
    expect(sniffPixels(rgb)).toBe(2);
    expect(sniffPixels(concat([Uint8Array.of(1, 1, 0, 0), new TextEncoder().encode('{"compressed"')]))).toBe(1);
    const blurred = rgb.map((byte) => byte + 5);
    expect(await refusal(() => sniffPixels(blurred))).toMatchObject({ reason: "lossy-image" });
    expect(await refusal(() => sniffPixels(new Uint8Array(100)))).toEqual({ reason: "not-sealed" });
    expect(await refusal(() => sniffPixels(new Uint8Array(3)))).toEqual({ reason: "not-sealed" });
    expect(await refusal(() => sniffPixels(new Uint8Array(100).fill(255)))).toEqual({ reason: "not-sealed" });
  });
});
