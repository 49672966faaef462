/** Every statement about webhooks, events and deliveries. */
import { and, asc, count, desc, eq, inArray, isNull, lt, ne, or, sql, type SQL } from "drizzle-orm";
import type { Database } from "#core/context";
import type { Statement } from "#core/job";
import { messagesOf } from "#lib/error-messages";
import {
  type AttemptRow,
  type DeliveryRow,
  webhookAttempts,
  webhookDeliveries,
  type WebhookEventRow,
  webhookEvents,
  webhooks,
  type WebhookRow,
} from "./tables.ts";

/** Requests and jobs alike. */
export type StoreCtx = { db: Database; workspaceId: string };

export const maxWebhooks = 20;

const living = (ctx: StoreCtx) => and(eq(webhooks.workspaceId, ctx.workspaceId), isNull(webhooks.deletedAt));

/** True in SQL when any endpoint of the workspace is on: an event that nobody waits for makes no work. */
export function anyoneListens(workspaceId: string): SQL {
  return sql`exists (select 1 from webhooks where workspace_id = ${workspaceId} and enabled = 1 and deleted_at is null)`;
}

export function insertWebhook(ctx: StoreCtx, row: WebhookRow): Statement {
  const { wrappedSecret, masterVersion } = row;
  // An id can only be there already when an interrupted request made it: that secret reached nobody, so the new one takes its place.
  return ctx.db
    .insert(webhooks)
    .values(row)
    .onConflictDoUpdate({ target: webhooks.id, set: { wrappedSecret, masterVersion } });
}

export function updateWebhook(ctx: StoreCtx, id: string, change: Partial<WebhookRow>): Statement {
  return ctx.db
    .update(webhooks)
    .set(change)
    .where(and(eq(webhooks.id, id), living(ctx)));
}

/** Rolls its batch back (`isStaleSecret`) unless the secret is still the one that was read: of several rotations at once one signs. */
export function replaceSecret(
  ctx: StoreCtx,
  before: WebhookRow,
  change: Partial<WebhookRow> & SecretColumns,
): Statement {
  const isSame = sql`${webhooks.wrappedSecret} = ${before.wrappedSecret} and ${webhooks.deletedAt} is null`;
  return ctx.db
    .update(webhooks)
    .set({ ...change, wrappedSecret: sql`case when ${isSame} then ${change.wrappedSecret} end` })
    .where(and(eq(webhooks.id, before.id), eq(webhooks.workspaceId, ctx.workspaceId)));
}

type SecretColumns = Pick<WebhookRow, "wrappedSecret" | "masterVersion">;

export function isStaleSecret(error: unknown): boolean {
  return messagesOf(error).some((message) => message.includes("NOT NULL constraint failed: webhooks.wrapped_secret"));
}

export async function findWebhook(ctx: StoreCtx, id: string): Promise<WebhookRow | null> {
  const [row] = await ctx.db
    .select()
    .from(webhooks)
    .where(and(eq(webhooks.id, id), living(ctx)));
  return row ?? null;
}

export async function countWebhooks(ctx: StoreCtx): Promise<number> {
  const [row] = await ctx.db.select({ webhooks: count() }).from(webhooks).where(living(ctx));
  return row?.webhooks ?? 0;
}

export async function listWebhooks(ctx: StoreCtx, before: string | null, limit: number): Promise<WebhookRow[]> {
  return ctx.db
    .select()
    .from(webhooks)
    .where(and(living(ctx), before ? lt(webhooks.id, before) : undefined))
    .orderBy(desc(webhooks.id))
    .limit(limit);
}

export async function listListening(ctx: StoreCtx): Promise<WebhookRow[]> {
  return ctx.db
    .select()
    .from(webhooks)
    .where(and(living(ctx), eq(webhooks.enabled, true)))
    .limit(maxWebhooks);
}

/** Of all workspaces, for the rotation of the master key. */
export async function listStale(db: Database, version: number, limit: number): Promise<WebhookRow[]> {
  return db
    .select()
    .from(webhooks)
    .where(
      and(isNull(webhooks.deletedAt), or(ne(webhooks.masterVersion, version), ne(webhooks.oldMasterVersion, version))),
    )
    .orderBy(asc(webhooks.id))
    .limit(limit);
}

/** Only while the secret is still the one that was read: a rotation in between wins. */
export function replaceWrapping(db: Database, before: WebhookRow, change: Partial<WebhookRow>): Statement {
  return db
    .update(webhooks)
    .set(change)
    .where(and(eq(webhooks.id, before.id), eq(webhooks.wrappedSecret, before.wrappedSecret)));
}

export function insertEvent(ctx: StoreCtx, row: WebhookEventRow): Statement {
  return ctx.db.insert(webhookEvents).values(row).onConflictDoNothing();
}

export function insertDelivery(
  ctx: StoreCtx,
  row: Pick<DeliveryRow, "id" | "webhookId" | "eventId" | "type" | "createdAt">,
): Statement {
  return ctx.db
    .insert(webhookDeliveries)
    .values({ ...row, workspaceId: ctx.workspaceId, state: "pending", askedAt: row.createdAt })
    .onConflictDoNothing();
}

export function updateDelivery(ctx: StoreCtx, id: string, change: Partial<DeliveryRow>): Statement {
  return ctx.db
    .update(webhookDeliveries)
    .set(change)
    .where(and(eq(webhookDeliveries.id, id), eq(webhookDeliveries.workspaceId, ctx.workspaceId)));
}

export function insertAttempt(ctx: StoreCtx, row: AttemptRow): Statement {
  return ctx.db.insert(webhookAttempts).values(row).onConflictDoNothing();
}

export interface FoundDelivery {
  delivery: DeliveryRow;
  webhook: WebhookRow;
  event: WebhookEventRow;
}

export async function findDelivery(ctx: StoreCtx, id: string): Promise<FoundDelivery | null> {
  const [row] = await ctx.db
    .select({ delivery: webhookDeliveries, webhook: webhooks, event: webhookEvents })
    .from(webhookDeliveries)
    .innerJoin(webhooks, eq(webhooks.id, webhookDeliveries.webhookId))
    .innerJoin(webhookEvents, eq(webhookEvents.id, webhookDeliveries.eventId))
    .where(and(eq(webhookDeliveries.id, id), eq(webhookDeliveries.workspaceId, ctx.workspaceId), living(ctx)));
  return row ?? null;
}

export async function listDeliveries(
  ctx: StoreCtx,
  filter: { webhookId: string; state: DeliveryRow["state"] | null; before: string | null; limit: number },
): Promise<DeliveryRow[]> {
  return ctx.db
    .select()
    .from(webhookDeliveries)
    .where(
      and(
        eq(webhookDeliveries.workspaceId, ctx.workspaceId),
        eq(webhookDeliveries.webhookId, filter.webhookId),
        filter.state ? eq(webhookDeliveries.state, filter.state) : undefined,
        filter.before ? lt(webhookDeliveries.id, filter.before) : undefined,
      ),
    )
    .orderBy(desc(webhookDeliveries.id))
    .limit(filter.limit);
}

/** The tries of at most a page of deliveries. */
export async function listAttempts(ctx: StoreCtx, deliveryIds: string[]): Promise<AttemptRow[]> {
  const found: AttemptRow[] = [];
  for (let from = 0; from < deliveryIds.length; from += 50) {
    const rows = await ctx.db
      .select()
      .from(webhookAttempts)
      .where(inArray(webhookAttempts.deliveryId, deliveryIds.slice(from, from + 50)))
      .orderBy(asc(webhookAttempts.deliveryId), asc(webhookAttempts.number))
      .limit(5_000);
    found.push(...rows);
  }
  return found;
}

/** True in SQL when nothing of the delivery is under way. */
export function isEnded(deliveryId: string): SQL {
  return sql`exists (select 1 from webhook_deliveries where id = ${deliveryId} and state <> 'pending')`;
}

/** Starts a delivery anew unless it is under way. */
export function restartDelivery(ctx: StoreCtx, id: string, at: number): Statement {
  return ctx.db
    .update(webhookDeliveries)
    .set({ state: "pending", tries: 0, endedAt: null, nextAttemptAt: at, askedAt: at })
    .where(
      and(
        eq(webhookDeliveries.id, id),
        eq(webhookDeliveries.workspaceId, ctx.workspaceId),
        ne(webhookDeliveries.state, "pending"),
      ),
    );
}

export function purgeDeliveries(db: Database, before: number): [Statement, ...Statement[]] {
  return [
    db.delete(webhookAttempts).where(lt(webhookAttempts.at, before)),
    db.delete(webhookDeliveries).where(lt(webhookDeliveries.createdAt, before)),
    db.delete(webhookEvents).where(lt(webhookEvents.createdAt, before)),
  ];
}
