/** People. Sessions are not here: they live in the person's session-store object. Times are milliseconds. */
import { index, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";

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
    role: text("role", { enum: ["user", "developer", "admin", "superadmin"] })
      .notNull()
      .default("user"),
    status: text("status", { enum: ["active", "suspended", "deleted"] })
      .notNull()
      .default("active"),
    emailVerifiedAt: integer("email_verified_at"),
    lastLoginAt: integer("last_login_at"),
    createdAt: integer("created_at").notNull(),
    updatedAt: integer("updated_at").notNull(),
  },
  (table) => [index("users_by_creation").on(table.createdAt)],
);

export type UserRow = typeof users.$inferSelect;
