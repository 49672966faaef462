/** Workspaces, who belongs to them and who is invited. Every row of the product that belongs to somebody carries a workspace id. */
import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import type { WorkspaceRole } from "#core/access";
import type { LimitOverrides, PlanName } from "#core/plans";
import type { SubUserGrant } from "#core/sub-user";

export const workspaceSizes = ["small", "medium", "large", "enterprise"] as const;

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
    /** Null for personal workspaces that were given none, and once the workspace is deleted: the name is free then. */
    slug: text("slug").unique(),
    description: text("description").notNull().default(""),
    size: text("size", { enum: workspaceSizes }).notNull().default("small"),
    settings: text("settings", { mode: "json" }).$type<Record<string, unknown>>().notNull().default({}),
    /** When the files of a deleted workspace were removed. */
    purgedAt: integer("purged_at"),
  },
  (table) => [index("workspaces_by_owner").on(table.ownerUserId), index("workspaces_by_deletion").on(table.deletedAt)],
);

export type WorkspaceRow = typeof workspaces.$inferSelect;

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

/** One row an invitation; asking the same person again gives the waiting row a new token. */
export const workspaceInvitations = sqliteTable(
  "workspace_invitations",
  {
    id: text("id").primaryKey(),
    workspaceId: text("workspace_id").notNull(),
    kind: text("kind", { enum: ["member", "sub-user"] }).notNull(),
    email: text("email").notNull(),
    /** Of a member to be. */
    role: text("role").$type<WorkspaceRole>(),
    /** Of a sub-user to be. */
    grant: text("grant", { mode: "json" }).$type<SubUserGrant>(),
    /** Hexadecimal SHA-256 of the token. */
    tokenHash: text("token_hash").notNull().unique(),
    invitedBy: text("invited_by").notNull(),
    createdAt: integer("created_at").notNull(),
    expiresAt: integer("expires_at").notNull(),
    acceptedAt: integer("accepted_at"),
    revokedAt: integer("revoked_at"),
  },
  (table) => [
    index("workspace_invitations_by_workspace").on(table.workspaceId, table.id),
    uniqueIndex("workspace_invitations_waiting")
      .on(table.workspaceId, table.kind, table.email)
      .where(sql`accepted_at is null and revoked_at is null`),
  ],
);

export type InvitationRow = typeof workspaceInvitations.$inferSelect;
