/** API keys: only a hash of the secret is kept. Times are milliseconds. */
import { index, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import type { Permission } from "#core/access";

export const apiKeys = sqliteTable(
  "api_keys",
  {
    id: text("id").primaryKey(),
    workspaceId: text("workspace_id").notNull(),
    userId: text("user_id").notNull(),
    /** A key of this session only: it ends with it, and is in no list. */
    sessionId: text("session_id"),
    name: text("name").notNull(),
    mode: text("mode", { enum: ["live", "test"] }).notNull(),
    /** The first characters, so that a person recognises the key in a list. */
    start: text("start").notNull(),
    /** Hexadecimal SHA-256 of the key's 32 secret bytes. */
    hash: text("hash").notNull(),
    scopes: text("scopes", { mode: "json" }).$type<Permission[]>().notNull(),
    enabled: integer("enabled", { mode: "boolean" }).notNull().default(true),
    expiresAt: integer("expires_at"),
    lastUsedAt: integer("last_used_at"),
    createdAt: integer("created_at").notNull(),
    deletedAt: integer("deleted_at"),
  },
  (table) => [index("api_keys_by_workspace").on(table.workspaceId, table.id)],
);

export type ApiKeyRow = typeof apiKeys.$inferSelect;
