CREATE TABLE `model_use_days` (
	`workspace_id` text NOT NULL,
	`day` text NOT NULL,
	`user_id` text NOT NULL,
	`key_id` text NOT NULL,
	`model` text NOT NULL,
	`provider` text NOT NULL,
	`operation` text NOT NULL,
	`requests` integer NOT NULL,
	`errors` integer NOT NULL,
	`estimated` integer NOT NULL,
	`tokens` integer NOT NULL,
	`input_tokens` integer NOT NULL,
	`cached_tokens` integer NOT NULL,
	`output_tokens` integer NOT NULL,
	`money_micro_usd` integer NOT NULL,
	PRIMARY KEY(`workspace_id`, `day`, `user_id`, `key_id`, `model`, `provider`, `operation`)
) STRICT;

CREATE TABLE `model_use_events` (
	`id` text NOT NULL,
	`at` integer NOT NULL,
	`workspace_id` text NOT NULL,
	`day` text NOT NULL,
	`user_id` text NOT NULL,
	`key_id` text NOT NULL,
	`model` text NOT NULL,
	`provider` text NOT NULL,
	`operation` text NOT NULL,
	`requests` integer NOT NULL,
	`errors` integer NOT NULL,
	`estimated` integer NOT NULL,
	`tokens` integer NOT NULL,
	`input_tokens` integer NOT NULL,
	`cached_tokens` integer NOT NULL,
	`output_tokens` integer NOT NULL,
	`money_micro_usd` integer NOT NULL,
	`summed` integer DEFAULT false NOT NULL,
	PRIMARY KEY(`workspace_id`, `id`, `provider`, `operation`)
) STRICT;

CREATE INDEX `model_use_events_by_summed` ON `model_use_events` (`workspace_id`,`summed`);
CREATE INDEX `model_use_events_by_time` ON `model_use_events` (`at`);