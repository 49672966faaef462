CREATE TABLE `sub_users` (
	`user_id` text PRIMARY KEY NOT NULL,
	`workspace_id` text NOT NULL,
	`active` integer DEFAULT true NOT NULL,
	`permissions` text NOT NULL,
	`limits` text NOT NULL,
	`created_by` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`last_active_at` integer
) STRICT;

CREATE INDEX `sub_users_by_workspace` ON `sub_users` (`workspace_id`,`user_id`);
CREATE TABLE `workspace_invitations` (
	`id` text PRIMARY KEY NOT NULL,
	`workspace_id` text NOT NULL,
	`kind` text NOT NULL,
	`email` text NOT NULL,
	`role` text,
	`grant` text,
	`token_hash` text NOT NULL,
	`invited_by` text NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`accepted_at` integer,
	`revoked_at` integer
) STRICT;

CREATE UNIQUE INDEX `workspace_invitations_token_hash_unique` ON `workspace_invitations` (`token_hash`);
CREATE INDEX `workspace_invitations_by_workspace` ON `workspace_invitations` (`workspace_id`,`id`);
CREATE UNIQUE INDEX `workspace_invitations_waiting` ON `workspace_invitations` (`workspace_id`,`kind`,`email`) WHERE accepted_at is null and revoked_at is null;
ALTER TABLE `workspaces` ADD `slug` text;
ALTER TABLE `workspaces` ADD `description` text DEFAULT '' NOT NULL;
ALTER TABLE `workspaces` ADD `size` text DEFAULT 'small' NOT NULL;
ALTER TABLE `workspaces` ADD `settings` text DEFAULT '{}' NOT NULL;
ALTER TABLE `workspaces` ADD `purged_at` integer;
CREATE UNIQUE INDEX `workspaces_slug_unique` ON `workspaces` (`slug`);
CREATE INDEX `workspaces_by_deletion` ON `workspaces` (`deleted_at`);