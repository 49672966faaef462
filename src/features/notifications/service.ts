/** What the other features ask: send this mail, tell this person. And what people ask of their notices. */
import { auditEntry } from "#core/audit";
import type { Ctx, WorkspaceCtx } from "#core/context";
import type { Enqueued } from "#core/job";
import { readCursor, toPage } from "#core/page";
import { Problem } from "#core/problem";
import type { Statement } from "#core/work";
import { sendMailJob } from "./jobs/send-mail.ts";
import type { MailOrder } from "./mail-data.ts";
import { mailVerdict, type NotificationKind } from "./rules.ts";
import { sealMailData } from "./sealing.ts";
import type { NotificationShape, OutboxMailShape } from "./shapes.ts";
import * as store from "./store.ts";
import type { NotificationRow, OutboxMailRow } from "./tables.ts";
import { readUnsubscribeToken } from "./unsubscribe.ts";

/** Mails are the deployment's work: nobody finds them among a workspace's jobs, where their number would tell about other people. */
const systemWorkspaceId = "system";

/**
 * The row that sends a mail. Put it into the batch of its cause (`commitWithJobs`), so that neither exists without the other. What the mail
 * is told is sealed in the row.
 *
 * @example
 * await commitWithJobs(ctx, [insertCode(ctx, row)], [mailJob(ctx, { template: "sign-in-code", to, data: { code, expiresInMinutes: 10 } })]);
 */
export function mailJob(ctx: Pick<Ctx, "db" | "now" | "newId" | "settings" | "random">, order: MailOrder): Enqueued {
  const mailId = ctx.newId("mail");
  const { template, to, userId = null, workspaceId = null } = order;
  return sendMailJob.row(
    { db: ctx.db, now: ctx.now, newId: ctx.newId, workspaceId: systemWorkspaceId },
    { mailId, template, to: to.trim(), ...sealMailData(ctx, mailId, order.data), userId, workspaceId },
  );
}

interface Notice {
  userId: string;
  workspaceId: string | null;
  kind: NotificationKind;
  title: string;
  body: string;
  /** For programs: ids, numbers, a path in the console. */
  data?: Record<string, unknown>;
}

const maxTitleCharacters = 200;
const maxBodyCharacters = 2_000;

/** The notice as statements for the batch of its cause. Nothing is written when the person does not want this kind. */
export function notify(ctx: Pick<Ctx, "db" | "now" | "newId">, notice: Notice): Statement[] {
  const row = {
    id: ctx.newId("notification"),
    userId: notice.userId,
    workspaceId: notice.workspaceId,
    kind: notice.kind,
    title: notice.title.slice(0, maxTitleCharacters),
    body: notice.body.slice(0, maxBodyCharacters),
    data: notice.data ?? {},
    createdAt: ctx.now(),
  };
  return [store.insertNotification(ctx, row)];
}

const stuckAfterTries = 3;

/** Whether mails get out, by what became of the last ones: nobody outside is asked. */
export async function mailState(ctx: Ctx): Promise<{ works: boolean; detail: string }> {
  return mailVerdict(await store.readMailHealth(ctx, { tries: stuckAfterTries }), ctx.now());
}

interface ListQuery {
  limit: number;
  cursor?: string | undefined;
}

/** A person's own notices, of all workspaces. */
export async function listNotificationPage(ctx: WorkspaceCtx, query: ListQuery & { unread?: string | undefined }) {
  const { userId } = ctx;
  const rows = await store.listNotifications(ctx, {
    userId,
    unreadOnly: query.unread === "true",
    before: readCursor(query),
    limit: query.limit + 1,
  });
  return { ...toPage(rows, query.limit, toNotification), unread: await store.countUnread(ctx, userId) };
}

function toNotification(row: NotificationRow): NotificationShape {
  const { id, kind, workspaceId, title, body, data } = row;
  const readAt = row.readAt === null ? null : isoOf(row.readAt);
  return { id, kind, workspaceId, title, body, data, readAt, createdAt: isoOf(row.createdAt) };
}

/** `id` may be `all`. Throws `notification-not-found` for an unknown id and for those of others alike. */
export async function readNotification(ctx: WorkspaceCtx, id: string) {
  const { userId } = ctx;
  if (id !== "all" && !(await store.hasNotification(ctx, userId, id))) throw new Problem("notification-not-found");
  const read = await store.markRead(ctx, { userId, id: id === "all" ? null : id, at: ctx.now() });
  return { read, unread: await store.countUnread(ctx, userId) };
}

/** Throws `unsubscribe-link-invalid` for anything that we did not sign. */
export function readUnsubscribe(ctx: Ctx, token: string): { userId: string; kind: NotificationKind } {
  const found = readUnsubscribeToken(ctx.settings, token);
  if (!found) throw new Problem("unsubscribe-link-invalid");
  return found;
}

/** Switches mails of the link's kind off. Asking again changes nothing. */
export async function unsubscribe(ctx: Ctx, token: string): Promise<NotificationKind> {
  const { userId, kind } = readUnsubscribe(ctx, token);
  await ctx.db.batch([
    store.switchMailsOff(ctx, userId, { kind, at: ctx.now() }),
    auditEntry(ctx, "notifications.unsubscribed", { target: userId, details: { kind } }),
  ]);
  return kind;
}

/**
 * What was mailed. The words are shown only while mails stay in the outbox, and those of mails to staff to superadmins alone: a code that
 * was mailed to a superadmin would make an admin one.
 */
export async function listOutboxPage(ctx: WorkspaceCtx, query: ListQuery & { to?: string | undefined }) {
  const rows = await store.listOutboxMails(ctx, {
    to: query.to ?? null,
    before: readCursor(query),
    limit: query.limit + 1,
  });
  const isSuperadmin = ctx.actor.kind === "user" && ctx.actor.staff?.role === "superadmin";
  const isShown = (roles: (string | null)[]) =>
    ctx.settings.mail.transport === "outbox" &&
    (isSuperadmin || roles.every((role) => role === null || role === "user"));
  const page = toPage(rows, query.limit, (row) => toOutboxMail(row, isShown(row.roles)));
  if (page.items.some((mail) => mail.text !== null))
    await ctx.db.batch([auditEntry(ctx, "outbox.read", { details: { to: query.to, mails: page.items.length } })]);
  return page;
}

function toOutboxMail(row: OutboxMailRow, isShown: boolean): OutboxMailShape {
  const { id, template, transport, state, problem, messageId, vendorId, userId, workspaceId } = row;
  const words = isShown
    ? { subject: row.subject, text: row.text, html: row.html }
    : { subject: null, text: null, html: null };
  return {
    id,
    to: row.recipient,
    template,
    transport,
    state,
    problem,
    messageId,
    vendorId,
    userId,
    workspaceId,
    ...words,
    createdAt: isoOf(row.createdAt),
  };
}

function isoOf(atMs: number): string {
  return new Date(atMs).toISOString();
}
