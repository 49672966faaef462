/** Batches of prompts and what came of each task. How far a batch is stands in its `jobs` row. Times are milliseconds. */
import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import type { WorkspaceCtx } from "#core/context";
import type { KeyBudget } from "#core/limits";
import type { LogLevel } from "#core/message-log";
import type { Hold } from "#features/usage/service";
import type { BatchBody } from "./shapes.ts";

/** As whom the tasks are run: the key that asked, with its budgets. */
export interface Acting {
  actor: Extract<WorkspaceCtx["actor"], { kind: "api-key" }> | null;
  keyBudgets: readonly KeyBudget[];
  /** What is kept of its requests at most; batches of before have none. */
  messageLog?: LogLevel;
}

export const promptBatches = sqliteTable(
  "prompt_batches",
  {
    id: text("id").primaryKey(),
    workspaceId: text("workspace_id").notNull(),
    userId: text("user_id").notNull(),
    jobId: text("job_id").notNull(),
    asked: text("asked", { mode: "json" }).$type<BatchBody>().notNull(),
    acting: text("acting", { mode: "json" }).$type<Acting>().notNull(),
    totalTasks: integer("total_tasks").notNull(),
    /** The credits that are set aside now; null: none are. */
    hold: text("hold", { mode: "json" }).$type<Hold>(),
    /** How often credits were settled, and for how many tasks: a batch that was cancelled and begins again sets aside anew. */
    settlements: integer("settlements").notNull().default(0),
    settledTasks: integer("settled_tasks").notNull().default(0),
    createdAt: integer("created_at").notNull(),
  },
  (table) => [index("prompt_batches_by_time").on(table.createdAt)],
);

export type BatchRow = typeof promptBatches.$inferSelect;

export const promptBatchResults = sqliteTable(
  "prompt_batch_results",
  {
    batchId: text("batch_id").notNull(),
    taskIndex: integer("task_index").notNull(),
    success: integer("success", { mode: "boolean" }).notNull(),
    response: text("response"),
    problemCode: text("problem_code"),
    problemDetail: text("problem_detail"),
    processingTimeMs: integer("processing_time_ms").notNull(),
    tokensUsed: integer("tokens_used").notNull(),
  },
  (table) => [primaryKey({ columns: [table.batchId, table.taskIndex] })],
);

export type BatchResultRow = typeof promptBatchResults.$inferSelect;
