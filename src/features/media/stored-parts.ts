/**
 * The parts of an upload that are in storage, for clients that report none: storage's own list where it can make one (R2 can, the local
 * stand-in cannot), else our ledger. A list that is too short makes the client send parts again, and nothing worse.
 */
import type { WorkspaceCtx } from "#core/context";
import { presignGet } from "#lib/presign";
import { requireOpen } from "./complete-upload.ts";
import { listParts } from "./store.ts";
import type { UploadPartRow, UploadRow } from "./tables.ts";

const timeoutMs = 10_000;
/** R2 lists a thousand parts at a time; a part is at least 5 MiB, so a file of the largest size has a hundred. */
const maxListed = 1_000;
const maxAnswerBytes = 2_097_152;

export type StoredPart = Pick<UploadPartRow, "partNumber" | "etag" | "sizeBytes">;

/** In order of their numbers. Throws unless bytes may still be sent. */
export async function listStoredParts(ctx: WorkspaceCtx, upload: UploadRow): Promise<StoredPart[]> {
  requireOpen(ctx, upload);
  const stored = upload.r2UploadId === null ? null : await askStorage(ctx, upload, upload.r2UploadId);
  return stored ?? listParts(ctx, ctx.workspaceId, [upload.id]);
}

async function askStorage(ctx: WorkspaceCtx, upload: UploadRow, uploadId: string): Promise<StoredPart[] | null> {
  const { url } = await presignGet({
    ...ctx.settings.storage,
    key: upload.r2Key,
    query: { uploadId, "max-parts": String(maxListed) },
    expiresInSeconds: 60,
    nowMs: ctx.now(),
  });
  try {
    const answer = await ctx.outbound.operator(new Request(url), { timeoutMs });
    const isReadable = answer.ok && Number(answer.headers.get("content-length") ?? 0) <= maxAnswerBytes;
    if (isReadable) return readPartList(await answer.text());
    await answer.body?.cancel();
  } catch (error) {
    ctx.log("warn", "upload.list-parts-failed", { uploadId: upload.id, error });
  }
  return null;
}

/** The parts of S3's ListPartsResult; null for any other document. What is not a whole part is passed over. */
export function readPartList(xml: string): StoredPart[] | null {
  if (!xml.includes("<ListPartsResult")) return null;
  const parts: StoredPart[] = [];
  for (const [, body = ""] of xml.matchAll(/<Part>(.*?)<\/Part>/gs)) {
    const text = (name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(body)?.[1] ?? "";
    const partNumber = Number(text("PartNumber"));
    const etag = text("ETag").replaceAll(/&quot;|&#34;|"/g, "");
    const sizeBytes = Number(text("Size"));
    if (Number.isInteger(partNumber) && partNumber >= 1 && etag !== "") parts.push({ partNumber, etag, sizeBytes });
    if (parts.length === maxListed) break;
  }
  return parts.sort((a, b) => a.partNumber - b.partNumber);
}
