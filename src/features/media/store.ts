/** Every statement about uploads and files. Changes that race are guarded: a guard that does not hold rolls its whole batch back. */
import { and, asc, count, desc, eq, gt, inArray, isNotNull, isNull, lt, lte, ne, or, sql } from "drizzle-orm";
import type { Database } from "#core/context";
import type { Statement } from "#core/job";
import { jobs } from "#core/tables";
import { conversions } from "#features/conversions/tables";
import { type FileKind, type FileOrigin, openStatuses, unfinishedStatuses, type UploadStatus } from "./states.ts";
import { type FileRow, files, type UploadPartRow, uploadParts, type UploadRow, uploads } from "./tables.ts";
import { messagesOf } from "#lib/error-messages";

type Db = { db: Database; now(): number };

/** D1 binds at most 100 values a statement. */
const maxBound = 100;
const partColumns = 6;
/** A file has at most 50 parts and a page at most 101 uploads. */
const maxListedParts = 10_000;

const isUpload = (workspaceId: string, id: string) => and(eq(uploads.id, id), eq(uploads.workspaceId, workspaceId));
const isFile = (workspaceId: string, id: string) =>
  and(eq(files.id, id), eq(files.workspaceId, workspaceId), isNull(files.deletedAt));

/** True when a batch was rolled back because one of the guards below did not hold. */
export function isGuardFailure(error: unknown): boolean {
  return messagesOf(error).some((message) => /uploads_fence_holds|files_fence_holds/.test(message));
}

export async function findUpload(ctx: Db, workspaceId: string, id: string): Promise<UploadRow | null> {
  const [row] = await ctx.db.select().from(uploads).where(isUpload(workspaceId, id));
  return row ?? null;
}

export async function countUnfinished(ctx: Db, workspaceId: string): Promise<number> {
  const [row] = await ctx.db
    .select({ count: count() })
    .from(uploads)
    .where(
      and(
        eq(uploads.workspaceId, workspaceId),
        inArray(uploads.status, unfinishedStatuses),
        ne(uploads.strategy, "form"),
      ),
    );
  return row?.count ?? 0;
}

/** Newest first; form uploads are not shown. */
export async function listUploads(
  ctx: Db,
  workspaceId: string,
  filter: { status: UploadStatus | null; before: string | null; limit: number },
): Promise<UploadRow[]> {
  return ctx.db
    .select()
    .from(uploads)
    .where(
      and(
        eq(uploads.workspaceId, workspaceId),
        ne(uploads.strategy, "form"),
        filter.status ? eq(uploads.status, filter.status) : undefined,
        filter.before ? lt(uploads.id, filter.before) : undefined,
      ),
    )
    .orderBy(desc(uploads.id))
    .limit(filter.limit);
}

/** Of at most 100 uploads, in order of their numbers. */
export async function listParts(ctx: Db, workspaceId: string, uploadIds: readonly string[]): Promise<UploadPartRow[]> {
  if (uploadIds.length === 0) return [];
  return ctx.db
    .select()
    .from(uploadParts)
    .where(
      and(
        eq(uploadParts.workspaceId, workspaceId),
        sql`${uploadParts.uploadId} in (select value from json_each(${JSON.stringify(uploadIds)}))`,
      ),
    )
    .orderBy(asc(uploadParts.uploadId), asc(uploadParts.partNumber))
    .limit(maxListedParts);
}

type NewPart = Pick<UploadPartRow, "partNumber" | "etag" | "sizeBytes">;

/** Records parts; one that is known already is replaced. */
export function recordParts(ctx: Db, upload: UploadRow, parts: readonly NewPart[]): Statement[] {
  const rows = parts.map((part) => ({
    ...part,
    uploadId: upload.id,
    workspaceId: upload.workspaceId,
    recordedAt: ctx.now(),
  }));
  const pageSize = Math.floor(maxBound / partColumns);
  const statements: Statement[] = [];
  for (let start = 0; start < rows.length; start += pageSize) {
    const set = {
      etag: sql`excluded.etag`,
      sizeBytes: sql`excluded.size_bytes`,
      recordedAt: sql`excluded.recorded_at`,
    };
    const statement = ctx.db
      .insert(uploadParts)
      .values(rows.slice(start, start + pageSize))
      .onConflictDoUpdate({ target: [uploadParts.uploadId, uploadParts.partNumber], set });
    statements.push(statement);
  }
  return statements;
}

/** Rolls the batch back unless the upload has one of these statuses. Put it first. */
export function guardUpload(
  ctx: Db,
  upload: UploadRow,
  statuses: readonly UploadStatus[] = unfinishedStatuses,
): Statement {
  return ctx.db
    .update(uploads)
    .set({ fence: sql`(${inArray(uploads.status, [...statuses])})` })
    .where(isUpload(upload.workspaceId, upload.id));
}

type UploadChange = Partial<
  Pick<
    UploadRow,
    "status" | "contentType" | "kind" | "sizeBytes" | "problemCode" | "problemDetail" | "urlsExpireAt" | "sweepAt"
  >
>;

export function updateUpload(ctx: Db, upload: UploadRow, change: UploadChange): Statement {
  return ctx.db
    .update(uploads)
    .set({ ...change, updatedAt: ctx.now() })
    .where(isUpload(upload.workspaceId, upload.id));
}

/** Changes an upload that still has one of these statuses and returns the row, else null. */
export async function moveUpload(
  ctx: Db,
  upload: UploadRow,
  from: readonly UploadStatus[],
  change: UploadChange,
): Promise<UploadRow | null> {
  const [row] = await ctx.db
    .update(uploads)
    .set({ ...change, updatedAt: ctx.now() })
    .where(and(isUpload(upload.workspaceId, upload.id), inArray(uploads.status, [...from])))
    .returning();
  return row ?? null;
}

/** The first recorded part makes a pending upload an uploading one. */
export function markUploading(ctx: Db, upload: UploadRow): Statement {
  return ctx.db
    .update(uploads)
    .set({ status: "uploading", updatedAt: ctx.now() })
    .where(and(isUpload(upload.workspaceId, upload.id), inArray(uploads.status, openStatuses)));
}

/** Workspaces with uploads that the sweep has to look at, in order of id. */
export async function workspacesToSweep(ctx: Db, after: string, limit: number): Promise<string[]> {
  const rows = await ctx.db
    .selectDistinct({ workspaceId: uploads.workspaceId })
    .from(uploads)
    .where(and(lte(uploads.sweepAt, ctx.now()), gt(uploads.workspaceId, after)))
    .orderBy(asc(uploads.workspaceId))
    .limit(limit);
  return rows.map((row) => row.workspaceId);
}

export async function uploadsToSweep(ctx: Db, workspaceId: string, after: string, limit: number): Promise<UploadRow[]> {
  return ctx.db
    .select()
    .from(uploads)
    .where(and(eq(uploads.workspaceId, workspaceId), lte(uploads.sweepAt, ctx.now()), gt(uploads.id, after)))
    .orderBy(asc(uploads.id))
    .limit(limit);
}

export interface NewFile {
  id: string;
  workspaceId: string;
  userId: string | null;
  name: string;
  contentType: string;
  kind: FileKind;
  sizeBytes: number;
  /** Lower-case hex. */
  sha256: string;
  origin: FileOrigin;
  r2Key: string;
}

/** The row of a file whose bytes are stored and verified. A second one with the same id or key fails its batch. */
export function fileRowInsert(ctx: Db, file: NewFile): Statement {
  return ctx.db.insert(files).values({ ...file, createdAt: ctx.now(), updatedAt: ctx.now() });
}

export async function findFile(ctx: Db, workspaceId: string, id: string): Promise<FileRow | null> {
  const [row] = await ctx.db.select().from(files).where(isFile(workspaceId, id));
  return row ?? null;
}

/** Deleted ones too: for clean-up. */
export async function findAnyFile(ctx: Db, workspaceId: string, id: string): Promise<FileRow | null> {
  const [row] = await ctx.db
    .select()
    .from(files)
    .where(and(eq(files.id, id), eq(files.workspaceId, workspaceId)));
  return row ?? null;
}

/** Those of the ids that exist, at most 1,000, in no order. */
export async function findFiles(ctx: Db, workspaceId: string, ids: readonly string[]): Promise<FileRow[]> {
  return ctx.db
    .select()
    .from(files)
    .where(
      and(
        eq(files.workspaceId, workspaceId),
        isNull(files.deletedAt),
        sql`${files.id} in (select value from json_each(${JSON.stringify(ids)}))`,
      ),
    )
    .limit(1_000);
}

interface FileFilter {
  kind: FileKind | null;
  origin: FileOrigin | null;
  before: string | null;
  limit: number;
}

export async function listFiles(ctx: Db, workspaceId: string, filter: FileFilter): Promise<FileRow[]> {
  return ctx.db
    .select()
    .from(files)
    .where(
      and(
        eq(files.workspaceId, workspaceId),
        isNull(files.deletedAt),
        filter.kind ? eq(files.kind, filter.kind) : undefined,
        filter.origin ? eq(files.origin, filter.origin) : undefined,
        filter.before ? lt(files.id, filter.before) : undefined,
      ),
    )
    .orderBy(desc(files.id))
    .limit(filter.limit);
}

/** Rolls the batch back when the file is deleted: for those who make something that depends on it. */
export function guardFile(ctx: Db, workspaceId: string, id: string): Statement {
  return ctx.db
    .update(files)
    .set({ fence: sql`(${isNull(files.deletedAt)})` })
    .where(and(eq(files.id, id), eq(files.workspaceId, workspaceId)));
}

/** Rolls the batch back when the file is deleted, or used by a conversion that has not ended, but for the one named. */
export function guardUnusedFile(ctx: Db, workspaceId: string, id: string, exceptConversionId?: string): Statement {
  const uses = usesOf(ctx, { workspaceId, id, limit: 1, exceptConversionId });
  return ctx.db
    .update(files)
    .set({ fence: sql`(${isNull(files.deletedAt)} and not exists ${uses})` })
    .where(and(eq(files.id, id), eq(files.workspaceId, workspaceId)));
}

export function renameFile(ctx: Db, file: FileRow, name: string): Statement {
  return ctx.db.update(files).set({ name, updatedAt: ctx.now() }).where(isFile(file.workspaceId, file.id));
}

export function markDeleted(ctx: Db, file: FileRow): Statement {
  return ctx.db
    .update(files)
    .set({ deletedAt: ctx.now(), updatedAt: ctx.now() })
    .where(isFile(file.workspaceId, file.id));
}

export function markPurged(ctx: Db, file: FileRow): Statement {
  return ctx.db
    .update(files)
    .set({ purgedAt: ctx.now() })
    .where(and(eq(files.id, file.id), eq(files.workspaceId, file.workspaceId), isNotNull(files.deletedAt)));
}

/** For a workspace whose objects are gone. */
export function markAllPurged(ctx: Db, workspaceId: string): Statement {
  const at = ctx.now();
  return ctx.db
    .update(files)
    .set({ purgedAt: at, deletedAt: sql`coalesce(${files.deletedAt}, ${at})` })
    .where(and(eq(files.workspaceId, workspaceId), isNull(files.purgedAt)));
}

/** Conversions that read this file and have not ended. */
function usesOf(
  ctx: Db,
  file: { workspaceId: string; id: string; limit: number; exceptConversionId?: string | undefined },
) {
  const isSource = sql`exists (select 1 from json_each(${conversions.sourceFileIds}) where value = ${file.id})`;
  return ctx.db
    .select({ id: conversions.id })
    .from(conversions)
    .innerJoin(jobs, eq(jobs.id, conversions.jobId))
    .where(
      and(
        eq(conversions.workspaceId, file.workspaceId),
        isNull(conversions.deletedAt),
        isNull(jobs.endedAt),
        file.exceptConversionId === undefined ? undefined : ne(conversions.id, file.exceptConversionId),
        or(eq(conversions.inputFileId, file.id), and(isNotNull(conversions.sourceFileIds), isSource)),
      ),
    )
    .limit(file.limit);
}

export async function listFileUses(
  ctx: Db,
  workspaceId: string,
  id: string,
): Promise<{ kind: "conversion"; id: string }[]> {
  const rows = await usesOf(ctx, { workspaceId, id, limit: 20 });
  return rows.map((row) => ({ kind: "conversion" as const, id: row.id }));
}

/** Workspaces whose files changed since a moment, in order of id. */
export async function workspacesWithChanges(ctx: Db, since: number, after: string, limit: number): Promise<string[]> {
  const rows = await ctx.db
    .selectDistinct({ workspaceId: files.workspaceId })
    .from(files)
    .where(and(gt(files.updatedAt, since), gt(files.workspaceId, after)))
    .orderBy(asc(files.workspaceId))
    .limit(limit);
  return rows.map((row) => row.workspaceId);
}

/** What the files of a workspace hold, in byte order of their ids. */
export async function listHoldings(
  ctx: Db,
  workspaceId: string,
  after: string,
  limit: number,
): Promise<{ id: string; amount: number }[]> {
  return ctx.db
    .select({ id: files.id, amount: files.sizeBytes })
    .from(files)
    .where(and(eq(files.workspaceId, workspaceId), isNull(files.deletedAt), gt(files.id, after)))
    .orderBy(asc(files.id))
    .limit(limit);
}

/** Deleted files whose bytes should be gone by now: the purge was cancelled or failed. */
export async function listUnpurged(
  ctx: Db,
  deletedBefore: number,
  limit: number,
): Promise<{ id: string; workspaceId: string }[]> {
  return ctx.db
    .select({ id: files.id, workspaceId: files.workspaceId })
    .from(files)
    .where(and(lt(files.deletedAt, deletedBefore), isNull(files.purgedAt)))
    .orderBy(asc(files.deletedAt))
    .limit(limit);
}
