/** Workspaces and who belongs to them. Every row of the product that belongs to somebody carries a workspace id. */
import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import type { WorkspaceRole } from "#core/access";
import type { LimitOverrides, PlanName } from "#core/plans";

export const workspaces = sqliteTable(
  "workspaces",
  {
    id: text("id").primaryKey(),
    name: text("name").notNull(),
    kind: text("kind", { enum: ["personal", "team"] }).notNull(),
    ownerUserId: text("owner_user_id").notNull(),
    plan: text("plan").$type<PlanName>().notNull().default("free"),
    /** A superadmin's overrides of the plan's limits. */
    limitOverrides: text("limit_overrides", { mode: "json" }).$type<LimitOverrides>().notNull().default({}),
    createdAt: integer("created_at").notNull(),
    deletedAt: integer("deleted_at"),
  },
  (table) => [index("workspaces_by_owner").on(table.ownerUserId)],
);

export const workspaceMembers = sqliteTable(
  "workspace_members",
  {
    workspaceId: text("workspace_id").notNull(),
    userId: text("user_id").notNull(),
    role: text("role").$type<WorkspaceRole>().notNull(),
    createdAt: integer("created_at").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.workspaceId, table.userId] }),
    index("workspace_members_by_user").on(table.userId),
  ],
);
