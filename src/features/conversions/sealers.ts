/** One function that seals a shard, for either version of the format. Keys are opened here and stay in the closure. */
import type { JobCtx } from "#core/job";
import { Problem } from "#core/problem";
import { openDataKey, openV1Master } from "#features/secrets/service";
import { deriveKeyV1, sealChunkV1 } from "#lib/seal/v1";
import { importDataKey, sealShard } from "#lib/seal/v2";
import { v1FileName, v1Nonce } from "./format-1.ts";
import { unwrapRequestKey } from "./request-key.ts";
import { identityOf } from "./seal-identity.ts";
import type { ConversionRow } from "./tables.ts";

export interface Shard {
  index: number;
  imageCount: number;
  bytes: Uint8Array<ArrayBuffer>;
  /** Of the whole file, with the last shard. */
  wholeHash: Uint8Array<ArrayBuffer> | undefined;
  /** Memory that the image may be written to. */
  reuse: Uint8Array<ArrayBuffer> | undefined;
}

export interface Sealed {
  png: Uint8Array<ArrayBuffer>;
  width: number;
  height: number;
}

export type Sealer = (shard: Shard) => Promise<Sealed>;

/** Throws what openDataKey and openV1Master throw, and `request-key-erased`. */
export function makeSealer(ctx: JobCtx, row: ConversionRow): Promise<Sealer> {
  return row.format === 1 ? makeV1Sealer(ctx, row) : makeV2Sealer(ctx, row);
}

async function makeV2Sealer(ctx: JobCtx, row: ConversionRow): Promise<Sealer> {
  const { sealId, dataKeyId, noncePrefix, sealedAt } = identityOf(row);
  if (dataKeyId === null || noncePrefix === null)
    throw new Problem("internal", { detail: "The conversion has no data key." });
  const common = {
    dataKey: await importDataKey(await openDataKey(ctx, dataKeyId)),
    conversionId: Buffer.from(sealId, "hex"),
    keyId: Buffer.from(dataKeyId, "hex"),
    noncePrefix: Buffer.from(noncePrefix, "hex"),
    fileSizeBytes: row.inputFileSize ?? 0,
    compress: row.compress,
  };
  const metadata = {
    createdAt: new Date(sealedAt).toISOString(),
    name: row.inputFileName,
    type: row.inputFileType ?? "application/octet-stream",
  };
  return ({ index, imageCount, bytes, wholeHash, reuse }) =>
    sealShard({
      ...common,
      shardIndex: index,
      shardCount: imageCount,
      bytes,
      wholeHash,
      reuse,
      metadata: index === 0 ? metadata : undefined,
    });
}

async function makeV1Sealer(ctx: JobCtx, row: ConversionRow): Promise<Sealer> {
  const { sealId, sealedAt } = identityOf(row);
  const userId = row.externalUserId ?? "";
  const key = await deriveKeyV1({ masterKey: await v1Master(ctx, row), userId });
  const common = {
    key,
    userId,
    fileName: v1FileName(row.inputFileName, userId),
    createdAtSeconds: Math.floor(sealedAt / 1_000),
    compress: row.compress,
  };
  return ({ index, imageCount, bytes, reuse }) =>
    sealChunkV1({
      ...common,
      chunkIndex: index,
      chunkCount: imageCount,
      bytes,
      nonce: v1Nonce(key, { sealId, index }),
      reuse,
    });
}

async function v1Master(ctx: JobCtx, row: ConversionRow): Promise<Uint8Array> {
  if (row.encryptionKeyId !== null) return (await openV1Master(ctx, row.encryptionKeyId)).raw;
  // The clean-up of a failed run has erased the request's key; whoever retries has to give it again.
  if (row.requestKey === null) throw new Problem("request-key-erased");
  return unwrapRequestKey(ctx, { workspaceId: ctx.workspaceId, conversionId: row.id }, row.requestKey);
}
