CREATE TABLE `device_grants` (
	`device_code_hash` text PRIMARY KEY NOT NULL,
	`user_code_hash` text NOT NULL,
	`client_name` text NOT NULL,
	`address` text NOT NULL,
	`state` text NOT NULL,
	`user_id` text,
	`interval_seconds` integer NOT NULL,
	`polled_at` integer,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL
) STRICT;

CREATE UNIQUE INDEX `device_grants_user_code_hash_unique` ON `device_grants` (`user_code_hash`);
CREATE INDEX `device_grants_by_end` ON `device_grants` (`expires_at`);
CREATE TABLE `one_time_values` (
	`hash` text PRIMARY KEY NOT NULL,
	`kind` text NOT NULL,
	`data` text NOT NULL,
	`expires_at` integer NOT NULL
) STRICT;

CREATE INDEX `one_time_values_by_end` ON `one_time_values` (`expires_at`);
CREATE TABLE `passkeys` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`credential_id` text NOT NULL,
	`public_key` text NOT NULL,
	`counter` integer NOT NULL,
	`transports` text NOT NULL,
	`name` text NOT NULL,
	`is_backed_up` integer NOT NULL,
	`created_at` integer NOT NULL,
	`last_used_at` integer
) STRICT;

CREATE UNIQUE INDEX `passkeys_credential_id_unique` ON `passkeys` (`credential_id`);
CREATE INDEX `passkeys_by_user` ON `passkeys` (`user_id`);
CREATE TABLE `recovery_codes` (
	`user_id` text NOT NULL,
	`hash` text NOT NULL,
	`created_at` integer NOT NULL,
	`used_at` integer,
	PRIMARY KEY(`user_id`, `hash`)
) STRICT;

CREATE TABLE `sign_in_identities` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`provider` text NOT NULL,
	`issuer` text NOT NULL,
	`subject` text NOT NULL,
	`email` text,
	`display_name` text,
	`created_at` integer NOT NULL,
	`last_used_at` integer
) STRICT;

CREATE UNIQUE INDEX `sign_in_identities_by_subject` ON `sign_in_identities` (`issuer`,`subject`);
CREATE INDEX `sign_in_identities_by_user` ON `sign_in_identities` (`user_id`);
CREATE TABLE `totp_factors` (
	`user_id` text PRIMARY KEY NOT NULL,
	`wrapped_secret` text NOT NULL,
	`master_version` integer NOT NULL,
	`last_step` integer NOT NULL,
	`activated_at` integer,
	`created_at` integer NOT NULL
) STRICT;
