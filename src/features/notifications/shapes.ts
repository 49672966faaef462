/** What clients see of notices and mails, and what they may want of them. */
import * as z from "zod";
import { pageOf, pageQuery } from "#core/page";
import { type Output, shape } from "#core/shape";
import { notificationKinds } from "./rules.ts";

export const notificationParams = shape(() =>
  z.object({
    id: z
      .string()
      .max(64)
      .meta({ example: "ntf_01kahs7m3n0000000000000000", description: "Or `all`, to mark every one." }),
  }),
);

export const notificationListQuery = shape(() =>
  pageQuery().extend({
    unread: z.enum(["true", "false"]).optional().meta({ description: "`true`: only those that were not read." }),
  }),
);

export const notificationShape = shape(() =>
  z
    .object({
      id: z.string(),
      kind: z.enum(notificationKinds),
      workspaceId: z.string().nullable(),
      title: z.string(),
      body: z.string(),
      data: z.record(z.string(), z.unknown()),
      readAt: z.string().nullable(),
      createdAt: z.string(),
    })
    .meta({ id: "Notification" }),
);

export const notificationPage = shape(() =>
  z
    .object({
      items: z.array(notificationShape()),
      nextCursor: z.string().nullable(),
      unread: z.number().int().meta({ description: "Of all notifications, not only of this page." }),
    })
    .meta({ id: "NotificationPage" }),
);

export const readAnswer = shape(() =>
  z
    .object({
      read: z.number().int().meta({ description: "How many became read by this request." }),
      unread: z.number().int(),
    })
    .meta({ id: "NotificationsRead" }),
);

export const unsubscribeQuery = shape(() =>
  z.object({ token: z.string().max(200).meta({ description: "From the link in the mail." }) }),
);

export const outboxQuery = shape(() =>
  pageQuery().extend({ to: z.string().max(254).optional().meta({ description: "Exactly this recipient." }) }),
);

export const outboxMailShape = shape(() =>
  z
    .object({
      id: z.string(),
      to: z.string(),
      template: z.string(),
      transport: z.enum(["outbox", "cloudflare", "smtp", "resend"]),
      state: z.enum(["sent", "refused", "failed"]),
      problem: z.string().nullable(),
      messageId: z.string(),
      vendorId: z.string().nullable(),
      userId: z.string().nullable(),
      workspaceId: z.string().nullable(),
      subject: z
        .string()
        .nullable()
        .meta({ description: "With `text` and `html`: only while mails stay in the outbox." }),
      text: z.string().nullable(),
      html: z.string().nullable(),
      createdAt: z.string(),
    })
    .meta({ id: "OutboxMail" }),
);

export const outboxPage = pageOf(outboxMailShape, "OutboxMailPage");

/** For `notifications` among a person's preferences: by kind and channel, or for all at once. Security cannot be switched off. */
export const notificationPreferencesShape = shape(() => {
  const channels = z.strictObject({ inApp: z.boolean().optional(), mail: z.boolean().optional() }).optional();
  const always = z.strictObject({ inApp: z.literal(true).optional(), mail: z.literal(true).optional() }).optional();
  return z.union([
    z.boolean(),
    z.strictObject({
      security: always,
      quota: channels,
      billing: channels,
      workspace: channels,
      jobs: channels,
      webhooks: channels,
    }),
  ]);
});

export type NotificationShape = Output<typeof notificationShape>;
export type OutboxMailShape = Output<typeof outboxMailShape>;
