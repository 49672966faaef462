/** Keys for model providers that workspaces bring, each in an envelope, and how they were used by day. Times are milliseconds. */
import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";

export const providerKeys = sqliteTable(
  "provider_keys",
  {
    id: text("id").primaryKey(),
    workspaceId: text("workspace_id").notNull(),
    /** Who brought it. */
    userId: text("user_id").notNull(),
    /** One of a test mode is for the simulator and never leaves for the provider. */
    mode: text("mode", { enum: ["live", "test"] }).notNull(),
    provider: text("provider").notNull(),
    name: text("name").notNull(),
    /** Null: the provider's own address. */
    baseUrl: text("base_url"),
    /** Empty once deleted. */
    wrappedSecret: text("wrapped_secret").notNull(),
    masterVersion: integer("master_version").notNull(),
    /** Keyed: tells that two are the same, and nothing else. */
    hash: text("hash").notNull(),
    preview: text("preview").notNull(),
    enabled: integer("enabled", { mode: "boolean" }).notNull(),
    /** What the last live check found. */
    valid: integer("valid", { mode: "boolean" }).notNull(),
    checkedAt: integer("checked_at").notNull(),
    calls: integer("calls").notNull().default(0),
    errors: integer("errors").notNull().default(0),
    tokens: integer("tokens").notNull().default(0),
    costMicroUsd: integer("cost_micro_usd").notNull().default(0),
    lastUsedAt: integer("last_used_at"),
    createdAt: integer("created_at").notNull(),
    updatedAt: integer("updated_at").notNull(),
    deletedAt: integer("deleted_at"),
  },
  (table) => [
    index("provider_keys_by_workspace").on(table.workspaceId, table.id),
    index("provider_keys_by_master").on(table.masterVersion, table.id),
    uniqueIndex("provider_keys_one_name")
      .on(table.workspaceId, table.mode, table.provider, table.name)
      .where(sql`deleted_at is null`),
    uniqueIndex("provider_keys_one_secret")
      .on(table.workspaceId, table.mode, table.provider, table.hash)
      .where(sql`deleted_at is null`),
  ],
);

export type ProviderKeyRow = typeof providerKeys.$inferSelect;

export const providerKeyDays = sqliteTable(
  "provider_key_days",
  {
    keyId: text("key_id").notNull(),
    day: text("day").notNull(),
    endpoint: text("endpoint").notNull(),
    calls: integer("calls").notNull(),
    errors: integer("errors").notNull(),
    tokens: integer("tokens").notNull(),
    costMicroUsd: integer("cost_micro_usd").notNull(),
    durationMs: integer("duration_ms").notNull(),
    lastStatus: integer("last_status").notNull(),
    lastError: text("last_error"),
    lastUsedAt: integer("last_used_at").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.keyId, table.day, table.endpoint] }),
    index("provider_key_days_by_day").on(table.day),
  ],
);

export type KeyDayRow = typeof providerKeyDays.$inferSelect;
