/** The rows with which uploads begin. How many a workspace and a ticket may have is held by the very statement that adds one. */
import { sql } from "drizzle-orm";
import type { Database } from "#core/context";
import type { Statement } from "#core/job";
import { uploads } from "./tables.ts";

type Db = { db: Database };

/** A ticket and the number of files that it is for. */
export interface TicketRoom {
  id: string;
  filesMax: number;
}

/** What counts as a file of a ticket: all that was begun with it and has not ended without one. */
const countsForTicket = sql`status not in ('failed', 'expired', 'aborted')`;

const hasRoom = ({ id, filesMax }: TicketRoom) =>
  sql`(select count(*) from uploads where ticket_id = ${id} and ${countsForTicket}) < ${filesMax}`;

/**
 * The row of a new upload; the batch fails (`isGuardFailure`) when the workspace has `maxUnfinished` already, or the ticket all the
 * files that it is for.
 */
export function insertUpload(
  ctx: Db,
  row: Omit<typeof uploads.$inferInsert, "fence" | "ticketId">,
  { maxUnfinished, ticket }: { maxUnfinished: number; ticket: TicketRoom | null },
): Statement {
  const free = sql`(select count(*) from uploads where workspace_id = ${row.workspaceId} and status in ('pending', 'uploading', 'completing') and strategy <> 'form') < ${maxUnfinished}`;
  const fence = ticket ? sql`(${free} and ${hasRoom(ticket)})` : sql`(${free})`;
  return ctx.db.insert(uploads).values({ ...row, ticketId: ticket?.id ?? null, fence });
}

/** A form upload: its request holds it, so only a ticket limits how many there are. */
export function insertFormUpload(
  ctx: Db,
  row: Omit<typeof uploads.$inferInsert, "fence" | "strategy" | "ticketId">,
  ticket: TicketRoom | null,
): Statement {
  const fence = ticket ? sql`(${hasRoom(ticket)})` : 1;
  return ctx.db.insert(uploads).values({ ...row, strategy: "form", ticketId: ticket?.id ?? null, fence });
}

export async function hasTicketRoom(ctx: Db, ticket: TicketRoom): Promise<boolean> {
  const [row] = await ctx.db.all<{ free: number }>(sql`select ${hasRoom(ticket)} as free`);
  return row?.free === 1;
}
