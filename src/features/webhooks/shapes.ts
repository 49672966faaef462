/** What clients see of webhooks and deliveries. The secret is in the answer that made it and nowhere else. */
import * as z from "zod";
import { pageOf, pageQuery } from "#core/page";
import { type Output, shape } from "#core/shape";
import { eventTypeNames, isPattern } from "./events.ts";

const id = () => z.string().max(64);
const time = () => z.string().nullable();

export const webhookParams = shape(() => z.object({ id: id() }));
export const deliveryParams = shape(() => z.object({ id: id(), deliveryId: id() }));

const url = () =>
  z
    .string()
    .max(2_048)
    .meta({ description: "https, a public host name, port 443.", example: "https://hooks.example.com/overtone" });
const description = () => z.string().trim().max(500);
const events = () =>
  z
    .array(z.string().max(64).refine(isPattern, "names no type of event"))
    .min(1)
    .max(50)
    .meta({
      description: "Types of events, `conversion.*` for all of a kind, `*` for all.",
      example: ["conversion.*"],
    });

export const createWebhookBody = shape(() =>
  z
    .strictObject({ url: url(), events: events().optional(), description: description().optional() })
    .meta({ id: "WebhookCreate" }),
);

export const changeWebhookBody = shape(() =>
  z
    .strictObject({ url: url(), events: events(), description: description(), enabled: z.boolean() })
    .partial()
    .refine((body) => Object.keys(body).length > 0, "at least one member")
    .meta({ id: "WebhookChange" }),
);

export type CreateWebhook = Output<typeof createWebhookBody>;
export type ChangeWebhook = Output<typeof changeWebhookBody>;

const members = () => ({
  id: z.string(),
  url: z.string(),
  description: z.string(),
  events: z.array(z.string()),
  enabled: z.boolean(),
  disabledReason: z.enum(["person", "gone", "exhausted"]).nullable(),
  oldSecretUntil: time().meta({ description: "After a rotation: until when the secret before signs, too." }),
  lastSuccessAt: time(),
  lastFailureAt: time(),
  createdAt: z.string(),
  updatedAt: z.string(),
});

export const webhookShape = shape(() => z.object(members()).meta({ id: "Webhook" }));
export const webhookWithSecretShape = shape(() =>
  z
    .object({
      ...members(),
      secret: z.string().optional().meta({ description: "Shown once; a replayed answer does not hold it." }),
    })
    .meta({ id: "WebhookWithSecret" }),
);
export const webhookPage = pageOf(webhookShape, "WebhookPage");

const state = () => z.enum(["pending", "delivered", "failed"]);

const attemptShape = shape(() =>
  z
    .object({
      number: z.number(),
      at: z.string(),
      status: z.number().nullable().meta({ description: "Null: no answer." }),
      outcome: z.string(),
      durationMs: z.number(),
    })
    .meta({ id: "WebhookAttempt" }),
);

export const deliveryShape = shape(() =>
  z
    .object({
      id: z.string(),
      webhookId: z.string(),
      eventId: z.string().meta({ description: "`webhook-id` of the request: the same at each try." }),
      type: z.string(),
      state: state(),
      attemptCount: z.number(),
      lastStatus: z.number().nullable(),
      nextAttemptAt: time(),
      createdAt: z.string(),
      endedAt: time(),
      attempts: z.array(attemptShape()),
    })
    .meta({ id: "WebhookDelivery" }),
);
export const deliveryPage = pageOf(deliveryShape, "WebhookDeliveryPage");
export const deliveryQuery = shape(() => pageQuery().extend({ state: state().optional() }));

export const eventTypesShape = shape(() =>
  z
    .object({
      items: z.array(
        z.object({ type: z.enum(eventTypeNames), description: z.string(), example: z.record(z.string(), z.unknown()) }),
      ),
    })
    .meta({ id: "WebhookEventTypes" }),
);
