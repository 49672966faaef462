/** What each transport makes of what the other side says. */
import { describe, expect, it } from "vitest";
import { cloudflareMailer } from "#adapters/mail/cloudflare/transport";
import { makeMailer } from "#adapters/mail/mailer";
import { resendMailer } from "#adapters/mail/resend/transport";
import type { MailSocket, TlsMode } from "#adapters/mail/smtp/dialogue";
import { smtpMailer } from "#adapters/mail/smtp/transport";
import type { MailSettings } from "#core/env";
import type { Mail } from "#core/mailer";

const mail: Mail = {
  id: "mail_01kahs7m3n0000000000000000",
  from: "Overtone <no-reply@example.com>",
  to: "reader@example.org",
  subject: "Hello",
  text: ".\n.leading dot",
  html: "<p>Hello</p>",
  messageId: "<mail_01kahs7m3n0000000000000000@example.com>",
  headers: { "Auto-Submitted": "auto-generated" },
};

const settings = (smtp: Partial<MailSettings["smtp"]> = {}): MailSettings => ({
  transport: "smtp",
  from: mail.from,
  smtp: { host: "mail.example.com", port: 587, username: "", password: "", useTls: false, ...smtp },
  resendApiKey: "",
});

type Answer = string | null | ((command: string) => string | null);

/** A server of a list of answers: one at connecting, then one for each command. Null hangs up. */
function serverOf(answers: Answer[], heard: string[] = []) {
  const opened: TlsMode[] = [];
  let tlsStarts = 0;
  const connect = ({ tls }: { tls: TlsMode }): MailSocket => {
    opened.push(tls);
    return makeSocket();
  };
  const makeSocket = (isUpgraded = false): MailSocket => {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    const say = (answer: Answer | undefined, command = ""): void => {
      const text = typeof answer === "function" ? answer(command) : answer;
      if (text === null || text === undefined) void writer.close().catch(() => undefined);
      else if (text !== "") void writer.write(new TextEncoder().encode(text));
    };
    if (!isUpgraded) say(answers.shift());
    let message = "";
    const commands = new WritableStream<Uint8Array>({
      write(chunk) {
        message += new TextDecoder().decode(chunk);
        if (!message.endsWith("\r\n")) return;
        heard.push(message.slice(0, -2));
        const command = message;
        message = "";
        say(answers.shift(), command);
      },
    });
    return {
      readable,
      writable: commands,
      startTls() {
        tlsStarts += 1;
        return makeSocket(true);
      },
      close: () => Promise.resolve(),
    };
  };
  return { connect, heard, opened, tlsStarts: () => tlsStarts };
}

const sendTo = (answers: Answer[], smtp: Partial<MailSettings["smtp"]> = {}, heard: string[] = []) =>
  smtpMailer({ mail: settings(smtp), connect: serverOf(answers, heard).connect }).send(mail);

const fine = ["220 hello\r\n", "250-mail.example.com\r\n250 SIZE 1000\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n"];

describe("SMTP", () => {
  it("says what it has to say, dots doubled", async () => {
    const heard: string[] = [];
    const sent = await sendTo([...fine, "250 taken as 7\r\n", "221 bye\r\n"], {}, heard);
    expect(sent).toEqual({ kind: "sent", vendorId: "taken as 7" });
    expect(heard.slice(0, 4)).toEqual([
      "EHLO example.com",
      "MAIL FROM:<no-reply@example.com>",
      "RCPT TO:<reader@example.org>",
      "DATA",
    ]);
    expect(heard[4]).toContain("\r\n..\r\n..leading dot\r\n");
    expect(heard[4]).toMatch(/\r\n\.$/);
    expect(heard[5]).toBe("QUIT");
  });

  it("reads answers in several lines and in pieces", async () => {
    const answers: Answer[] = ["220-hello\r\n220 there\r\n", ...fine.slice(1), "250-a\r\n250 b\r\n", "221 bye\r\n"];
    expect(await sendTo(answers)).toMatchObject({ kind: "sent" });
  });

  it.each<[string, Answer[], string]>([
    ["a server that refuses the recipient", [...fine.slice(0, 3), "550 no such box\r\n"], "refused"],
    ["a server that is busy", [...fine.slice(0, 3), "451 later\r\n"], "later"],
    ["a server that refuses the message", [...fine, "554 spam\r\n"], "refused"],
    ["a server that refuses us", ["554 go away\r\n"], "later"],
    ["a server that refuses the sender", [...fine.slice(0, 2), "550 not yours\r\n"], "later"],
    ["a server that hangs up at once", [null], "later"],
    ["a server that hangs up after the greeting", ["220 hello\r\n", null], "later"],
    ["a server that hangs up after the message", [...fine, null], "later"],
    ["a server that speaks another language", ["HTTP/1.1 400 Bad Request\r\n"], "later"],
    ["a reply without end", ["220 hello\r\n", `250-${"x".repeat(70_000)}`], "later"],
  ])("survives %s", async (_, answers, kind) => {
    const delivery = await sendTo(answers);
    expect(delivery.kind).toBe(kind);
    expect(JSON.stringify(delivery)).not.toContain(mail.to);
  });

  it("signs in with PLAIN or LOGIN, and not at all where it need not", async () => {
    const credentials = { username: "müller", password: "pä55" };
    const base64 = (text: string) => Buffer.from(text).toString("base64");
    const plain: string[] = [];
    await sendTo(
      ["220 h\r\n", "250-x\r\n250 AUTH LOGIN PLAIN\r\n", "235 ok\r\n", ...fine.slice(2), "250 k\r\n"],
      credentials,
      plain,
    );
    expect(plain[1]).toBe(`AUTH PLAIN ${base64("\0müller\0pä55")}`);
    const login: string[] = [];
    const answers = [
      "220 h\r\n",
      "250-x\r\n250 AUTH=LOGIN\r\n",
      "334 VXNlcm5hbWU6\r\n",
      "334 UGFzc3dvcmQ6\r\n",
      "235 ok\r\n",
    ];
    const sent = await sendTo([...answers, ...fine.slice(2), "250 k\r\n"], credentials, login);
    expect(sent.kind).toBe("sent");
    expect(login.slice(1, 4)).toEqual(["AUTH LOGIN", base64("müller"), base64("pä55")]);
    const wrong = await sendTo(["220 h\r\n", "250-x\r\n250 AUTH PLAIN\r\n", "535 wrong\r\n"], credentials);
    expect(wrong).toMatchObject({ kind: "later", why: "AUTH: 535 wrong" });
    expect(await sendTo(["220 h\r\n", "250-x\r\n250 AUTH CRAM-MD5\r\n"], credentials)).toMatchObject({ kind: "later" });
  });

  it("starts TLS before it signs in, and says nothing more when that is not offered", async () => {
    const smtp = { useTls: true, username: "u", password: "p" };
    const heard: string[] = [];
    const stripped = await sendTo(["220 h\r\n", "250-x\r\n250 AUTH PLAIN\r\n"], smtp, heard);
    expect(stripped).toMatchObject({ kind: "later", why: "the server offers no STARTTLS" });
    expect(heard).toEqual(["EHLO example.com"]);

    const server = serverOf([
      "220 h\r\n",
      "250-x\r\n250 STARTTLS\r\n",
      "220 go\r\n",
      "250-x\r\n250 AUTH PLAIN\r\n",
      "235 ok\r\n",
      ...fine.slice(2),
      "250 k\r\n",
    ]);
    const sent = await smtpMailer({ mail: settings(smtp), connect: server.connect }).send(mail);
    expect(sent.kind).toBe("sent");
    expect([server.opened, server.tlsStarts()]).toEqual([["starttls"], 1]);
    expect(server.heard.slice(0, 4)).toEqual([
      "EHLO example.com",
      "STARTTLS",
      "EHLO example.com",
      `AUTH PLAIN ${Buffer.from("\0u\0p").toString("base64")}`,
    ]);
  });

  it("takes no words for protected that came before TLS", async () => {
    const heard: string[] = [];
    const injected = "220 go\r\n250-x\r\n250 AUTH PLAIN\r\n";
    const answers = ["220 h\r\n", "250-x\r\n250 STARTTLS\r\n", injected];
    const delivery = await sendTo(answers, { useTls: true, username: "u", password: "p" }, heard);
    expect(delivery).toMatchObject({ kind: "later", why: "the server spoke before TLS began" });
    expect(heard).toEqual(["EHLO example.com", "STARTTLS"]);
  });

  it("uses TLS from the first byte on port 465", async () => {
    const server = serverOf([...fine, "250 k\r\n"]);
    await smtpMailer({ mail: settings({ useTls: true, port: 465 }), connect: server.connect }).send(mail);
    expect([server.opened, server.tlsStarts()]).toEqual([["implicit"], 0]);
  });

  it("sends to nobody who is not one address, and opens nothing for that", async () => {
    const server = serverOf([]);
    const mailer = smtpMailer({ mail: settings(), connect: server.connect });
    expect(await mailer.send({ ...mail, to: "a@b.c>\r\nRCPT TO:<x@y.z" })).toMatchObject({ kind: "refused" });
    expect(server.opened).toEqual([]);
  });
});

describe("Resend", () => {
  const answering = (answer: Response | Error, seen: Request[] = []) =>
    resendMailer({
      apiKey: "key",
      outbound: {
        operator(request: Request) {
          seen.push(request);
          return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
        },
      } as never,
    });

  it("is asked once for a mail, however often it is sent", async () => {
    const seen: Request[] = [];
    const sent = await answering(Response.json({ id: "re-1" }), seen).send(mail);
    expect(sent).toEqual({ kind: "sent", vendorId: "re-1" });
    const [request] = seen;
    expect(request?.url).toBe("https://api.resend.com/emails");
    expect(request?.headers.get("idempotency-key")).toBe(mail.id);
    expect(request?.headers.get("authorization")).toBe("Bearer key");
    expect(await request?.json()).toMatchObject({
      from: mail.from,
      to: [mail.to],
      subject: "Hello",
      text: mail.text,
      html: mail.html,
      headers: { "Auto-Submitted": "auto-generated", "Message-ID": mail.messageId },
    });
  });

  it.each<[number, string, Record<string, string>, object]>([
    [422, "validation_error", {}, { kind: "refused", why: "422 validation_error" }],
    [400, "invalid_parameter", {}, { kind: "refused" }],
    [429, "rate_limit_exceeded", { "retry-after": "7" }, { kind: "later", afterSeconds: 7 }],
    [429, "rate_limit_exceeded", { "retry-after": "soon" }, { kind: "later", afterSeconds: null }],
    [409, "concurrent_idempotent_requests", {}, { kind: "later" }],
    [409, "invalid_idempotent_request", {}, { kind: "sent" }],
    [401, "missing_api_key", {}, { kind: "later" }],
    [403, "invalid_api_key", {}, { kind: "later" }],
    [500, "application_error", {}, { kind: "later" }],
    [302, "", {}, { kind: "later" }],
  ])("%i %s", async (status, name, headers, expected) => {
    const body = JSON.stringify({ name, message: `not for logs ${mail.to}` });
    const delivery = await answering(new Response(body, { status, headers })).send(mail);
    expect(delivery).toMatchObject(expected);
    expect(JSON.stringify(delivery)).not.toContain("not for logs");
  });

  it("that says nothing is asked again later", async () => {
    expect((await answering(new Error("cut")).send(mail)).kind).toBe("later");
    expect((await answering(new Response("<html>", { status: 502 })).send(mail)).kind).toBe("later");
    const unset = resendMailer({ apiKey: "", outbound: {} as never });
    expect(await unset.send(mail)).toMatchObject({ kind: "later", why: "RESEND_API_KEY is not set" });
  });
});

describe("Cloudflare's binding", () => {
  const wrapMessage = (from: string, to: string, raw: string) => Promise.resolve({ from, to, raw } as never);
  const withBinding = (send: (message: never) => Promise<unknown>) =>
    cloudflareMailer({ from: mail.from, binding: { send } as never, wrapMessage });

  it("gets the whole message with our Message-ID", async () => {
    const messages: { from: string; to: string; raw: string }[] = [];
    const sent = await withBinding((message) => {
      messages.push(message);
      return Promise.resolve({ messageId: "cf-1" });
    }).send(mail);
    expect(sent).toEqual({ kind: "sent", vendorId: "cf-1" });
    expect(messages[0]).toMatchObject({ from: "no-reply@example.com", to: mail.to });
    expect(messages[0]?.raw).toContain(`Message-ID: ${mail.messageId}\r\n`);
  });

  it.each([
    ["E_RECIPIENT_NOT_ALLOWED", "refused"],
    ["E_RECIPIENT_SUPPRESSED", "refused"],
    ["E_RATE_LIMIT_EXCEEDED", "later"],
    ["E_SENDER_NOT_VERIFIED", "later"],
    [undefined, "later"],
  ])("%s is %s", async (code, kind) => {
    const failing = withBinding(() => Promise.reject(Object.assign(new Error(`secret ${mail.to}`), { code })));
    const delivery = await failing.send(mail);
    expect(delivery.kind).toBe(kind);
    expect(JSON.stringify(delivery)).not.toContain("secret");
  });

  it("is asked by the runtime's own message class, and missed politely", async () => {
    const parts = { mail: { ...settings(), transport: "cloudflare" as const }, outbound: {} as never };
    const messages: { from: string }[] = [];
    const binding = {
      send(message: { from: string }) {
        messages.push(message);
        return Promise.resolve({ messageId: "cf-2" });
      },
    } as never;
    expect(await makeMailer({ ...parts, binding }).send(mail)).toEqual({ kind: "sent", vendorId: "cf-2" });
    expect(messages[0]?.from).toBe("no-reply@example.com");
    expect((await makeMailer({ ...parts, binding: undefined }).send(mail)).kind).toBe("later");
  });
});
