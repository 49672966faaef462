CREATE TABLE `audit_log` (
	`id` text PRIMARY KEY NOT NULL,
	`workspace_id` text,
	`actor_kind` text NOT NULL,
	`actor_id` text,
	`action` text NOT NULL,
	`target` text,
	`details` text NOT NULL,
	`request_id` text NOT NULL,
	`address` text,
	`created_at` integer NOT NULL
) STRICT;

CREATE INDEX `audit_log_by_workspace` ON `audit_log` (`workspace_id`,`id`);
CREATE INDEX `audit_log_by_time` ON `audit_log` (`created_at`);
CREATE TABLE `idempotency_keys` (
	`scope` text NOT NULL,
	`operation` text NOT NULL,
	`key` text NOT NULL,
	`request_hash` text NOT NULL,
	`status` integer,
	`body` text,
	`locked_until` integer NOT NULL,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`scope`, `operation`, `key`)
) STRICT;

CREATE INDEX `idempotency_keys_by_time` ON `idempotency_keys` (`created_at`);
CREATE TABLE `job_events` (
	`job_id` text NOT NULL,
	`seq` integer NOT NULL,
	`at` integer NOT NULL,
	`type` text NOT NULL,
	`data` text NOT NULL,
	PRIMARY KEY(`job_id`, `seq`)
) STRICT;

CREATE INDEX `job_events_by_time` ON `job_events` (`at`);
CREATE TABLE `jobs` (
	`id` text PRIMARY KEY NOT NULL,
	`workspace_id` text NOT NULL,
	`user_id` text,
	`name` text NOT NULL,
	`lane` text NOT NULL,
	`payload` text NOT NULL,
	`state` text NOT NULL,
	`step` text,
	`done` integer DEFAULT 0 NOT NULL,
	`total` integer DEFAULT 0 NOT NULL,
	`attempt` integer DEFAULT 0 NOT NULL,
	`max_attempts` integer NOT NULL,
	`run_at` integer NOT NULL,
	`offered_at` integer,
	`lease_token` text,
	`lease_until` integer,
	`cancel_requested_at` integer,
	`result` text,
	`problem_code` text,
	`problem_detail` text,
	`problem_members` text,
	`created_at` integer NOT NULL,
	`started_at` integer,
	`ended_at` integer,
	`updated_at` integer NOT NULL,
	`fence` integer DEFAULT 1 NOT NULL,
	CONSTRAINT "jobs_fence_holds" CHECK(fence = 1)
) STRICT;

CREATE INDEX `jobs_by_workspace` ON `jobs` (`workspace_id`,`id`);
CREATE INDEX `jobs_by_state` ON `jobs` (`state`,`run_at`);
CREATE TABLE `users` (
	`id` text PRIMARY KEY NOT NULL,
	`email` text NOT NULL,
	`username` text,
	`username_key` text,
	`name` text NOT NULL,
	`password_phc` text NOT NULL,
	`role` text DEFAULT 'user' NOT NULL,
	`status` text DEFAULT 'active' NOT NULL,
	`email_verified_at` integer,
	`last_login_at` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
) STRICT;

CREATE UNIQUE INDEX `users_email_unique` ON `users` (`email`);
CREATE UNIQUE INDEX `users_username_key_unique` ON `users` (`username_key`);
CREATE INDEX `users_by_creation` ON `users` (`created_at`);
CREATE TABLE `api_keys` (
	`id` text PRIMARY KEY NOT NULL,
	`workspace_id` text NOT NULL,
	`user_id` text NOT NULL,
	`name` text NOT NULL,
	`mode` text NOT NULL,
	`start` text NOT NULL,
	`hash` text NOT NULL,
	`scopes` text NOT NULL,
	`enabled` integer DEFAULT true NOT NULL,
	`expires_at` integer,
	`last_used_at` integer,
	`created_at` integer NOT NULL,
	`deleted_at` integer
) STRICT;

CREATE INDEX `api_keys_by_workspace` ON `api_keys` (`workspace_id`,`id`);
CREATE TABLE `conversion_images` (
	`conversion_id` text NOT NULL,
	`workspace_id` text NOT NULL,
	`index` integer NOT NULL,
	`r2_key` text NOT NULL,
	`file_name` text NOT NULL,
	`size_bytes` integer NOT NULL,
	`width` integer NOT NULL,
	`height` integer NOT NULL,
	`sha256` text NOT NULL,
	PRIMARY KEY(`conversion_id`, `index`)
) STRICT;

CREATE TABLE `conversions` (
	`id` text PRIMARY KEY NOT NULL,
	`workspace_id` text NOT NULL,
	`user_id` text NOT NULL,
	`conversion_type` text NOT NULL,
	`job_id` text NOT NULL,
	`format` integer,
	`seal_id` text,
	`data_key_id` text,
	`nonce_prefix` text,
	`sealed_at` integer,
	`runtime` text,
	`input_file_id` text,
	`input_file_name` text NOT NULL,
	`input_file_type` text,
	`input_file_size` integer,
	`input_etag` text,
	`source_conversion_id` text,
	`source_file_ids` text,
	`compress` integer DEFAULT false NOT NULL,
	`delete_source` integer DEFAULT false NOT NULL,
	`encryption_key_id` text,
	`external_user_id` text,
	`request_key` text,
	`chunk_size_bytes` integer,
	`reserved_bytes` integer DEFAULT 0 NOT NULL,
	`output_file_id` text,
	`output_file_name` text,
	`output_upload_id` text,
	`image_count` integer,
	`total_image_bytes` integer,
	`sha256` text,
	`created_at` integer NOT NULL,
	`deleted_at` integer,
	`purged_at` integer
) STRICT;

CREATE INDEX `conversions_by_deletion` ON `conversions` (`deleted_at`);
CREATE INDEX `conversions_by_workspace` ON `conversions` (`workspace_id`,`id`);
CREATE INDEX `conversions_by_input` ON `conversions` (`input_file_id`);
CREATE INDEX `conversions_by_source` ON `conversions` (`source_conversion_id`);
CREATE TABLE `files` (
	`id` text PRIMARY KEY NOT NULL,
	`workspace_id` text NOT NULL,
	`user_id` text,
	`name` text NOT NULL,
	`content_type` text NOT NULL,
	`kind` text NOT NULL,
	`size_bytes` integer NOT NULL,
	`sha256` text NOT NULL,
	`origin` text NOT NULL,
	`r2_key` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`deleted_at` integer,
	`purged_at` integer,
	`fence` integer DEFAULT 1 NOT NULL,
	CONSTRAINT "files_fence_holds" CHECK(fence = 1)
) STRICT;

CREATE INDEX `files_by_workspace` ON `files` (`workspace_id`,`id`);
CREATE INDEX `files_by_change` ON `files` (`updated_at`,`workspace_id`);
CREATE INDEX `files_to_purge` ON `files` (`deleted_at`) WHERE deleted_at is not null and purged_at is null;
CREATE UNIQUE INDEX `files_by_key` ON `files` (`r2_key`);
CREATE TABLE `upload_parts` (
	`upload_id` text NOT NULL,
	`part_number` integer NOT NULL,
	`workspace_id` text NOT NULL,
	`etag` text NOT NULL,
	`size_bytes` integer NOT NULL,
	`recorded_at` integer NOT NULL,
	PRIMARY KEY(`upload_id`, `part_number`)
) STRICT;

CREATE TABLE `uploads` (
	`id` text PRIMARY KEY NOT NULL,
	`workspace_id` text NOT NULL,
	`user_id` text,
	`file_id` text NOT NULL,
	`file_name` text NOT NULL,
	`content_type` text NOT NULL,
	`kind` text NOT NULL,
	`size_bytes` integer NOT NULL,
	`sha256` text,
	`strategy` text NOT NULL,
	`part_size_bytes` integer NOT NULL,
	`part_count` integer NOT NULL,
	`r2_key` text NOT NULL,
	`r2_upload_id` text,
	`status` text NOT NULL,
	`problem_code` text,
	`problem_detail` text,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`urls_expire_at` integer,
	`sweep_at` integer,
	`fence` integer DEFAULT 1 NOT NULL,
	CONSTRAINT "uploads_fence_holds" CHECK(fence = 1)
) STRICT;

CREATE INDEX `uploads_by_workspace` ON `uploads` (`workspace_id`,`id`);
CREATE INDEX `uploads_by_status` ON `uploads` (`workspace_id`,`status`);
CREATE INDEX `uploads_by_sweep` ON `uploads` (`sweep_at`,`workspace_id`);
CREATE TABLE `cron_ticks` (
	`every` text PRIMARY KEY NOT NULL,
	`at` integer NOT NULL
) STRICT;

CREATE TABLE `data_keys` (
	`id` text PRIMARY KEY NOT NULL,
	`workspace_id` text NOT NULL,
	`conversion_id` text NOT NULL,
	`encryption_key_id` text NOT NULL,
	`wrapped_key` text NOT NULL,
	`destroyed_at` integer,
	`created_at` integer NOT NULL
) STRICT;

CREATE INDEX `data_keys_by_conversion` ON `data_keys` (`workspace_id`,`conversion_id`);
CREATE INDEX `data_keys_by_encryption_key` ON `data_keys` (`encryption_key_id`,`id`);
CREATE TABLE `encryption_keys` (
	`id` text PRIMARY KEY NOT NULL,
	`workspace_id` text NOT NULL,
	`user_id` text NOT NULL,
	`key_type` text NOT NULL,
	`format` integer NOT NULL,
	`version` integer NOT NULL,
	`state` text NOT NULL,
	`wrapped_key` text NOT NULL,
	`master_version` integer NOT NULL,
	`fingerprint` text NOT NULL,
	`description` text,
	`external_user_id` text,
	`session_id` text,
	`expires_at` integer,
	`created_at` integer NOT NULL,
	`rotated_at` integer,
	`deactivated_at` integer
) STRICT;

CREATE INDEX `encryption_keys_by_workspace` ON `encryption_keys` (`workspace_id`,`id`);
CREATE INDEX `encryption_keys_by_person` ON `encryption_keys` (`workspace_id`,`user_id`,`key_type`);
CREATE INDEX `encryption_keys_by_master` ON `encryption_keys` (`master_version`,`id`);
CREATE INDEX `encryption_keys_retired` ON `encryption_keys` (`id`) WHERE state = 'retired';
CREATE UNIQUE INDEX `encryption_keys_one_active_user_key` ON `encryption_keys` (`workspace_id`,`user_id`) WHERE key_type = 'user' and state = 'active';
CREATE UNIQUE INDEX `encryption_keys_one_active_session_key` ON `encryption_keys` (`workspace_id`,`session_id`) WHERE key_type = 'session' and state = 'active';
CREATE UNIQUE INDEX `encryption_keys_one_import` ON `encryption_keys` (`workspace_id`,`external_user_id`,`fingerprint`) WHERE key_type = 'master' and state <> 'deactivated';
CREATE TABLE `workspace_members` (
	`workspace_id` text NOT NULL,
	`user_id` text NOT NULL,
	`role` text NOT NULL,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`workspace_id`, `user_id`)
) STRICT;

CREATE INDEX `workspace_members_by_user` ON `workspace_members` (`user_id`);
CREATE TABLE `workspaces` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`kind` text NOT NULL,
	`owner_user_id` text NOT NULL,
	`plan` text DEFAULT 'free' NOT NULL,
	`limit_overrides` text DEFAULT '{}' NOT NULL,
	`created_at` integer NOT NULL,
	`deleted_at` integer
) STRICT;

CREATE INDEX `workspaces_by_owner` ON `workspaces` (`owner_user_id`);