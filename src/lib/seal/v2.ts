/**
 * Seals one shard of a file into an image and opens it again: version 2 of the format. It keeps no keys, reads no clock,
 * draws no random numbers, and releases no plaintext that was not authenticated.
 */
import { encodePng } from "#lib/png/encode";
import { SealError } from "#lib/seal/error";
import { releaseMemory, takeMemory } from "#lib/png/memory";
import {
  HASH_BYTES,
  HEADER_BYTES_V2,
  METADATA_BYTES_MAX,
  type ShardHeader,
  TAG_BYTES,
  readShardHeader,
  shardBytesOf,
  shardCountOf,
  shardNonce,
  writeShardHeader,
} from "#lib/seal/v2-header";
import { compressIfShorter, decompress } from "#lib/seal/zstd";

const EMPTY = new Uint8Array(0);
const SHARD_COUNT_MAX = 0xffff_ffff;

/** What the first shard says of the file. `createdAt` is ISO 8601 UTC. */
export interface ShardMetadata {
  readonly createdAt: string;
  readonly name: string;
  readonly type: string;
}

/**
 * `dataKey`: 32 bytes or an AES-GCM CryptoKey. `conversionId`, `keyId`: 16 bytes. `noncePrefix`: 7 bytes, never used with
 * this key for another file. `bytes`: the shard's original bytes. `metadata`: shard 0 only. `wholeHash`: SHA-256 of the
 * whole file, in the last shard and only there. `compress`: zstd, kept only when shorter. `reuse`: memory for the image,
 * for instance the last image when it is no longer needed.
 */
export interface SealShardInput {
  readonly dataKey: CryptoKey | Uint8Array;
  readonly conversionId: Uint8Array;
  readonly keyId: Uint8Array;
  readonly noncePrefix: Uint8Array;
  readonly shardIndex: number;
  readonly shardCount: number;
  readonly fileSizeBytes: number;
  readonly bytes: Uint8Array;
  readonly compress: boolean;
  readonly metadata?: ShardMetadata | undefined;
  readonly wholeHash?: Uint8Array | undefined;
  readonly reuse?: Uint8Array<ArrayBuffer> | undefined;
}

/** The first `payloadBytes` bytes of the pixels are header and ciphertext, the rest zeros. */
interface ShardImage {
  readonly header: ShardHeader;
  readonly width: number;
  readonly height: number;
  readonly payloadBytes: number;
}

/** `png` is the file. */
export interface SealedShard extends ShardImage {
  readonly png: Uint8Array<ArrayBuffer>;
}

/** `parts` are the payload: header and ciphertext. */
export interface EncryptedShard extends ShardImage {
  readonly parts: readonly [Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>];
}

/** `bytes` owns its memory unless it is small: pass it to `releaseMemory` when done. */
export interface OpenedShard {
  readonly header: ShardHeader;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly metadata?: ShardMetadata;
  readonly wholeHash?: Uint8Array;
}

/** The data key for many shards. Throws SealError `input-invalid` unless it has 32 bytes. */
export async function importDataKey(dataKey: Uint8Array): Promise<CryptoKey> {
  if (dataKey.byteLength !== 32) throw invalid("data key");
  return crypto.subtle.importKey("raw", dataKey, "AES-GCM", false, ["encrypt", "decrypt"]);
}

/** The size of the image for a payload: a power of two wide, from 64 to 2,048, and as high as needed. */
export function shardImageSize(payloadBytes: number): { width: number; height: number } {
  const pixels = Math.ceil(payloadBytes / 3);
  let width = 64;
  while (width < 2_048 && width * width < pixels) width *= 2;
  return { width, height: Math.ceil(pixels / width) };
}

/** Seals one shard. The same input gives the same bytes. Throws SealError `input-invalid`. */
export async function sealShard(input: SealShardInput): Promise<SealedShard> {
  const { header, parts, width, height, payloadBytes } = await encryptShard(input);
  const png = encodePng({ parts, width, height, reuse: input.reuse });
  releaseMemory(parts[1]);
  return { header, png, width, height, payloadBytes };
}

/**
 * The same without the image: `parts` are header and ciphertext, to be given to `encodePngSlices`, and the ciphertext to
 * `releaseMemory` afterwards.
 */
export async function encryptShard(input: SealShardInput): Promise<EncryptedShard> {
  checkInput(input);
  const metadata = input.metadata === undefined ? EMPTY : writeMetadata(input.metadata);
  const frame = input.compress ? compressIfShorter(input.bytes) : undefined;
  const last = input.shardIndex === input.shardCount - 1;
  const plaintextParts = [metadata, frame ?? input.bytes, input.wholeHash ?? EMPTY];
  const plaintextBytes = plaintextParts.reduce((sum, part) => sum + part.byteLength, 0);
  const header: ShardHeader = {
    compressed: frame !== undefined,
    last,
    shardIndex: input.shardIndex,
    shardCount: input.shardCount,
    conversionId: input.conversionId,
    keyId: input.keyId,
    fileSizeBytes: input.fileSizeBytes,
    originalBytes: input.bytes.byteLength,
    ciphertextBytes: plaintextBytes + TAG_BYTES,
    metadataBytes: metadata.byteLength,
    nonce: shardNonce(input.noncePrefix, { shardIndex: input.shardIndex, last }),
  };
  const headerBytes = writeShardHeader(header);
  // Until the image is written, its memory is free for the plaintext of a shard that has more than the file's bytes.
  const plaintext = joinParts(plaintextParts, plaintextBytes, input.reuse);
  const ciphertext = await encrypt(input.dataKey, { nonce: header.nonce, headerBytes, plaintext });
  if (frame !== undefined) releaseMemory(frame);
  const payloadBytes = HEADER_BYTES_V2 + ciphertext.byteLength;
  return { header, parts: [headerBytes, ciphertext], ...shardImageSize(payloadBytes), payloadBytes };
}

/**
 * Opens one shard from the pixels of its image. `keyId`, when given, is the only one accepted. Throws SealError:
 * `not-sealed`, `header-damaged`, `wrong-key`, `lossy-image` (pixels cut off), `altered`, `decompression-failed`.
 */
export async function openShard(input: {
  readonly dataKey: CryptoKey | Uint8Array;
  readonly rgb: Uint8Array;
  readonly keyId?: Uint8Array | undefined;
}): Promise<OpenedShard> {
  const { rgb } = input;
  const header = readShardHeader(rgb);
  const index = header.shardIndex;
  if (input.keyId !== undefined && !isSame(input.keyId, header.keyId)) throw new SealError("wrong-key", { index });
  const end = HEADER_BYTES_V2 + header.ciphertextBytes;
  if (end > rgb.byteLength) throw new SealError("lossy-image", { detail: "resized or cropped", index });
  if (rgb.subarray(end).some((byte) => byte !== 0))
    throw new SealError("altered", { detail: "after the payload", index });
  const plaintext = await decrypt(input.dataKey, { rgb, end, nonce: header.nonce, index });
  const bodyEnd = plaintext.byteLength - (header.last ? HASH_BYTES : 0);
  const metadata =
    header.metadataBytes === 0 ? {} : { metadata: readMetadata(plaintext.subarray(0, header.metadataBytes)) };
  const wholeHash = header.last ? { wholeHash: plaintext.slice(bodyEnd) } : {};
  const body = plaintext.subarray(header.metadataBytes, bodyEnd);
  if (!header.compressed) return { header, bytes: body, ...metadata, ...wholeHash };
  const bytes = decompress(body, header.originalBytes);
  releaseMemory(plaintext);
  return { header, bytes, ...metadata, ...wholeHash };
}

/** The whole plaintext in one view: the only part itself when the others are empty, else a copy in `reuse` or new memory. */
function joinParts(
  parts: readonly Uint8Array[],
  sizeBytes: number,
  reuse: Uint8Array<ArrayBuffer> | undefined,
): Uint8Array {
  const only = parts.find((part) => part.byteLength === sizeBytes);
  if (only !== undefined) return only;
  const joined = takeMemory(sizeBytes, reuse);
  let position = 0;
  for (const part of parts) {
    joined.set(part, position);
    position += part.byteLength;
  }
  return joined;
}

async function toKey(dataKey: CryptoKey | Uint8Array): Promise<CryptoKey> {
  return dataKey instanceof CryptoKey ? dataKey : importDataKey(dataKey);
}

async function encrypt(
  dataKey: CryptoKey | Uint8Array,
  shard: { nonce: Uint8Array; headerBytes: Uint8Array; plaintext: Uint8Array },
): Promise<Uint8Array<ArrayBuffer>> {
  const algorithm = { name: "AES-GCM", iv: shard.nonce, additionalData: shard.headerBytes };
  return new Uint8Array(await crypto.subtle.encrypt(algorithm, await toKey(dataKey), shard.plaintext));
}

async function decrypt(
  dataKey: CryptoKey | Uint8Array,
  shard: { rgb: Uint8Array; end: number; nonce: Uint8Array; index: number },
): Promise<Uint8Array<ArrayBuffer>> {
  const key = await toKey(dataKey);
  const additionalData = shard.rgb.subarray(0, HEADER_BYTES_V2);
  const algorithm = { name: "AES-GCM", iv: shard.nonce, additionalData };
  try {
    return new Uint8Array(await crypto.subtle.decrypt(algorithm, key, shard.rgb.subarray(HEADER_BYTES_V2, shard.end)));
  } catch {
    throw new SealError("altered", { index: shard.index });
  }
}

function isSame(left: Uint8Array, right: Uint8Array): boolean {
  return left.byteLength === right.byteLength && left.every((byte, index) => byte === right[index]);
}

/** JSON with sorted keys and no spaces, in UTF-8. */
function writeMetadata(metadata: ShardMetadata): Uint8Array {
  const { createdAt, name, type } = metadata;
  const bytes = new TextEncoder().encode(JSON.stringify({ createdAt, name, type }));
  if (bytes.byteLength > METADATA_BYTES_MAX) throw invalid("metadata is too long");
  return bytes;
}

function readMetadata(bytes: Uint8Array): ShardMetadata {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    throw new SealError("header-damaged", { detail: "metadata is not JSON", index: 0 });
  }
  if (!isMetadata(value)) throw new SealError("header-damaged", { detail: "metadata members", index: 0 });
  return { createdAt: value.createdAt, name: value.name, type: value.type };
}

function isMetadata(value: unknown): value is ShardMetadata {
  if (typeof value !== "object" || value === null) return false;
  return ["createdAt", "name", "type"].every((key) => typeof (value as Record<string, unknown>)[key] === "string");
}

// oxlint-disable-next-line complexity -- a plain list of what the format asks, one line each
function checkInput(input: SealShardInput): void {
  const { shardIndex, shardCount, fileSizeBytes } = input;
  if (!Number.isSafeInteger(fileSizeBytes) || fileSizeBytes < 1) throw invalid("an empty file cannot be sealed");
  if (shardCount !== shardCountOf(fileSizeBytes) || shardCount > SHARD_COUNT_MAX) throw invalid("shard count");
  if (!Number.isInteger(shardIndex) || shardIndex < 0 || shardIndex >= shardCount) throw invalid("shard index");
  if (input.bytes.byteLength !== shardBytesOf(fileSizeBytes, shardIndex)) throw invalid("shard size");
  if (input.conversionId.byteLength !== 16 || input.keyId.byteLength !== 16) throw invalid("ids have 16 bytes");
  if (input.noncePrefix.byteLength !== 7) throw invalid("the nonce prefix has 7 bytes");
  if (input.metadata !== undefined && shardIndex !== 0) throw invalid("metadata belongs to the first shard");
  const hashBytes = shardIndex === shardCount - 1 ? HASH_BYTES : 0;
  if ((input.wholeHash?.byteLength ?? 0) !== hashBytes) throw invalid("the whole hash belongs to the last shard");
}

function invalid(detail: string): SealError {
  return new SealError("input-invalid", { detail });
}
