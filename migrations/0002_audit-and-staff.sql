CREATE TABLE `message_logs` (
	`id` text PRIMARY KEY NOT NULL,
	`workspace_id` text NOT NULL,
	`user_id` text NOT NULL,
	`username` text,
	`email` text NOT NULL,
	`model` text NOT NULL,
	`messages` text NOT NULL,
	`research_enabled` integer DEFAULT false NOT NULL,
	`prompt_style` text,
	`tokens_used` integer DEFAULT 0 NOT NULL,
	`processing_time_ms` integer DEFAULT 0 NOT NULL,
	`address` text,
	`at` integer NOT NULL
) STRICT;

CREATE INDEX `message_logs_by_user` ON `message_logs` (`user_id`,`id`);
CREATE INDEX `message_logs_by_time` ON `message_logs` (`at`);
CREATE TABLE `system_logs` (
	`id` text PRIMARY KEY NOT NULL,
	`level` text NOT NULL,
	`category` text NOT NULL,
	`event` text NOT NULL,
	`user_id` text,
	`workspace_id` text,
	`conversion_id` text,
	`job_id` text,
	`request_id` text,
	`message` text NOT NULL,
	`details` text NOT NULL,
	`at` integer NOT NULL
) STRICT;

CREATE INDEX `system_logs_by_time` ON `system_logs` (`at`);
CREATE INDEX `system_logs_by_category` ON `system_logs` (`category`,`id`);
CREATE INDEX `system_logs_by_user` ON `system_logs` (`user_id`,`id`);
CREATE INDEX `system_logs_by_conversion` ON `system_logs` (`conversion_id`,`id`);
CREATE INDEX `system_logs_by_request` ON `system_logs` (`request_id`,`id`);
CREATE TABLE `system_prompts` (
	`style` text NOT NULL,
	`version` integer NOT NULL,
	`prompt` text NOT NULL,
	`changed_by` text,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`style`, `version`)
) STRICT;

ALTER TABLE `audit_log` ADD `category` text DEFAULT 'system' NOT NULL;
ALTER TABLE `audit_log` ADD `severity` text DEFAULT 'info' NOT NULL;
ALTER TABLE `audit_log` ADD `before` text;
ALTER TABLE `audit_log` ADD `after` text;
ALTER TABLE `audit_log` ADD `repeats` integer DEFAULT 1 NOT NULL;
CREATE INDEX `audit_log_by_action` ON `audit_log` (`action`,`id`);
CREATE INDEX `audit_log_by_severity` ON `audit_log` (`severity`,`id`);
CREATE INDEX `audit_log_by_actor` ON `audit_log` (`actor_id`,`id`);
CREATE INDEX `audit_log_by_target` ON `audit_log` (`target`,`id`);