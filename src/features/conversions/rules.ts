/** Decisions about conversions on plain data: names, sizes, whose key, and what a fault of the sealed format means to a client. Touches nothing. */
import { Problem, type ProblemCode } from "#core/problem";
import { cleanFileName } from "#lib/file-name";
import { checkFileType, type FileKind, fileTypes } from "#lib/file-type";
import { pngSizeBytes } from "#lib/png/encode";
import { PngError } from "#lib/png/error";
import { SealError, type SealReason } from "#lib/seal/error";
import { shardImageSize } from "#lib/seal/v2";
import { SHARD_BYTES } from "#lib/seal/v2-header";
import { ZipError } from "#lib/zip-directory";
import type { StatsGroup } from "./store.ts";
import type { StatsShape } from "./shapes.ts";

/** A version 1 image holds at most as much as a version 2 shard: larger ones would not fit into memory beside their copies. */
export const maxChunkBytes = SHARD_BYTES;
/** Header, tag, metadata and hash, generously. */
const overheadBytes = 8_192;
const maxStemBytes = 200;

/** The user name that EchoCipher wrote when its client gave none. */
export const defaultUserName = "default-user";

/** Original bytes an image, and how many images. Throws `too-many-images`. */
export function planImages(
  sizeBytes: number,
  options: { format: 1 | 2; maxChunkBytes: number | undefined; maxImages: number },
): { chunkSizeBytes: number; imageCount: number } {
  const wanted = options.format === 1 ? (options.maxChunkBytes ?? maxChunkBytes) : SHARD_BYTES;
  const chunkSizeBytes = Math.min(wanted, maxChunkBytes);
  const imageCount = Math.ceil(sizeBytes / chunkSizeBytes);
  if (imageCount > options.maxImages)
    throw new Problem("too-many-images", {
      detail: `${imageCount} images of ${chunkSizeBytes} bytes would be needed.`,
      members: { imageCount },
    });
  return { chunkSizeBytes, imageCount };
}

/** At least what the images of a file come to: compression is not counted on, so settling never needs more. */
export function estimateImageBytes(sizeBytes: number, chunkSizeBytes: number): number {
  let total = 0;
  for (let offset = 0; offset < sizeBytes; offset += chunkSizeBytes) {
    const { width, height } = shardImageSize(Math.min(chunkSizeBytes, sizeBytes - offset) + overheadBytes);
    total += pngSizeBytes({ width, height });
  }
  return total;
}

/** `{stem}_part0001_of_0003.png`, as EchoCipher named them. */
export function imageFileName(inputFileName: string, index: number, imageCount: number): string {
  const number = (value: number) => String(value).padStart(4, "0");
  return cleanFileName(`${stemOf(inputFileName)}_part${number(index + 1)}_of_${number(imageCount)}.png`);
}

export function zipFileName(inputFileName: string): string {
  return cleanFileName(`${stemOf(inputFileName)}_sealed.zip`);
}

/** Cut, so that what is appended survives the limit on names. */
function stemOf(fileName: string): string {
  const dot = fileName.lastIndexOf(".");
  const bytes = new TextEncoder().encode(dot > 0 ? fileName.slice(0, dot) : fileName);
  return new TextDecoder().decode(bytes.subarray(0, maxStemBytes)).replace(/\uFFFD+$/u, "");
}

/** The name that was asked for, with the extension of the original when it has none; else the original one. */
export function openedFileName(asked: string | null, original: string): string {
  if (asked === null) return cleanFileName(original);
  const name = cleanFileName(asked);
  const dot = original.lastIndexOf(".");
  return /\.[A-Za-z0-9]{1,16}$/.test(name) || dot <= 0 ? name : cleanFileName(`${name}${original.slice(dot)}`);
}

/**
 * The type of an opened file: what one of its names, the declared type and its first bytes agree on, else what its bytes are, else no
 * claim at all (version 1 sealed any file).
 */
export function openedTypeOf(file: { names: readonly string[]; declaredType: string | null; head: Uint8Array }): {
  contentType: string;
  kind: FileKind;
} {
  const { names, declaredType, head } = file;
  for (const fileName of names) {
    const outcome = checkFileType({ fileName, declaredType, head }, { allowUndeclared: true });
    if (outcome.ok) return { contentType: outcome.type.mime, kind: outcome.type.kind };
  }
  const byContent = fileTypes.find((type) => type.id !== "text" && type.matches(head));
  return byContent
    ? { contentType: byContent.mime, kind: byContent.kind }
    : { contentType: "application/octet-stream", kind: "document" };
}

/** Seconds that `Prefer: wait=N` (RFC 7240) asks for, at most 30; 0: answer at once. */
export function waitSecondsOf(headers: Headers): number {
  const [, digits] =
    /(?:^|[,;\s])wait\s*=\s*"?(\d{1,5})"?(?=$|[,;\s])/i.exec(headers.get("prefer")?.slice(0, 500) ?? "") ?? [];
  return digits === undefined ? 0 : Math.min(30, Number(digits));
}

const sealProblems: Record<SealReason, ProblemCode> = {
  "not-an-image": "not-an-image",
  "lossy-image": "lossy-image",
  "image-too-large": "image-too-large",
  "image-unsupported": "image-unsupported",
  "image-damaged": "image-damaged",
  "tiff-unsupported": "image-unsupported",
  "not-sealed": "not-sealed",
  "header-damaged": "header-damaged",
  altered: "image-altered",
  "wrong-key": "encryption-key-wrong",
  "shards-mixed": "images-mixed",
  "shards-missing": "images-missing",
  "shard-doubled": "image-doubled",
  "hash-mismatch": "opened-hash-mismatch",
  "decompression-failed": "image-damaged",
  "input-invalid": "validation-failed",
};

const pngProblems: Record<PngError["reason"], ProblemCode> = {
  "not-png": "not-an-image",
  "too-large": "image-too-large",
  interlaced: "image-unsupported",
  palette: "image-unsupported",
  grey: "image-unsupported",
  "sixteen-bit": "image-unsupported",
  "unknown-kind": "image-unsupported",
  damaged: "image-damaged",
};

/** What a fault of format, image or archive means to the client, naming the image; anything else is returned as it is. */
export function toProblem(
  error: unknown,
  image: { fileName?: string | undefined; index?: number | undefined } = {},
): unknown {
  if (error instanceof SealError) {
    const members = {
      ...named(image),
      ...(error.index === undefined ? {} : { index: error.index }),
      ...(error.missing ? { missing: error.missing.slice(0, 1_000) } : {}),
    };
    return new Problem(sealProblems[error.reason], { ...detailOf(error.detail, image), members });
  }
  if (error instanceof PngError)
    return new Problem(pngProblems[error.reason], { ...detailOf(error.message, image), members: named(image) });
  if (error instanceof ZipError) {
    const tooMany = error.reason === "too-many-entries";
    return new Problem(tooMany ? "too-many-images" : "archive-invalid", {
      ...detailOf(error.message, image),
      members: named(image),
    });
  }
  return error;
}

function named(image: { fileName?: string | undefined; index?: number | undefined }): Record<string, unknown> {
  return {
    ...(image.index === undefined ? {} : { index: image.index }),
    ...(image.fileName === undefined ? {} : { fileName: image.fileName }),
  };
}

function detailOf(detail: string | undefined, image: { fileName?: string | undefined }): { detail?: string } {
  const words = [image.fileName, detail].filter((word) => word !== undefined);
  return words.length === 0 ? {} : { detail: `${words.join(": ")}.` };
}

/** Counters of one person's conversions from their groups by type and state. */
export function toStats(userId: string, groups: readonly StatsGroup[]): StatsShape {
  const sum = (of: (group: StatsGroup) => number, where: (group: StatsGroup) => boolean) =>
    groups.filter(where).reduce((total, group) => total + of(group), 0);
  const number = (group: StatsGroup) => group.conversions;
  const isCompleted = (group: StatsGroup) => group.state === "succeeded";
  const completed = sum(number, isCompleted);
  const failed = sum(number, (group) => group.state === "failed" || group.state === "cancelled");
  return {
    userId,
    totalConversions: sum(number, () => true),
    completedConversions: completed,
    failedConversions: failed,
    audioToImageCount: sum(number, (group) => group.conversionType === "audio-to-image"),
    imageToAudioCount: sum(number, (group) => group.conversionType === "image-to-audio"),
    totalDataProcessed: sum((group) => group.inputBytes, isCompleted),
    averageConversionTime: completed === 0 ? 0 : Math.round(sum((group) => group.durationMs, isCompleted) / completed),
    successRate: completed + failed === 0 ? null : completed / (completed + failed),
  };
}
