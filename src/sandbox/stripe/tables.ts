/** The simulated Stripe's memory. Times are milliseconds. */
import { sql } from "drizzle-orm";
import { check, index, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** One row a customer, with everything that belongs to it; one row `catalog` with products and prices. */
export const sandboxStripeBooks = sqliteTable(
  "sandbox_stripe_books",
  {
    id: text("id").primaryKey(),
    data: text("data").notNull(),
    version: integer("version").notNull().default(0),
    /** A write on an older copy fails. */
    fence: integer("fence").notNull().default(1),
  },
  () => [check("sandbox_stripe_books_fence_holds", sql`fence = 1`)],
);

/** Answers kept for idempotency keys. */
export const sandboxStripeReplies = sqliteTable(
  "sandbox_stripe_replies",
  {
    key: text("key").primaryKey(),
    request: text("request").notNull(),
    status: integer("status").notNull(),
    body: text("body").notNull(),
    createdAt: integer("created_at").notNull(),
  },
  (table) => [index("sandbox_stripe_replies_by_time").on(table.createdAt)],
);

export const sandboxStripeEvents = sqliteTable(
  "sandbox_stripe_events",
  {
    id: text("id").primaryKey(),
    body: text("body").notNull(),
    attempts: integer("attempts").notNull().default(0),
    deliveredAt: integer("delivered_at"),
    createdAt: integer("created_at").notNull(),
  },
  (table) => [
    index("sandbox_stripe_events_waiting").on(table.deliveredAt, table.createdAt),
    index("sandbox_stripe_events_by_time").on(table.createdAt),
  ],
);
