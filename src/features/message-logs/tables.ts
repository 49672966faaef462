/** What was asked of models, kept for a while, then purged. Times are milliseconds. */
import { index, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { requestStatuses } from "#core/message-log";

/** One row for each model request that the log did not have to leave out. */
export const messageLogs = sqliteTable(
  "message_logs",
  {
    id: text("id").primaryKey(),
    workspaceId: text("workspace_id").notNull(),
    userId: text("user_id").notNull(),
    username: text("username"),
    email: text("email").notNull(),
    provider: text("provider").notNull().default(""),
    model: text("model").notNull(),
    /** JSON `{request, response, isCut}`, redacted and cut; `{}` where contents are not kept. */
    messages: text("messages").notNull(),
    researchEnabled: integer("research_enabled", { mode: "boolean" }).notNull().default(false),
    promptStyle: text("prompt_style"),
    tokensUsed: integer("tokens_used").notNull().default(0),
    costMicroUsd: integer("cost_micro_usd").notNull().default(0),
    processingTimeMs: integer("processing_time_ms").notNull().default(0),
    address: text("address"),
    at: integer("at").notNull(),
    operation: text("operation").notNull().default("chat"),
    mode: text("mode", { enum: ["live", "test"] })
      .notNull()
      .default("live"),
    keyId: text("key_id"),
    status: text("status", { enum: requestStatuses }).notNull().default("succeeded"),
    httpStatus: integer("http_status"),
    errorCode: text("error_code"),
    isStream: integer("is_stream", { mode: "boolean" }).notNull().default(false),
    isCached: integer("is_cached", { mode: "boolean" }).notNull().default(false),
    inputTokens: integer("input_tokens").notNull().default(0),
    cachedInputTokens: integer("cached_input_tokens").notNull().default(0),
    outputTokens: integer("output_tokens").notNull().default(0),
    isEstimated: integer("is_estimated", { mode: "boolean" }).notNull().default(false),
    requestId: text("request_id").notNull().default(""),
  },
  (table) => [
    index("message_logs_by_user").on(table.userId, table.id),
    index("message_logs_by_workspace").on(table.workspaceId, table.id),
    index("message_logs_by_time").on(table.at),
  ],
);

export type MessageLogRow = typeof messageLogs.$inferSelect;

/** What people erased: an entry of theirs from that time which arrives later, out of a queue, is not written any more. */
export const messageLogErasures = sqliteTable(
  "message_log_erasures",
  {
    id: text("id").primaryKey(),
    workspaceId: text("workspace_id").notNull(),
    userId: text("user_id").notNull(),
    /** Entries of test keys alone; else of both modes. */
    testOnly: integer("test_only", { mode: "boolean" }).notNull(),
    fromAt: integer("from_at").notNull(),
    toAt: integer("to_at").notNull(),
    createdAt: integer("created_at").notNull(),
  },
  (table) => [
    index("message_log_erasures_by_user").on(table.userId, table.workspaceId),
    index("message_log_erasures_by_time").on(table.createdAt),
  ],
);
