CREATE TABLE `notifications` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`workspace_id` text,
	`kind` text NOT NULL,
	`title` text NOT NULL,
	`body` text NOT NULL,
	`data` text NOT NULL,
	`read_at` integer,
	`created_at` integer NOT NULL
) STRICT;

CREATE INDEX `notifications_by_person` ON `notifications` (`user_id`,`id`);
CREATE INDEX `notifications_unread` ON `notifications` (`user_id`,`id`) WHERE read_at is null;
CREATE INDEX `notifications_by_time` ON `notifications` (`created_at`);
CREATE TABLE `outbox_mails` (
	`id` text PRIMARY KEY NOT NULL,
	`workspace_id` text,
	`user_id` text,
	`template` text NOT NULL,
	`recipient` text NOT NULL,
	`transport` text NOT NULL,
	`state` text NOT NULL,
	`problem` text,
	`subject` text,
	`text` text,
	`html` text,
	`message_id` text NOT NULL,
	`vendor_id` text,
	`created_at` integer NOT NULL
) STRICT;

CREATE INDEX `outbox_mails_by_recipient` ON `outbox_mails` (`recipient`,`id`);
CREATE INDEX `outbox_mails_by_time` ON `outbox_mails` (`created_at`);