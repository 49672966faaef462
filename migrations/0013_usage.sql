CREATE TABLE `usage_days` (
	`workspace_id` text NOT NULL,
	`day` text NOT NULL,
	`meter` text NOT NULL,
	`user_id` text NOT NULL,
	`key_id` text NOT NULL,
	`model` text NOT NULL,
	`amount` integer NOT NULL,
	`events` integer NOT NULL,
	PRIMARY KEY(`workspace_id`, `day`, `meter`, `user_id`, `key_id`, `model`)
) STRICT;

CREATE INDEX `usage_days_by_day` ON `usage_days` (`day`,`workspace_id`);
CREATE TABLE `usage_events` (
	`id` text NOT NULL,
	`workspace_id` text NOT NULL,
	`at` integer NOT NULL,
	`day` text NOT NULL,
	`meter` text NOT NULL,
	`amount` integer NOT NULL,
	`user_id` text NOT NULL,
	`key_id` text NOT NULL,
	`model` text NOT NULL,
	`summed` integer DEFAULT false NOT NULL,
	PRIMARY KEY(`workspace_id`, `id`)
) STRICT;

CREATE INDEX `usage_events_by_summed` ON `usage_events` (`workspace_id`,`summed`);
CREATE INDEX `usage_events_by_time` ON `usage_events` (`at`);
CREATE TABLE `usage_notices` (
	`workspace_id` text NOT NULL,
	`meter` text NOT NULL,
	`period_start` integer NOT NULL,
	`level` integer NOT NULL,
	`used` integer NOT NULL,
	`limit` integer NOT NULL,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`workspace_id`, `meter`, `period_start`, `level`)
) STRICT;

CREATE TABLE `usage_reports` (
	`id` text PRIMARY KEY NOT NULL,
	`workspace_id` text NOT NULL,
	`report_type` text NOT NULL,
	`period_start` integer NOT NULL,
	`period_end` integer NOT NULL,
	`total_uploads` integer NOT NULL,
	`total_minutes` integer NOT NULL,
	`total_storage` integer NOT NULL,
	`report_data` text NOT NULL,
	`created_at` integer NOT NULL
) STRICT;

CREATE UNIQUE INDEX `usage_reports_once` ON `usage_reports` (`workspace_id`,`report_type`,`period_start`);