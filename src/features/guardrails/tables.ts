/** What a workspace lets its members ask models and hear from them: one policy each, with the number of its version. Times are milliseconds. */
import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import type { Rule } from "./shapes.ts";

export const guardrails = sqliteTable("guardrails", {
  workspaceId: text("workspace_id").primaryKey(),
  /** From 1, one more with each change. */
  version: integer("version").notNull(),
  allowedModels: text("allowed_models", { mode: "json" }).$type<string[]>().notNull(),
  rules: text("rules", { mode: "json" }).$type<Rule[]>().notNull(),
  changedBy: text("changed_by").notNull(),
  changedAt: integer("changed_at").notNull(),
});

export type GuardrailsRow = typeof guardrails.$inferSelect;
