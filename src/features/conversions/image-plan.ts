/**
 * Which images are opened in which order. Images of an own conversion are known by their rows; uploaded ones are read once for their
 * headers before anything is opened, so that a wrong set is refused as a whole and by name.
 */
import type { JobCtx } from "#core/job";
import { Problem } from "#core/problem";
import type { PngPixels } from "#lib/png/decode";
import { SealError } from "#lib/seal/error";
import { fingerprintPixels } from "#lib/seal/hash";
import { checkChunkSet, checkShardSet, type SetMember } from "#lib/seal/set";
import { sniffPixels } from "#lib/seal/sniff";
import { type ChunkHeader, readChunkHeader } from "#lib/seal/v1";
import { readShardHeader, type ShardHeader } from "#lib/seal/v2-header";
import { type ImageSource, named } from "./image-sources.ts";
import { toProblem } from "./rules.ts";
import { findConversion } from "./store.ts";

export type SealHeader = { format: 2; header: ShardHeader } | { format: 1; header: ChunkHeader };

export interface PlannedImage {
  source: ImageSource;
  read(): Promise<PngPixels>;
}

export interface ImagePlan {
  images: PlannedImage[];
  /** What the opened file comes to. */
  openedBytes: number;
  /** Readings that planning took, for the progress. */
  readBefore: number;
}

/** Pixels of small sets stay in memory between the two readings. */
const keptMaxBytes = 25_165_824;

/** Throws SealError `not-sealed`, `header-damaged`, `lossy-image`. */
export function readHeader(rgb: Uint8Array): SealHeader {
  return sniffPixels(rgb) === 2
    ? { format: 2, header: readShardHeader(rgb) }
    : { format: 1, header: readChunkHeader(rgb).header };
}

export const indexOf = (seal: SealHeader): number =>
  seal.format === 2 ? seal.header.shardIndex : seal.header.chunkIndex;
export const countOf = (seal: SealHeader): number =>
  seal.format === 2 ? seal.header.shardCount : seal.header.chunkCount;

/** The same for all images of one conversion. */
export function setNameOf(seal: SealHeader): string {
  if (seal.format === 1) return JSON.stringify([1, seal.header.fileName, seal.header.userId, seal.header.chunkCount]);
  const { conversionId, keyId, shardCount, fileSizeBytes } = seal.header;
  return JSON.stringify([
    2,
    Buffer.from(conversionId).toString("hex"),
    Buffer.from(keyId).toString("hex"),
    shardCount,
    fileSizeBytes,
  ]);
}

/** The images of an own conversion stand in their order. Throws `conversion-not-found` when it was deleted. */
export async function planOwn(ctx: JobCtx, conversionId: string, sources: readonly ImageSource[]): Promise<ImagePlan> {
  const found = await findConversion(ctx, conversionId);
  if (!found) throw new Problem("conversion-not-found");
  const images = sources.map((source) => ({ source, read: source.read }));
  return { images, openedBytes: found.row.inputFileSize ?? 0, readBefore: 0 };
}

/** In order of their indices. Throws the Problem of the first image that cannot be read, or of the set. */
export async function planUploaded(ctx: JobCtx, sources: readonly ImageSource[]): Promise<ImagePlan> {
  const kept = new Map<number, PngPixels>();
  const seals: { seal: SealHeader; fingerprint: string }[] = [];
  let keptBytes = 0;
  for (const [place, source] of sources.entries()) {
    // Every image is read once more to be opened.
    await ctx.checkpoint({ done: place, total: sources.length * 2, step: "reading" });
    const pixels = await source.read();
    seals.push(
      await named(source.fileName, async () => ({
        seal: readHeader(pixels.rgb),
        fingerprint: fingerprintPixels(pixels.rgb),
      })),
    );
    keptBytes += pixels.rgb.byteLength;
    if (keptBytes <= keptMaxBytes) kept.set(place, pixels);
    else kept.clear();
  }
  const order = orderOf(seals, sources);
  const images = order.flatMap((place) => {
    const source = sources[place];
    return source ? [{ source, read: () => takeKept(kept, place, source) }] : [];
  });
  return {
    images,
    openedBytes: openedBytesOf(order.flatMap((place) => seals[place]?.seal ?? [])),
    readBefore: sources.length,
  };
}

function openedBytesOf(seals: readonly SealHeader[]): number {
  const [first] = seals;
  if (first?.format === 2) return first.header.fileSizeBytes;
  return seals.reduce((sum, seal) => sum + (seal.format === 1 ? seal.header.chunkBytes : 0), 0);
}

async function takeKept(kept: Map<number, PngPixels>, place: number, source: ImageSource): Promise<PngPixels> {
  const pixels = kept.get(place);
  kept.delete(place);
  return pixels ?? source.read();
}

function orderOf(
  seals: readonly { seal: SealHeader; fingerprint: string }[],
  sources: readonly ImageSource[],
): readonly number[] {
  const formats = new Set(seals.map(({ seal }) => seal.format));
  if (formats.size > 1)
    throw new Problem("images-mixed", { detail: "Some images are of format 1, others of format 2." });
  try {
    return formats.has(2) ? checkShardSet(seals.flatMap(toShard)).order : checkChunkSet(seals.flatMap(toChunk)).order;
  } catch (error) {
    const place =
      error instanceof SealError
        ? placeOfFault(
            error,
            seals.map(({ seal }) => seal),
          )
        : undefined;
    throw toProblem(error, { fileName: place === undefined ? undefined : sources[place]?.fileName });
  }
}

const toShard = ({ seal, fingerprint }: { seal: SealHeader; fingerprint: string }): SetMember<ShardHeader>[] =>
  seal.format === 2 ? [{ header: seal.header, fingerprint }] : [];
const toChunk = ({ seal, fingerprint }: { seal: SealHeader; fingerprint: string }): SetMember<ChunkHeader>[] =>
  seal.format === 1 ? [{ header: seal.header, fingerprint }] : [];

/** Which image an error about the set means: the first that is not of the first image's set, or the second with its index. */
function placeOfFault(error: SealError, seals: readonly SealHeader[]): number | undefined {
  const [first] = seals;
  if (!first || error.index === undefined) return undefined;
  const other = seals.findIndex((seal) => setNameOf(seal) !== setNameOf(first));
  if (error.reason === "shards-mixed" && other > 0) return other;
  const last = seals.findLastIndex((seal) => indexOf(seal) === error.index);
  return last === -1 ? undefined : last;
}
