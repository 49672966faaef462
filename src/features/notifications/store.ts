/** Every statement of mails and notices. */
import { eq } from "drizzle-orm";
import type { Database } from "#core/context";
import type { Statement } from "#core/work";
import { users } from "#features/accounts/tables";
import { outboxMails, type OutboxMailRow } from "./tables.ts";

type Db = { db: Database };

/** A repeated run of the job finds the row of the first one: the mail was the same. */
export function insertOutboxMail(ctx: Db, row: OutboxMailRow): Statement {
  return ctx.db.insert(outboxMails).values(row).onConflictDoNothing();
}

export interface Reader {
  id: string;
  preferences: Record<string, unknown>;
}

/** The person that a mail is for: by id where it is known, else by address. */
export async function findReader(ctx: Db, by: { userId: string | null; email: string }): Promise<Reader | null> {
  const [row] = await ctx.db
    .select({ id: users.id, preferences: users.preferences })
    .from(users)
    .where(by.userId === null ? eq(users.email, by.email.trim().toLowerCase()) : eq(users.id, by.userId));
  return row ?? null;
}
