/**
 * Opens one image after the other, for either version of the format. Nothing of an image leaves before it was authenticated. Keys are
 * opened here and stay in the closure.
 */
import type { JobCtx } from "#core/job";
import { Problem } from "#core/problem";
import { listV1Masters, openDataKey } from "#features/secrets/service";
import { releaseMemory } from "#lib/png/memory";
import { SealError } from "#lib/seal/error";
import { type ChunkHeader, deriveKeyV1, streamChunkV1 } from "#lib/seal/v1";
import { importDataKey, openShard } from "#lib/seal/v2";
import type { ShardHeader } from "#lib/seal/v2-header";
import type { SealHeader } from "./image-plan.ts";
import { unwrapRequestKey } from "./request-key.ts";
import type { ConversionRow } from "./tables.ts";

/** What the opened images say of the file: complete after the last one. */
export interface OpenedFacts {
  name: string;
  /** The media type, which version 1 does not tell. */
  type: string | null;
  /** SHA-256 of the whole file in hexadecimal, which version 1 does not tell. */
  sha256: string | null;
}

export interface Opener {
  /** The original bytes of an image. Throws SealError; a fault of the last byte may come after the others. */
  open(rgb: Uint8Array): AsyncIterable<Uint8Array>;
  facts(): OpenedFacts;
}

/** By the header of any image of the set. Throws what openDataKey throws. */
export function makeOpener(ctx: JobCtx, row: ConversionRow, seal: SealHeader): Promise<Opener> {
  return seal.format === 2 ? makeV2Opener(ctx, seal.header) : makeV1Opener(ctx, row, seal.header);
}

async function makeV2Opener(ctx: JobCtx, { keyId }: ShardHeader): Promise<Opener> {
  const dataKey = await importDataKey(await openDataKey(ctx, Buffer.from(keyId).toString("hex")));
  const facts: OpenedFacts = { name: "audio", type: null, sha256: null };
  return {
    async *open(rgb) {
      const opened = await openShard({ dataKey, rgb, keyId });
      if (opened.metadata) Object.assign(facts, { name: opened.metadata.name, type: opened.metadata.type });
      if (opened.wholeHash) facts.sha256 = Buffer.from(opened.wholeHash).toString("hex");
      yield opened.bytes;
      releaseMemory(opened.bytes);
    },
    facts: () => facts,
  };
}

/** Version 1 does not name its key, so those that may fit are tried on the first image. */
async function makeV1Opener(ctx: JobCtx, row: ConversionRow, header: ChunkHeader): Promise<Opener> {
  let keys = await v1Keys(ctx, row, header.userId);
  if (keys.length === 0)
    throw new Problem("encryption-key-wrong", { detail: "No imported key is for the user of these images." });
  return {
    async *open(rgb) {
      const { key, pieces } = await openWithAny(keys, rgb);
      keys = [key];
      yield* pieces;
    },
    facts: () => ({ name: header.fileName, type: null, sha256: null }),
  };
}

async function v1Keys(ctx: JobCtx, row: ConversionRow, headerUserId: string): Promise<Uint8Array[]> {
  // EchoCipher derives with the name that the caller gives, so a wrong name is a wrong key, whatever the header says.
  const userId = row.externalUserId ?? headerUserId;
  if (row.requestKey !== null) {
    const masterKey = await unwrapRequestKey(
      ctx,
      { workspaceId: ctx.workspaceId, conversionId: row.id },
      row.requestKey,
    );
    return [await deriveKeyV1({ masterKey, userId })];
  }
  const masters = await listV1Masters(ctx, userId);
  return Promise.all(masters.map((master) => deriveKeyV1({ masterKey: master.raw, userId })));
}

async function openWithAny(
  keys: readonly Uint8Array[],
  rgb: Uint8Array,
): Promise<{ key: Uint8Array; pieces: AsyncGenerator<Uint8Array> }> {
  let refusal: unknown = new SealError("wrong-key");
  for (const key of keys) {
    const pieces = streamChunkV1({ key, rgb });
    try {
      const first = await pieces.next();
      return { key, pieces: withFirst(first, pieces) };
    } catch (error) {
      if (!(error instanceof SealError) || error.reason !== "wrong-key") throw error;
      refusal = error;
    }
  }
  throw refusal;
}

async function* withFirst(
  first: IteratorResult<Uint8Array>,
  rest: AsyncGenerator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  if (first.done === true) return;
  yield first.value;
  yield* rest;
}
