/**
 * What the bytes of the images depend on beside the file. It is stored before the first image is, so that every run of a job writes the
 * same bytes; a runtime that packs differently would put other bytes under the same key and nonce, and takes a new identity instead.
 */
import { createHash } from "node:crypto";
import type { JobCtx } from "#core/job";
import { Problem } from "#core/problem";
import { createDataKey, destroyDataKeys } from "#features/secrets/service";
import { compressIfShorter } from "#lib/seal/zstd";
import { actFor, requireRow } from "./job-context.ts";
import { deleteImages, updateConversion } from "./store.ts";
import type { ConversionRow } from "./tables.ts";

const sampleBytes = 65_536;
let known: string | null = null;

/** Names how this runtime packs: what its zstd makes of a fixed sample. Version numbers of the runtime do not tell. */
export function runtimeTag(): string {
  known ??= packSample();
  return known;
}

function packSample(): string {
  const sample = Uint8Array.from({ length: sampleBytes }, (_, index) => ((index * index) >>> 7) ^ (index % 13));
  const frame = compressIfShorter(sample) ?? sample;
  return `zstd-${createHash("sha256").update(frame).digest("hex").slice(0, 16)}`;
}

export interface SealIdentity {
  sealId: string;
  sealedAt: number;
  /** Version 2 only. */
  dataKeyId: string | null;
  noncePrefix: string | null;
}

/** The identity to seal with, committed. */
export async function settleIdentity(ctx: JobCtx, row: ConversionRow): Promise<ConversionRow> {
  const runtime = runtimeTag();
  if (row.runtime === runtime) return row;
  if (row.runtime === null || !row.compress) await ctx.commit([updateConversion(ctx, row.id, { runtime })]);
  else await renewIdentity(ctx, row, runtime);
  return requireRow(ctx, row.id);
}

async function renewIdentity(ctx: JobCtx, row: ConversionRow, runtime: string): Promise<void> {
  ctx.log("info", "conversion.identity-renewed", { conversionId: row.id, from: row.runtime, to: runtime });
  const identity = { runtime, sealId: Buffer.from(ctx.random(16)).toString("hex"), sealedAt: ctx.now() };
  if (row.format === 1) return ctx.commit([deleteImages(ctx, row.id), updateConversion(ctx, row.id, identity)]);
  const key = await createDataKey(await actFor(ctx, row.userId), {
    conversionId: row.id,
    encryptionKeyId: row.encryptionKeyId,
  });
  const noncePrefix = Buffer.from(ctx.random(7)).toString("hex");
  return ctx.commit([
    deleteImages(ctx, row.id),
    destroyDataKeys(ctx, row.id),
    key.statement,
    updateConversion(ctx, row.id, {
      ...identity,
      noncePrefix,
      dataKeyId: key.keyId,
      encryptionKeyId: key.encryptionKeyId,
    }),
  ]);
}

/** Throws when the row has no identity: only rows of sealing conversions have one. */
export function identityOf(row: ConversionRow): SealIdentity {
  const { sealId, sealedAt, dataKeyId, noncePrefix } = row;
  if (sealId === null || sealedAt === null)
    throw new Problem("internal", { detail: "The conversion has no identity to seal with." });
  return { sealId, sealedAt, dataKeyId, noncePrefix };
}
