/** What the admins of a workspace allow a sub-user; the person itself is a row of `users`. Times are milliseconds. */
import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import type { SubUserLimits, SubUserPermissions } from "#core/sub-user";

export const subUsers = sqliteTable(
  "sub_users",
  {
    userId: text("user_id").primaryKey(),
    workspaceId: text("workspace_id").notNull(),
    active: integer("active", { mode: "boolean" }).notNull().default(true),
    permissions: text("permissions", { mode: "json" }).$type<SubUserPermissions>().notNull(),
    limits: text("limits", { mode: "json" }).$type<SubUserLimits>().notNull(),
    createdBy: text("created_by").notNull(),
    createdAt: integer("created_at").notNull(),
    updatedAt: integer("updated_at").notNull(),
    /** Written at most once a minute. */
    lastActiveAt: integer("last_active_at"),
  },
  (table) => [index("sub_users_by_workspace").on(table.workspaceId, table.userId)],
);

export type SubUserRow = typeof subUsers.$inferSelect;

/** Requests of a sub-user by day (UTC), for activity and trends: counted by the isolates, so a lost isolate loses up to a minute of it. */
export const subUserDays = sqliteTable(
  "sub_user_days",
  {
    userId: text("user_id").notNull(),
    workspaceId: text("workspace_id").notNull(),
    /** `YYYY-MM-DD`. */
    day: text("day").notNull(),
    requests: integer("requests").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.userId, table.day] }),
    index("sub_user_days_by_workspace").on(table.workspaceId, table.day),
  ],
);
