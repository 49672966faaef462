import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fingerprintPixels } from "#lib/seal/hash";
import { type SetMember, checkChunkSet, checkShardSet } from "#lib/seal/set";
import type { ChunkHeader } from "#lib/seal/v1";
import { type ShardHeader, SHARD_BYTES, shardBytesOf, shardCountOf, shardNonce } from "#lib/seal/v2-header";
import { noise, refusal } from "./samples.ts";

type Shard = SetMember<ShardHeader>;
type Chunk = SetMember<ChunkHeader>;

function shardsOf(fileSizeBytes: number, seed = 1): Shard[] {
  const shardCount = shardCountOf(fileSizeBytes);
  return Array.from({ length: shardCount }, (_, shardIndex) => {
    const last = shardIndex === shardCount - 1;
    const originalBytes = shardBytesOf(fileSizeBytes, shardIndex);
    const header: ShardHeader = {
      compressed: false,
      last,
      shardIndex,
      shardCount,
      conversionId: noise(16, seed),
      keyId: noise(16, seed + 1),
      fileSizeBytes,
      originalBytes,
      ciphertextBytes: originalBytes + (last ? 48 : 16),
      metadataBytes: 0,
      nonce: shardNonce(noise(7, seed + 2), { shardIndex, last }),
    };
    return { header, fingerprint: `${seed}-${shardIndex}` };
  });
}

const three = SHARD_BYTES * 2 + 5;
const at = <Item>(list: readonly Item[], index: number): Item => {
  const item = list[index];
  if (item === undefined) throw new Error("no such item");
  return item;
};

describe("checkShardSet", () => {
  it("finds the order of a whole set in any order, with identical doubles", () => {
    const shuffled = fc.tuple(
      fc.integer({ min: 1, max: 9 }),
      fc.array(fc.nat(8), { maxLength: 5 }),
      fc.infiniteStream(fc.nat()),
    );
    fc.assert(
      fc.property(shuffled, ([count, doubles, keysOfOrder]) => {
        const shards = shardsOf((count - 1) * SHARD_BYTES + 1);
        const members = [...shards, ...doubles.map((place) => at(shards, place % count))]
          .map((member) => ({ member, key: keysOfOrder.next().value as number }))
          .toSorted((left, right) => left.key - right.key)
          .map(({ member }) => member);
        const set = checkShardSet(members);
        expect(set).toMatchObject({ version: 2, count, fileSizeBytes: (count - 1) * SHARD_BYTES + 1 });
        expect(set.order.map((place) => at(members, place).header.shardIndex)).toEqual(
          Array.from({ length: count }, (_, index) => index),
        );
      }),
    );
  });

  it("names every missing index", async () => {
    const shards = shardsOf(SHARD_BYTES * 5);
    const members = [at(shards, 3), at(shards, 1)];
    expect(await refusal(() => checkShardSet(members))).toEqual({ reason: "shards-missing", missing: [0, 2, 4] });
    expect(await refusal(() => checkShardSet([]))).toMatchObject({ reason: "shards-missing" });
  });

  it("refuses an index twice with different bytes", async () => {
    const shards = shardsOf(three);
    const members = [...shards, { ...at(shards, 1), fingerprint: "another" }];
    expect(await refusal(() => checkShardSet(members))).toEqual({ reason: "shard-doubled", index: 1 });
  });

  it("refuses a mixture", async () => {
    const [first, second, last] = shardsOf(three);
    const mixed = (change: Partial<ShardHeader>) =>
      refusal(() =>
        checkShardSet([
          at([first], 0) as Shard,
          { ...at(shardsOf(three), 1), header: { ...at(shardsOf(three), 1).header, ...change } },
          at([last], 0) as Shard,
        ]),
      );
    expect(second?.header.shardIndex).toBe(1);
    for (const change of [
      { conversionId: noise(16, 9) },
      { keyId: noise(16, 9) },
      { shardCount: 4 },
      { fileSizeBytes: three + 1 },
      { nonce: shardNonce(noise(7, 9), { shardIndex: 1, last: false }) },
    ]) {
      expect(await mixed(change)).toEqual({ reason: "shards-mixed", index: 1 });
    }
    expect(await refusal(() => checkShardSet([...shardsOf(three), ...shardsOf(three, 50)]))).toMatchObject({
      reason: "shards-mixed",
    });
  });

  it("does not count to a billion for one header", async () => {
    const huge = at(shardsOf(1), 0);
    const header = { ...huge.header, shardCount: 0xffff_ffff };
    expect(await refusal(() => checkShardSet([{ ...huge, header }]))).toMatchObject({ reason: "header-damaged" });
  });
});

describe("checkChunkSet", () => {
  const chunks = (sizes: readonly number[], change: Partial<ChunkHeader> = {}): Chunk[] =>
    sizes.map((chunkBytes, chunkIndex) => ({
      header: {
        compressed: chunkIndex % 2 === 0,
        chunkIndex,
        chunkCount: sizes.length,
        chunkBytes,
        fileName: "a.wav",
        userId: "alice",
        sha256: "0".repeat(64),
        createdAtSeconds: chunkIndex,
        ...change,
      },
      fingerprint: String(chunkIndex),
    }));

  it("takes a whole set", () => {
    expect(checkChunkSet(chunks([9, 9, 4]).toReversed())).toEqual({
      version: 1,
      count: 3,
      fileName: "a.wav",
      order: [2, 1, 0],
    });
    expect(checkChunkSet(chunks([5]))).toMatchObject({ order: [0] });
  });

  it("refuses gaps, doubles, mixtures and sizes that cannot be of one file", async () => {
    expect(await refusal(() => checkChunkSet(chunks([9, 9, 4]).slice(1)))).toEqual({
      reason: "shards-missing",
      missing: [0],
    });
    expect(await refusal(() => checkChunkSet([]))).toMatchObject({ reason: "shards-missing" });
    const doubled = [...chunks([9, 9]), { ...at(chunks([9, 9]), 1), fingerprint: "x" }];
    expect(await refusal(() => checkChunkSet(doubled))).toEqual({ reason: "shard-doubled", index: 1 });
    for (const change of [{ fileName: "b.wav" }, { userId: "bob" }, { chunkCount: 3 }]) {
      const mixed = [at(chunks([9, 9]), 0), at(chunks([9, 9], change), 1)];
      expect(await refusal(() => checkChunkSet(mixed))).toMatchObject({ reason: "shards-mixed" });
    }
    expect(await refusal(() => checkChunkSet(chunks([9, 8, 4])))).toMatchObject({ reason: "shards-mixed", index: 1 });
    expect(await refusal(() => checkChunkSet(chunks([9, 9, 10])))).toMatchObject({ reason: "shards-mixed", index: 2 });
    expect(await refusal(() => checkChunkSet(chunks([9], { chunkCount: 1_000_000_000 })))).toMatchObject({
      reason: "header-damaged",
    });
  });
});

describe("fingerprintPixels", () => {
  it("differs for one flipped bit and not for the same pixels", () => {
    const flipped = noise(100);
    flipped[7] = (flipped[7] ?? 0) ^ 1;
    expect(fingerprintPixels(noise(100))).toBe(fingerprintPixels(noise(100)));
    expect(fingerprintPixels(flipped)).not.toBe(fingerprintPixels(noise(100)));
  });
});
