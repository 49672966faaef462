ALTER TABLE `jobs` ADD `listed` integer DEFAULT true NOT NULL;
CREATE INDEX `jobs_listed` ON `jobs` (`workspace_id`,`id`) WHERE listed = 1;
ALTER TABLE `billing_accounts` ADD `checkout_turn` integer DEFAULT 0 NOT NULL;