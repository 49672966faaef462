/** Tickets, and Companion's calls for S3 put into words of the upload service, which does all the work. */
import { auditEntry } from "#core/audit";
import type { WorkspaceCtx } from "#core/context";
import { Problem } from "#core/problem";
import {
  abortUpload,
  completeUpload,
  createUnsizedUpload,
  handleParts,
  listStoredParts,
  requireUpload,
  type UploadRow,
} from "#features/media/service";
import { cleanFileName } from "#lib/file-name";
import { readAccepted, requireAcceptedType, requireSizeMax } from "./rules.ts";
import type { BeginRequest, FinishRequest, TicketRequest } from "./shapes.ts";
import { signTicket, type TicketCtx } from "./ticket.ts";

/** A new ticket for the workspace that the request acts in. It is not stored: only its uploads are. */
export async function issueTicket(ctx: WorkspaceCtx, asked: TicketRequest) {
  if (asked.workspaceId !== undefined && asked.workspaceId !== ctx.workspaceId)
    throw new Problem("workspace-not-found", { detail: "Name the workspace in X-Workspace-Id." });
  const accept = readAccepted(asked.accept);
  const { maxBytes, maxFiles, ttlSeconds } = asked;
  const nowMs = ctx.now();
  const expiresAtMs = (Math.floor(nowMs / 1_000) + ttlSeconds) * 1_000;
  const id = ctx.newId("uploadTicket");
  const bounds = { max: maxBytes, n: maxFiles, acc: accept, exp: expiresAtMs / 1_000 };
  const claims = { sub: ctx.userId, ws: ctx.workspaceId, jti: id, ...bounds };
  const ticket = await signTicket(ctx.settings, claims, nowMs);
  await ctx.db.batch([
    auditEntry(ctx, "upload.ticket", { target: id, details: { maxBytes, maxFiles, accept, ttlSeconds } }),
  ]);
  return {
    ticket,
    expiresAt: new Date(expiresAtMs).toISOString(),
    uppyEndpoint: `${ctx.settings.publicUrl}/v1/uppy/${ticket}`,
    maxBytes,
    maxFiles,
    accept,
  };
}

const bucketName = "media";

export async function beginUpload(ctx: TicketCtx, { filename, type, metadata }: BeginRequest) {
  const { max, n, acc, jti } = ctx.ticket;
  const fileName = cleanFileName(filename);
  const upload = await createUnsizedUpload(ctx, {
    fileName,
    type: requireAcceptedType({ fileName, declaredType: type ?? null }, acc),
    sizeBytesMax: requireSizeMax(metadata ?? {}, max),
    ticket: { id: jti, filesMax: n },
  });
  return { key: upload.r2Key, uploadId: upload.id, bucket: bucketName };
}

/** An upload of this very ticket; another ticket's is as unknown as one that does not exist. */
async function requireOwn(ctx: TicketCtx, { uploadId, key }: { uploadId: string; key: string }): Promise<UploadRow> {
  const upload = await requireUpload(ctx, uploadId);
  if (upload.ticketId !== ctx.ticket.jti || upload.r2Key !== key) throw new Problem("upload-not-found");
  return upload;
}

interface Named {
  uploadId: string;
  key: string;
}

export async function signPart(ctx: TicketCtx, named: Named, partNumber: number) {
  const [signed] = await signParts(ctx, named, [partNumber]);
  if (!signed) throw new Problem("part-invalid");
  const expires = Math.floor((Date.parse(signed.expiresAt) - ctx.now()) / 1_000);
  return { url: signed.url, expires, method: "PUT" as const, headers: signed.headers };
}

export async function signBatch(ctx: TicketCtx, named: Named, partNumbers: string) {
  const signed = await signParts(ctx, named, partNumbers.split(",").map(Number));
  return { presignedUrls: Object.fromEntries(signed.map(({ partNumber, url }) => [String(partNumber), url])) };
}

async function signParts(ctx: TicketCtx, named: Named, partNumbers: number[]) {
  const upload = await requireOwn(ctx, named);
  return (await handleParts(ctx, upload.id, { partNumbers })).urls;
}

export async function listUploaded(ctx: TicketCtx, named: Named) {
  const parts = await listStoredParts(ctx, await requireOwn(ctx, named));
  return parts.map(({ partNumber, etag, sizeBytes }) => ({
    PartNumber: partNumber,
    ETag: `"${etag}"`,
    Size: sizeBytes,
  }));
}

export async function finish(ctx: TicketCtx, named: Named, { parts }: FinishRequest) {
  const upload = await requireOwn(ctx, named);
  const told = parts.map(({ PartNumber: partNumber, ETag: etag }) => ({ partNumber, etag }));
  const { file } = await completeUpload(ctx, upload.id, told);
  return {
    location: `${ctx.settings.publicUrl}/v1/files/${file.id}/content`,
    key: upload.r2Key,
    bucket: bucketName,
    fileId: file.id,
  };
}

export async function giveUp(ctx: TicketCtx, named: Named): Promise<Record<string, never>> {
  await abortUpload(ctx, (await requireOwn(ctx, named)).id);
  return {};
}
