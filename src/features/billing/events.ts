/**
 * What the payment company sends. The signature over the raw bytes is checked before anything is read from them; a known event does nothing;
 * a new one is kept together with the job that looks at what it hints at.
 */
import type { Ctx } from "#core/context";
import { commitWithJobs, type Enqueued } from "#core/job";
import { Problem } from "#core/problem";
import { readSubscriptionJob } from "./jobs/read-subscription.ts";
import { requirePayments } from "./service.ts";
import { hasEvent, insertEvent, noneWaits, workspaceOfCustomer } from "./store.ts";

const maxBodyBytes = 524_288;
/** Signatures are some hundred characters; each one in the header is checked. */
const maxSignatureLength = 2_000;

export async function receiveEvent(ctx: Ctx, request: Request): Promise<{ received: true; duplicate: boolean }> {
  const payments = requirePayments(ctx);
  const signature = request.headers.get("stripe-signature") ?? "";
  if (signature === "" || signature.length > maxSignatureLength) throw new Problem("payment-event-unsigned");
  const event = await payments.readEvent(await readRaw(request), signature);
  if (!event) throw new Problem("payment-event-unsigned");
  const { provider } = payments;
  if (await hasEvent(ctx, provider, event.id)) return { received: true, duplicate: true };
  const workspaceId = event.customerId === null ? null : await workspaceOfCustomer(ctx, provider, event.customerId);
  const work = workspaceId === null ? [] : [readingOf(ctx, workspaceId)];
  try {
    await commitWithJobs(ctx, [insertEvent(ctx, provider, event, workspaceId)], work);
  } catch (error) {
    // Delivered twice at once: the other one keeps it, and with it the job.
    if (await hasEvent(ctx, provider, event.id)) return { received: true, duplicate: true };
    throw error;
  }
  return { received: true, duplicate: false };
}

/** A job that waits will see this event too, and one that runs may not: of a shower of events a few jobs take care. */
function readingOf(ctx: Ctx, workspaceId: string): Enqueued {
  const when = noneWaits(workspaceId, { name: readSubscriptionJob.name, at: ctx.now() });
  return readSubscriptionJob.row({ ...ctx, workspaceId }, { forEvents: true }, { when });
}

async function readRaw(request: Request): Promise<string> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of request.body ?? []) {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > maxBodyBytes) throw new Problem("body-too-large", { detail: `At most ${maxBodyBytes} bytes.` });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, sizeBytes).toString("utf8");
}
