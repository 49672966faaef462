/**
 * What version 1 (EchoCipher) asks for beyond version 2: names that its reader takes and that fit its header, and nonces that are a
 * function of the conversion, because the same derived key seals every file of a user.
 */
import { hkdfSync } from "node:crypto";
import { Problem } from "#core/problem";
import { SealError } from "#lib/seal/error";
import { readFileName } from "#lib/seal/v1";
import { writeChunkHeader } from "#lib/seal/v1-header";

/** The file's name as its header can hold it: 1,020 bytes of ASCII for everything. Throws `validation-failed` when the user name alone is too long. */
export function v1FileName(fileName: string, userId: string): string {
  const plain = fileName.replaceAll(/\.{2,}/g, ".");
  const dot = plain.lastIndexOf(".");
  const stem = Array.from(dot > 0 ? plain.slice(0, dot) : plain);
  const extension = dot > 0 ? plain.slice(dot) : "";
  for (let length = Math.min(stem.length, 240); length > 0; length -= 1) {
    const name = `${stem.slice(0, length).join("").trim()}${extension}`;
    if (fits(name, userId)) return readFileName(name);
  }
  throw new Problem("validation-failed", { detail: "userId: the header of format 1 has no room for it." });
}

function fits(fileName: string, userId: string): boolean {
  try {
    writeChunkHeader({
      compressed: false,
      chunkIndex: 9_998,
      chunkCount: 9_999,
      chunkBytes: 99_999_999,
      fileName: readFileName(fileName),
      userId,
      sha256: "0".repeat(64),
      createdAtSeconds: 99_999_999_999,
    });
    return true;
  } catch (error) {
    if (error instanceof SealError) return false;
    throw error;
  }
}

/** 12 bytes that a repeated run finds again and that no other conversion has: the salt is the conversion's random id. */
export function v1Nonce(key: Uint8Array, seal: { sealId: string; index: number }): Uint8Array<ArrayBuffer> {
  return new Uint8Array(hkdfSync("sha256", key, Buffer.from(seal.sealId, "hex"), `overtone nonce ${seal.index}`, 12));
}
