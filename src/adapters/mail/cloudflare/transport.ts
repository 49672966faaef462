/**
 * Mail by Cloudflare's e-mail binding. The message goes as bytes that we composed and not in parts, because only so does it keep our
 * Message-ID through every attempt (https://developers.cloudflare.com/email-service/api/send-emails/workers-api/).
 */
import type { Bindings } from "#core/env";
import type { Delivery, Mailer } from "#core/mailer";
import { composeMime, readMailbox } from "../mime.ts";

/** What the binding says about the mail itself; everything else is about the account, or passes. */
const finalCodes = new Set([
  "E_RECIPIENT_NOT_ALLOWED",
  "E_RECIPIENT_SUPPRESSED",
  "E_CONTENT_TOO_LARGE",
  "E_VALIDATION_ERROR",
]);

/** Wraps composed bytes as the binding wants them: `EmailMessage` of `cloudflare:email`, which exists in the runtime only. */
export type WrapMessage = (from: string, to: string, raw: string) => Promise<EmailMessage>;

export interface CloudflareParts {
  from: string;
  binding: Bindings["EMAIL"];
  wrapMessage: WrapMessage;
  now?: () => Date;
}

export function cloudflareMailer({ from, binding, wrapMessage, now = () => new Date() }: CloudflareParts): Mailer {
  return {
    async send(mail) {
      const sender = readMailbox(from);
      const recipient = readMailbox(mail.to);
      if (!sender || !binding) return later("FROM_EMAIL or the binding EMAIL is not set");
      if (!recipient) return { kind: "refused", why: "the recipient is not an address" };
      const raw = composeMime(mail, { from: sender, to: recipient, at: now() });
      try {
        const sent = (await binding.send(await wrapMessage(sender.address, recipient.address, raw))) as
          | EmailSendResult
          | undefined;
        return { kind: "sent", vendorId: sent?.messageId ?? null };
      } catch (error) {
        return judge(error);
      }
    },
  };
}

function judge(error: unknown): Delivery {
  const { code } = Object(error) as { code?: unknown };
  const known = typeof code === "string" && /^E_[A-Z_]{1,60}$/.test(code) ? code : null;
  if (known !== null && finalCodes.has(known)) return { kind: "refused", why: known };
  return later(known ?? "the binding failed");
}

function later(why: string): Delivery {
  return { kind: "later", why, afterSeconds: null };
}
