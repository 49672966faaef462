/**
 * One-shot zstd frames, level 3, content size included. It never returns a frame that is not shorter than its input, nor
 * more bytes than the caller was promised.
 *
 * Both directions use `info: true` with one output chunk that is certainly large enough: without it workerd's zlib fails
 * with "Unexpected end of file" on valid input (cloudflare/workerd issue 6769), in decompression too when the size is a
 * multiple of its internal 40,960-byte chunk.
 */
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { SealError } from "#lib/seal/error";
import { releaseMemory } from "#lib/png/memory";

const LEVEL = 3;

interface ZlibInfo {
  readonly buffer: Uint8Array<ArrayBuffer>;
  readonly engine: { readonly bytesWritten: number };
}

/** The zstd frame of `bytes`, or undefined when it is not strictly shorter. The result owns its memory. */
export function compressIfShorter(bytes: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  const sizeBytes = bytes.byteLength;
  const { buffer } = zstdCompressSync(bytes, {
    info: true,
    // ZSTD_compressBound is below this for every size.
    chunkSize: sizeBytes + (sizeBytes >>> 8) + 1_024,
    pledgedSrcSize: sizeBytes,
    params: { [constants.ZSTD_c_compressionLevel]: LEVEL, [constants.ZSTD_c_contentSizeFlag]: 1 },
  } as object) as unknown as ZlibInfo;
  if (buffer.byteLength < sizeBytes) return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  releaseMemory(buffer);
  return undefined;
}

/** Exactly `sizeBytes` bytes from one zstd frame. Throws SealError `decompression-failed` for anything else. */
export function decompress(frame: Uint8Array, sizeBytes: number): Uint8Array<ArrayBuffer> {
  let result: ZlibInfo;
  try {
    result = zstdDecompressSync(frame, {
      info: true,
      chunkSize: Math.max(sizeBytes + 1, 64),
      maxOutputLength: sizeBytes,
    } as object) as unknown as ZlibInfo;
  } catch {
    throw new SealError("decompression-failed", { detail: "not one zstd frame of the stated size" });
  }
  if (result.buffer.byteLength !== sizeBytes || result.engine.bytesWritten !== frame.byteLength) {
    throw new SealError("decompression-failed", { detail: "size differs from the header" });
  }
  return new Uint8Array(result.buffer.buffer, result.buffer.byteOffset, sizeBytes);
}
