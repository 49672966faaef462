/**
 * Conversions and the images that sealing made. How far a conversion is stands in its `jobs` row only, so the two can never disagree.
 * No key stands here in clear.
 */
import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";

export const conversions = sqliteTable(
  "conversions",
  {
    id: text("id").primaryKey(),
    workspaceId: text("workspace_id").notNull(),
    userId: text("user_id").notNull(),
    conversionType: text("conversion_type", { enum: ["audio-to-image", "image-to-audio"] }).notNull(),
    jobId: text("job_id").notNull(),
    /** Version of the sealed format; null: not known before the first image was read. */
    format: integer("format"),
    /**
     * What the bytes of the images depend on beside the file. Stored before sealing starts, so that a repeated run writes the same bytes;
     * renewed together when the runtime changed in between. All three in hexadecimal.
     */
    sealId: text("seal_id"),
    dataKeyId: text("data_key_id"),
    noncePrefix: text("nonce_prefix"),
    /** Milliseconds; version 1 writes it in seconds. */
    sealedAt: integer("sealed_at"),
    runtime: text("runtime"),
    inputFileId: text("input_file_id"),
    inputFileName: text("input_file_name").notNull(),
    inputFileType: text("input_file_type"),
    inputFileSize: integer("input_file_size"),
    inputEtag: text("input_etag"),
    sourceConversionId: text("source_conversion_id"),
    sourceFileIds: text("source_file_ids", { mode: "json" }).$type<string[]>(),
    compress: integer("compress", { mode: "boolean" }).notNull().default(false),
    deleteSource: integer("delete_source", { mode: "boolean" }).notNull().default(false),
    /** The user key (version 2) or the imported master key (version 1). */
    encryptionKeyId: text("encryption_key_id"),
    /** The name that version 1 derives its key from. */
    externalUserId: text("external_user_id"),
    /** A key given with the request, wrapped; null as soon as the job has ended. */
    requestKey: text("request_key"),
    chunkSizeBytes: integer("chunk_size_bytes"),
    reservedBytes: integer("reserved_bytes").notNull().default(0),
    outputFileId: text("output_file_id"),
    outputFileName: text("output_file_name"),
    /** The unfinished multipart upload of a run, so that the next one can abort it. */
    outputUploadId: text("output_upload_id"),
    imageCount: integer("image_count"),
    totalImageBytes: integer("total_image_bytes"),
    /** SHA-256 of the original file. */
    sha256: text("sha256"),
    createdAt: integer("created_at").notNull(),
    deletedAt: integer("deleted_at"),
    /** When the images of a deleted conversion were removed from storage. */
    purgedAt: integer("purged_at"),
  },
  (table) => [
    index("conversions_by_deletion").on(table.deletedAt),
    index("conversions_by_workspace").on(table.workspaceId, table.id),
    index("conversions_by_input").on(table.inputFileId),
    index("conversions_by_source").on(table.sourceConversionId),
  ],
);

export type ConversionRow = typeof conversions.$inferSelect;

export const conversionImages = sqliteTable(
  "conversion_images",
  {
    conversionId: text("conversion_id").notNull(),
    workspaceId: text("workspace_id").notNull(),
    /** From 0. */
    index: integer("index").notNull(),
    r2Key: text("r2_key").notNull(),
    fileName: text("file_name").notNull(),
    sizeBytes: integer("size_bytes").notNull(),
    width: integer("width").notNull(),
    height: integer("height").notNull(),
    sha256: text("sha256").notNull(),
  },
  (table) => [primaryKey({ columns: [table.conversionId, table.index] })],
);

export type ConversionImageRow = typeof conversionImages.$inferSelect;
