CREATE TABLE `message_log_erasures` (
	`id` text PRIMARY KEY NOT NULL,
	`workspace_id` text NOT NULL,
	`user_id` text NOT NULL,
	`test_only` integer NOT NULL,
	`from_at` integer NOT NULL,
	`to_at` integer NOT NULL,
	`created_at` integer NOT NULL
) STRICT;

CREATE INDEX `message_log_erasures_by_user` ON `message_log_erasures` (`user_id`,`workspace_id`);
CREATE INDEX `message_log_erasures_by_time` ON `message_log_erasures` (`created_at`);
ALTER TABLE `message_logs` ADD `operation` text DEFAULT 'chat' NOT NULL;
ALTER TABLE `message_logs` ADD `mode` text DEFAULT 'live' NOT NULL;
ALTER TABLE `message_logs` ADD `key_id` text;
ALTER TABLE `message_logs` ADD `status` text DEFAULT 'succeeded' NOT NULL;
ALTER TABLE `message_logs` ADD `http_status` integer;
ALTER TABLE `message_logs` ADD `error_code` text;
ALTER TABLE `message_logs` ADD `is_stream` integer DEFAULT false NOT NULL;
ALTER TABLE `message_logs` ADD `is_cached` integer DEFAULT false NOT NULL;
ALTER TABLE `message_logs` ADD `input_tokens` integer DEFAULT 0 NOT NULL;
ALTER TABLE `message_logs` ADD `cached_input_tokens` integer DEFAULT 0 NOT NULL;
ALTER TABLE `message_logs` ADD `output_tokens` integer DEFAULT 0 NOT NULL;
ALTER TABLE `message_logs` ADD `is_estimated` integer DEFAULT false NOT NULL;
ALTER TABLE `message_logs` ADD `request_id` text DEFAULT '' NOT NULL;
CREATE INDEX `message_logs_by_workspace` ON `message_logs` (`workspace_id`,`id`);