/** What went wrong in the running system: kept for a while, then purged. Times are milliseconds. */
import { index, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** Warnings and errors of the log, redacted. Best effort: a line may be missing, the platform's own log has them all. */
export const systemLogs = sqliteTable(
  "system_logs",
  {
    id: text("id").primaryKey(),
    level: text("level", { enum: ["warn", "error"] }).notNull(),
    category: text("category").notNull(),
    event: text("event").notNull(),
    userId: text("user_id"),
    workspaceId: text("workspace_id"),
    conversionId: text("conversion_id"),
    jobId: text("job_id"),
    requestId: text("request_id"),
    message: text("message").notNull(),
    details: text("details").notNull(),
    at: integer("at").notNull(),
  },
  (table) => [
    index("system_logs_by_time").on(table.at),
    index("system_logs_by_category").on(table.category, table.id),
    index("system_logs_by_user").on(table.userId, table.id),
    index("system_logs_by_conversion").on(table.conversionId, table.id),
    index("system_logs_by_request").on(table.requestId, table.id),
  ],
);

export type SystemLogRow = typeof systemLogs.$inferSelect;
