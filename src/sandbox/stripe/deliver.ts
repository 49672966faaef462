/** Signs events as Stripe does and sends them to the product. What does not arrive is sent again when something else happens. */
import { createHmac } from "node:crypto";
import { sandboxSecrets } from "#core/sandbox-secrets";
import type { SandboxCtx } from "../context.ts";
import { noteDelivery, waitingEvents } from "./store.ts";

const maxEvents = 50;

export function signatureOf(secret: string, body: string, atSeconds: number): string {
  const signature = createHmac("sha256", secret).update(`${atSeconds}.${body}`).digest("hex");
  return `t=${atSeconds},v1=${signature}`;
}

export async function deliverWaiting(ctx: SandboxCtx): Promise<void> {
  const { webhookSecret } = sandboxSecrets(ctx.settings, "stripe");
  for (const { id, body } of await waitingEvents(ctx, maxEvents)) {
    const request = new Request(`${ctx.settings.publicUrl}/v1/subscriptions/webhooks/stripe`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        // The signature's age is told by the real clock, whatever the customer's own says.
        "stripe-signature": signatureOf(webhookSecret, body, Math.floor(ctx.now() / 1_000)),
      },
      body,
    });
    const response = await ctx.deliver(request);
    await response.body?.cancel();
    await ctx.db.batch([noteDelivery(ctx, id, response.ok) as never]);
  }
}
