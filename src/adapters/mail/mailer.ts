/** Chooses the transport that the deployer set. Each is loaded when the first mail goes, and only the chosen one. */
import type { Bindings, MailSettings } from "#core/env";
import type { Mailer } from "#core/mailer";
import type { Outbound } from "#core/outbound";

export interface MailerParts {
  mail: MailSettings;
  outbound: Outbound;
  /** The e-mail binding, which only the transport `cloudflare` needs. */
  binding: Bindings["EMAIL"];
}

/** Sends nothing: the row in the outbox is all there is, bodies included. For development and tests. */
const outbox: Mailer = { send: () => Promise.resolve({ kind: "sent", vendorId: null }) };

export function makeMailer(parts: MailerParts): Mailer {
  return { send: async (mail) => (await load(parts)).send(mail) };
}

async function load({ mail, outbound, binding }: MailerParts): Promise<Mailer> {
  switch (mail.transport) {
    case "outbox":
      return outbox;
    case "smtp": {
      const { smtpMailerOverSockets } = await import("./smtp/sockets.ts");
      return smtpMailerOverSockets(mail);
    }
    case "resend": {
      const { resendMailer } = await import("./resend/transport.ts");
      return resendMailer({ apiKey: mail.resendApiKey, outbound });
    }
    case "cloudflare": {
      const { cloudflareMailer } = await import("./cloudflare/transport.ts");
      return cloudflareMailer({
        from: mail.from,
        binding,
        async wrapMessage(from, to, raw) {
          const { EmailMessage } = await import("cloudflare:email");
          return new EmailMessage(from, to, raw);
        },
      });
    }
  }
}
