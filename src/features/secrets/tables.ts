/** Encryption keys (wrapped by the master key) and data keys (wrapped by an encryption key). No key stands here in clear. Times are milliseconds. */
import { sql } from "drizzle-orm";
import { index, integer, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";

export const encryptionKeys = sqliteTable(
  "encryption_keys",
  {
    id: text("id").primaryKey(),
    workspaceId: text("workspace_id").notNull(),
    /** Whose key it is; of an imported master key, who imported it. */
    userId: text("user_id").notNull(),
    keyType: text("key_type", { enum: ["user", "master", "session"] }).notNull(),
    /** Format of the sealed images that the key is for. */
    format: integer("format").$type<1 | 2>().notNull(),
    /** Counts the keys of one person; a rotated key keeps its own. */
    version: integer("version").notNull(),
    state: text("state", { enum: ["active", "retired", "deactivated"] }).notNull(),
    wrappedKey: text("wrapped_key").notNull(),
    /** The version of MASTER_KEYS that wraps it. */
    masterVersion: integer("master_version").notNull(),
    fingerprint: text("fingerprint").notNull(),
    description: text("description"),
    /** Format 1: the `user_id` that EchoCipher derived its key with. */
    externalUserId: text("external_user_id"),
    sessionId: text("session_id"),
    /** Of a session key: when its session was to end when this was last looked up. */
    expiresAt: integer("expires_at"),
    createdAt: integer("created_at").notNull(),
    rotatedAt: integer("rotated_at"),
    deactivatedAt: integer("deactivated_at"),
  },
  (table) => [
    index("encryption_keys_by_workspace").on(table.workspaceId, table.id),
    index("encryption_keys_by_person").on(table.workspaceId, table.userId, table.keyType),
    index("encryption_keys_by_master").on(table.masterVersion, table.id),
    index("encryption_keys_retired")
      .on(table.id)
      .where(sql`state = 'retired'`),
    uniqueIndex("encryption_keys_one_active_user_key")
      .on(table.workspaceId, table.userId)
      .where(sql`key_type = 'user' and state = 'active'`),
    uniqueIndex("encryption_keys_one_active_session_key")
      .on(table.workspaceId, table.sessionId)
      .where(sql`key_type = 'session' and state = 'active'`),
    uniqueIndex("encryption_keys_one_import")
      .on(table.workspaceId, table.externalUserId, table.fingerprint)
      .where(sql`key_type = 'master' and state <> 'deactivated'`),
  ],
);

export type EncryptionKeyRow = typeof encryptionKeys.$inferSelect;

export const dataKeys = sqliteTable(
  "data_keys",
  {
    /** 32 hexadecimal characters: the 16-byte key id in the header of a sealed image. */
    id: text("id").primaryKey(),
    workspaceId: text("workspace_id").notNull(),
    conversionId: text("conversion_id").notNull(),
    encryptionKeyId: text("encryption_key_id").notNull(),
    /** Empty once destroyed. */
    wrappedKey: text("wrapped_key").notNull(),
    destroyedAt: integer("destroyed_at"),
    createdAt: integer("created_at").notNull(),
  },
  (table) => [
    index("data_keys_by_conversion").on(table.workspaceId, table.conversionId),
    index("data_keys_by_encryption_key").on(table.encryptionKeyId, table.id),
  ],
);
