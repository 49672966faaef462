/** Where a conversion's objects are, and how all of them are removed. Decides nothing about rows. */
import type { Ctx } from "#core/context";

type Bucket = Pick<Ctx, "files"> & { workspaceId: string };

const pageSize = 1_000;
const maxPages = 20;

function sealedPrefix({ workspaceId }: { workspaceId: string }, conversionId: string): string {
  return `w/${workspaceId}/d/sealed/${conversionId}/`;
}

/** Under the id in the images' headers: a run that was overtaken by one with new keys cannot overwrite what that one wrote. */
export function imageKey(
  ctx: { workspaceId: string },
  image: { conversionId: string; sealId: string; index: number },
): string {
  return `${sealedPrefix(ctx, image.conversionId)}${image.sealId}/${image.index}.png`;
}

/** Stable over the runs of one conversion: a repeated run replaces the object instead of leaving a second one. */
export function openedKey(ctx: { workspaceId: string }, conversionId: string): string {
  return `w/${ctx.workspaceId}/d/opened/${conversionId}/audio`;
}

/**
 * Removes every image of a conversion, recorded or not, that was stored before `before` (milliseconds). Safe to repeat, also by a run
 * that stood still while a later one stored its own.
 */
export async function deleteSealed(ctx: Bucket, conversionId: string, before: number): Promise<void> {
  const prefix = sealedPrefix(ctx, conversionId);
  let cursor: string | undefined;
  for (let page = 0; page < maxPages; page += 1) {
    const found = await ctx.files.list({ prefix, limit: pageSize, ...(cursor === undefined ? {} : { cursor }) });
    const keys = found.objects.filter((object) => object.uploaded.getTime() <= before).map((object) => object.key);
    if (keys.length > 0) await ctx.files.delete(keys);
    if (!found.truncated) return;
    cursor = found.cursor;
  }
  throw new Error("a conversion has more objects than it can have");
}

/** Removes what a run of opening stored before `before` (milliseconds). */
export async function deleteOpened(ctx: Bucket, conversionId: string, before: number): Promise<void> {
  const key = openedKey(ctx, conversionId);
  const object = await ctx.files.head(key);
  if (object && object.uploaded.getTime() <= before) await ctx.files.delete(key);
}

/** Ends an unfinished multipart upload; harmless when it has ended or never existed. */
export async function abortParts(ctx: Bucket, key: string, uploadId: string): Promise<void> {
  try {
    await ctx.files.resumeMultipartUpload(key, uploadId).abort();
  } catch (error) {
    // R2's error 10024: no such upload (developers.cloudflare.com/r2/api/error-codes).
    if (!(error instanceof Error && error.message.includes("(10024)"))) throw error;
  }
}
