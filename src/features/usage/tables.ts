/** What was used, told by the ledger, which is the truth about what is left. Times are milliseconds; days are days of UTC. */
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import type { ReportData } from "./shapes.ts";

/** Each amount once, by its id; kept until nothing can send it again. Empty texts stand for nobody and nothing. */
export const usageEvents = sqliteTable(
  "usage_events",
  {
    id: text("id").notNull(),
    workspaceId: text("workspace_id").notNull(),
    at: integer("at").notNull(),
    day: text("day").notNull(),
    meter: text("meter").notNull(),
    amount: integer("amount").notNull(),
    userId: text("user_id").notNull(),
    keyId: text("key_id").notNull(),
    model: text("model").notNull(),
    /** Stands in the sums of its day. */
    summed: integer("summed", { mode: "boolean" }).notNull().default(false),
  },
  (table) => [
    primaryKey({ columns: [table.workspaceId, table.id] }),
    index("usage_events_by_summed").on(table.workspaceId, table.summed),
    index("usage_events_by_time").on(table.at),
  ],
);

export const usageDays = sqliteTable(
  "usage_days",
  {
    workspaceId: text("workspace_id").notNull(),
    day: text("day").notNull(),
    meter: text("meter").notNull(),
    userId: text("user_id").notNull(),
    keyId: text("key_id").notNull(),
    model: text("model").notNull(),
    amount: integer("amount").notNull(),
    events: integer("events").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.workspaceId, table.day, table.meter, table.userId, table.keyId, table.model] }),
    index("usage_days_by_day").on(table.day, table.workspaceId),
  ],
);

/** What requests of models came to; all of a settlement once, by its id. Kept like the amounts. */
const useColumns = () => ({
  workspaceId: text("workspace_id").notNull(),
  day: text("day").notNull(),
  userId: text("user_id").notNull(),
  keyId: text("key_id").notNull(),
  /** As the caller named it. */
  model: text("model").notNull(),
  provider: text("provider").notNull(),
  operation: text("operation").notNull(),
  requests: integer("requests").notNull(),
  errors: integer("errors").notNull(),
  estimated: integer("estimated").notNull(),
  tokens: integer("tokens").notNull(),
  inputTokens: integer("input_tokens").notNull(),
  cachedTokens: integer("cached_tokens").notNull(),
  outputTokens: integer("output_tokens").notNull(),
  moneyMicroUsd: integer("money_micro_usd").notNull(),
});

export const modelUseEvents = sqliteTable(
  "model_use_events",
  {
    id: text("id").notNull(),
    at: integer("at").notNull(),
    ...useColumns(),
    /** Stands in the sums of its day. */
    summed: integer("summed", { mode: "boolean" }).notNull().default(false),
  },
  (table) => [
    primaryKey({ columns: [table.workspaceId, table.id, table.provider, table.operation] }),
    index("model_use_events_by_summed").on(table.workspaceId, table.summed),
    index("model_use_events_by_time").on(table.at),
  ],
);

export const modelUseDays = sqliteTable("model_use_days", useColumns(), (table) => [
  primaryKey({
    columns: [table.workspaceId, table.day, table.userId, table.keyId, table.model, table.provider, table.operation],
  }),
  index("model_use_days_by_day").on(table.day),
]);

/** What was stored when a day ended, of workspaces that store or ever stored something. */
export const usageStorageDays = sqliteTable(
  "usage_storage_days",
  {
    workspaceId: text("workspace_id").notNull(),
    day: text("day").notNull(),
    sizeBytes: integer("size_bytes").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.workspaceId, table.day] }),
    index("usage_storage_days_by_day").on(table.day),
  ],
);

/** A workspace is told once in a period that a meter reached a share of its limit. */
export const usageNotices = sqliteTable(
  "usage_notices",
  {
    workspaceId: text("workspace_id").notNull(),
    meter: text("meter").notNull(),
    periodStart: integer("period_start").notNull(),
    level: integer("level").notNull(),
    used: integer("used").notNull(),
    limit: integer("limit").notNull(),
    createdAt: integer("created_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.workspaceId, table.meter, table.periodStart, table.level] })],
);

export const usageReports = sqliteTable(
  "usage_reports",
  {
    id: text("id").primaryKey(),
    workspaceId: text("workspace_id").notNull(),
    reportType: text("report_type", { enum: ["daily", "weekly", "monthly"] }).notNull(),
    periodStart: integer("period_start").notNull(),
    periodEnd: integer("period_end").notNull(),
    totalUploads: integer("total_uploads").notNull(),
    /** Started minutes of media that was worked on. */
    totalMinutes: integer("total_minutes").notNull(),
    totalStorage: integer("total_storage").notNull(),
    reportData: text("report_data", { mode: "json" }).$type<ReportData>().notNull(),
    createdAt: integer("created_at").notNull(),
  },
  (table) => [uniqueIndex("usage_reports_once").on(table.workspaceId, table.reportType, table.periodStart)],
);

export type UsageReportRow = typeof usageReports.$inferSelect;
