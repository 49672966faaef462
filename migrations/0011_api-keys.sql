CREATE TABLE `api_key_uses` (
	`key_id` text NOT NULL,
	`day` text NOT NULL,
	`outcome` text NOT NULL,
	`uses` integer NOT NULL,
	PRIMARY KEY(`key_id`, `day`, `outcome`)
) STRICT;

CREATE INDEX `api_key_uses_by_day` ON `api_key_uses` (`day`);
CREATE TABLE `api_key_retired_secrets` (
	`hash` text PRIMARY KEY NOT NULL,
	`key_id` text NOT NULL,
	`until` integer NOT NULL
) STRICT;

CREATE INDEX `api_key_retired_secrets_by_time` ON `api_key_retired_secrets` (`until`);
ALTER TABLE `api_keys` ADD `kind` text DEFAULT 'own' NOT NULL;
ALTER TABLE `api_keys` ADD `limits` text DEFAULT '[]' NOT NULL;
ALTER TABLE `api_keys` ADD `budgets` text DEFAULT '[]' NOT NULL;
ALTER TABLE `api_keys` ADD `allowed_addresses` text DEFAULT '[]' NOT NULL;
ALTER TABLE `api_keys` ADD `metadata` text;
ALTER TABLE `api_keys` ADD `rotated_at` integer;
CREATE UNIQUE INDEX `api_keys_imported` ON `api_keys` (`hash`) WHERE kind = 'imported' and deleted_at is null;