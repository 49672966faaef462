/** Sealed images as answers: one PNG, or all of them in a ZIP that is made while it is read. Holds no image in memory. */
import { createHash } from "node:crypto";
import type { WorkspaceCtx } from "#core/context";
import { Problem } from "#core/problem";
import { contentDisposition } from "#lib/file-name";
import { zipLength, type ZipOutEntry, zipStream } from "#lib/zip";
import { zipFileName } from "./rules.ts";
import { requireConversion } from "./service.ts";
import { type Conversion, findImage, listImages } from "./store.ts";
import type { ConversionImageRow } from "./tables.ts";

/** Throws `conversion-not-found`, `conversion-not-ready`, `image-not-found`. */
export async function downloadImage(
  ctx: WorkspaceCtx,
  wanted: { id: string; image: string; headers: Headers },
): Promise<Response> {
  await requireImages(ctx, wanted.id);
  const row = await findImage(
    ctx,
    wanted.id,
    /^\d{1,6}$/.test(wanted.image) ? { index: Number(wanted.image) } : { fileName: wanted.image },
  );
  if (!row) throw new Problem("image-not-found");
  const headers = downloadHeaders({ type: "image/png", name: row.fileName, etag: row.sha256 });
  if (isKnown(wanted.headers, headers)) return new Response(null, { status: 304, headers });
  return new Response((await openImage(ctx, row)).pipeThrough(new FixedLengthStream(row.sizeBytes)), { headers });
}

/** Throws `conversion-not-found`, `conversion-not-ready`, `image-not-found`. */
export async function downloadZip(ctx: WorkspaceCtx, wanted: { id: string; headers: Headers }): Promise<Response> {
  const { row } = await requireImages(ctx, wanted.id);
  const images = await listImages(ctx, wanted.id);
  const etag = createHash("sha256");
  for (const image of images) etag.update(`${image.fileName}\n${image.sha256}\n`);
  const headers = downloadHeaders({
    type: "application/zip",
    name: zipFileName(row.inputFileName),
    etag: etag.digest("hex"),
  });
  if (isKnown(wanted.headers, headers)) return new Response(null, { status: 304, headers });
  const modifiedAt = new Date(row.createdAt);
  const entries: ZipOutEntry[] = images.map((image) => ({
    name: image.fileName,
    sizeBytes: image.sizeBytes,
    modifiedAt,
    open: () => openImage(ctx, image),
  }));
  // The first image is asked for before the answer begins: what is not there is said by a status, not by a broken download.
  if (images[0]) await requireStored(ctx, images[0]);
  return new Response(zipStream(entries).pipeThrough(new FixedLengthStream(zipLength(entries))), { headers });
}

async function requireImages(ctx: WorkspaceCtx, id: string): Promise<Conversion> {
  const found = await requireConversion(ctx, id);
  if (found.row.conversionType !== "audio-to-image")
    throw new Problem("image-not-found", { detail: "This conversion opened images; the audio is its output file." });
  if (found.job.state !== "succeeded")
    throw new Problem("conversion-not-ready", { detail: `The conversion is ${found.job.state}.` });
  return found;
}

async function requireStored(ctx: WorkspaceCtx, row: ConversionImageRow): Promise<void> {
  const object = await ctx.files.head(row.r2Key);
  if (object?.size !== row.sizeBytes) throw damaged(ctx, row, object?.size ?? null);
}

async function openImage(ctx: WorkspaceCtx, row: ConversionImageRow): Promise<ReadableStream<Uint8Array>> {
  const object = await ctx.files.get(row.r2Key);
  if (object?.size === row.sizeBytes) return object.body;
  await object?.body.cancel();
  throw damaged(ctx, row, object?.size ?? null);
}

function damaged(ctx: WorkspaceCtx, row: ConversionImageRow, actualBytes: number | null): Problem {
  ctx.log("error", "conversion.image-damaged", {
    conversionId: row.conversionId,
    index: row.index,
    expectedBytes: row.sizeBytes,
    actualBytes,
  });
  return new Problem("file-damaged");
}

/** Bytes of a conversion never change; whether it still exists is asked each time. */
function downloadHeaders(file: { type: string; name: string; etag: string }): Headers {
  return new Headers({
    "cache-control": "private, no-cache",
    "content-disposition": contentDisposition("attachment", file.name),
    "content-security-policy": "default-src 'none'; sandbox",
    "content-type": file.type,
    "cross-origin-resource-policy": "same-site",
    "x-content-type-options": "nosniff",
    etag: `"${file.etag}"`,
  });
}

/** RFC 9110 section 13.1.2. */
function isKnown(request: Headers, answer: Headers): boolean {
  const ifNoneMatch = request.get("if-none-match");
  if (ifNoneMatch === null || ifNoneMatch.length > 2_000) return false;
  return ifNoneMatch
    .split(",")
    .some((tag) => tag.trim() === "*" || tag.trim().replace(/^W\//, "") === answer.get("etag"));
}
