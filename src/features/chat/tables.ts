/** Responses that callers asked to keep, so that they can be read again and continued with whatever provider answers next. Times are milliseconds. */
import { index, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";

export const modelResponses = sqliteTable(
  "model_responses",
  {
    id: text("id").primaryKey(),
    workspaceId: text("workspace_id").notNull(),
    userId: text("user_id").notNull(),
    /** One of a test mode is never seen by a live request, nor the other way round. */
    mode: text("mode", { enum: ["live", "test"] }).notNull(),
    /** Input and answer as JSON in an envelope; null: an object in the bucket holds them. */
    wrapped: text("wrapped"),
    masterVersion: integer("master_version").notNull(),
    r2Key: text("r2_key"),
    sizeBytes: integer("size_bytes").notNull(),
    createdAt: integer("created_at").notNull(),
    expiresAt: integer("expires_at").notNull(),
  },
  (table) => [
    index("model_responses_by_workspace").on(table.workspaceId, table.id),
    index("model_responses_by_expiry").on(table.expiresAt),
    index("model_responses_by_master").on(table.masterVersion),
  ],
);

export type ResponseRow = typeof modelResponses.$inferSelect;
