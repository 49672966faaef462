CREATE TABLE `deleted_users` (
	`id` text PRIMARY KEY NOT NULL,
	`reason` text NOT NULL,
	`deleted_by` text NOT NULL,
	`address_hash` text NOT NULL,
	`created_at` integer NOT NULL,
	`deleted_at` integer NOT NULL
) STRICT;

CREATE INDEX `deleted_users_by_address` ON `deleted_users` (`address_hash`);
ALTER TABLE `api_keys` ADD `session_id` text;