/** API keys: only a hash of the secret is kept. Times are milliseconds. */
import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import type { Permission } from "#core/access";
import type { KeyBudget } from "#core/limits";
import type { NamedLimit, Outcome } from "./rules.ts";

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
    /** `imported`: a key that an older system made, found by its hash; its text says nothing about itself. */
    kind: text("kind", { enum: ["own", "imported"] })
      .notNull()
      .default("own"),
    /** Hexadecimal SHA-256 of the key's id and secret, or of an imported key's text. */
    hash: text("hash").notNull(),
    scopes: text("scopes", { mode: "json" }).$type<Permission[]>().notNull(),
    enabled: integer("enabled", { mode: "boolean" }).notNull().default(true),
    expiresAt: integer("expires_at"),
    /** Limits of this key beside those of the plan. */
    limits: text("limits", { mode: "json" }).$type<NamedLimit[]>().notNull().default([]),
    budgets: text("budgets", { mode: "json" }).$type<KeyBudget[]>().notNull().default([]),
    /** Ranges of addresses that it may come from; empty: any. */
    allowedAddresses: text("allowed_addresses", { mode: "json" }).$type<string[]>().notNull().default([]),
    /** Ids of models or patterns of them (`*` for any run of characters). */
    allowedModels: text("allowed_models", { mode: "json" }).$type<string[]>().notNull().default(["*"]),
    /** What the owner notes about it: a JSON object. */
    metadata: text("metadata", { mode: "json" }).$type<Record<string, unknown>>(),
    rotatedAt: integer("rotated_at"),
    lastUsedAt: integer("last_used_at"),
    createdAt: integer("created_at").notNull(),
    deletedAt: integer("deleted_at"),
  },
  (table) => [
    index("api_keys_by_workspace").on(table.workspaceId, table.id),
    uniqueIndex("api_keys_imported")
      .on(table.hash)
      .where(sql`kind = 'imported' and deleted_at is null`),
  ],
);

/** Secrets before a rotation, while they still work. */
export const retiredSecrets = sqliteTable(
  "api_key_retired_secrets",
  {
    hash: text("hash").primaryKey(),
    keyId: text("key_id").notNull(),
    until: integer("until").notNull(),
  },
  (table) => [index("api_key_retired_secrets_by_time").on(table.until)],
);

/** How often each key was used on a day of UTC, and with which outcome. */
export const keyUses = sqliteTable(
  "api_key_uses",
  {
    keyId: text("key_id").notNull(),
    day: text("day").notNull(),
    outcome: text("outcome").$type<Outcome>().notNull(),
    uses: integer("uses").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.keyId, table.day, table.outcome] }),
    index("api_key_uses_by_day").on(table.day),
  ],
);

export type ApiKeyRow = typeof apiKeys.$inferSelect;
