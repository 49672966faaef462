/**
 * The plain JSON header of a version 1 image (EchoCipher): the exact bytes it is written as, which are also the AAD, and
 * how it is read. Everybody can read it without a key; nothing in it is to be believed before the image was opened.
 */
import { SealError } from "#lib/seal/error";

/** Where nonce and ciphertext begin: the length field, the JSON and zeros fill the first 1,024 bytes. */
export const HEADER_AREA_BYTES = 1_024;
const LENGTH_BYTES = 4;
const JSON_BYTES_MAX = HEADER_AREA_BYTES - LENGTH_BYTES;
const MAGIC = "AUDIO-IMG-V1";
/** Ten times EchoCipher's default chunk of 50 MiB. */
const CHUNK_BYTES_MAX = 524_288_000;

/** The header's members by readable names. `sha256` is hex, of the chunk before compression; `createdAtSeconds` is Unix time. */
export interface ChunkHeader {
  readonly compressed: boolean;
  readonly chunkIndex: number;
  readonly chunkCount: number;
  readonly chunkBytes: number;
  readonly fileName: string;
  readonly userId: string;
  readonly sha256: string;
  readonly createdAtSeconds: number;
}

/** The JSON as Python's `json.dumps(header, sort_keys=True, separators=(",", ":"))` writes it. Throws `input-invalid`. */
export function writeChunkHeader(header: ChunkHeader): Uint8Array {
  const { chunkIndex, chunkCount, chunkBytes } = header;
  const isPlace = Number.isInteger(chunkIndex) && chunkIndex >= 0 && chunkIndex < chunkCount;
  if (!isPlace || !Number.isInteger(chunkCount)) throw invalid("chunk index out of range");
  if (chunkBytes < 1 || chunkBytes > CHUNK_BYTES_MAX) throw invalid("chunk size out of range");
  if (!Number.isSafeInteger(header.createdAtSeconds) || header.createdAtSeconds < 0) throw invalid("time");
  // In the order of the alphabet: JSON.stringify keeps it.
  const members = {
    compressed: header.compressed,
    magic: MAGIC,
    orig_chunk_index: chunkIndex,
    orig_chunk_size: chunkBytes,
    orig_filename: header.fileName,
    orig_total_chunks: chunkCount,
    sha256: header.sha256,
    ts: header.createdAtSeconds,
    user_id: header.userId,
    version: 1,
  };
  const json = JSON.stringify(members).replace(/[\u007f-\uffff]/g, escapeCharacter);
  if (json.length > JSON_BYTES_MAX) throw invalid("the header is longer than 1,020 bytes");
  return new TextEncoder().encode(json);
}

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** The first 1,024 bytes of the payload. */
export function writeHeaderArea(json: Uint8Array): Uint8Array<ArrayBuffer> {
  const area = new Uint8Array(HEADER_AREA_BYTES);
  new DataView(area.buffer).setUint32(0, json.byteLength, true);
  area.set(json, LENGTH_BYTES);
  return area;
}

/**
 * Reads the header from the first bytes of the pixels; `json` is a view of its bytes. Throws SealError: `not-sealed` when
 * there is no version 1 header, `header-damaged` when one is there but wrong.
 */
export function readChunkHeader(rgb: Uint8Array): { header: ChunkHeader; json: Uint8Array } {
  if (rgb.byteLength < HEADER_AREA_BYTES) throw new SealError("not-sealed");
  const sizeBytes = new DataView(rgb.buffer, rgb.byteOffset, LENGTH_BYTES).getUint32(0, true);
  if (sizeBytes === 0 || sizeBytes > JSON_BYTES_MAX) throw new SealError("not-sealed");
  const json = rgb.subarray(LENGTH_BYTES, LENGTH_BYTES + sizeBytes);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(json));
  } catch {
    throw new SealError("not-sealed");
  }
  if (typeof value !== "object" || value === null) throw new SealError("not-sealed");
  const members = value as Readonly<Record<string, unknown>>;
  if (members["magic"] !== MAGIC) throw new SealError("not-sealed");
  return { header: readMembers(members), json };
}

function readMembers(members: Readonly<Record<string, unknown>>): ChunkHeader {
  const integer = (name: string, max: number): number => {
    const value = members[name];
    if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > max) throw damaged(name);
    return value;
  };
  const text = (name: string): string => {
    const value = members[name];
    if (typeof value !== "string") throw damaged(name);
    return value;
  };
  const header: ChunkHeader = {
    compressed: members["compressed"] === true,
    chunkIndex: integer("orig_chunk_index", Number.MAX_SAFE_INTEGER),
    chunkCount: integer("orig_total_chunks", Number.MAX_SAFE_INTEGER),
    chunkBytes: integer("orig_chunk_size", CHUNK_BYTES_MAX),
    fileName: text("orig_filename"),
    userId: text("user_id"),
    sha256: text("sha256"),
    createdAtSeconds: integer("ts", Number.MAX_SAFE_INTEGER),
  };
  if (integer("version", 1) !== 1) throw damaged("version");
  if (typeof members["compressed"] !== "boolean") throw damaged("compressed");
  if (header.chunkIndex >= header.chunkCount || header.chunkBytes === 0) throw damaged("chunk place");
  if (!/^[0-9a-f]{64}$/u.test(header.sha256)) throw damaged("sha256");
  return header;
}

function invalid(detail: string): SealError {
  return new SealError("input-invalid", { detail });
}

function damaged(detail: string): SealError {
  return new SealError("header-damaged", { detail });
}
