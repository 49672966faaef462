CREATE TABLE `model_responses` (
	`id` text PRIMARY KEY NOT NULL,
	`workspace_id` text NOT NULL,
	`user_id` text NOT NULL,
	`mode` text NOT NULL,
	`wrapped` text,
	`master_version` integer NOT NULL,
	`r2_key` text,
	`size_bytes` integer NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL
) STRICT;

CREATE INDEX `model_responses_by_workspace` ON `model_responses` (`workspace_id`,`id`);
CREATE INDEX `model_responses_by_expiry` ON `model_responses` (`expires_at`);
CREATE INDEX `model_responses_by_master` ON `model_responses` (`master_version`);
CREATE TABLE `model_overrides` (
	`id` text PRIMARY KEY NOT NULL,
	`enabled` integer NOT NULL,
	`display_name` text,
	`context_tokens` integer,
	`max_output_tokens` integer,
	`capabilities` text,
	`routes` text NOT NULL,
	`fallbacks` text NOT NULL,
	`stick_by` text,
	`updated_by` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
) STRICT;

CREATE TABLE `model_prices` (
	`id` text PRIMARY KEY NOT NULL,
	`provider` text NOT NULL,
	`model` text NOT NULL,
	`input_micro_usd_per_million` integer NOT NULL,
	`cached_input_micro_usd_per_million` integer NOT NULL,
	`output_micro_usd_per_million` integer NOT NULL,
	`effective_at` integer NOT NULL,
	`created_by` text NOT NULL,
	`created_at` integer NOT NULL
) STRICT;

CREATE UNIQUE INDEX `model_prices_by_time` ON `model_prices` (`provider`,`model`,`effective_at`);
CREATE TABLE `model_provider_days` (
	`provider` text NOT NULL,
	`day` text NOT NULL,
	`calls` integer NOT NULL,
	`failures` integer NOT NULL,
	`duration_ms` integer NOT NULL,
	`last_success_at` integer,
	`last_failure_at` integer,
	PRIMARY KEY(`provider`, `day`)
) STRICT;

CREATE INDEX `model_provider_days_by_day` ON `model_provider_days` (`day`);
CREATE TABLE `model_providers` (
	`name` text PRIMARY KEY NOT NULL,
	`enabled` integer NOT NULL,
	`display_name` text,
	`dialect` text,
	`base_url` text,
	`wrapped_secret` text,
	`master_version` integer,
	`preview` text,
	`updated_by` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
) STRICT;

CREATE TABLE `prompt_batch_results` (
	`batch_id` text NOT NULL,
	`task_index` integer NOT NULL,
	`success` integer NOT NULL,
	`response` text,
	`problem_code` text,
	`problem_detail` text,
	`processing_time_ms` integer NOT NULL,
	`tokens_used` integer NOT NULL,
	PRIMARY KEY(`batch_id`, `task_index`)
) STRICT;

CREATE TABLE `prompt_batches` (
	`id` text PRIMARY KEY NOT NULL,
	`workspace_id` text NOT NULL,
	`user_id` text NOT NULL,
	`job_id` text NOT NULL,
	`asked` text NOT NULL,
	`acting` text NOT NULL,
	`total_tasks` integer NOT NULL,
	`hold` text,
	`settlements` integer DEFAULT 0 NOT NULL,
	`settled_tasks` integer DEFAULT 0 NOT NULL,
	`created_at` integer NOT NULL
) STRICT;

CREATE INDEX `prompt_batches_by_time` ON `prompt_batches` (`created_at`);
CREATE TABLE `provider_key_days` (
	`key_id` text NOT NULL,
	`day` text NOT NULL,
	`endpoint` text NOT NULL,
	`calls` integer NOT NULL,
	`errors` integer NOT NULL,
	`tokens` integer NOT NULL,
	`cost_micro_usd` integer NOT NULL,
	`duration_ms` integer NOT NULL,
	`last_status` integer NOT NULL,
	`last_error` text,
	`last_used_at` integer NOT NULL,
	PRIMARY KEY(`key_id`, `day`, `endpoint`)
) STRICT;

CREATE INDEX `provider_key_days_by_day` ON `provider_key_days` (`day`);
CREATE TABLE `provider_keys` (
	`id` text PRIMARY KEY NOT NULL,
	`workspace_id` text NOT NULL,
	`user_id` text NOT NULL,
	`mode` text NOT NULL,
	`provider` text NOT NULL,
	`name` text NOT NULL,
	`base_url` text,
	`wrapped_secret` text NOT NULL,
	`master_version` integer NOT NULL,
	`hash` text NOT NULL,
	`preview` text NOT NULL,
	`enabled` integer NOT NULL,
	`valid` integer NOT NULL,
	`checked_at` integer NOT NULL,
	`calls` integer DEFAULT 0 NOT NULL,
	`errors` integer DEFAULT 0 NOT NULL,
	`tokens` integer DEFAULT 0 NOT NULL,
	`cost_micro_usd` integer DEFAULT 0 NOT NULL,
	`last_used_at` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`deleted_at` integer
) STRICT;

CREATE INDEX `provider_keys_by_workspace` ON `provider_keys` (`workspace_id`,`id`);
CREATE INDEX `provider_keys_by_master` ON `provider_keys` (`master_version`,`id`);
CREATE UNIQUE INDEX `provider_keys_one_name` ON `provider_keys` (`workspace_id`,`mode`,`provider`,`name`) WHERE deleted_at is null;
CREATE UNIQUE INDEX `provider_keys_one_secret` ON `provider_keys` (`workspace_id`,`mode`,`provider`,`hash`) WHERE deleted_at is null;