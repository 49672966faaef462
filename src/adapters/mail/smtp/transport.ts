/** Mail by SMTP over the runtime's sockets: TLS from the first byte on port 465, STARTTLS on any other port, in clear only when told so. */
import type { MailSettings } from "#core/env";
import type { Delivery, Mail, Mailer } from "#core/mailer";
import { composeMime, readMailbox } from "../mime.ts";
import { within } from "../patience.ts";
import { type MailSocket, Rejected, speakSmtp, type TlsMode } from "./dialogue.ts";
import { ConnectionLost } from "./reply-reader.ts";

export type Connect = (address: { hostname: string; port: number; tls: TlsMode }) => MailSocket;

/** RFC 5321 asks for minutes; nobody waits that long in a queue of ten. */
const replyTimeoutMs = 30_000;
/** A server that says one word after the other in time is not waited for beyond this. */
const totalTimeoutMs = 120_000;
const implicitTlsPort = 465;

export interface SmtpParts {
  mail: MailSettings;
  connect: Connect;
  now?: () => Date;
}

export function smtpMailer({ mail: { from, smtp }, connect, now = () => new Date() }: SmtpParts): Mailer {
  const clearOrStartTls = smtp.useTls ? "starttls" : "none";
  const tls: TlsMode = smtp.useTls && smtp.port === implicitTlsPort ? "implicit" : clearOrStartTls;
  return {
    async send(mail) {
      const sender = readMailbox(from);
      const recipient = readMailbox(mail.to);
      if (!sender || !smtp.host) return later("FROM_EMAIL or SMTP_HOST is not set");
      if (!recipient) return { kind: "refused", why: "the recipient is not an address" };
      const message = composeMime(mail, { from: sender, to: recipient, at: now() });
      try {
        const socket = connect({ hostname: smtp.host, port: smtp.port, tls });
        const wire = { from: sender.address, to: recipient.address, message };
        const clientName = hostOf(sender.address);
        const dialogue = speakSmtp(socket, wire, { tls, clientName, credentials: credentialsOf(smtp), replyTimeoutMs });
        const said = await within(dialogue, totalTimeoutMs, () => {
          void socket.close().catch(() => undefined);
          return new ConnectionLost("the server took too long");
        });
        return { kind: "sent", vendorId: said || null };
      } catch (error) {
        return judge(error, mail);
      }
    },
  };
}

function hostOf(address: string): string {
  const host = address.slice(address.lastIndexOf("@") + 1);
  return /^[A-Za-z0-9.-]+$/.test(host) ? host : "localhost";
}

function credentialsOf({ username, password }: MailSettings["smtp"]) {
  return username === "" ? null : { username, password };
}

function later(why: string): Delivery {
  return { kind: "later", why, afterSeconds: null };
}

/** About the mail, a 5xx is final. About us (greeting, TLS, sign-in, sender) it is the deployer's to mend, and the mail waits. */
function judge(error: unknown, { to }: Mail): Delivery {
  if (error instanceof Rejected) {
    const isAboutMail = ["RCPT", "DATA", "message"].includes(error.step) && error.reply.code !== 530;
    const why = error.message.replaceAll(to, "the recipient");
    return isAboutMail && error.reply.code >= 500 ? { kind: "refused", why } : later(why);
  }
  return later(error instanceof ConnectionLost ? error.message : "the connection failed");
}
