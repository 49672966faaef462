/** Makes one delivery for each endpoint that wants an event: event, deliveries and their jobs appear together, once, or not at all. */
import * as z from "zod";
import { defineJob, done } from "#core/job";
import { isWanted } from "../events.ts";
import { insertDelivery, insertEvent, listListening } from "../store.ts";
import { deliverJob } from "./deliver.ts";

export const fanOutJob = defineJob({
  name: "webhooks.fan-out",
  lane: "delivery",
  payload: () => z.object({ eventId: z.string(), type: z.string(), body: z.string(), at: z.number() }),
  attempts: 8,
  async run(ctx, { eventId, type, body, at }) {
    const wanting = (await listListening(ctx)).filter((hook) => isWanted(hook.events, type));
    if (wanting.length === 0) return done({ deliveries: 0 });
    const deliveries = wanting.map((hook) => ({ id: ctx.newId("delivery"), webhookId: hook.id }));
    return done(
      { deliveries: deliveries.length },
      [
        insertEvent(ctx, { id: eventId, workspaceId: ctx.workspaceId, type, body, createdAt: at }),
        ...deliveries.map(({ id, webhookId }) =>
          insertDelivery(ctx, { id, webhookId, eventId, type, createdAt: ctx.now() }),
        ),
      ],
      deliveries.map(({ id }) => deliverJob.row(ctx, { deliveryId: id })),
    );
  },
});
