CREATE TABLE `webhook_attempts` (
	`delivery_id` text NOT NULL,
	`number` integer NOT NULL,
	`at` integer NOT NULL,
	`status` integer,
	`outcome` text NOT NULL,
	`duration_ms` integer NOT NULL,
	PRIMARY KEY(`delivery_id`, `number`)
) STRICT;

CREATE INDEX `webhook_attempts_by_time` ON `webhook_attempts` (`at`);
CREATE TABLE `webhook_deliveries` (
	`id` text PRIMARY KEY NOT NULL,
	`workspace_id` text NOT NULL,
	`webhook_id` text NOT NULL,
	`event_id` text NOT NULL,
	`type` text NOT NULL,
	`state` text NOT NULL,
	`tries` integer DEFAULT 0 NOT NULL,
	`attempts` integer DEFAULT 0 NOT NULL,
	`last_status` integer,
	`next_attempt_at` integer,
	`asked_at` integer NOT NULL,
	`ended_at` integer,
	`created_at` integer NOT NULL
) STRICT;

CREATE UNIQUE INDEX `webhook_deliveries_once` ON `webhook_deliveries` (`webhook_id`,`event_id`);
CREATE INDEX `webhook_deliveries_by_webhook` ON `webhook_deliveries` (`webhook_id`,`id`);
CREATE INDEX `webhook_deliveries_by_time` ON `webhook_deliveries` (`created_at`);
CREATE TABLE `webhook_events` (
	`id` text PRIMARY KEY NOT NULL,
	`workspace_id` text NOT NULL,
	`type` text NOT NULL,
	`body` text NOT NULL,
	`created_at` integer NOT NULL
) STRICT;

CREATE INDEX `webhook_events_by_time` ON `webhook_events` (`created_at`);
CREATE TABLE `webhooks` (
	`id` text PRIMARY KEY NOT NULL,
	`workspace_id` text NOT NULL,
	`user_id` text NOT NULL,
	`url` text NOT NULL,
	`description` text NOT NULL,
	`events` text NOT NULL,
	`enabled` integer DEFAULT true NOT NULL,
	`disabled_reason` text,
	`wrapped_secret` text NOT NULL,
	`master_version` integer NOT NULL,
	`old_wrapped_secret` text,
	`old_master_version` integer,
	`old_secret_until` integer,
	`last_success_at` integer,
	`last_failure_at` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`deleted_at` integer
) STRICT;

CREATE INDEX `webhooks_by_workspace` ON `webhooks` (`workspace_id`,`id`);
CREATE INDEX `webhooks_living` ON `webhooks` (`workspace_id`) WHERE enabled = 1 and deleted_at is null;