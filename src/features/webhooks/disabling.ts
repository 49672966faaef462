/** Switches an endpoint off and tells the person who made it, by mail and in the product. */
import type { JobCtx, Enqueued, Statement } from "#core/job";
import { auditEntry } from "#core/audit";
import { findById } from "#features/accounts/store";
import { mailJob, notify } from "#features/notifications/service";
import { updateWebhook } from "./store.ts";
import type { WebhookRow } from "./tables.ts";

export async function endpointDisabled(
  ctx: JobCtx,
  webhook: WebhookRow,
  disabledReason: "gone" | "exhausted",
): Promise<{ statements: Statement[]; enqueued: Enqueued[] }> {
  const { id, userId, url } = webhook;
  const person = await findById(ctx.db, userId);
  const mails = person
    ? [
        mailJob(ctx, {
          template: "webhook-disabled",
          to: person.email,
          data: { url },
          userId,
          workspaceId: ctx.workspaceId,
        }),
      ]
    : [];
  return {
    statements: [
      updateWebhook(ctx, id, { enabled: false, disabledReason, updatedAt: ctx.now() }),
      auditEntry(ctx, "webhook.disabled", { target: id, details: { url, disabledReason } }),
      ...notify(ctx, {
        userId,
        workspaceId: ctx.workspaceId,
        kind: "webhooks",
        title: "A webhook was switched off",
        body: `${url} ${disabledReason === "gone" ? "asked not to be called again." : "did not take an event for three days."}`,
        data: { webhookId: id },
      }),
    ],
    enqueued: mails,
  };
}
