/** Uploads, the parts they consist of, and files. Bytes are in object storage; these rows say what is there and whose it is. */
import { sql } from "drizzle-orm";
import { check, index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import type { ProblemCode } from "#core/problem";
import type { FileKind, FileOrigin, UploadStatus, UploadStrategy } from "./states.ts";

/** An upload and the file it becomes. Its file id is decided at its start, so that completing it twice makes one file. */
export const uploads = sqliteTable(
  "uploads",
  {
    id: text("id").primaryKey(),
    workspaceId: text("workspace_id").notNull(),
    userId: text("user_id"),
    fileId: text("file_id").notNull(),
    fileName: text("file_name").notNull(),
    contentType: text("content_type").notNull(),
    kind: text("kind").$type<FileKind>().notNull(),
    /** The declared size; 0 for a form or unsized upload until its end, when the size is known. */
    sizeBytes: integer("size_bytes").notNull(),
    /** What an unsized upload may come to, and what is reserved for it. */
    sizeBytesMax: integer("size_bytes_max"),
    /** The upload ticket that it was begun with. */
    ticketId: text("ticket_id"),
    /** The declared SHA-256 as lower-case hex, if one was declared. */
    sha256: text("sha256"),
    strategy: text("strategy").$type<UploadStrategy>().notNull(),
    partSizeBytes: integer("part_size_bytes").notNull(),
    partCount: integer("part_count").notNull(),
    r2Key: text("r2_key").notNull(),
    r2UploadId: text("r2_upload_id"),
    status: text("status").$type<UploadStatus>().notNull(),
    problemCode: text("problem_code").$type<ProblemCode>(),
    problemDetail: text("problem_detail"),
    createdAt: integer("created_at").notNull(),
    updatedAt: integer("updated_at").notNull(),
    expiresAt: integer("expires_at").notNull(),
    /** Until when a URL that was given out can still make the object (strategy `single`): it has to be removed again after that. */
    urlsExpireAt: integer("urls_expire_at"),
    /** When the sweep has to look at the row: to expire it, to finish it, or to remove what it left in storage; null: never. */
    sweepAt: integer("sweep_at"),
    /** Set by the guard of a batch: a condition that does not hold makes it 0, the check fails and the whole batch rolls back. */
    fence: integer("fence").notNull().default(1),
  },
  (table) => [
    index("uploads_by_workspace").on(table.workspaceId, table.id),
    index("uploads_by_status").on(table.workspaceId, table.status),
    index("uploads_by_ticket")
      .on(table.ticketId)
      .where(sql`ticket_id is not null`),
    index("uploads_by_sweep").on(table.sweepAt, table.workspaceId),
    check("uploads_fence_holds", sql`fence = 1`),
  ],
);

export type UploadRow = typeof uploads.$inferSelect;

/** What the client reported as uploaded. The storage binding cannot list parts, so this ledger answers a resume. */
export const uploadParts = sqliteTable(
  "upload_parts",
  {
    uploadId: text("upload_id").notNull(),
    partNumber: integer("part_number").notNull(),
    workspaceId: text("workspace_id").notNull(),
    etag: text("etag").notNull(),
    sizeBytes: integer("size_bytes").notNull(),
    recordedAt: integer("recorded_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.uploadId, table.partNumber] })],
);

export type UploadPartRow = typeof uploadParts.$inferSelect;

/** A verified file. A deleted one keeps its row and its bytes for 30 days and counts for nothing. */
export const files = sqliteTable(
  "files",
  {
    id: text("id").primaryKey(),
    workspaceId: text("workspace_id").notNull(),
    userId: text("user_id"),
    name: text("name").notNull(),
    contentType: text("content_type").notNull(),
    kind: text("kind").$type<FileKind>().notNull(),
    sizeBytes: integer("size_bytes").notNull(),
    /** Lower-case hex of the bytes in storage, computed by the server. */
    sha256: text("sha256").notNull(),
    origin: text("origin").$type<FileOrigin>().notNull(),
    r2Key: text("r2_key").notNull(),
    createdAt: integer("created_at").notNull(),
    updatedAt: integer("updated_at").notNull(),
    deletedAt: integer("deleted_at"),
    /** When the bytes were removed from storage. */
    purgedAt: integer("purged_at"),
    /** As in `uploads`. */
    fence: integer("fence").notNull().default(1),
  },
  (table) => [
    index("files_by_workspace").on(table.workspaceId, table.id),
    index("files_by_change").on(table.updatedAt, table.workspaceId),
    index("files_to_purge")
      .on(table.deletedAt)
      .where(sql`deleted_at is not null and purged_at is null`),
    uniqueIndex("files_by_key").on(table.r2Key),
    check("files_fence_holds", sql`fence = 1`),
  ],
);

export type FileRow = typeof files.$inferSelect;
