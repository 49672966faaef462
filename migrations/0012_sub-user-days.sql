CREATE TABLE `sub_user_days` (
	`user_id` text NOT NULL,
	`workspace_id` text NOT NULL,
	`day` text NOT NULL,
	`requests` integer NOT NULL,
	PRIMARY KEY(`user_id`, `day`)
) STRICT;

CREATE INDEX `sub_user_days_by_workspace` ON `sub_user_days` (`workspace_id`,`day`);