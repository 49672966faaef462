/** The tables of the grammar itself: jobs with their events, the audit trail, and the answers kept for idempotency keys. */
import { sql } from "drizzle-orm";
import { check, index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import type { JobState } from "./states.ts";

/** What an entry of the audit trail is about, and how much it matters. */
export const auditCategories = ["auth", "account", "workspace", "key", "file", "billing", "staff", "system"] as const;
export const severities = ["info", "warning", "error", "critical"] as const;

/** The row is the truth and the outbox in one; the queue message is only a hint. Times are milliseconds. */
export const jobs = sqliteTable(
  "jobs",
  {
    id: text("id").primaryKey(),
    workspaceId: text("workspace_id").notNull(),
    userId: text("user_id"),
    name: text("name").notNull(),
    lane: text("lane").notNull(),
    /** A person or key asked for this very work: shown in the list of the workspace's jobs. */
    listed: integer("listed", { mode: "boolean" }).notNull().default(true),
    payload: text("payload").notNull(),
    state: text("state").$type<JobState>().notNull(),
    step: text("step"),
    done: integer("done").notNull().default(0),
    total: integer("total").notNull().default(0),
    attempt: integer("attempt").notNull().default(0),
    maxAttempts: integer("max_attempts").notNull(),
    runAt: integer("run_at").notNull(),
    offeredAt: integer("offered_at"),
    leaseToken: text("lease_token"),
    leaseUntil: integer("lease_until"),
    cancelRequestedAt: integer("cancel_requested_at"),
    result: text("result"),
    problemCode: text("problem_code"),
    problemDetail: text("problem_detail"),
    problemMembers: text("problem_members"),
    createdAt: integer("created_at").notNull(),
    startedAt: integer("started_at"),
    endedAt: integer("ended_at"),
    updatedAt: integer("updated_at").notNull(),
    /** Set by the fence statement of a batch: a lost lease makes it 0, the check fails and the whole batch rolls back. */
    fence: integer("fence").notNull().default(1),
  },
  (table) => [
    index("jobs_by_workspace").on(table.workspaceId, table.id),
    index("jobs_listed")
      .on(table.workspaceId, table.id)
      .where(sql`listed = 1`),
    index("jobs_by_state").on(table.state, table.runAt),
    index("jobs_by_end").on(table.lane, table.endedAt),
    check("jobs_fence_holds", sql`fence = 1`),
  ],
);

export type JobRow = typeof jobs.$inferSelect;

export const jobEvents = sqliteTable(
  "job_events",
  {
    jobId: text("job_id").notNull(),
    seq: integer("seq").notNull(),
    at: integer("at").notNull(),
    type: text("type").notNull(),
    data: text("data").notNull(),
  },
  (table) => [primaryKey({ columns: [table.jobId, table.seq] }), index("job_events_by_time").on(table.at)],
);

export const auditLog = sqliteTable(
  "audit_log",
  {
    id: text("id").primaryKey(),
    workspaceId: text("workspace_id"),
    actorKind: text("actor_kind").notNull(),
    actorId: text("actor_id"),
    action: text("action").notNull(),
    target: text("target"),
    category: text("category", { enum: auditCategories }).notNull().default("system"),
    severity: text("severity", { enum: severities }).notNull().default("info"),
    details: text("details").notNull(),
    /** JSON objects of what an act changed: only members that differ, secrets redacted. */
    before: text("before"),
    after: text("after"),
    /** How often the same thing happened in its window; above 1 for repeated failures only. */
    repeats: integer("repeats").notNull().default(1),
    requestId: text("request_id").notNull(),
    address: text("address"),
    createdAt: integer("created_at").notNull(),
  },
  (table) => [
    index("audit_log_by_workspace").on(table.workspaceId, table.id),
    index("audit_log_by_time").on(table.createdAt),
    index("audit_log_by_action").on(table.action, table.id),
    index("audit_log_by_severity").on(table.severity, table.id),
    index("audit_log_by_actor").on(table.actorId, table.id),
    index("audit_log_by_target").on(table.target, table.id),
  ],
);

export type AuditRow = typeof auditLog.$inferSelect;

export const idempotencyKeys = sqliteTable(
  "idempotency_keys",
  {
    scope: text("scope").notNull(),
    operation: text("operation").notNull(),
    key: text("key").notNull(),
    requestHash: text("request_hash").notNull(),
    status: integer("status"),
    body: text("body"),
    lockedUntil: integer("locked_until").notNull(),
    createdAt: integer("created_at").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.scope, table.operation, table.key] }),
    index("idempotency_keys_by_time").on(table.createdAt),
  ],
);
