ALTER TABLE `message_logs` ADD `provider` text DEFAULT '' NOT NULL;
ALTER TABLE `message_logs` ADD `cost_micro_usd` integer DEFAULT 0 NOT NULL;