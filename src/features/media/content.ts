/**
 * A file's bytes as an answer: whole, one range, or not at all. Refuses to start an answer that storage cannot finish, and to let a
 * browser run what a stranger uploaded.
 */
import type { Ctx } from "#core/context";
import { Problem } from "#core/problem";
import { contentDisposition } from "#lib/file-name";
import { chooseRange, contentRange, type RangeOutcome } from "#lib/http-range";
import { matchesEtag } from "./rules.ts";
import type { FileRow } from "./tables.ts";

interface Wanted {
  headers: Headers;
  disposition: "attachment" | "inline";
}

/** 200, 206 or 304. Throws `range-not-satisfiable`, or `file-damaged` when storage does not have what the row says. */
export async function answerContent(ctx: Pick<Ctx, "files" | "log">, file: FileRow, wanted: Wanted): Promise<Response> {
  const etag = `"${file.sha256}"`;
  const headers = contentHeaders(file, { etag, disposition: wanted.disposition });
  if (matchesEtag(wanted.headers.get("if-none-match"), etag)) return new Response(null, { status: 304, headers });
  const range = chooseRange(
    { range: wanted.headers.get("range"), ifRange: wanted.headers.get("if-range") },
    { sizeBytes: file.sizeBytes, etag, lastModifiedMs: file.createdAt },
  );
  const contentRangeHeader = contentRange(range, file.sizeBytes);
  if (contentRangeHeader !== null) headers.set("content-range", contentRangeHeader);
  if (range.kind === "unsatisfiable") {
    throw new Problem("range-not-satisfiable", {
      members: { sizeBytes: file.sizeBytes },
      headers: { "content-range": `bytes */${file.sizeBytes}` },
    });
  }
  const body = await openBody(ctx, file, range);
  return new Response(body, { status: range.kind === "part" ? 206 : 200, headers });
}

/** Bytes never change, names do: so the tag is the hash, and a browser asks again each time. */
function contentHeaders(
  file: FileRow,
  { etag, disposition }: { etag: string; disposition: Wanted["disposition"] },
): Headers {
  return new Headers({
    "accept-ranges": "bytes",
    "cache-control": "private, no-cache",
    "content-disposition": contentDisposition(disposition, file.name),
    "content-security-policy": "default-src 'none'; sandbox",
    "content-type": file.contentType,
    "cross-origin-resource-policy": "same-site",
    "last-modified": new Date(file.createdAt).toUTCString(),
    "x-content-type-options": "nosniff",
    etag,
  });
}

async function openBody(
  ctx: Pick<Ctx, "files" | "log">,
  file: FileRow,
  range: Exclude<RangeOutcome, { kind: "unsatisfiable" }>,
): Promise<ReadableStream> {
  const part = range.kind === "part" ? { offset: range.offset, length: range.lengthBytes } : null;
  const object = await getObject(ctx, file, part);
  if (object?.size !== file.sizeBytes) {
    ctx.log("error", "file.damaged", {
      fileId: file.id,
      expectedBytes: file.sizeBytes,
      actualBytes: object?.size ?? null,
    });
    await object?.body.cancel();
    throw new Problem("file-damaged");
  }
  // A body that ends early breaks the connection instead of looking complete.
  return object.body.pipeThrough(new FixedLengthStream(part?.length ?? file.sizeBytes));
}

/** A range beyond a shortened object is an error of the bucket, and not always the documented one: then the object itself is asked. */
async function getObject(
  ctx: Pick<Ctx, "files">,
  file: FileRow,
  part: { offset: number; length: number } | null,
): Promise<R2ObjectBody | null> {
  try {
    return part ? await ctx.files.get(file.r2Key, { range: part }) : await ctx.files.get(file.r2Key);
  } catch (error) {
    const object = await ctx.files.head(file.r2Key);
    if (object?.size === file.sizeBytes) throw error;
    return null;
  }
}
