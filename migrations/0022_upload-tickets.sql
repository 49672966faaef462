ALTER TABLE `uploads` ADD `size_bytes_max` integer;
ALTER TABLE `uploads` ADD `ticket_id` text;
CREATE INDEX `uploads_by_ticket` ON `uploads` (`ticket_id`) WHERE ticket_id is not null;