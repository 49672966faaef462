/**
 * A real SMTP server that takes, refuses, stalls and hangs up as the recipient's name says: `gone-` has no box, `busy-` is busy twice, `cut-`
 * hangs up once after it took the message and before it said so, `kill-` keeps its answer back once until the test has killed the sender.
 */
import { createHash } from "node:crypto";
import type { AddressInfo } from "node:net";
import { SMTPServer, type SMTPServerSession } from "smtp-server";
import type { Certificate } from "./certificate.ts";

export interface Taken {
  to: string;
  from: string;
  raw: string;
  /** Came under TLS, from somebody who had signed in. */
  isProtected: boolean;
}

export interface Inbox {
  port: number;
  taken: Taken[];
  /** Refused sign-ins, and passwords that came in clear. */
  faults: string[];
  /** Resolves each time a `kill-` message is held back. */
  onHeld: (() => void) | null;
  close(): Promise<void>;
}

export interface InboxOptions {
  certificate: Certificate;
  username: string;
  password: string;
  /** TLS from the first byte. */
  isImplicit: boolean;
  port?: number;
}

const busyTimes = 2;

export async function openInbox(options: InboxOptions): Promise<Inbox> {
  const inbox: Inbox = { port: 0, taken: [], faults: [], onHeld: null, close: () => Promise.resolve() };
  const seen = new Map<string, number>();
  const count = (address: string) => {
    const times = (seen.get(address) ?? 0) + 1;
    seen.set(address, times);
    return times;
  };
  const server = new SMTPServer({
    secure: options.isImplicit,
    key: options.certificate.key,
    cert: options.certificate.certificate,
    // A sender that gives its password away in clear shall be found out, not protected.
    allowInsecureAuth: true,
    authMethods: ["PLAIN", "LOGIN"],
    disableReverseLookup: true,
    closeTimeout: 500,
    onAuth({ username, password }, session, done) {
      if (!session.secure) inbox.faults.push("clear: a password came without TLS");
      const isRight = hash(`${username}:${password}`) === hash(`${options.username}:${options.password}`);
      if (!isRight) inbox.faults.push("sign-in: a wrong name or password");
      done(isRight ? null : new Error("wrong"), { user: username });
    },
    onRcptTo({ address }, _, done) {
      if (address.startsWith("gone-")) return done(reply(550, "no such box"));
      if (address.startsWith("busy-") && count(address) <= busyTimes) return done(reply(451, "busy"));
      done();
    },
    onData(stream, session, done) {
      stream.on("error", done);
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => {
        const [to = ""] = session.envelope.rcptTo.map(({ address }) => address);
        const raw = Buffer.concat(chunks).toString("latin1");
        inbox.taken.push({ to, from: senderOf(session), raw, isProtected: protectedBy(session) });
        if (to.startsWith("cut-") && count(to) === 1) return hangUp(server, session);
        // The answer never comes: the sender dies first.
        if (to.startsWith("kill-") && count(to) === 1) return inbox.onHeld?.();
        done();
      });
    },
  });
  server.on("error", () => undefined);
  await new Promise<void>((listening, failed) => {
    server.server.once("error", failed);
    server.listen(options.port ?? 0, "127.0.0.1", () => listening());
  });
  inbox.port = (server.server.address() as AddressInfo).port;
  inbox.close = () => new Promise((closed) => server.close(() => closed()));
  return inbox;
}

function hash(words: string): string {
  return createHash("sha256").update(words).digest("hex");
}

function reply(responseCode: number, words: string): Error {
  return Object.assign(new Error(words), { responseCode });
}

function senderOf({ envelope }: SMTPServerSession): string {
  return envelope.mailFrom ? envelope.mailFrom.address : "";
}

function protectedBy({ secure, user }: SMTPServerSession): boolean {
  return secure && user !== undefined;
}

function hangUp(server: SMTPServer, { id }: SMTPServerSession): void {
  const connections = (
    server as unknown as { connections: Set<{ session: { id: string }; _socket: { destroy(): void } }> }
  ).connections;
  for (const connection of connections) if (connection.session.id === id) connection._socket.destroy();
}
