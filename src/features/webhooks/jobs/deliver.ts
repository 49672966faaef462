/**
 * Sends one event to one endpoint, again and again for about three days. Each endpoint has its own job, so one that hangs holds up
 * nobody else. An interrupted run may send the same event twice; the id in its headers tells the receiver.
 */
import * as z from "zod";
import { defineJob, done, type JobCtx, type Outcome, retry, type Statement } from "#core/job";
import { TenantCallError } from "#core/outbound";
import { endpointDisabled } from "../disabling.ts";
import { goneStatus, isSuccess, maxTries, nextWaitSeconds, retryAfterOf } from "../rules.ts";
import { secretsOf, signatureOf } from "../secret.ts";
import { type FoundDelivery, findDelivery, insertAttempt, updateDelivery, updateWebhook } from "../store.ts";

const timeoutMs = 15_000;
/** Runs that died count as attempts of the job, but not as tries of the delivery. */
const attempts = 4 * maxTries;

export const deliverJob = defineJob({
  name: "webhooks.deliver",
  lane: "delivery",
  payload: () => z.object({ deliveryId: z.string() }),
  attempts,
  async run(ctx, { deliveryId }) {
    const found = await findDelivery(ctx, deliveryId);
    if (found?.delivery.state !== "pending") return done({ sent: false });
    if (!found.webhook.enabled && found.delivery.type !== "ping")
      return done({ sent: false }, [ended(ctx, found, "failed")]);
    return judge(ctx, found, await send(ctx, found));
  },
  async abandon(ctx, { deliveryId }) {
    const found = await findDelivery(ctx, deliveryId);
    if (found?.delivery.state === "pending") await ctx.commit([ended(ctx, found, "failed")]);
  },
});

interface Tried {
  at: number;
  /** Null: no answer. */
  status: number | null;
  outcome: string;
  durationMs: number;
  retryAfter: number | null;
}

async function send(ctx: JobCtx, found: FoundDelivery): Promise<Tried> {
  const at = ctx.now();
  const since = () => ctx.now() - at;
  try {
    const request = new Request(found.webhook.url, {
      method: "POST",
      headers: await headersOf(ctx, found),
      body: found.event.body,
    });
    // What the endpoint says is of no use to us, and showing it to a tenant would make this a way to read other people's hosts.
    const { status, headers } = await ctx.outbound.tenant(request, { timeoutMs, bodyBytesMax: 0 });
    const outcome = isSuccess(status) ? "delivered" : "refused-by-endpoint";
    return { at, status, outcome, durationMs: since(), retryAfter: retryAfterOf(headers) };
  } catch (error) {
    if (!(error instanceof TenantCallError)) throw error;
    const outcome = error.fault === "refused" ? "address-refused" : error.fault;
    return { at, status: null, outcome, durationMs: since(), retryAfter: null };
  }
}

/** Standard Webhooks 1.0: the id stays the same at each try, the time is that of this try, and during a rotation both secrets sign. */
async function headersOf(ctx: JobCtx, { webhook, event }: FoundDelivery): Promise<Record<string, string>> {
  const atSeconds = Math.floor(ctx.now() / 1_000);
  const secrets = await secretsOf(ctx, webhook);
  const signatures = secrets.map((secret) => signatureOf(secret, { id: event.id, atSeconds, body: event.body }));
  return {
    "content-type": "application/json",
    "user-agent": "Overtone-Webhooks/1.0",
    "webhook-id": event.id,
    "webhook-timestamp": String(atSeconds),
    "webhook-signature": signatures.join(" "),
  };
}

async function judge(ctx: JobCtx, found: FoundDelivery, tried: Tried): Promise<Outcome> {
  const { delivery, webhook } = found;
  const tries = delivery.tries + 1;
  const logged = logOf(ctx, found, { tried, tries });
  if (tried.outcome === "delivered") {
    const success = updateWebhook(ctx, webhook.id, { lastSuccessAt: tried.at });
    return done({ sent: true, status: tried.status }, [...logged, ended(ctx, found, "delivered"), success]);
  }
  logged.push(updateWebhook(ctx, webhook.id, { lastFailureAt: tried.at }));
  const wait = delivery.type === "ping" ? null : nextWaitSeconds(tries, ctx.random(1)[0] ?? 0, tried.retryAfter);
  if (tried.status === goneStatus || wait === null) return giveUp(ctx, found, { tried, logged });
  await ctx.commit([...logged, updateDelivery(ctx, delivery.id, { nextAttemptAt: ctx.now() + wait * 1_000 })]);
  return retry(tried.outcome, wait);
}

/** An endpoint that took other events since is well: one that it cannot digest does not switch it off. */
async function giveUp(
  ctx: JobCtx,
  found: FoundDelivery,
  { tried, logged }: { tried: Tried; logged: Statement[] },
): Promise<Outcome> {
  const { delivery, webhook } = found;
  const effects = [...logged, ended(ctx, found, "failed")];
  const isGone = tried.status === goneStatus;
  const isWell = (webhook.lastSuccessAt ?? 0) >= delivery.askedAt;
  if (!webhook.enabled || delivery.type === "ping" || (isWell && !isGone)) return done({ sent: false }, effects);
  const disabled = await endpointDisabled(ctx, webhook, isGone ? "gone" : "exhausted");
  return done({ sent: false, disabled: true }, [...effects, ...disabled.statements], disabled.enqueued);
}

function logOf(
  ctx: JobCtx,
  { delivery }: FoundDelivery,
  { tried, tries }: { tried: Tried; tries: number },
): Statement[] {
  const { at, status, outcome, durationMs } = tried;
  const number = delivery.attempts + 1;
  return [
    insertAttempt(ctx, { deliveryId: delivery.id, number, at, status, outcome, durationMs }),
    updateDelivery(ctx, delivery.id, { tries, attempts: number, lastStatus: status }),
  ];
}

function ended(ctx: JobCtx, { delivery }: FoundDelivery, state: "delivered" | "failed"): Statement {
  return updateDelivery(ctx, delivery.id, { state, endedAt: ctx.now(), nextAttemptAt: null });
}
