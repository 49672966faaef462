import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { releaseMemory } from "#lib/png/memory";
import { createWholeHash } from "#lib/seal/hash";
import { readImage } from "#lib/seal/image";
import { type SealShardInput, importDataKey, openShard, sealShard, shardImageSize } from "#lib/seal/v2";
import { SHARD_BYTES, readShardHeader, shardBytesOf, shardCountOf } from "#lib/seal/v2-header";
import { buildPng } from "../png/builder.ts";
import { hex, keys, metadata, noise, payloadOf, range, refusal, sealFile, sha256 } from "./samples.ts";

const open = (png: Uint8Array) => openShard({ ...keys, rgb: readImage(png).rgb });

describe("the published vector", () => {
  it("gives header, ciphertext, payload and image of the 256-byte file", async () => {
    const [shard] = await sealFile(range(0, 256));
    if (shard === undefined) throw new Error("no shard");
    const payload = payloadOf(shard);
    const ids = `${hex(range(0xa0, 16))}${hex(range(0xb0, 16))}`;
    const sizes = "0000000000000100000001000000017d0000004d";
    const nonce = "c0c1c2c3c4c5c60000000001";
    expect(hex(payload.subarray(0, 128))).toBe(
      `4f56545345414c32020600000000000000000001${ids}${sizes}${nonce}${"00".repeat(44)}`,
    );
    expect(hex(payload.subarray(128, 144))).toBe("91d6c98b4278164f2995ade6381a9ab4");
    expect(hex(payload.subarray(-16))).toBe("f9d1de5b36eda2b79225cf1f88bb18d9");
    expect(payload.byteLength).toBe(509);
    expect(sha256(payload)).toBe("b668028a0c646dace38de45cee9820035fc425e96deede952b9bcdc4e08be086");
    const { rgb, width, height } = readImage(shard.png);
    expect([width, height, rgb.byteLength]).toEqual([64, 3, 576]);
    expect(sha256(rgb)).toBe("06827d37f0c56bab2ddd90a610c72b42e0dc1d3d824de861f8c6ffa708884d26");
  });

  it("gives both shards of the file of 8,388,609 bytes of 5a", async () => {
    const file = new Uint8Array(8_388_609).fill(0x5a);
    const [first, second] = await sealFile(file);
    if (first === undefined || second === undefined) throw new Error("no shards");
    expect([first.width, first.height, first.payloadBytes]).toEqual([2_048, 1_366, 8_388_829]);
    expect(sha256(payloadOf(first))).toBe("5373bff2b54cd1b40803c26ed83b75bec7e97f5f6672d3c96ff49dd6d163ffab");
    expect([second.width, second.height, second.payloadBytes]).toEqual([64, 1, 177]);
    expect(sha256(payloadOf(second))).toBe("e9daab9297d22da6456645dc656703a8ae58ae0b57f003c00eb48c80ae3c82a6");
    const opened = await open(first.png);
    expect(opened.metadata).toEqual(metadata);
    expect(opened.wholeHash).toBeUndefined();
    expect(opened.bytes.byteLength).toBe(SHARD_BYTES);
    const last = await open(second.png);
    expect(last.metadata).toBeUndefined();
    const hash = createWholeHash();
    hash.update(opened.bytes);
    hash.update(last.bytes);
    expect(hash.digest()).toEqual(last.wholeHash);
  });
});

describe("sealShard and openShard", () => {
  it("give the bytes back, for any bytes, size and compression, in fresh and used memory", async () => {
    const file = fc.record({
      bytes: fc.oneof(
        fc.uint8Array({ minLength: 1, maxLength: 5_000 }),
        fc.integer({ min: 1, max: 90_000 }).map(noise),
      ),
      repeat: fc.integer({ min: 1, max: 30 }),
      compress: fc.boolean(),
      withMetadata: fc.boolean(),
      reuse: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(file, async ({ bytes, repeat, compress, withMetadata, reuse }) => {
        const whole = new Uint8Array(bytes.byteLength * repeat).map((_, index) => bytes[index % bytes.byteLength] ?? 0);
        const facts = {
          shardIndex: 0,
          shardCount: 1,
          fileSizeBytes: whole.byteLength,
          bytes: whole,
          wholeHash: noise(32),
        };
        const shard = await sealShard({
          ...keys,
          ...facts,
          compress,
          metadata: withMetadata ? metadata : undefined,
          reuse: reuse ? new Uint8Array(8_000_000).fill(1) : undefined,
        });
        const opened = await open(shard.png);
        expect(sha256(opened.bytes)).toBe(sha256(whole));
        expect(opened.metadata).toEqual(withMetadata ? metadata : undefined);
        expect(opened.wholeHash).toEqual(noise(32));
        if (!compress) expect(opened.header.compressed).toBe(false);
        if (opened.header.compressed) expect(shard.payloadBytes).toBeLessThan(whole.byteLength + 128 + 16 + 32 + 77);
      }),
      { numRuns: 60 },
    );
  });

  it("keep the zstd frame only when it is shorter, shard by shard", async () => {
    const file = new Uint8Array(SHARD_BYTES + 70_000);
    file.set(noise(70_000), SHARD_BYTES);
    const shards = await sealFile(file, { compress: true });
    expect(shards.map(({ header }) => header.compressed)).toEqual([true, false]);
    const opened = await Promise.all(shards.map(({ png }) => open(png)));
    expect(sha256(opened[0]?.bytes ?? new Uint8Array(0))).toBe(sha256(file.subarray(0, SHARD_BYTES)));
    expect(opened[1]?.bytes).toEqual(file.subarray(SHARD_BYTES));
  });

  it("compress sizes at which workerd's plain zstd calls fail", async () => {
    for (const sizeBytes of [40_944, 40_960, 81_920, 131_072, 262_144]) {
      const half = noise(sizeBytes, sizeBytes);
      half.fill(0, sizeBytes / 2);
      const [shard] = await sealFile(half, { compress: true });
      expect(shard?.header.compressed).toBe(true);
      expect((await open(shard?.png ?? new Uint8Array(0))).bytes).toEqual(half);
    }
  });

  it("seal the same input to the same bytes, with a key object or its bytes", async () => {
    const input = {
      ...keys,
      shardIndex: 0,
      shardCount: 1,
      fileSizeBytes: 9,
      bytes: noise(9),
      wholeHash: noise(32),
      compress: false,
    };
    const first = await sealShard(input);
    const second = await sealShard({ ...input, dataKey: await importDataKey(keys.dataKey) });
    expect(second.png).toEqual(first.png);
  });

  it("leave the source alone and hand out memory that can be released", async () => {
    const bytes = noise(200_000);
    const before = sha256(bytes);
    const [shard] = await sealFile(bytes);
    expect(sha256(bytes)).toBe(before);
    const { rgb } = readImage(shard?.png ?? new Uint8Array(0));
    const opened = await openShard({ ...keys, rgb });
    releaseMemory(rgb);
    expect(rgb.byteLength).toBe(0);
    expect(hex(opened.header.keyId)).toBe(hex(keys.keyId));
    expect(sha256(opened.bytes)).toBe(before);
  });

  it("work on a Buffer as on any other array", async () => {
    const [shard] = await sealFile(range(0, 256));
    const { rgb } = readImage(Buffer.from(shard?.png ?? new Uint8Array(0)));
    const { header } = await openShard({ ...keys, rgb: Buffer.from(rgb) });
    expect(hex(header.conversionId)).toBe(hex(keys.conversionId));
  });

  it("open what other programs saved again without loss", async () => {
    const bytes = noise(30_000);
    const [shard] = await sealFile(bytes);
    const { rgb, width, height } = readImage(shard?.png ?? new Uint8Array(0));
    for (const channels of [3, 4] as const) {
      const png = buildPng({ width, height, rgb, channels, level: 9, idatBytes: 8_192, filterOf: (row) => row % 5 });
      expect((await open(png)).bytes).toEqual(bytes);
    }
  });
});

describe("shardImageSize", () => {
  it("is the smallest power of two that makes the image no wider than high, from 64 to 2,048", () => {
    expect(shardImageSize(509)).toEqual({ width: 64, height: 3 });
    expect(shardImageSize(64 * 64 * 3)).toEqual({ width: 64, height: 64 });
    expect(shardImageSize(64 * 64 * 3 + 1)).toEqual({ width: 128, height: 33 });
    expect(shardImageSize(8_388_829)).toEqual({ width: 2_048, height: 1_366 });
    expect(shardImageSize(60_000_000)).toEqual({ width: 2_048, height: 9_766 });
  });

  it("follows the rule of the format for any size", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12_000_000 }), (payloadBytes) => {
        const pixels = Math.ceil(payloadBytes / 3);
        const width = Math.min(2_048, Math.max(64, 2 ** Math.ceil(Math.log2(Math.sqrt(pixels)))));
        expect(shardImageSize(payloadBytes)).toEqual({ width, height: Math.ceil(pixels / width) });
      }),
    );
  });
});

describe("sealShard refuses", () => {
  const valid: SealShardInput = {
    ...keys,
    shardIndex: 0,
    shardCount: 1,
    fileSizeBytes: 9,
    bytes: noise(9),
    wholeHash: noise(32),
    compress: false,
  };

  it.each<[string, Partial<SealShardInput>]>([
    ["an empty file", { fileSizeBytes: 0, shardCount: 0, bytes: new Uint8Array(0) }],
    ["a size that is no integer", { fileSizeBytes: 9.5 }],
    ["a wrong count", { shardCount: 2 }],
    ["an index out of range", { shardIndex: 1 }],
    ["a negative index", { shardIndex: -1 }],
    ["a shard of the wrong size", { bytes: noise(8) }],
    ["short ids", { conversionId: noise(15) }],
    ["a long key id", { keyId: noise(17) }],
    ["a long nonce prefix", { noncePrefix: noise(8) }],
    ["a last shard without the hash", { wholeHash: undefined }],
    ["a short hash", { wholeHash: noise(31) }],
    ["a short key", { dataKey: noise(31) }],
    ["endless metadata", { metadata: { ...metadata, name: "x".repeat(4_096) } }],
  ])("%s", async (_name, change) => {
    expect(await refusal(() => sealShard({ ...valid, ...change }))).toMatchObject({ reason: "input-invalid" });
  });

  it("metadata and hash in the wrong shard", async () => {
    const second = { shardIndex: 1, shardCount: 2, fileSizeBytes: SHARD_BYTES + 9 };
    expect(await refusal(() => sealShard({ ...valid, ...second, metadata }))).toMatchObject({
      reason: "input-invalid",
    });
    const first = { shardCount: 2, fileSizeBytes: SHARD_BYTES + 9, bytes: new Uint8Array(SHARD_BYTES) };
    expect(await refusal(() => sealShard({ ...valid, ...first }))).toMatchObject({ reason: "input-invalid" });
  });
});

describe("openShard refuses", () => {
  it("a foreign key id, a wrong key, cut pixels and something after the payload", async () => {
    const [shard] = await sealFile(range(0, 256));
    const { rgb } = readImage(shard?.png ?? new Uint8Array(0));
    expect(await refusal(() => openShard({ ...keys, keyId: noise(16), rgb }))).toEqual({
      reason: "wrong-key",
      index: 0,
    });
    expect(await refusal(() => openShard({ dataKey: noise(32), rgb }))).toEqual({ reason: "altered", index: 0 });
    const cut = await refusal(() => openShard({ ...keys, rgb: rgb.subarray(0, 192) }));
    expect(cut).toMatchObject({ reason: "lossy-image", index: 0 });
    const after = new Uint8Array(rgb);
    after[575] = 1;
    expect(await refusal(() => openShard({ ...keys, rgb: after }))).toMatchObject({ reason: "altered", index: 0 });
  });
});

describe("the arithmetic of shards", () => {
  it("covers each file exactly", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 524_288_000 }), (fileSizeBytes) => {
        const count = shardCountOf(fileSizeBytes);
        const sizes = Array.from({ length: count }, (_, index) => shardBytesOf(fileSizeBytes, index));
        expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(fileSizeBytes);
        expect(sizes.every((size) => size > 0 && size <= SHARD_BYTES)).toBe(true);
      }),
    );
    expect(shardCountOf(524_288_000)).toBe(63);
  });
});

describe("readShardHeader", () => {
  it("reads what sealShard wrote", async () => {
    const [shard] = await sealFile(range(0, 256));
    expect(readShardHeader(payloadOf(shard ?? { png: new Uint8Array(0), payloadBytes: 0 }))).toEqual(shard?.header);
  });
});
