/** What uploads need of the bucket, with its errors sorted into those a client can mend and those that pass. Decides nothing about rows. */
import type { Ctx } from "#core/context";
import { headBytesNeeded } from "#lib/file-magic";
import type { PartTag } from "./rules.ts";

type Bucket = Pick<Ctx, "files">;

/** R2's own numbers (developers.cloudflare.com/r2/api/error-codes); the binding carries them at the end of the message only. */
const noSuchUpload = 10_024;
const partFaults: readonly number[] = [
  10_011, // a part but the last is under 5 MiB
  10_025, // no such part, or another tag
  10_048, // parts of unequal size
];

function errorNumber(error: unknown): number | null {
  const [, digits] = /\((\d{5})\)/.exec(error instanceof Error ? error.message : "") ?? [];
  return digits === undefined ? null : Number(digits);
}

export type Assembled =
  | { kind: "assembled"; object: R2Object }
  /** A tag is wrong or a part is not there: the multipart upload is still open. */
  | { kind: "part-fault" }
  /** The multipart upload was ended, and no object came of it. */
  | { kind: "gone" }
  /** It did not happen yet, and trying again may help. */
  | { kind: "unclear"; error: unknown };

/**
 * Makes one object of its parts. Somebody else may have done it in between (another complete, or this one before a crash), so every
 * failure looks for the object first.
 */
export async function assemble(
  ctx: Bucket,
  key: string,
  { r2UploadId, parts }: { r2UploadId: string; parts: PartTag[] },
): Promise<Assembled> {
  try {
    return { kind: "assembled", object: await ctx.files.resumeMultipartUpload(key, r2UploadId).complete(parts) };
  } catch (error) {
    const object = await ctx.files.head(key);
    if (object) return { kind: "assembled", object };
    const number = errorNumber(error);
    if (number === noSuchUpload) return { kind: "gone" };
    if (number !== null && partFaults.includes(number)) return { kind: "part-fault" };
    return { kind: "unclear", error };
  }
}

/** Removes what an upload left: its open multipart upload first, because a complete that is under way could still make the object. */
export async function removeBytes(ctx: Bucket, upload: { r2Key: string; r2UploadId: string | null }): Promise<void> {
  try {
    if (upload.r2UploadId !== null) await abortParts(ctx, upload.r2Key, upload.r2UploadId);
  } finally {
    await ctx.files.delete(upload.r2Key);
  }
}

/** Harmless when the multipart upload has ended. */
export async function abortParts(ctx: Bucket, key: string, r2UploadId: string): Promise<void> {
  try {
    await ctx.files.resumeMultipartUpload(key, r2UploadId).abort();
  } catch (error) {
    if (errorNumber(error) !== noSuchUpload) throw error;
  }
}

/** The first bytes of an object, as many as a type check needs; null when it is gone. */
export async function readHead(ctx: Bucket, key: string): Promise<Uint8Array | null> {
  const object = await ctx.files.get(key, { range: { offset: 0, length: headBytesNeeded } });
  return object ? new Uint8Array(await object.arrayBuffer()) : null;
}

/** SHA-256 of a whole object as lower-case hex, in constant memory; null when it is gone. */
export async function hashObject(ctx: Bucket, key: string): Promise<string | null> {
  const object = await ctx.files.get(key);
  if (!object) return null;
  const digest = new crypto.DigestStream("SHA-256");
  // The digest of a broken stream rejects too; the pipe tells of it first.
  digest.digest.catch(() => undefined);
  await object.body.pipeTo(digest);
  return new Uint8Array(await digest.digest).toHex();
}
