/** Values of the published test vector, and short ways to seal, read and refuse in tests. */
import { createHash } from "node:crypto";
import { SealError, type SealErrorFacts } from "#lib/seal/error";
import { readImage } from "#lib/seal/image";
import { type SealShardInput, type SealedShard, type ShardMetadata, sealShard } from "#lib/seal/v2";
import { SHARD_BYTES, shardCountOf } from "#lib/seal/v2-header";

export const range = (first: number, count: number): Uint8Array<ArrayBuffer> =>
  Uint8Array.from({ length: count }, (_, index) => first + index);
export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
export const hex = (bytes: Uint8Array): string => bytes.toHex();

export const metadata: ShardMetadata = { createdAt: "2026-11-20T00:00:00.000Z", name: "tone.wav", type: "audio/wav" };
export const keys = {
  dataKey: range(0, 32),
  conversionId: range(0xa0, 16),
  keyId: range(0xb0, 16),
  noncePrefix: range(0xc0, 7),
};

/** Bytes that do not compress and differ from seed to seed. */
export function noise(sizeBytes: number, seed = 1): Uint8Array<ArrayBuffer> {
  let state = seed;
  return Uint8Array.from({ length: sizeBytes }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return state >>> 24;
  });
}

/** All shards of a file under the vector's keys. */
export async function sealFile(
  file: Uint8Array,
  options: Partial<Pick<SealShardInput, "compress" | "conversionId" | "keyId" | "noncePrefix">> = {},
): Promise<SealedShard[]> {
  const shardCount = shardCountOf(file.byteLength);
  const shards: SealedShard[] = [];
  for (let shardIndex = 0; shardIndex < shardCount; shardIndex++) {
    shards.push(
      await sealShard({
        ...keys,
        compress: false,
        ...options,
        shardIndex,
        shardCount,
        fileSizeBytes: file.byteLength,
        bytes: file.subarray(shardIndex * SHARD_BYTES, (shardIndex + 1) * SHARD_BYTES),
        metadata: shardIndex === 0 ? metadata : undefined,
        wholeHash:
          shardIndex === shardCount - 1 ? new Uint8Array(createHash("sha256").update(file).digest()) : undefined,
      }),
    );
  }
  return shards;
}

/** The payload in the pixels of an image. */
export function payloadOf(shard: { png: Uint8Array; payloadBytes: number }): Uint8Array {
  return readImage(shard.png).rgb.subarray(0, shard.payloadBytes);
}

/** The reason and facts of the SealError that `run` ends in; any other outcome fails the test. */
export async function refusal(run: () => unknown): Promise<{ reason: string } & SealErrorFacts> {
  try {
    await run();
  } catch (error) {
    if (!(error instanceof SealError)) throw error;
    const { reason, detail, index, missing } = error;
    return {
      reason,
      ...(detail === undefined ? {} : { detail }),
      ...(index === undefined ? {} : { index }),
      ...(missing === undefined ? {} : { missing }),
    };
  }
  throw new Error("nothing was refused");
}
