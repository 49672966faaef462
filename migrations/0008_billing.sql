CREATE TABLE `billing_accounts` (
	`workspace_id` text NOT NULL,
	`provider` text NOT NULL,
	`customer_id` text NOT NULL,
	`granted_plan` text DEFAULT 'free' NOT NULL,
	`subscription_id` text,
	`plan` text,
	`interval` text,
	`state` text,
	`period_starts_at` integer,
	`period_ends_at` integer,
	`cancel_at_period_end` integer DEFAULT false NOT NULL,
	`trial_ends_at` integer,
	`trial_used_at` integer,
	`overdue_since` integer,
	`pending` text,
	`checkout_id` text,
	`checkout_at` integer,
	`version` integer DEFAULT 0 NOT NULL,
	`fence` integer DEFAULT 1 NOT NULL,
	`read_at` integer,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`workspace_id`, `provider`),
	CONSTRAINT "billing_accounts_fence_holds" CHECK(fence = 1)
) STRICT;

CREATE UNIQUE INDEX `billing_accounts_by_customer` ON `billing_accounts` (`provider`,`customer_id`);
CREATE INDEX `billing_accounts_by_state` ON `billing_accounts` (`provider`,`state`,`workspace_id`);
CREATE TABLE `billing_events` (
	`id` text NOT NULL,
	`provider` text NOT NULL,
	`type` text NOT NULL,
	`workspace_id` text,
	`invoice_id` text,
	`created_at` integer NOT NULL,
	`received_at` integer NOT NULL,
	`processed_at` integer,
	PRIMARY KEY(`provider`, `id`)
) STRICT;

CREATE INDEX `billing_events_by_workspace` ON `billing_events` (`workspace_id`,`processed_at`);
CREATE INDEX `billing_events_by_time` ON `billing_events` (`received_at`);
CREATE TABLE `billing_invoices` (
	`id` text PRIMARY KEY NOT NULL,
	`workspace_id` text NOT NULL,
	`provider` text NOT NULL,
	`status` text NOT NULL,
	`attempts` integer NOT NULL,
	`amount_due_micro_usd` integer NOT NULL,
	`updated_at` integer NOT NULL
) STRICT;

CREATE INDEX `billing_invoices_by_workspace` ON `billing_invoices` (`workspace_id`);
CREATE TABLE `sandbox_stripe_books` (
	`id` text PRIMARY KEY NOT NULL,
	`data` text NOT NULL,
	`version` integer DEFAULT 0 NOT NULL,
	`fence` integer DEFAULT 1 NOT NULL,
	CONSTRAINT "sandbox_stripe_books_fence_holds" CHECK(fence = 1)
) STRICT;

CREATE TABLE `sandbox_stripe_events` (
	`id` text PRIMARY KEY NOT NULL,
	`body` text NOT NULL,
	`attempts` integer DEFAULT 0 NOT NULL,
	`delivered_at` integer,
	`created_at` integer NOT NULL
) STRICT;

CREATE INDEX `sandbox_stripe_events_waiting` ON `sandbox_stripe_events` (`delivered_at`,`created_at`);
CREATE INDEX `sandbox_stripe_events_by_time` ON `sandbox_stripe_events` (`created_at`);
CREATE TABLE `sandbox_stripe_replies` (
	`key` text PRIMARY KEY NOT NULL,
	`request` text NOT NULL,
	`status` integer NOT NULL,
	`body` text NOT NULL,
	`created_at` integer NOT NULL
) STRICT;

CREATE INDEX `sandbox_stripe_replies_by_time` ON `sandbox_stripe_replies` (`created_at`);