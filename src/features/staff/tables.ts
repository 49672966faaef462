/** What staff keep: the texts that prompt styles put before a request, with every older version. Times are milliseconds. */
import { integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** The newest version of a style is in force. Without a row, the text that the product comes with. Rows are only added. */
export const systemPrompts = sqliteTable(
  "system_prompts",
  {
    style: text("style").notNull(),
    version: integer("version").notNull(),
    prompt: text("prompt").notNull(),
    changedBy: text("changed_by"),
    createdAt: integer("created_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.style, table.version] })],
);

export type SystemPromptRow = typeof systemPrompts.$inferSelect;
