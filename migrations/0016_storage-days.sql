CREATE TABLE `usage_storage_days` (
	`workspace_id` text NOT NULL,
	`day` text NOT NULL,
	`size_bytes` integer NOT NULL,
	PRIMARY KEY(`workspace_id`, `day`)
) STRICT;

CREATE INDEX `usage_storage_days_by_day` ON `usage_storage_days` (`day`);