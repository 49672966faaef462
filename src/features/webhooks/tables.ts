/** Outgoing webhooks: endpoints, the events they were told of, one delivery for each pair, and the log of its tries. Times are milliseconds. */
import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";

export const webhooks = sqliteTable(
  "webhooks",
  {
    id: text("id").primaryKey(),
    workspaceId: text("workspace_id").notNull(),
    /** Who made it, and is told when it is switched off. */
    userId: text("user_id").notNull(),
    url: text("url").notNull(),
    description: text("description").notNull(),
    /** Types of events, or beginnings of types that end in `.*`, or `*`. */
    events: text("events", { mode: "json" }).$type<string[]>().notNull(),
    enabled: integer("enabled", { mode: "boolean" }).notNull().default(true),
    /** Why it is off. */
    disabledReason: text("disabled_reason", { enum: ["person", "gone", "exhausted"] }),
    wrappedSecret: text("wrapped_secret").notNull(),
    masterVersion: integer("master_version").notNull(),
    /** The secret before the last rotation signs, too, until its time is over. */
    oldWrappedSecret: text("old_wrapped_secret"),
    oldMasterVersion: integer("old_master_version"),
    oldSecretUntil: integer("old_secret_until"),
    lastSuccessAt: integer("last_success_at"),
    lastFailureAt: integer("last_failure_at"),
    createdAt: integer("created_at").notNull(),
    updatedAt: integer("updated_at").notNull(),
    deletedAt: integer("deleted_at"),
  },
  (table) => [
    index("webhooks_by_workspace").on(table.workspaceId, table.id),
    index("webhooks_living")
      .on(table.workspaceId)
      .where(sql`enabled = 1 and deleted_at is null`),
  ],
);

export const webhookEvents = sqliteTable(
  "webhook_events",
  {
    id: text("id").primaryKey(),
    workspaceId: text("workspace_id").notNull(),
    type: text("type").notNull(),
    /** The bytes that are signed and sent, the same at each try. */
    body: text("body").notNull(),
    createdAt: integer("created_at").notNull(),
  },
  (table) => [index("webhook_events_by_time").on(table.createdAt)],
);

export const webhookDeliveries = sqliteTable(
  "webhook_deliveries",
  {
    id: text("id").primaryKey(),
    workspaceId: text("workspace_id").notNull(),
    webhookId: text("webhook_id").notNull(),
    eventId: text("event_id").notNull(),
    type: text("type").notNull(),
    state: text("state", { enum: ["pending", "delivered", "failed"] }).notNull(),
    /** Tries since it was last asked for; a redelivery counts anew. */
    tries: integer("tries").notNull().default(0),
    attempts: integer("attempts").notNull().default(0),
    lastStatus: integer("last_status"),
    nextAttemptAt: integer("next_attempt_at"),
    askedAt: integer("asked_at").notNull(),
    endedAt: integer("ended_at"),
    createdAt: integer("created_at").notNull(),
  },
  (table) => [
    uniqueIndex("webhook_deliveries_once").on(table.webhookId, table.eventId),
    index("webhook_deliveries_by_webhook").on(table.webhookId, table.id),
    index("webhook_deliveries_by_time").on(table.createdAt),
  ],
);

export const webhookAttempts = sqliteTable(
  "webhook_attempts",
  {
    deliveryId: text("delivery_id").notNull(),
    number: integer("number").notNull(),
    at: integer("at").notNull(),
    /** Null: no answer. What the endpoint said is never kept. */
    status: integer("status"),
    outcome: text("outcome").notNull(),
    durationMs: integer("duration_ms").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.deliveryId, table.number] }),
    index("webhook_attempts_by_time").on(table.at),
  ],
);

export type WebhookRow = typeof webhooks.$inferSelect;
export type WebhookEventRow = typeof webhookEvents.$inferSelect;
export type DeliveryRow = typeof webhookDeliveries.$inferSelect;
export type AttemptRow = typeof webhookAttempts.$inferSelect;
