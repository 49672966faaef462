CREATE TABLE `guardrails` (
	`workspace_id` text PRIMARY KEY NOT NULL,
	`version` integer NOT NULL,
	`allowed_models` text NOT NULL,
	`rules` text NOT NULL,
	`changed_by` text NOT NULL,
	`changed_at` integer NOT NULL
) STRICT;

ALTER TABLE `api_keys` ADD `allowed_models` text DEFAULT '["*"]' NOT NULL;