/**
 * One mail over one SMTP connection (RFC 5321), with STARTTLS (RFC 3207) and AUTH (RFC 4954). Refuses to go on in clear when TLS was asked
 * for, whatever the server offers: a password must not leave because somebody on the way removed the offer.
 */
import { within } from "../patience.ts";
import { ConnectionLost, makeReplyReader, type Reply, type ReplyReader } from "./reply-reader.ts";

/** What a socket of the runtime can do, as far as it is needed here. */
export interface MailSocket {
  readable: ReadableStream<Uint8Array>;
  writable: WritableStream<Uint8Array>;
  startTls(): MailSocket;
  close(): Promise<unknown>;
}

const closeTimeoutMs = 2_000;

export type TlsMode = "implicit" | "starttls" | "none";

export interface DialogueOptions {
  tls: TlsMode;
  /** How we name ourselves. */
  clientName: string;
  credentials: { username: string; password: string } | null;
  replyTimeoutMs: number;
}

export interface Wire {
  from: string;
  to: string;
  /** The whole message, with CR LF line ends. */
  message: string;
}

/** A reply that ends the attempt. `step` says at which command. */
export class Rejected extends Error {
  readonly step: string;
  readonly reply: Reply;

  constructor(step: string, reply: Reply) {
    super(`${step}: ${reply.code} ${reply.lines.join(" ")}`.slice(0, 300));
    this.step = step;
    this.reply = reply;
  }
}

/** Resolves with the server's last words. Throws Rejected or ConnectionLost. */
export async function speakSmtp(socket: MailSocket, wire: Wire, options: DialogueOptions): Promise<string> {
  let line = openLine(socket, options);
  try {
    expectCode(await line.reader.next(), "connect", 220);
    let offers = await greet(line, options.clientName);
    if (options.tls === "starttls") {
      if (!offers.has("STARTTLS")) throw new ConnectionLost("the server offers no STARTTLS");
      line = await upgrade(line, options);
      offers = await greet(line, options.clientName);
    }
    if (options.credentials) await authenticate(line, options.credentials, offers.get("AUTH") ?? "");
    const said = await transfer(line, wire, offers);
    await line.say("QUIT").catch(() => undefined);
    return said;
  } finally {
    await within(line.socket.close(), closeTimeoutMs, () => new ConnectionLost("close")).catch(() => undefined);
  }
}

interface Line {
  socket: MailSocket;
  reader: ReplyReader;
  say(command: string): Promise<void>;
  ask(command: string, step: string, ...codes: number[]): Promise<Reply>;
  release(): void;
}

function openLine(socket: MailSocket, { replyTimeoutMs }: DialogueOptions): Line {
  const withTimeout = <T>(work: Promise<T>) =>
    within(work, replyTimeoutMs, () => new ConnectionLost("the server did not answer in time"));
  const reader = makeReplyReader(socket.readable, withTimeout);
  const writer = socket.writable.getWriter();
  const encoder = new TextEncoder();
  const say = async (command: string) => {
    await withTimeout(writer.write(encoder.encode(`${command}\r\n`))).catch((error: unknown) => {
      throw error instanceof ConnectionLost ? error : new ConnectionLost("the connection broke");
    });
  };
  return {
    socket,
    reader,
    say,
    async ask(command, step, ...codes) {
      await say(command);
      return expectCode(await reader.next(), step, ...codes);
    },
    release() {
      reader.release();
      writer.releaseLock();
    },
  };
}

function expectCode(reply: Reply, step: string, ...codes: number[]): Reply {
  if (!codes.includes(reply.code)) throw new Rejected(step, reply);
  return reply;
}

/** What the server offers, by name in capitals. */
async function greet(line: Line, clientName: string): Promise<Map<string, string>> {
  const { lines } = await line.ask(`EHLO ${clientName}`, "EHLO", 250);
  return new Map(
    lines.slice(1).map((offer) => {
      const [name = "", ...rest] = offer.trim().split(/[ =]+/);
      return [name.toUpperCase(), rest.join(" ").toUpperCase()];
    }),
  );
}

async function upgrade(line: Line, options: DialogueOptions): Promise<Line> {
  await line.ask("STARTTLS", "STARTTLS", 220);
  // Words that came in clear would be read as if they had come under TLS (CVE-2021-38371 and its kin).
  if (line.reader.hasMore()) throw new ConnectionLost("the server spoke before TLS began");
  line.release();
  return openLine(line.socket.startTls(), options);
}

async function authenticate(
  line: Line,
  { username, password }: { username: string; password: string },
  offered: string,
): Promise<void> {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  const methods = offered.split(" ");
  if (methods.includes("PLAIN")) {
    await line.ask(`AUTH PLAIN ${base64(`\0${username}\0${password}`)}`, "AUTH", 235);
  } else if (methods.includes("LOGIN")) {
    await line.ask("AUTH LOGIN", "AUTH", 334);
    await line.ask(base64(username), "AUTH", 334);
    await line.ask(base64(password), "AUTH", 235);
  } else {
    throw new ConnectionLost("the server offers neither AUTH PLAIN nor AUTH LOGIN");
  }
}

async function transfer(line: Line, { from, to, message }: Wire, offers: Map<string, string>): Promise<string> {
  const isInternational = /[^\x20-\x7e]/.test(`${from}${to}`);
  if (isInternational && !offers.has("SMTPUTF8"))
    throw new Rejected("RCPT", { code: 553, lines: ["the server takes no addresses outside ASCII"] });
  await line.ask(`MAIL FROM:<${from}>${isInternational ? " SMTPUTF8" : ""}`, "MAIL", 250);
  await line.ask(`RCPT TO:<${to}>`, "RCPT", 250, 251);
  await line.ask("DATA", "DATA", 354);
  const stuffed = message.replace(/(^|\r\n)\./g, "$1..").replace(/\r\n$/, "");
  const { lines } = await line.ask(`${stuffed}\r\n.`, "message", 250);
  return lines.join(" ").slice(0, 200);
}
