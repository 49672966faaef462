/**
 * Sends one mail. At least once: a run that dies after the other side took the mail is repeated, with the same Message-ID, so that a
 * receiver can drop the double. What the mail says never enters a log, nor the outbox where a transport delivered it.
 */
import * as z from "zod";
import { defineJob, done, fail, type JobCtx, type Outcome, retry } from "#core/job";
import type { Delivery, Mail } from "#core/mailer";
import { type Output, shape } from "#core/shape";
import type { Statement } from "#core/work";
import { mailTemplates, type MailData, type MailTemplate, preferenceOf } from "../mail-data.ts";
import { messageIdOf, type NotificationKind, readPreferences, sendMailName } from "../rules.ts";
import { openMailData } from "../sealing.ts";
import { findReader, insertOutboxMail } from "../store.ts";
import type { OutboxMailRow } from "../tables.ts";
import { unsubscribeLink } from "../unsubscribe.ts";

const payloadShape = shape(() =>
  z.object({
    mailId: z.string(),
    template: z.enum(mailTemplates),
    to: z.string(),
    sealed: z.string(),
    masterVersion: z.number().int(),
    userId: z.string().nullable(),
    workspaceId: z.string().nullable(),
  }),
);

type Payload = Output<typeof payloadShape>;

export const sendMailJob = defineJob({
  name: sendMailName,
  lane: "delivery",
  payload: payloadShape,
  // With the back-off of 2 s, doubled each time: more than an hour, the life of every code that is mailed but one.
  attempts: 12,
  run,
  async abandon(ctx, payload) {
    await ctx.commit([insertOutboxMail(ctx, { ...recordOf(ctx, payload), state: "failed", problem: "given up" })]);
  },
});

async function run(ctx: JobCtx, payload: Payload): Promise<Outcome> {
  const wish = await askPreference(ctx, payload);
  if (!wish.isWanted) return done({ mailId: payload.mailId, outcome: "unwanted" });
  const mail = await writeMail(ctx, payload, wish.unsubscribe);
  const delivery = await ctx.mailer.send(mail);
  return conclude(ctx, payload, { mail, delivery });
}

/** Does the person want the mail, and the link that ends mails of this kind; null where there is none. */
async function askPreference(
  ctx: JobCtx,
  { template, to, userId }: Payload,
): Promise<{ isWanted: boolean; unsubscribe: string | null }> {
  const kind: NotificationKind | null = preferenceOf(template);
  if (kind === null) return { isWanted: true, unsubscribe: null };
  const reader = await findReader(ctx, { userId, email: to });
  // Without an account nobody could say no, so nobody is asked to read it.
  if (!reader || !readPreferences(reader.preferences)[kind].mail) return { isWanted: false, unsubscribe: null };
  return { isWanted: true, unsubscribe: unsubscribeLink(ctx.settings, reader.id, kind) };
}

async function writeMail(ctx: JobCtx, payload: Payload, unsubscribe: string | null): Promise<Mail> {
  const { mail, publicUrl } = ctx.settings;
  const { render } = await import("../templates/render.tsx");
  const data = (await openMailData(ctx.settings, payload.mailId, payload)) as MailData[MailTemplate];
  return {
    id: payload.mailId,
    from: mail.from,
    to: payload.to,
    ...(await render(payload.template, data, { site: publicUrl, unsubscribe })),
    messageId: messageIdOf(payload.mailId, mail.from),
    headers: {
      "Auto-Submitted": "auto-generated",
      ...(unsubscribe === null
        ? {}
        : { "List-Unsubscribe": `<${unsubscribe}>`, "List-Unsubscribe-Post": "List-Unsubscribe=One-Click" }),
    },
  };
}

async function conclude(
  ctx: JobCtx,
  payload: Payload,
  { mail, delivery }: { mail: Mail; delivery: Delivery },
): Promise<Outcome> {
  if (delivery.kind === "later") return retry(delivery.why, delivery.afterSeconds);
  if (delivery.kind === "refused") {
    await ctx.commit([
      insertOutboxMail(ctx, { ...recordOf(ctx, payload), state: "refused", problem: delivery.why.slice(0, 500) }),
    ]);
    return fail("mail-refused");
  }
  const isKept = ctx.settings.mail.transport === "outbox";
  const words = isKept ? { subject: mail.subject, text: mail.text, html: mail.html } : {};
  const row = { ...recordOf(ctx, payload), ...words, state: "sent" as const, vendorId: delivery.vendorId };
  const effects: Statement[] = [insertOutboxMail(ctx, row)];
  return done({ mailId: payload.mailId, outcome: "sent" }, effects);
}

function recordOf(ctx: JobCtx, payload: Payload): Omit<OutboxMailRow, "state"> {
  const { mail } = ctx.settings;
  return {
    id: payload.mailId,
    workspaceId: payload.workspaceId,
    userId: payload.userId,
    template: payload.template,
    recipient: payload.to,
    transport: mail.transport,
    problem: null,
    subject: null,
    text: null,
    html: null,
    messageId: messageIdOf(payload.mailId, mail.from),
    vendorId: null,
    createdAt: ctx.now(),
  };
}
