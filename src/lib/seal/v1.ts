/**
 * Seals one chunk into an image in EchoCipher's format (version 1) and opens such images, with the compatible repairs: it
 * tries the last sentinel first and believes only what authenticates. It cannot tell a wrong key or user from a changed
 * image, because the format does not.
 */
import { Buffer } from "node:buffer";
import { type DecipherGCM, createDecipheriv, createHash } from "node:crypto";
import { Readable } from "node:stream";
import { createZstdDecompress } from "node:zlib";
import { encodePng } from "#lib/png/encode";
import { releaseMemory } from "#lib/png/memory";
import { SealError } from "#lib/seal/error";
import {
  type ChunkHeader,
  HEADER_AREA_BYTES,
  readChunkHeader,
  writeChunkHeader,
  writeHeaderArea,
} from "#lib/seal/v1-header";
import { readFileName, readUserId } from "#lib/seal/v1-rules";
import { compressIfShorter } from "#lib/seal/zstd";

export { type ChunkHeader, readChunkHeader } from "#lib/seal/v1-header";
export { deriveKeyV1, readFileName, readMasterKey, readUserId } from "#lib/seal/v1-rules";

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const CIPHERTEXT_OFFSET = HEADER_AREA_BYTES + NONCE_BYTES;
const SENTINEL = new TextEncoder().encode("AIMGEND1");
const WIDTH_MAX = 8_192;
/** Each attempt decrypts the whole image, so their number is limited; the first is right in all images EchoCipher wrote. */
const SENTINEL_ATTEMPTS_MAX = 8;
/** Without a sentinel, trimming zeros may eat the tag's last bytes if they are zero: four have a chance of 2^-32. */
const TRIM_ATTEMPTS_MAX = 5;
const PIECE_BYTES = 262_144;
/** Each update returns new memory. In small pieces the collector clears it away as it goes; large ones pile up to 64 MiB. */
const UPDATE_BYTES = 2_048;
/** What `openChunkV1` returns in one buffer; `streamChunkV1` has no such limit. */
const OPENED_BYTES_MAX = 67_108_864;

/**
 * `key`: from `deriveKeyV1`. `bytes`: the chunk, never empty. `nonce`: 12 bytes, never used with this key before.
 * `createdAtSeconds`: Unix time. `compress`: zstd, kept only when strictly shorter. `reuse`: memory for the image.
 */
export interface SealChunkInput {
  readonly key: Uint8Array;
  readonly userId: string;
  readonly fileName: string;
  readonly chunkIndex: number;
  readonly chunkCount: number;
  readonly bytes: Uint8Array;
  readonly nonce: Uint8Array;
  readonly createdAtSeconds: number;
  readonly compress: boolean;
  readonly reuse?: Uint8Array<ArrayBuffer> | undefined;
}

/** `png` is the file; `payloadBytes` of its pixels are header, nonce, ciphertext and sentinel, the rest zeros. */
export interface SealedChunk {
  readonly header: ChunkHeader;
  readonly png: Uint8Array<ArrayBuffer>;
  readonly width: number;
  readonly height: number;
  readonly payloadBytes: number;
}

/** The size of the image for a payload: nearly square, at most 8,192 wide. */
export function chunkImageSize(payloadBytes: number): { width: number; height: number } {
  const pixels = Math.ceil(payloadBytes / 3);
  const width = Math.min(WIDTH_MAX, Math.ceil(Math.sqrt(pixels)));
  return { width, height: Math.ceil(pixels / width) };
}

/** `{stem}_part{NNNN}_of_{NNNN}.png`, counted from 1. `fileName` loses its last extension. */
export function imageNameV1(fileName: string, part: { chunkIndex: number; chunkCount: number }): string {
  const dot = fileName.lastIndexOf(".");
  const stem = dot > 0 ? fileName.slice(0, dot) : fileName;
  const number = (value: number): string => String(value).padStart(4, "0");
  return `${stem}_part${number(part.chunkIndex + 1)}_of_${number(part.chunkCount)}.png`;
}

/** Seals one chunk. The same input gives the same bytes. Throws SealError `input-invalid`. */
export async function sealChunkV1(input: SealChunkInput): Promise<SealedChunk> {
  const { bytes, nonce } = input;
  if (bytes.byteLength === 0) throw invalid("an empty file cannot be sealed");
  if (input.key.byteLength !== 32 || nonce.byteLength !== NONCE_BYTES) throw invalid("key or nonce size");
  const frame = input.compress ? compressIfShorter(bytes) : undefined;
  const header: ChunkHeader = {
    compressed: frame !== undefined,
    chunkIndex: input.chunkIndex,
    chunkCount: input.chunkCount,
    chunkBytes: bytes.byteLength,
    fileName: readFileName(input.fileName),
    userId: readUserId(input.userId),
    sha256: createHash("sha256").update(bytes).digest("hex"),
    createdAtSeconds: input.createdAtSeconds,
  };
  const json = writeChunkHeader(header);
  const key = await crypto.subtle.importKey("raw", input.key, "AES-GCM", false, ["encrypt"]);
  const algorithm = { name: "AES-GCM", iv: nonce, additionalData: json };
  const ciphertext = new Uint8Array(await crypto.subtle.encrypt(algorithm, key, frame ?? bytes));
  if (frame !== undefined) releaseMemory(frame);
  const parts = [writeHeaderArea(json), nonce, ciphertext, SENTINEL];
  const payloadBytes = CIPHERTEXT_OFFSET + ciphertext.byteLength + SENTINEL.byteLength;
  const size = chunkImageSize(payloadBytes);
  const png = encodePng({ parts, ...size, reuse: input.reuse });
  releaseMemory(ciphertext);
  return { header, png, ...size, payloadBytes };
}

/** The pixels of one image and the key from `deriveKeyV1`. */
export interface OpenChunkInput {
  readonly key: Uint8Array;
  readonly rgb: Uint8Array;
}

/**
 * Opens one image. Decrypts in place: `rgb` holds plaintext afterwards, and `bytes` is a view of it unless the chunk was
 * compressed. A refusal as `wrong-key` leaves `rgb` as it was. Throws SealError: `not-sealed`, `header-damaged`,
 * `wrong-key` (or another user, or altered), `decompression-failed`, `hash-mismatch`, and `image-too-large` when a
 * compressed chunk has more than 64 MiB (use `streamChunkV1`).
 */
export async function openChunkV1(input: OpenChunkInput): Promise<{ header: ChunkHeader; bytes: Uint8Array }> {
  const { header } = readChunkHeader(input.rgb);
  if (header.compressed && header.chunkBytes > OPENED_BYTES_MAX) {
    throw new SealError("image-too-large", { detail: "chunk", index: header.chunkIndex });
  }
  const unpacked = header.compressed ? new Uint8Array(header.chunkBytes) : undefined;
  let done = 0;
  for await (const piece of streamChunkV1(input)) {
    unpacked?.set(piece, done);
    done += piece.byteLength;
  }
  return { header, bytes: unpacked ?? input.rgb.subarray(CIPHERTEXT_OFFSET, CIPHERTEXT_OFFSET + done) };
}

/**
 * The bytes of one image in pieces, each valid until the next is asked for, so that no second copy of a 50 MiB chunk is
 * needed. The first comes when the whole image has been authenticated; `hash-mismatch` and `decompression-failed` come
 * at the end. Decrypts in place and throws as `openChunkV1` does, without its limit.
 */
export async function* streamChunkV1(input: OpenChunkInput): AsyncGenerator<Uint8Array> {
  const { header, json } = readChunkHeader(input.rgb);
  const chunk: Chunk = { ...input, additionalData: json, end: 0 };
  chunk.end = findEnd(chunk, header);
  const hash = createHash("sha256");
  let doneBytes = 0;
  for await (const piece of header.compressed ? decompressPieces(decrypt(chunk), header) : decrypt(chunk)) {
    doneBytes += piece.byteLength;
    if (doneBytes > header.chunkBytes) break;
    hash.update(piece);
    yield piece;
  }
  const index = header.chunkIndex;
  if (doneBytes !== header.chunkBytes) throw new SealError("hash-mismatch", { detail: "size", index });
  if (hash.digest("hex") !== header.sha256) throw new SealError("hash-mismatch", { index });
}

interface Chunk extends OpenChunkInput {
  readonly additionalData: Uint8Array;
  /** Where ciphertext and tag end. */
  end: number;
}

function findEnd(chunk: Chunk, header: ChunkHeader): number {
  for (const end of listEnds(chunk.rgb, header)) if (isGenuine({ ...chunk, end })) return end;
  throw new SealError("wrong-key", { detail: "wrong key, wrong user or altered", index: header.chunkIndex });
}

/** Where the tag may end, the likeliest place first. */
function* listEnds(rgb: Uint8Array, header: ChunkHeader): Generator<number> {
  const endMin = CIPHERTEXT_OFFSET + TAG_BYTES + 1;
  if (!header.compressed) {
    // Without compression the header says how long the ciphertext is, so a sentinel inside it cannot cut it short.
    const end = CIPHERTEXT_OFFSET + header.chunkBytes + TAG_BYTES;
    if (end <= rgb.byteLength) yield end;
    return;
  }
  const bytes = Buffer.from(rgb.buffer, rgb.byteOffset, rgb.byteLength);
  let end = bytes.lastIndexOf(SENTINEL);
  for (let attempt = 0; attempt < SENTINEL_ATTEMPTS_MAX && end >= endMin; attempt++) {
    yield end;
    end = bytes.lastIndexOf(SENTINEL, end - 1);
  }
  let trimmed = rgb.byteLength;
  while (trimmed > endMin && rgb[trimmed - 1] === 0) trimmed--;
  for (let attempt = 0; attempt < TRIM_ATTEMPTS_MAX && trimmed + attempt <= rgb.byteLength; attempt++)
    yield trimmed + attempt;
}

function createDecipher({ key, rgb, end, additionalData }: Chunk): DecipherGCM {
  const decipher = createDecipheriv("aes-256-gcm", key, rgb.subarray(HEADER_AREA_BYTES, CIPHERTEXT_OFFSET));
  // workerd wants the tag before the first byte.
  return decipher.setAAD(additionalData).setAuthTag(rgb.subarray(end - TAG_BYTES, end));
}

/** The ciphertext without its tag, in views of at most `sizeBytes`. */
function* listParts({ rgb, end }: Chunk, sizeBytes: number): Generator<Uint8Array> {
  for (let start = CIPHERTEXT_OFFSET; start < end - TAG_BYTES; start += sizeBytes) {
    yield rgb.subarray(start, Math.min(start + sizeBytes, end - TAG_BYTES));
  }
}

/** Whether the tag fits. Nothing is kept or overwritten. */
function isGenuine(chunk: Chunk): boolean {
  const decipher = createDecipher(chunk);
  for (const part of listParts(chunk, UPDATE_BYTES)) decipher.update(part);
  try {
    decipher.final();
    return true;
  } catch {
    return false;
  }
}

/** Decrypts, in place, a chunk that `isGenuine` has seen. */
function* decrypt(chunk: Chunk): Generator<Uint8Array> {
  const decipher = createDecipher(chunk);
  for (const part of listParts(chunk, PIECE_BYTES)) {
    for (let start = 0; start < part.byteLength; start += UPDATE_BYTES) {
      part.set(decipher.update(part.subarray(start, start + UPDATE_BYTES)), start);
    }
    yield part;
  }
}

/** Streams take what fits into their buffers and wait for the reader, so a bomb costs no more memory than they hold. */
async function* decompressPieces(frame: Iterable<Uint8Array>, header: ChunkHeader): AsyncGenerator<Uint8Array> {
  const source = Readable.from(frame, { objectMode: false });
  const unzip = source.pipe(createZstdDecompress({ chunkSize: PIECE_BYTES }));
  source.on("error", (error) => unzip.destroy(error));
  let previous: Uint8Array<ArrayBuffer> | undefined;
  try {
    for await (const piece of unzip as AsyncIterable<Uint8Array<ArrayBuffer>>) {
      // Pieces are cut from one buffer after the other: with the first of a new one, the old one is done with.
      if (previous !== undefined && previous.buffer !== piece.buffer) releaseMemory(previous);
      previous = piece;
      yield piece;
    }
  } catch {
    throw new SealError("decompression-failed", { index: header.chunkIndex });
  } finally {
    source.destroy();
    unzip.destroy();
  }
}

function invalid(detail: string): SealError {
  return new SealError("input-invalid", { detail });
}
