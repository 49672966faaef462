/** Decisions about uploads and files on plain data: how a file is cut, what is missing, what a name may claim. Touches nothing. */
import { maxFileBytes } from "#core/plans";
import { Problem } from "#core/problem";
import { checkFileType, type FileTypeOutcome, fileTypeByMime } from "#lib/file-type";
import type { FileKind } from "./states.ts";

const mebibyte = 1_048_576;
/** Up to this size one PUT is enough. */
const singlePutMaxBytes = 10 * mebibyte;
/** R2 numbers parts to 10,000; the distance to it leaves room for a larger limit on files. */
const partsAimedAt = 9_000;

export const uploadLifetimeMs = 24 * 3_600_000;
export const urlLifetimeSeconds = 3_600;
/** A part of a multipart upload has an opaque tag; the local storage makes them about 170 characters long. */
export const maxEtagLength = 300;
export const maxUnfinishedUploads = 100;
export const urlsOnCreate = 20;
export const deletedKeptMs = 30 * 24 * 3_600_000;
const maxListedMissing = 100;

export interface PartPlan {
  strategy: "single" | "multipart";
  partSizeBytes: number;
  partCount: number;
}

/** How a file of a declared size is to be sent. Every part but the last has exactly `partSizeBytes` (R2 demands equal parts). */
export function planParts(sizeBytes: number): PartPlan {
  if (sizeBytes <= singlePutMaxBytes) return { strategy: "single", partSizeBytes: sizeBytes, partCount: 1 };
  const aimed = Math.ceil(Math.ceil(sizeBytes / partsAimedAt) / mebibyte) * mebibyte;
  const partSizeBytes = Math.max(singlePutMaxBytes, aimed);
  return { strategy: "multipart", partSizeBytes, partCount: Math.ceil(sizeBytes / partSizeBytes) };
}

interface Cut {
  sizeBytes: number;
  partSizeBytes: number;
  partCount: number;
}

/** The exact size of a part, or null for a number that the upload does not have. */
function partLength(cut: Cut, partNumber: number): number | null {
  if (!Number.isInteger(partNumber) || partNumber < 1 || partNumber > cut.partCount) return null;
  return partNumber < cut.partCount ? cut.partSizeBytes : cut.sizeBytes - (cut.partCount - 1) * cut.partSizeBytes;
}

/** Throws `part-invalid` for a number that the upload does not have. */
export function requirePartLength(cut: Cut, partNumber: number): number {
  const length = partLength(cut, partNumber);
  if (length !== null) return length;
  throw new Problem("part-invalid", {
    detail: `This upload has the parts 1 to ${cut.partCount}, not ${partNumber}.`,
    members: { partNumbers: [partNumber] },
  });
}

export interface PartTag {
  partNumber: number;
  etag: string;
}

/** Storage answers with a quoted tag and wants it bare; clients send either. */
export function bareEtag(etag: string): string {
  return etag.trim().replace(/^"(.*)"$/, "$1");
}

/** What the client says now wins over what it recorded before: it may have sent a part again since. */
export function mergeParts(recorded: readonly PartTag[], told: readonly PartTag[]): PartTag[] {
  const byNumber = new Map<number, string>();
  for (const { partNumber, etag } of [...recorded, ...told]) byNumber.set(partNumber, bareEtag(etag));
  return [...byNumber].map(([partNumber, etag]) => ({ partNumber, etag })).sort((a, b) => a.partNumber - b.partNumber);
}

/** The cut of an upload whose size nobody said: up to so many parts, which are checked together at the end. */
export const unsizedPlan = { partSizeBytes: 0, partCount: 10_000 } as const;

/** What an unsized upload turned out to consist of: as many parts as the highest number says. */
export function cutAsTold(cut: Cut, parts: readonly PartTag[]): Cut {
  return { ...cut, partCount: Math.max(1, ...parts.map((part) => part.partNumber)) };
}

export function ticketUsedUp({ filesMax }: { filesMax: number }): Problem {
  return new Problem("upload-ticket-used-up", {
    detail: `The ticket is for ${filesMax} files.`,
    members: { maxFiles: filesMax },
  });
}

/** Throws `parts-missing` with the numbers, at most 100 of them. */
export function requireAllParts(cut: Cut, parts: readonly PartTag[]): void {
  const known = new Set(parts.map((part) => part.partNumber));
  const missing: number[] = [];
  let missingCount = 0;
  for (let partNumber = 1; partNumber <= cut.partCount; partNumber += 1) {
    if (known.has(partNumber)) continue;
    missingCount += 1;
    if (missing.length < maxListedMissing) missing.push(partNumber);
  }
  if (missingCount > 0)
    throw new Problem("parts-missing", {
      detail: `${missingCount} of ${cut.partCount} parts are missing.`,
      members: { missing, missingCount },
    });
}

/** Throws `file-empty` or `file-too-large`. */
export function requireFileSize(sizeBytes: number): void {
  if (sizeBytes < 1) throw new Problem("file-empty");
  if (sizeBytes > maxFileBytes) throw new Problem("file-too-large", { members: { sizeBytes, maxBytes: maxFileBytes } });
}

export interface AgreedType {
  contentType: string;
  kind: FileKind;
}

/**
 * The type that name and declared type agree on, before any byte is there. Throws `file-type-unsupported` or `file-type-mismatch`.
 * Bytes are checked by `requireContentType` once they have arrived.
 */
export function requireClaimedType(fileName: string, declaredType: string): AgreedType {
  requireClaim({ fileName, declaredType });
  const type = fileTypeByMime(declaredType);
  if (!type) throw new Problem("file-type-unsupported");
  return { contentType: type.mime, kind: type.kind };
}

/** Refuses a name and a declared type that cannot go together, whatever the bytes are. */
export function requireClaim(
  claim: Pick<Content, "fileName" | "declaredType">,
  options: { allowUndeclared?: boolean } = {},
): void {
  const outcome = checkFileType({ ...claim, head: new Uint8Array() }, options);
  // Without bytes the content cannot match, so this reason means that everything before it agreed.
  if (!outcome.ok && outcome.reason !== "content-mismatch") throw refusedType(outcome);
}

interface Content {
  fileName: string;
  /** null or `application/octet-stream`: older clients do not know; name and bytes must agree all the same. */
  declaredType: string | null;
  head: Uint8Array;
}

/** The type that name, declared type and first bytes agree on. Throws `file-type-unsupported` or `file-type-mismatch`. */
export function requireContentType(content: Content, options: { allowUndeclared?: boolean } = {}): AgreedType {
  const outcome = checkFileType(content, options);
  if (!outcome.ok) throw refusedType(outcome);
  return { contentType: outcome.type.mime, kind: outcome.type.kind };
}

function refusedType(outcome: Exclude<FileTypeOutcome, { ok: true }>): Problem {
  const isMismatch = outcome.reason === "type-mismatch" || outcome.reason === "content-mismatch";
  return new Problem(isMismatch ? "file-type-mismatch" : "file-type-unsupported", { detail: outcome.detail });
}

/** RFC 9110 section 13.1.2: weak comparison against a list of tags. */
export function matchesEtag(ifNoneMatch: string | null, etag: string): boolean {
  if (ifNoneMatch === null || ifNoneMatch.length > 2_000) return false;
  if (ifNoneMatch.trim() === "*") return true;
  return ifNoneMatch.split(",").some((tag) => tag.trim().replace(/^W\//, "") === etag);
}
