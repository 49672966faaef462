/** What was mailed, and what people are told inside the product. Times are milliseconds. */
import { sql } from "drizzle-orm";
import { index, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { notificationKinds } from "./rules.ts";

export const outboxMails = sqliteTable(
  "outbox_mails",
  {
    id: text("id").primaryKey(),
    workspaceId: text("workspace_id"),
    userId: text("user_id"),
    template: text("template").notNull(),
    recipient: text("recipient").notNull(),
    transport: text("transport", { enum: ["outbox", "cloudflare", "smtp", "resend"] }).notNull(),
    state: text("state", { enum: ["sent", "refused", "failed"] }).notNull(),
    /** Why it was refused or failed. */
    problem: text("problem"),
    /** Null where a person got the mail: what it said is theirs. */
    subject: text("subject"),
    text: text("text"),
    html: text("html"),
    messageId: text("message_id").notNull(),
    /** The name that the vendor gave it. */
    vendorId: text("vendor_id"),
    createdAt: integer("created_at").notNull(),
  },
  (table) => [
    index("outbox_mails_by_recipient").on(table.recipient, table.id),
    index("outbox_mails_by_time").on(table.createdAt),
  ],
);

export type OutboxMailRow = typeof outboxMails.$inferSelect;

export const notifications = sqliteTable(
  "notifications",
  {
    id: text("id").primaryKey(),
    userId: text("user_id").notNull(),
    workspaceId: text("workspace_id"),
    kind: text("kind", { enum: notificationKinds }).notNull(),
    title: text("title").notNull(),
    body: text("body").notNull(),
    data: text("data", { mode: "json" }).$type<Record<string, unknown>>().notNull(),
    readAt: integer("read_at"),
    createdAt: integer("created_at").notNull(),
  },
  (table) => [
    index("notifications_by_person").on(table.userId, table.id),
    index("notifications_unread")
      .on(table.userId, table.id)
      .where(sql`read_at is null`),
    index("notifications_by_time").on(table.createdAt),
  ],
);

export type NotificationRow = typeof notifications.$inferSelect;
