/** When each cron last ticked, so that a cron that stopped is seen. */
import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core";

export const cronTicks = sqliteTable("cron_ticks", {
  every: text("every").primaryKey(),
  at: integer("at").notNull(),
});
