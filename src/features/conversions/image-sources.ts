/**
 * The images that a conversion opens, one after the other: those of an earlier conversion, or uploaded files and the entries of uploaded
 * ZIPs. Reads one at a time and never writes.
 */
import type { JobCtx } from "#core/job";
import { Problem } from "#core/problem";
import { findFiles } from "#features/media/store";
import type { FileRow } from "#features/media/tables";
import type { PngPixels } from "#lib/png/decode";
import { readImage, readImageStream } from "#lib/seal/image";
import { listZip, readZipEntry, type ZipSource } from "#lib/zip";
import { openObject } from "./object-source.ts";
import { toProblem } from "./rules.ts";
import { maxImages } from "./shapes.ts";
import { listImages } from "./store.ts";
import type { ConversionRow } from "./tables.ts";

const mebibyte = 1_048_576;
/** Above this a file is decoded as it arrives, so that file and pixels are not in memory together. */
const wholeMaxBytes = 16 * mebibyte;
/** 64 MiB of pixels, with alpha, stored. Larger files are refused by their pixels anyway. */
const maxImageFileBytes = 88 * mebibyte;
const maxArchiveBytes = 4_096 * mebibyte;
/** What EchoCipher's ZIPs hold beside images is left alone; a JPEG is taken, to be refused by name. */
const imageExtension = /\.(png|tiff?|jpe?g|jfif|webp|gif|bmp|heic|avif)$/i;

export interface ImageSource {
  fileName: string;
  sizeBytes: number;
  /** Throws a Problem that names the file. */
  read(): Promise<PngPixels>;
}

/** Throws `images-missing`, `file-not-found`, `archive-invalid`, `not-an-image` or `too-many-images`. */
export async function listSources(ctx: JobCtx, row: ConversionRow): Promise<ImageSource[]> {
  if (row.sourceConversionId !== null) return ownSources(ctx, row.sourceConversionId);
  const ids = row.sourceFileIds ?? [];
  const byId = new Map((await findFiles(ctx, ctx.workspaceId, ids)).map((file) => [file.id, file]));
  const sources: ImageSource[] = [];
  for (const id of ids.slice(0, maxImages)) {
    const file = byId.get(id);
    if (!file)
      throw new Problem("file-not-found", { detail: "One of the images was deleted.", members: { fileId: id } });
    sources.push(
      ...(file.kind === "archive" ? await archiveSources(ctx, file, sources.length) : [fileSource(ctx, file)]),
    );
    if (sources.length > maxImages) throw tooMany();
  }
  if (sources.length === 0) throw new Problem("not-an-image", { detail: "There is no image to open." });
  return sources;
}

function tooMany(): Problem {
  return new Problem("too-many-images", { detail: `At most ${maxImages} images at once.` });
}

async function ownSources(ctx: JobCtx, conversionId: string): Promise<ImageSource[]> {
  const images = await listImages(ctx, conversionId);
  return images.map(({ r2Key, sizeBytes, fileName, index }) =>
    storedSource(ctx, { r2Key, sizeBytes, fileName, index }),
  );
}

function fileSource(ctx: JobCtx, { r2Key, sizeBytes, name }: FileRow): ImageSource {
  return storedSource(ctx, { r2Key, sizeBytes, fileName: name });
}

interface Stored {
  r2Key: string;
  sizeBytes: number;
  fileName: string;
  index?: number;
}

function storedSource(ctx: JobCtx, { r2Key, sizeBytes, fileName, index }: Stored): ImageSource {
  const read = async () => {
    requireSize(sizeBytes);
    const object = await ctx.files.get(r2Key);
    if (!object) throw new Problem("images-missing", { members: index === undefined ? {} : { missing: [index] } });
    if (object.size > wholeMaxBytes) return readImageStream(piecesOf(object.body));
    return readImage(new Uint8Array(await object.arrayBuffer()));
  };
  return { fileName, sizeBytes, read: () => named(fileName, read) };
}

/** Reads a body without buffering it; what is left unread is cancelled. */
async function* piecesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const piece of body) yield piece;
}

async function archiveSources(ctx: JobCtx, file: FileRow, before: number): Promise<ImageSource[]> {
  const source: ZipSource = openObject(ctx, { key: file.r2Key, sizeBytes: file.sizeBytes, etag: null });
  const limits = { maxEntryBytes: maxImageFileBytes, maxTotalBytes: maxArchiveBytes, maxEntries: maxImages * 2 };
  const entries = (await named(file.name, () => listZip(source, limits))).filter((entry) =>
    imageExtension.test(entry.name),
  );
  if (entries.length === 0)
    throw new Problem("not-an-image", { detail: `${file.name} holds no image.`, members: { fileName: file.name } });
  if (before + entries.length > maxImages) throw tooMany();
  return entries.map((entry) => ({
    fileName: entry.name,
    sizeBytes: entry.sizeBytes,
    read: () =>
      named(entry.name, async () => readImage(await readZipEntry(source, entry, { maxBytes: maxImageFileBytes }))),
  }));
}

function requireSize(sizeBytes: number): void {
  if (sizeBytes > maxImageFileBytes)
    throw new Problem("image-too-large", { members: { sizeBytes, maxBytes: maxImageFileBytes } });
}

/** Every refusal tells which file it is about. */
export async function named<Value>(fileName: string, work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (error) {
    const problem = toProblem(error, { fileName });
    if (!(problem instanceof Problem) || problem.options.members?.["fileName"] !== undefined) throw problem;
    throw new Problem(problem.code, {
      ...problem.options,
      detail: `${fileName}: ${problem.message}`,
      members: { ...problem.options.members, fileName },
    });
  }
}
