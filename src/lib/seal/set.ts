/**
 * Whether headers belong to one whole file, and in which order. It looks at headers only: opening each shard and checking
 * the whole file's hash at the end is still the caller's work.
 */
import { SealError } from "#lib/seal/error";
import type { ChunkHeader } from "#lib/seal/v1-header";
import type { ShardHeader } from "#lib/seal/v2-header";

/** `fingerprint` is the same for two images exactly when their payloads are (`fingerprintPixels`). */
export interface SetMember<Header> {
  readonly header: Header;
  readonly fingerprint: string;
}

/** `order[i]` is the place in the list given of the image with index i; doubles are left out. */
export type ShardSet =
  | { readonly version: 2; readonly count: number; readonly fileSizeBytes: number; readonly order: readonly number[] }
  | { readonly version: 1; readonly count: number; readonly fileName: string; readonly order: readonly number[] };

/** Shards that one set may have: 500 MiB in version 2 make 63; version 1 files name their parts with four digits. */
const COUNT_MAX = 9_999;

/**
 * Checks the shards of a version 2 file. Throws SealError: `shards-mixed` (another conversion, key, count or file size),
 * `shard-doubled` (an index twice with different bytes), `shards-missing` (naming them). Where the last flag stands was
 * checked with each header.
 */
export function checkShardSet(members: readonly SetMember<ShardHeader>[]): Extract<ShardSet, { version: 2 }> {
  const [first] = members;
  if (first === undefined) throw new SealError("shards-missing", { detail: "no shard at all" });
  const { shardCount, fileSizeBytes } = first.header;
  const signature = (header: ShardHeader): string =>
    [
      hex(header.conversionId),
      hex(header.keyId),
      header.shardCount,
      header.fileSizeBytes,
      hex(header.nonce.subarray(0, 7)),
    ].join();
  const order = orderMembers(members, { count: shardCount, signature, indexOf: (header) => header.shardIndex });
  return { version: 2, count: shardCount, fileSizeBytes, order };
}

/**
 * The same for version 1, whose images are not bound together: file name, user and count must agree, and all chunks but
 * the last must have one size, the last at most that. Chunks of two conversions of one file cannot be told apart.
 */
export function checkChunkSet(members: readonly SetMember<ChunkHeader>[]): Extract<ShardSet, { version: 1 }> {
  const [first] = members;
  if (first === undefined) throw new SealError("shards-missing", { detail: "no image at all" });
  const { chunkCount, fileName } = first.header;
  const signature = (header: ChunkHeader): string =>
    JSON.stringify([header.fileName, header.userId, header.chunkCount]);
  const order = orderMembers(members, { count: chunkCount, signature, indexOf: (header) => header.chunkIndex });
  const sizes = order.map((place) => members[place]?.header.chunkBytes ?? 0);
  const size = sizes[0] ?? 0;
  const odd = sizes.findIndex((chunkBytes, index) =>
    index === sizes.length - 1 ? chunkBytes > size : chunkBytes !== size,
  );
  if (odd >= 0) throw new SealError("shards-mixed", { detail: "chunk size", index: odd });
  return { version: 1, count: chunkCount, fileName, order };
}

function orderMembers<Header>(
  members: readonly SetMember<Header>[],
  rules: { count: number; signature: (header: Header) => string; indexOf: (header: Header) => number },
): number[] {
  const { count, signature, indexOf } = rules;
  const places = new Map<number, number>();
  const expected = members[0] === undefined ? "" : signature(members[0].header);
  for (const [place, member] of members.entries()) {
    const index = indexOf(member.header);
    if (signature(member.header) !== expected) throw new SealError("shards-mixed", { index });
    const earlier = places.get(index);
    if (earlier === undefined) places.set(index, place);
    else if (members[earlier]?.fingerprint !== member.fingerprint) throw new SealError("shard-doubled", { index });
  }
  // Before the loop below: a header may claim four billion shards.
  if (count > COUNT_MAX) throw new SealError("header-damaged", { detail: "shard count" });
  const missing: number[] = [];
  const order: number[] = [];
  for (let index = 0; index < count; index++) {
    const place = places.get(index);
    if (place === undefined) missing.push(index);
    else order.push(place);
  }
  if (missing.length > 0) throw new SealError("shards-missing", { missing });
  return order;
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
