/** People. Sessions are not here: they live in the person's session-store object. Times are milliseconds. */
import { index, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { globalRoles, supportLevels } from "#core/access";

export const users = sqliteTable(
  "users",
  {
    id: text("id").primaryKey(),
    /** Lower case, trimmed. */
    email: text("email").notNull().unique(),
    /** As the person writes it; unique without regard to case by `usernameKey`. */
    username: text("username"),
    usernameKey: text("username_key").unique(),
    name: text("name").notNull(),
    passwordPhc: text("password_phc").notNull(),
    role: text("role", { enum: globalRoles }).notNull().default("user"),
    status: text("status", { enum: ["active", "suspended", "deleted"] })
      .notNull()
      .default("active"),
    /** Of people whose role is `support`. */
    supportLevel: text("support_level", { enum: supportLevels }),
    userType: text("user_type", { enum: ["Personal", "Business"] })
      .notNull()
      .default("Personal"),
    aboutMe: text("about_me").notNull().default(""),
    hobbies: text("hobbies").notNull().default(""),
    /** Which prompt styles and which highest level the person may use. */
    promptStyles: text("prompt_styles", { mode: "json" }).$type<string[]>().notNull().default(["bpe", "tot"]),
    promptLevel: text("prompt_level", { enum: ["low", "medium", "high", "ultra"] })
      .notNull()
      .default("low"),
    preferences: text("preferences", { mode: "json" }).$type<Record<string, unknown>>().notNull().default({}),
    /** Written by staff about the person; never shown to the person but in the export of their data. */
    staffNotes: text("staff_notes").notNull().default(""),
    /** A sub-user belongs to this workspace only, and has no personal one. */
    parentWorkspaceId: text("parent_workspace_id"),
    /** The API key that clients with one key know of. */
    defaultKeyId: text("default_key_id"),
    emailVerifiedAt: integer("email_verified_at"),
    lastLoginAt: integer("last_login_at"),
    createdAt: integer("created_at").notNull(),
    updatedAt: integer("updated_at").notNull(),
  },
  (table) => [
    index("users_by_creation").on(table.createdAt),
    index("users_by_parent").on(table.parentWorkspaceId),
    index("users_by_role").on(table.role),
  ],
);

export type UserRow = typeof users.$inferSelect;

/** What stays of a deleted account: who deleted it, when and why, and a keyed hash that answers "was this address here?". */
export const deletedUsers = sqliteTable(
  "deleted_users",
  {
    id: text("id").primaryKey(),
    reason: text("reason").notNull(),
    /** `self`, or the id of the person who did it. */
    deletedBy: text("deleted_by").notNull(),
    addressHash: text("address_hash").notNull(),
    createdAt: integer("created_at").notNull(),
    deletedAt: integer("deleted_at").notNull(),
  },
  (table) => [index("deleted_users_by_address").on(table.addressHash)],
);
