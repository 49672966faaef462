/**
 * The 128-byte header of a version 2 shard (big-endian, also the AAD of its encryption): writing, reading and checking
 * each field against the others. It decrypts nothing: whether the header is genuine, opening the shard tells.
 */
import { SealError } from "#lib/seal/error";

/** Original bytes in every shard but the last. */
export const SHARD_BYTES = 8_388_608;
export const HEADER_BYTES_V2 = 128;
export const TAG_BYTES = 16;
export const HASH_BYTES = 32;
/** A name of 255 characters, escaped in JSON at worst, with a type and a date, stays below. */
export const METADATA_BYTES_MAX = 4_096;
export const MAGIC_V2: Uint8Array = new TextEncoder().encode("OVTSEAL2");

const VERSION = 2;
const FLAG_COMPRESSED = 1;
const FLAG_LAST = 2;
const FLAG_METADATA = 4;

/** One shard's header. Sizes are bytes; ids are 16 bytes; `nonce` is the whole 12-byte nonce. */
export interface ShardHeader {
  readonly compressed: boolean;
  readonly last: boolean;
  readonly shardIndex: number;
  readonly shardCount: number;
  readonly conversionId: Uint8Array;
  readonly keyId: Uint8Array;
  readonly fileSizeBytes: number;
  readonly originalBytes: number;
  readonly ciphertextBytes: number;
  readonly metadataBytes: number;
  readonly nonce: Uint8Array;
}

/** How many shards a file of this size makes. */
export function shardCountOf(fileSizeBytes: number): number {
  return Math.ceil(fileSizeBytes / SHARD_BYTES);
}

/** How many original bytes shard `shardIndex` of a file of this size holds. */
export function shardBytesOf(fileSizeBytes: number, shardIndex: number): number {
  return Math.min(SHARD_BYTES, fileSizeBytes - shardIndex * SHARD_BYTES);
}

/** The nonce: 7 bytes random per conversion, the shard index, 1 in the last shard. No two shards of a key share one. */
export function shardNonce(
  noncePrefix: Uint8Array,
  shard: { shardIndex: number; last: boolean },
): Uint8Array<ArrayBuffer> {
  const nonce = new Uint8Array(12);
  nonce.set(noncePrefix, 0);
  new DataView(nonce.buffer).setUint32(7, shard.shardIndex);
  nonce[11] = shard.last ? 1 : 0;
  return nonce;
}

/** The header's 128 bytes. The caller has checked the fields. */
export function writeShardHeader(header: ShardHeader): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEADER_BYTES_V2);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC_V2, 0);
  view.setUint8(8, VERSION);
  const flags = (header.compressed ? FLAG_COMPRESSED : 0) | (header.last ? FLAG_LAST : 0);
  view.setUint8(9, flags | (header.metadataBytes > 0 ? FLAG_METADATA : 0));
  view.setUint32(12, header.shardIndex);
  view.setUint32(16, header.shardCount);
  bytes.set(header.conversionId, 20);
  bytes.set(header.keyId, 36);
  view.setBigUint64(52, BigInt(header.fileSizeBytes));
  view.setUint32(60, header.originalBytes);
  view.setUint32(64, header.ciphertextBytes);
  view.setUint32(68, header.metadataBytes);
  bytes.set(header.nonce, 72);
  return bytes;
}

/**
 * Reads the header from the first bytes of the pixels. Throws SealError `not-sealed` without the magic and
 * `header-damaged` when a field contradicts the format or another field. Ids and nonce are copies.
 */
export function readShardHeader(rgb: Uint8Array): ShardHeader {
  if (!startsWith(rgb, MAGIC_V2)) throw new SealError("not-sealed");
  if (rgb.byteLength < HEADER_BYTES_V2) throw damaged("truncated");
  const view = new DataView(rgb.buffer, rgb.byteOffset, HEADER_BYTES_V2);
  const flags = view.getUint8(9);
  if (view.getUint8(8) !== VERSION || flags > 7) throw damaged("version or flags");
  if (view.getUint16(10) !== 0 || rgb.subarray(84, HEADER_BYTES_V2).some((byte) => byte !== 0))
    throw damaged("reserved bytes");
  const header: ShardHeader = {
    compressed: (flags & FLAG_COMPRESSED) !== 0,
    last: (flags & FLAG_LAST) !== 0,
    shardIndex: view.getUint32(12),
    shardCount: view.getUint32(16),
    conversionId: copyBytes(rgb, 20, 36),
    keyId: copyBytes(rgb, 36, 52),
    // A size over 2^53 loses digits here and then disagrees with the shard count, which is below 2^32.
    fileSizeBytes: Number(view.getBigUint64(52)),
    originalBytes: view.getUint32(60),
    ciphertextBytes: view.getUint32(64),
    metadataBytes: view.getUint32(68),
    nonce: copyBytes(rgb, 72, 84),
  };
  checkPlace(header);
  checkSizes(header, (flags & FLAG_METADATA) !== 0);
  return header;
}

function checkPlace(header: ShardHeader): void {
  const { shardIndex, shardCount, fileSizeBytes, last, nonce } = header;
  if (fileSizeBytes === 0 || shardCount !== shardCountOf(fileSizeBytes)) throw damaged("shard count");
  if (shardIndex >= shardCount) throw damaged("shard index");
  if (last !== (shardIndex === shardCount - 1)) throw damaged("last flag");
  const expected = shardNonce(nonce.subarray(0, 7), { shardIndex, last });
  if (expected.some((byte, index) => byte !== nonce[index])) throw damaged("nonce");
}

function checkSizes(header: ShardHeader, hasMetadata: boolean): void {
  const { fileSizeBytes, shardIndex, originalBytes, metadataBytes, ciphertextBytes } = header;
  if (originalBytes !== shardBytesOf(fileSizeBytes, shardIndex)) throw damaged("original size");
  if (hasMetadata !== metadataBytes > 0 || metadataBytes > METADATA_BYTES_MAX) throw damaged("metadata size");
  if (hasMetadata && shardIndex !== 0) throw damaged("metadata outside the first shard");
  const aroundBody = metadataBytes + (header.last ? HASH_BYTES : 0) + TAG_BYTES;
  const bodyBytes = ciphertextBytes - aroundBody;
  const fits = header.compressed ? bodyBytes > 0 && bodyBytes < originalBytes : bodyBytes === originalBytes;
  if (!fits) throw damaged("ciphertext size");
}

/** Not `slice`, which is a view when `bytes` is a Buffer: the header outlives the pixels. */
function copyBytes(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.subarray(start, end));
}

function startsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  return prefix.every((byte, index) => byte === bytes[index]);
}

function damaged(detail: string): SealError {
  return new SealError("header-damaged", { detail });
}
