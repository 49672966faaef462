/** The transports of mail. */
import type { Mailer } from "#core/mailer";

/** Sends nothing: the row in the outbox is all there is, bodies included. For development and tests. */
const outbox: Mailer = { send: () => Promise.resolve({ kind: "sent", vendorId: null }) };

export function makeMailer(): Mailer {
  return outbox;
}
