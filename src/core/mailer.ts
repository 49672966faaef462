/** What a feature may ask of mail. The transports are in `adapters/mail`; which one it is, the deployer's settings say. */

/** A mail that is ready to go. Every header value is one line; whoever makes a mail sees to that. */
export interface Mail {
  /** Names the mail for good: a repeated send carries the same one, so that a receiver or vendor can drop the double. */
  id: string;
  /** `Name <address>` or an address. */
  from: string;
  /** One address. */
  to: string;
  subject: string;
  text: string;
  html: string;
  /** Of the `Message-ID` header, with its angle brackets. */
  messageId: string;
  /** Beyond From, To, Subject, Date, Message-ID and MIME's own. */
  headers: Record<string, string>;
}

/**
 * `refused`: the same mail will be refused again, so nobody should try. `later`: it may work another time. `why` is for the outbox and
 * the log and never holds what the mail says.
 */
export type Delivery =
  | { kind: "sent"; vendorId: string | null }
  | { kind: "refused"; why: string }
  | { kind: "later"; why: string; afterSeconds: number | null };

export interface Mailer {
  /** Does not throw for anything that the other side says or fails to say. */
  send(mail: Mail): Promise<Delivery>;
}
