/** Making, changing and testing endpoints, and the log of what was delivered to them. */
import { auditEntry } from "#core/audit";
import type { WorkspaceCtx } from "#core/context";
import { commitWithJobs } from "#core/job";
import { type Limit } from "#core/limits";
import { readCursor, toPage, type PageQuery } from "#core/page";
import { Problem } from "#core/problem";
import { checkTenantUrl } from "#lib/tenant-url";
import { eventTypes } from "./events.ts";
import { deliverJob } from "./jobs/deliver.ts";
import { makeSecret } from "./secret.ts";
import type { ChangeWebhook, CreateWebhook } from "./shapes.ts";
import {
  countWebhooks,
  findDelivery,
  findWebhook,
  insertDelivery,
  insertEvent,
  insertWebhook,
  isEnded,
  isStaleSecret,
  listAttempts,
  listDeliveries,
  listWebhooks,
  maxWebhooks,
  replaceSecret,
  restartDelivery,
  updateWebhook,
} from "./store.ts";
import type { AttemptRow, DeliveryRow, WebhookRow } from "./tables.ts";

const oldSecretMs = 24 * 3_600_000;
/** Each test and each redelivery calls somebody's host at once. */
const callLimit: Limit = { name: "webhook-calls", quota: 30, windowSeconds: 60 };

const iso = (at: number | null) => (at === null ? null : new Date(at).toISOString());

export function toWebhook(row: WebhookRow, nowMs: number) {
  const { id, url, description, events, enabled, disabledReason } = row;
  const isRotating = row.oldSecretUntil !== null && row.oldSecretUntil > nowMs;
  return {
    id,
    url,
    description,
    events,
    enabled,
    disabledReason,
    oldSecretUntil: isRotating ? iso(row.oldSecretUntil) : null,
    lastSuccessAt: iso(row.lastSuccessAt),
    lastFailureAt: iso(row.lastFailureAt),
    createdAt: new Date(row.createdAt).toISOString(),
    updatedAt: new Date(row.updatedAt).toISOString(),
  };
}

function toDelivery(row: DeliveryRow, attempts: readonly AttemptRow[]) {
  return {
    id: row.id,
    webhookId: row.webhookId,
    eventId: row.eventId,
    type: row.type,
    state: row.state,
    attemptCount: row.attempts,
    lastStatus: row.lastStatus,
    nextAttemptAt: iso(row.nextAttemptAt),
    createdAt: new Date(row.createdAt).toISOString(),
    endedAt: iso(row.endedAt),
    attempts: attempts
      .filter((attempt) => attempt.deliveryId === row.id)
      .map(({ number, at, status, outcome, durationMs }) => ({
        number,
        at: iso(at) ?? "",
        status,
        outcome,
        durationMs,
      })),
  };
}

export const eventTypeList = {
  items: Object.entries(eventTypes).map(([type, { description, example }]) => ({
    type: type as keyof typeof eventTypes,
    description,
    example: { ...example },
  })),
};

/** Refuses an address that a tenant may not name, before anything is stored. What the name stands for is looked up at each delivery. */
function requireUrl(ctx: WorkspaceCtx, text: string): string {
  const { outboundTenantAllow: allow, publicUrl } = ctx.settings;
  const check = checkTenantUrl(text, { allow, publicUrl });
  if (!check.ok)
    throw new Problem("address-refused", {
      detail: `The address is refused: ${check.reason}.`,
      members: { reason: check.reason },
    });
  return check.url.href;
}

export async function createWebhook(ctx: WorkspaceCtx, given: CreateWebhook) {
  const url = requireUrl(ctx, given.url);
  const id = ctx.newId("webhook");
  const isThere = ctx.isReplay && (await findWebhook(ctx, id)) !== null;
  if (!isThere && (await countWebhooks(ctx)) >= maxWebhooks)
    throw new Problem("webhook-limit-reached", { detail: `At most ${maxWebhooks} webhooks a workspace.` });
  const { text: secret, ...wrapped } = await makeSecret(ctx, id);
  const at = ctx.now();
  const row: WebhookRow = {
    id,
    workspaceId: ctx.workspaceId,
    userId: ctx.userId,
    url,
    description: given.description ?? "",
    events: given.events ?? ["*"],
    enabled: true,
    disabledReason: null,
    ...wrapped,
    oldWrappedSecret: null,
    oldMasterVersion: null,
    oldSecretUntil: null,
    lastSuccessAt: null,
    lastFailureAt: null,
    createdAt: at,
    updatedAt: at,
    deletedAt: null,
  };
  const details = { url, events: row.events };
  await ctx.db.batch([insertWebhook(ctx, row), auditEntry(ctx, "webhook.created", { target: id, details })]);
  return { ...toWebhook(row, at), secret };
}

export async function getWebhook(ctx: WorkspaceCtx, id: string): Promise<WebhookRow> {
  const row = await findWebhook(ctx, id);
  if (!row) throw new Problem("webhook-not-found");
  return row;
}

export async function listWebhookPage(ctx: WorkspaceCtx, query: PageQuery) {
  const rows = await listWebhooks(ctx, readCursor(query), query.limit + 1);
  return toPage(rows, query.limit, (row) => toWebhook(row, ctx.now()));
}

export async function changeWebhook(ctx: WorkspaceCtx, id: string, change: ChangeWebhook) {
  const before = await getWebhook(ctx, id);
  const { url, enabled } = change;
  const next = {
    url: url === undefined ? before.url : requireUrl(ctx, url),
    description: change.description ?? before.description,
    events: change.events ?? before.events,
    enabled: enabled ?? before.enabled,
    disabledReason: enabled === undefined ? before.disabledReason : enabled ? null : ("person" as const),
    updatedAt: ctx.now(),
  };
  const { url: oldUrl, events: oldEvents, enabled: wasEnabled } = before;
  const details = {
    before: { url: oldUrl, events: oldEvents, enabled: wasEnabled },
    after: { url: next.url, events: next.events, enabled: next.enabled },
  };
  await ctx.db.batch([updateWebhook(ctx, id, next), auditEntry(ctx, "webhook.changed", { target: id, details })]);
  return toWebhook({ ...before, ...next }, ctx.now());
}

/** Deliveries that wait find no endpoint any more and end. */
export async function deleteWebhook(ctx: WorkspaceCtx, id: string): Promise<void> {
  await getWebhook(ctx, id);
  const gone = { enabled: false, deletedAt: ctx.now(), wrappedSecret: "", oldWrappedSecret: null };
  await ctx.db.batch([updateWebhook(ctx, id, gone), auditEntry(ctx, "webhook.deleted", { target: id })]);
}

/**
 * For a day both secrets sign, so that the receiver can change over without losing anything. Of several rotations at once one is made: whoever is
 * shown a secret has one that signs.
 */
export async function rotateSecret(ctx: WorkspaceCtx, id: string) {
  const before = await getWebhook(ctx, id);
  const { text: secret, ...wrapped } = await makeSecret(ctx, id);
  const next = {
    ...wrapped,
    oldWrappedSecret: before.wrappedSecret,
    oldMasterVersion: before.masterVersion,
    oldSecretUntil: ctx.now() + oldSecretMs,
    updatedAt: ctx.now(),
  };
  const entry = auditEntry(ctx, "webhook.secret-rotated", { target: id });
  try {
    await ctx.db.batch([replaceSecret(ctx, before, next), entry]);
  } catch (error) {
    if (!isStaleSecret(error)) throw error;
    await getWebhook(ctx, id);
    throw new Problem("webhook-secret-changed");
  }
  return { ...toWebhook({ ...before, ...next }, ctx.now()), secret };
}

/** Sends a ping now, once, also to an endpoint that is off: one wants to know before switching it on again. */
export async function testWebhook(ctx: WorkspaceCtx, id: string) {
  await getWebhook(ctx, id);
  await ctx.takeLimit(callLimit, ctx.workspaceId);
  const at = ctx.now();
  const [eventId, deliveryId] = [ctx.newId("event"), ctx.newId("delivery")];
  const body = JSON.stringify({ type: "ping", timestamp: iso(at), data: eventTypes.ping.example });
  const job = deliverJob.row({ ...ctx, userId: ctx.userId }, { deliveryId });
  await commitWithJobs(
    ctx,
    [
      insertEvent(ctx, { id: eventId, workspaceId: ctx.workspaceId, type: "ping", body, createdAt: at }),
      insertDelivery(ctx, { id: deliveryId, webhookId: id, eventId, type: "ping", createdAt: at }),
      auditEntry(ctx, "webhook.tested", { target: id }),
    ],
    [job],
  );
  await ctx.runNow(job.jobId);
  return getDelivery(ctx, id, deliveryId);
}

async function getDelivery(ctx: WorkspaceCtx, id: string, deliveryId: string) {
  const found = await findDelivery(ctx, deliveryId);
  if (found?.webhook.id !== id) throw new Problem("webhook-delivery-not-found");
  return toDelivery(found.delivery, await listAttempts(ctx, [deliveryId]));
}

export async function listDeliveryPage(
  ctx: WorkspaceCtx,
  id: string,
  query: PageQuery & { state?: DeliveryRow["state"] | undefined },
) {
  await getWebhook(ctx, id);
  const before = readCursor(query);
  const filter = { webhookId: id, state: query.state ?? null, before, limit: query.limit + 1 };
  const rows = await listDeliveries(ctx, filter);
  const attempts = await listAttempts(
    ctx,
    rows.slice(0, query.limit).map((row) => row.id),
  );
  return toPage(rows, query.limit, (row) => toDelivery(row, attempts));
}

/** The same event with the same id once more, with a new series of tries. */
export async function redeliver(ctx: WorkspaceCtx, id: string, deliveryId: string) {
  const webhook = await getWebhook(ctx, id);
  await getDelivery(ctx, id, deliveryId);
  if (!webhook.enabled) throw new Problem("webhook-disabled");
  await ctx.takeLimit(callLimit, ctx.workspaceId);
  const job = deliverJob.row({ ...ctx, userId: ctx.userId }, { deliveryId }, { when: isEnded(deliveryId) });
  const statements = [
    restartDelivery(ctx, deliveryId, ctx.now()),
    auditEntry(ctx, "webhook.redelivered", { target: deliveryId }),
  ] as const;
  // The job's condition is judged before the delivery is pending again: two requests at once make one job.
  await ctx.db.batch([job.statement, ...statements]);
  await ctx.offer(job);
  return getDelivery(ctx, id, deliveryId);
}
