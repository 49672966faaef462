/** Every statement of mails and notices. */
import { and, count, desc, eq, gte, inArray, isNull, lt, ne, sql } from "drizzle-orm";
import { alias } from "drizzle-orm/sqlite-core";
import type { Database } from "#core/context";
import { jobs } from "#core/tables";
import type { Statement } from "#core/work";
import { users } from "#features/accounts/tables";
import { type NotificationKind, sendMailName } from "./rules.ts";
import { type NotificationRow, notifications, outboxMails, type OutboxMailRow } from "./tables.ts";

type Db = { db: Database };

/** A repeated run of the job finds the row of the first one: the mail was the same. */
export function insertOutboxMail(ctx: Db, row: OutboxMailRow): Statement {
  return ctx.db.insert(outboxMails).values(row).onConflictDoNothing();
}

const reader = alias(users, "reader");

/** With the roles in the product of whoever has the address now and of the person that the mail is about. */
export async function listOutboxMails(
  ctx: Db,
  page: { to: string | null; before: string | null; limit: number },
): Promise<(OutboxMailRow & { roles: (string | null)[] })[]> {
  const rows = await ctx.db
    .select({ mail: outboxMails, recipientRole: users.role, readerRole: reader.role })
    .from(outboxMails)
    .leftJoin(users, eq(users.email, sql`lower(${outboxMails.recipient})`))
    .leftJoin(reader, eq(reader.id, outboxMails.userId))
    .where(
      and(
        page.to === null ? undefined : eq(outboxMails.recipient, page.to),
        page.before === null ? undefined : lt(outboxMails.id, page.before),
      ),
    )
    .orderBy(desc(outboxMails.id))
    .limit(page.limit);
  return rows.map(({ mail, recipientRole, readerRole }) => ({ ...mail, roles: [recipientRole, readerRole] }));
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

/** Is a preference anything but switched off? The same question as `readPreferences` asks, for statements. */
const isWanted = (kind: NotificationKind, channel: "inApp" | "mail") =>
  sql`(${kind} = 'security' or (coalesce(json_type(${users.preferences}, '$.notifications'), '') <> 'false'
    and coalesce(json_type(${users.preferences}, ${`$.notifications.${kind}.${channel}`}), '') <> 'false'))`;

/** Writes nothing when the person does not want it, or is gone: decided by the statement itself, so that it can stand in any batch. */
export function insertNotification(ctx: Db, row: Omit<NotificationRow, "readAt">): Statement {
  const values = sql`select ${row.id}, ${row.userId}, ${row.workspaceId}, ${row.kind}, ${row.title}, ${row.body},
    ${JSON.stringify(row.data)}, null, ${row.createdAt}
    from ${users} where ${users.id} = ${row.userId} and ${isWanted(row.kind, "inApp")}`;
  return ctx.db.insert(notifications).select(values).onConflictDoNothing();
}

export async function listNotifications(
  ctx: Db,
  page: { userId: string; unreadOnly: boolean; before: string | null; limit: number },
): Promise<NotificationRow[]> {
  return ctx.db
    .select()
    .from(notifications)
    .where(
      and(
        eq(notifications.userId, page.userId),
        page.unreadOnly ? isNull(notifications.readAt) : undefined,
        page.before === null ? undefined : lt(notifications.id, page.before),
      ),
    )
    .orderBy(desc(notifications.id))
    .limit(page.limit);
}

export async function countUnread(ctx: Db, userId: string): Promise<number> {
  const [row] = await ctx.db
    .select({ unread: count() })
    .from(notifications)
    .where(and(eq(notifications.userId, userId), isNull(notifications.readAt)));
  return row?.unread ?? 0;
}

export async function hasNotification(ctx: Db, userId: string, id: string): Promise<boolean> {
  const [row] = await ctx.db
    .select({ id: notifications.id })
    .from(notifications)
    .where(and(eq(notifications.userId, userId), eq(notifications.id, id)));
  return row !== undefined;
}

/** Marks one (or, with null, all) as read and tells how many were not before. */
export async function markRead(ctx: Db, given: { userId: string; id: string | null; at: number }): Promise<number> {
  const changed = await ctx.db
    .update(notifications)
    .set({ readAt: given.at })
    .where(
      and(
        eq(notifications.userId, given.userId),
        isNull(notifications.readAt),
        given.id === null ? undefined : eq(notifications.id, given.id),
      ),
    )
    .returning({ id: notifications.id });
  return changed.length;
}

/** Adds to the stored preferences in one statement, so that a change at the same time is not lost. `false` for all stays. */
export function switchMailsOff(ctx: Db, userId: string, change: { kind: NotificationKind; at: number }): Statement {
  const patch = JSON.stringify({ notifications: { [change.kind]: { mail: false } } });
  return ctx.db
    .update(users)
    .set({
      preferences: sql`case when json_type(${users.preferences}, '$.notifications') = 'false' then ${users.preferences}
        else json_patch(${users.preferences}, ${patch}) end`,
      updatedAt: change.at,
    })
    .where(eq(users.id, userId));
}

/** How the mails of the deployment fare: what the transport said last, and what it could not take in `tries` attempts. */
export async function readMailHealth(ctx: Db, given: { tries: number }) {
  const stuck = and(
    inArray(jobs.state, ["queued", "running"]),
    eq(jobs.name, sendMailName),
    gte(jobs.attempt, given.tries),
  );
  const [[last], [answered], [waiting]] = await ctx.db.batch([
    ctx.db
      .select({ state: outboxMails.state, at: outboxMails.createdAt })
      .from(outboxMails)
      .orderBy(desc(outboxMails.createdAt))
      .limit(1),
    ctx.db
      .select({ at: outboxMails.createdAt })
      .from(outboxMails)
      .where(ne(outboxMails.state, "failed"))
      .orderBy(desc(outboxMails.createdAt))
      .limit(1),
    ctx.db.select({ mails: count() }).from(jobs).where(stuck),
  ]);
  return { last: last ?? null, answeredAt: answered?.at ?? null, waiting: waiting?.mails ?? 0 };
}

export function purgeOutboxMails(ctx: Db, before: number): Statement {
  return ctx.db.delete(outboxMails).where(lt(outboxMails.createdAt, before));
}

export function purgeNotifications(ctx: Db, before: number): Statement {
  return ctx.db.delete(notifications).where(lt(notifications.createdAt, before));
}
