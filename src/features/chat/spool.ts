/** Files of forms that are too large to hold and cannot be passed on yet lie in the bucket for as long as their request lasts. */
import type { Ctx, WorkspaceCtx } from "#core/context";
import { makeId } from "#core/ids";
import { Problem } from "#core/problem";
import { PartWriterError, writeParts } from "#lib/part-writer";

const prefix = "spool/";
/** No request lasts so long. */
const leftoverMs = 3_600_000;
const pageSize = 1_000;
const maxPages = 20;

/** Throws `use-direct-upload`; then nothing is left of it. */
export async function spool(
  ctx: WorkspaceCtx,
  source: AsyncIterable<Uint8Array>,
  { maxBytes }: { maxBytes: number },
): Promise<{ key: string; sizeBytes: number }> {
  const key = `${prefix}${makeId("upload", ctx.now(), ctx.random(16))}`;
  const upload = await ctx.files.createMultipartUpload(key);
  try {
    const put = (partNumber: number, bytes: Uint8Array<ArrayBuffer>) => upload.uploadPart(partNumber, bytes);
    const { parts, sizeBytes } = await writeParts(source, { maxBytes, put });
    if (parts.length === 0) throw new Problem("file-empty");
    await upload.complete(parts);
    return { key, sizeBytes };
  } catch (error) {
    // What cannot be aborted now, the bucket aborts after seven days.
    await upload.abort().catch(() => undefined);
    if (error instanceof PartWriterError && error.reason === "file-too-large") throw new Problem("use-direct-upload");
    throw error;
  }
}

/** What requests left whose isolate vanished. */
export async function sweepSpool(ctx: Ctx): Promise<void> {
  let cursor: string | undefined;
  for (let page = 0; page < maxPages; page += 1) {
    const found = await ctx.files.list({ prefix, limit: pageSize, ...(cursor === undefined ? {} : { cursor }) });
    const old = found.objects.filter(({ uploaded }) => uploaded.getTime() < ctx.now() - leftoverMs);
    if (old.length > 0) await ctx.files.delete(old.map(({ key }) => key));
    if (!found.truncated) return;
    ({ cursor } = found);
  }
}
