/** What is known of a workspace's subscription, and the payment company's events. Times are milliseconds, amounts millionths of a dollar. */
import { sql } from "drizzle-orm";
import { check, index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import type { PaymentProvider } from "#adapters/payments/index";
import type { Subscribed, SubscriptionState } from "#adapters/payments/contract";
import type { BillingInterval, PaidPlan } from "#core/plan-prices";
import type { PlanName } from "#core/plans";

/** One row a workspace and provider: the customer, and a copy of the subscription as it was last read. The provider has the truth. */
export const billingAccounts = sqliteTable(
  "billing_accounts",
  {
    workspaceId: text("workspace_id").notNull(),
    provider: text("provider").$type<PaymentProvider>().notNull(),
    customerId: text("customer_id").notNull(),
    /** The plan that the subscription pays for: free without one, and after the grace of an unpaid one. */
    grantedPlan: text("granted_plan").$type<PlanName>().notNull().default("free"),
    subscriptionId: text("subscription_id"),
    plan: text("plan").$type<PaidPlan>(),
    interval: text("interval").$type<BillingInterval>(),
    state: text("state").$type<SubscriptionState>(),
    periodStartsAt: integer("period_starts_at"),
    periodEndsAt: integer("period_ends_at"),
    cancelAtPeriodEnd: integer("cancel_at_period_end", { mode: "boolean" }).notNull().default(false),
    trialEndsAt: integer("trial_ends_at"),
    /** A workspace tries a plan once. */
    trialUsedAt: integer("trial_used_at"),
    overdueSince: integer("overdue_since"),
    pending: text("pending", { mode: "json" }).$type<Subscribed["pending"]>(),
    /** The page on which the workspace can pay, null before it is opened, and when it was last asked to. */
    checkoutId: text("checkout_id"),
    checkoutAt: integer("checkout_at"),
    /** How many pages have ended: the payment company opens one a turn. */
    checkoutTurn: integer("checkout_turn").notNull().default(0),
    /** Changed by each write: one that was decided on an older copy fails (`billing_accounts_fence_holds`). */
    version: integer("version").notNull().default(0),
    fence: integer("fence").notNull().default(1),
    readAt: integer("read_at"),
    createdAt: integer("created_at").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.workspaceId, table.provider] }),
    uniqueIndex("billing_accounts_by_customer").on(table.provider, table.customerId),
    index("billing_accounts_by_state").on(table.provider, table.state, table.workspaceId),
    check("billing_accounts_fence_holds", sql`fence = 1`),
  ],
);

export type BillingAccountRow = typeof billingAccounts.$inferSelect;

/** Events that arrived: the key makes a repeated one do nothing. */
export const billingEvents = sqliteTable(
  "billing_events",
  {
    id: text("id").notNull(),
    provider: text("provider").$type<PaymentProvider>().notNull(),
    type: text("type").notNull(),
    /** Null: of a customer that is not ours. */
    workspaceId: text("workspace_id"),
    invoiceId: text("invoice_id"),
    createdAt: integer("created_at").notNull(),
    receivedAt: integer("received_at").notNull(),
    processedAt: integer("processed_at"),
  },
  (table) => [
    primaryKey({ columns: [table.provider, table.id] }),
    index("billing_events_by_workspace").on(table.workspaceId, table.processedAt),
    index("billing_events_by_time").on(table.receivedAt),
  ],
);

export type BillingEventRow = typeof billingEvents.$inferSelect;

/** How each invoice was last seen, so that its payment and each failed try are told once. */
export const billingInvoices = sqliteTable(
  "billing_invoices",
  {
    id: text("id").primaryKey(),
    workspaceId: text("workspace_id").notNull(),
    provider: text("provider").$type<PaymentProvider>().notNull(),
    status: text("status").notNull(),
    attempts: integer("attempts").notNull(),
    amountDueMicroUsd: integer("amount_due_micro_usd").notNull(),
    updatedAt: integer("updated_at").notNull(),
  },
  (table) => [index("billing_invoices_by_workspace").on(table.workspaceId)],
);

export type BillingInvoiceRow = typeof billingInvoices.$inferSelect;
