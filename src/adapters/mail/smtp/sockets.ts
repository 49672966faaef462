/** SMTP over `cloudflare:sockets`. */
import { connect } from "cloudflare:sockets";
import type { MailSettings } from "#core/env";
import type { Mailer } from "#core/mailer";
import type { TlsMode } from "./dialogue.ts";
import { smtpMailer } from "./transport.ts";

const secureTransport = { implicit: "on", starttls: "starttls", none: "off" } as const satisfies Record<
  TlsMode,
  string
>;

export function smtpMailerOverSockets(mail: MailSettings): Mailer {
  return smtpMailer({
    mail,
    connect({ hostname, port, tls }) {
      const options = { secureTransport: secureTransport[tls], allowHalfOpen: false };
      const socket = connect({ hostname, port }, options);
      // A connection that fails is told by the first read; these promises would tell it to nobody a second time.
      for (const promise of [socket.opened, socket.closed]) promise.catch(() => undefined);
      return socket;
    },
  });
}
