/**
 * Uploads until their bytes are complete: starting one, URLs for its parts, what has arrived, giving up. Bytes go straight from the
 * client to storage and never pass here; see form-upload.ts for older clients.
 */
import { auditEntry } from "#core/audit";
import type { WorkspaceCtx } from "#core/context";
import { readCursor, toPage } from "#core/page";
import { Problem } from "#core/problem";
import { cleanFileName, fileSlug } from "#lib/file-name";
import { presignPart, presignPut } from "#lib/presign";
import { abortParts } from "./bucket.ts";
import { hasTicketRoom, insertUpload, type TicketRoom } from "./begin-store.ts";
import { requireOpen, requireUpload } from "./complete-upload.ts";
import { endedProblem, endUpload } from "./finish-upload.ts";
import {
  type AgreedType,
  bareEtag,
  maxUnfinishedUploads,
  planParts,
  requireClaimedType,
  requireFileSize,
  requirePartLength,
  ticketUsedUp,
  unsizedPlan,
  uploadLifetimeMs,
  urlLifetimeSeconds,
  urlsOnCreate,
} from "./rules.ts";
import type { CreateUpload, PartShape, PartUrl, UploadPartsRequest, UploadShape } from "./shapes.ts";
import { openStatuses, unfinishedStatuses, type UploadStatus } from "./states.ts";
import { releaseStorage, reserveStorage } from "./storage.ts";
import {
  countUnfinished,
  findUpload,
  guardUpload,
  isGuardFailure,
  listParts,
  listUploads,
  markUploading,
  recordParts,
  updateUpload,
} from "./store.ts";
import type { UploadPartRow, UploadRow } from "./tables.ts";

function toUpload(row: UploadRow, parts: readonly UploadPartRow[], urls: PartUrl[] = []): UploadShape {
  return {
    id: row.id,
    status: row.status,
    fileName: row.fileName,
    contentType: row.contentType,
    sizeBytes: row.sizeBytes,
    sha256: row.sha256,
    strategy: row.strategy === "form" ? "multipart" : row.strategy,
    partSizeBytes: row.partSizeBytes,
    partCount: row.partCount,
    parts: parts.map(toPart),
    urls,
    fileId: row.status === "ready" ? row.fileId : null,
    problem: row.problemCode === null ? null : { code: row.problemCode, detail: row.problemDetail ?? "" },
    createdAt: new Date(row.createdAt).toISOString(),
    expiresAt: new Date(row.expiresAt).toISOString(),
  };
}

function toPart({ partNumber, sizeBytes, etag }: UploadPartRow): PartShape {
  return { partNumber, sizeBytes, etag };
}

/**
 * Starts an upload. The quota is reserved first, then storage is told, then the row is stored: a crash in between leaves a reservation
 * that expires and a multipart upload that R2 aborts after seven days (its default), and nothing else.
 */
export async function createUpload(ctx: WorkspaceCtx, body: CreateUpload): Promise<UploadShape> {
  const row = planUpload(ctx, body);
  if (ctx.isReplay) {
    const existing = await findUpload(ctx, ctx.workspaceId, row.id);
    if (existing) return goOn(ctx, existing);
  }
  if ((await countUnfinished(ctx, ctx.workspaceId)) >= maxUnfinishedUploads) throw tooMany();
  await reserveStorage(ctx, row.fileId, row.sizeBytes);
  return withFirstUrls(ctx, await storeUpload(ctx, row));
}

/** A repeated request: what the first one made, with URLs that are valid from now, which the clean-up of a single PUT has to know. */
async function goOn(ctx: WorkspaceCtx, upload: UploadRow): Promise<UploadShape> {
  if (isOpen(upload)) await keepParts(ctx, upload, { uploaded: [], signs: true });
  return withFirstUrls(ctx, upload);
}

function isOpen({ status }: UploadRow): boolean {
  return (openStatuses as readonly UploadStatus[]).includes(status);
}

export interface UnsizedUpload {
  fileName: string;
  /** The type that name and client agree on. */
  type: AgreedType;
  /** Reserved, and refused above. */
  sizeBytesMax: number;
  ticket: TicketRoom;
}

/** Like `createUpload`, for a client that says no size: what arrives is measured when it is complete. */
export async function createUnsizedUpload(ctx: WorkspaceCtx, given: UnsizedUpload): Promise<UploadRow> {
  const { ticket, sizeBytesMax } = given;
  requireFileSize(sizeBytesMax);
  if (!(await hasTicketRoom(ctx, ticket))) throw ticketUsedUp(ticket);
  if ((await countUnfinished(ctx, ctx.workspaceId)) >= maxUnfinishedUploads) throw tooMany();
  const named = nameUpload(ctx, given.fileName);
  const row = { ...named, ...given.type, ...unsizedPlan, strategy: "unsized" as const, sizeBytes: 0, sizeBytesMax };
  await reserveStorage(ctx, row.fileId, sizeBytesMax);
  return storeUpload(ctx, row, ticket);
}

type NewUpload = Parameters<typeof insertUpload>[1] & Pick<UploadRow, "sizeBytes" | "partCount">;

function planUpload(ctx: WorkspaceCtx, body: CreateUpload): NewUpload {
  requireFileSize(body.sizeBytes);
  const fileName = cleanFileName(body.fileName);
  const type = requireClaimedType(fileName, body.contentType);
  const plan = planParts(body.sizeBytes);
  const named = nameUpload(ctx, fileName);
  return {
    ...named,
    ...type,
    ...plan,
    sizeBytes: body.sizeBytes,
    sha256: body.sha256?.toLowerCase() ?? null,
    urlsExpireAt: plan.strategy === "single" ? named.createdAt + urlLifetimeSeconds * 1_000 : null,
  };
}

/** What every new upload has, however its bytes come. */
function nameUpload(ctx: WorkspaceCtx, fileName: string) {
  const id = ctx.newId("upload");
  const at = ctx.now();
  return {
    id,
    fileName,
    fileId: ctx.newId("file"),
    workspaceId: ctx.workspaceId,
    userId: ctx.userId,
    r2Key: `w/${ctx.workspaceId}/u/${id}/${fileSlug(fileName)}`,
    status: "pending" as const,
    createdAt: at,
    updatedAt: at,
    expiresAt: at + uploadLifetimeMs,
    sweepAt: at + uploadLifetimeMs,
  };
}

function tooMany(): Problem {
  return new Problem("upload-limit-reached", {
    detail: `A workspace has at most ${maxUnfinishedUploads} unfinished uploads.`,
    members: { limit: maxUnfinishedUploads },
  });
}

async function storeUpload(
  ctx: WorkspaceCtx,
  planned: NewUpload,
  ticket: TicketRoom | null = null,
): Promise<UploadRow> {
  const row = { ...planned, r2UploadId: await createParts(ctx, planned) };
  try {
    await ctx.db.batch([
      insertUpload(ctx, row, { maxUnfinished: maxUnfinishedUploads, ticket }),
      auditEntry(ctx, "upload.create", {
        target: row.id,
        details: { sizeBytes: row.sizeBytes, contentType: row.contentType },
      }),
    ]);
  } catch (error) {
    if (isGuardFailure(error)) {
      if (row.r2UploadId !== null) await abortParts(ctx, row.r2Key, row.r2UploadId);
      await releaseStorage(ctx, row.fileId);
      throw ticket && !(await hasTicketRoom(ctx, ticket)) ? ticketUsedUp(ticket) : tooMany();
    }
    // The reply may have been lost after the commit, or an equal request may have won: then the row is there.
    const existing = await findUpload(ctx, ctx.workspaceId, row.id);
    if (existing) return existing;
    throw error;
  }
  const stored = await findUpload(ctx, ctx.workspaceId, row.id);
  if (!stored) throw new Problem("upload-not-found");
  return stored;
}

async function createParts(
  ctx: WorkspaceCtx,
  { strategy, r2Key, contentType, fileId }: NewUpload,
): Promise<string | null> {
  if (strategy === "single") return null;
  try {
    const { uploadId } = await ctx.files.createMultipartUpload(r2Key, { httpMetadata: { contentType } });
    return uploadId;
  } catch (error) {
    await releaseStorage(ctx, fileId);
    throw error;
  }
}

async function withFirstUrls(ctx: WorkspaceCtx, upload: UploadRow): Promise<UploadShape> {
  const parts = await listParts(ctx, ctx.workspaceId, [upload.id]);
  const known = new Set(parts.map((part) => part.partNumber));
  const open = isOpen(upload);
  const wanted: number[] = [];
  for (let partNumber = 1; open && partNumber <= upload.partCount && wanted.length < urlsOnCreate; partNumber += 1) {
    if (!known.has(partNumber)) wanted.push(partNumber);
  }
  return toUpload(upload, parts, await signUrls(ctx, upload, wanted));
}

/** No URL outlives its upload. */
async function signUrls(ctx: WorkspaceCtx, upload: UploadRow, partNumbers: readonly number[]): Promise<PartUrl[]> {
  const nowMs = ctx.now();
  const expiresInSeconds = Math.max(1, Math.min(urlLifetimeSeconds, Math.floor((upload.expiresAt - nowMs) / 1_000)));
  const signing = {
    ...ctx.settings.storage,
    key: upload.r2Key,
    expiresInSeconds,
    nowMs,
    signingKeys: new Map<string, ArrayBuffer>(),
  };
  const expiresAt = new Date(nowMs + expiresInSeconds * 1_000).toISOString();
  const urls: PartUrl[] = [];
  for (const partNumber of partNumbers) {
    const length = requirePartLength(upload, partNumber);
    const contentLength = upload.strategy === "unsized" ? null : length;
    const signed =
      upload.r2UploadId === null
        ? await presignPut({ ...signing, contentLength: length, contentType: upload.contentType })
        : await presignPart({ ...signing, contentLength, uploadId: upload.r2UploadId, partNumber });
    urls.push({ partNumber, ...signed, expiresAt });
  }
  return urls;
}

/** Records parts that have arrived and signs URLs for others. */
export async function handleParts(
  ctx: WorkspaceCtx,
  id: string,
  body: UploadPartsRequest,
): Promise<{ urls: PartUrl[]; parts: PartShape[] }> {
  const upload = await requireUpload(ctx, id);
  requireOpen(ctx, upload);
  const partNumbers = [...new Set(body.partNumbers ?? [])];
  for (const partNumber of partNumbers) requirePartLength(upload, partNumber);
  await keepParts(ctx, upload, { uploaded: body.uploaded ?? [], signs: partNumbers.length > 0 });
  const [urls, parts] = await Promise.all([signUrls(ctx, upload, partNumbers), listParts(ctx, ctx.workspaceId, [id])]);
  return { urls, parts: parts.map(toPart) };
}

interface Kept {
  uploaded: NonNullable<UploadPartsRequest["uploaded"]>;
  signs: boolean;
}

async function keepParts(ctx: WorkspaceCtx, upload: UploadRow, { uploaded, signs }: Kept): Promise<void> {
  const wrong = uploaded.filter(
    (part) => requirePartLength(upload, part.partNumber) !== part.sizeBytes && upload.strategy !== "unsized",
  );
  if (wrong.length > 0) {
    throw new Problem("part-invalid", {
      detail: "Every part has exactly the size it was signed for.",
      members: { partNumbers: wrong.map((part) => part.partNumber), partSizeBytes: upload.partSizeBytes },
    });
  }
  const parts = uploaded.map((part) => ({ ...part, etag: bareEtag(part.etag) }));
  const statements = recordParts(ctx, upload, parts);
  if (statements.length > 0) statements.push(markUploading(ctx, upload));
  if (signs && upload.strategy === "single")
    statements.push(updateUpload(ctx, upload, { urlsExpireAt: ctx.now() + urlLifetimeSeconds * 1_000 }));
  if (statements.length === 0) return;
  try {
    await ctx.db.batch([guardUpload(ctx, upload, openStatuses), ...statements]);
  } catch (error) {
    if (!isGuardFailure(error)) throw error;
    throw endedProblem(await requireUpload(ctx, upload.id));
  }
}

/** With the parts that are known: what a client needs to go on after it lost its own state. */
export async function getUpload(ctx: WorkspaceCtx, id: string): Promise<UploadShape> {
  return describeUpload(ctx, await requireUpload(ctx, id));
}

export async function describeUpload(ctx: WorkspaceCtx, upload: UploadRow): Promise<UploadShape> {
  return toUpload(upload, await listParts(ctx, ctx.workspaceId, [upload.id]));
}

export async function listUploadPage(
  ctx: WorkspaceCtx,
  query: { limit: number; cursor?: string | undefined; status?: UploadStatus | undefined },
) {
  const rows = await listUploads(ctx, ctx.workspaceId, {
    status: query.status ?? null,
    before: readCursor(query),
    limit: query.limit + 1,
  });
  const parts = await listParts(
    ctx,
    ctx.workspaceId,
    rows.map((row) => row.id),
  );
  const byUpload = Map.groupBy(parts, (part) => part.uploadId);
  return toPage(rows, query.limit, (row) => toUpload(row, byUpload.get(row.id) ?? []));
}

/** Gives an upload up: its bytes go, its quota comes back. Repeating it is harmless. */
export async function abortUpload(ctx: WorkspaceCtx, id: string): Promise<void> {
  const upload = await requireUpload(ctx, id);
  if (upload.status === "aborted") return;
  const isUnfinished = (unfinishedStatuses as readonly UploadStatus[]).includes(upload.status);
  if (isUnfinished && (await endUpload(ctx, upload, { change: { status: "aborted" }, action: "upload.abort" }))) return;
  const { status } = isUnfinished ? await requireUpload(ctx, id) : upload;
  if (status === "aborted") return;
  if (status === "expired") throw new Problem("upload-expired");
  throw new Problem("upload-ended", { detail: `The upload is ${status}.`, members: { uploadStatus: status } });
}
