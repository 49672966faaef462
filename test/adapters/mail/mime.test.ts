/** Mails as bytes, read back by a parser that others wrote. */
import PostalMime from "postal-mime";
import { describe, expect, it } from "vitest";
import { composeMime, encodeWords, quotedPrintable, readMailbox } from "#adapters/mail/mime";
import type { Mail } from "#core/mailer";

const at = new Date("2026-11-21T16:40:00Z");

function mailWith(given: Partial<Mail> = {}): Mail {
  return {
    id: "mail_01kahs7m3n0000000000000000",
    from: "Overtone <no-reply@example.com>",
    to: "reader@example.org",
    subject: "Hello",
    text: "Hello",
    html: "<p>Hello</p>",
    messageId: "<mail_01kahs7m3n0000000000000000@example.com>",
    headers: {},
    ...given,
  };
}

const box = (given: string) => readMailbox(given) ?? { name: null, address: "nobody@example.com" };
const compose = (mail: Mail) => composeMime(mail, { from: box(mail.from), to: box(mail.to), at });

describe("a composed mail", () => {
  it("is read back as it was meant", async () => {
    const subject = `Grüße aus Köln: ${"日本語 и ещё 👩‍👩‍👧 ".repeat(6)}`;
    const text = `.a line that begins with a dot\n\nzażółć gęślą jaźń = 100 %\nblank at the end \n${"x".repeat(2_000)}\n--not a boundary`;
    const html = `<p title="a=b">${"ü".repeat(500)}</p>`;
    const raw = compose(
      mailWith({
        from: '"Jürgen, der Große" <no-reply@example.com>',
        subject,
        text,
        html,
        headers: { "List-Unsubscribe": "<https://example.com/u?token=a.b>" },
      }),
    );
    for (const line of raw.split("\r\n")) expect(line.length, line).toBeLessThanOrEqual(78);
    expect(raw).toMatch(/^[\x20-\x7e\r\n]*$/);
    expect(raw.replaceAll("\r\n", "")).not.toMatch(/[\r\n]/);
    const read = await PostalMime.parse(raw);
    expect(read).toMatchObject({
      subject: subject.trim(),
      from: { name: "Jürgen, der Große", address: "no-reply@example.com" },
      to: [{ address: "reader@example.org" }],
      messageId: "<mail_01kahs7m3n0000000000000000@example.com>",
      date: at.toISOString(),
    });
    expect(read.text?.trimEnd()).toBe(text);
    expect(read.html?.trim()).toBe(html);
    expect(read.headers.find(({ key }) => key === "list-unsubscribe")?.value).toBe("<https://example.com/u?token=a.b>");
  });

  it("gives a value no header of its own", async () => {
    const evil = "Hi\r\nBcc: all@example.com\r\n\r\n<script>";
    const raw = compose(
      mailWith({
        subject: evil,
        messageId: `<a@b>${evil}`,
        headers: { "X-Note\r\nBcc": evil, "X-Other": "a\nb\u0000c" },
      }),
    );
    const read = await PostalMime.parse(raw);
    expect(read.bcc).toBeUndefined();
    expect(read.headers.map(({ key }) => key)).not.toContain("bcc");
    expect(read.text?.trim()).toBe("Hello");
  });
});

describe("mailboxes", () => {
  it.each([
    ["a@b.c", null, "a@b.c"],
    [" Overtone <a@b.c> ", "Overtone", "a@b.c"],
    ['"Big, Co." <a+b@sub.example.com>', "Big, Co.", "a+b@sub.example.com"],
    ["<a@b.c>", null, "a@b.c"],
    ["jürgen@bücher.example", null, "jürgen@bücher.example"],
  ])("%s", (given, name, address) => {
    expect(readMailbox(given)).toEqual({ name, address });
  });

  it.each([
    "",
    "nobody",
    "a@b@c",
    "a b@c.d",
    "a@b.c\r\nRCPT TO:<x@y.z>",
    "<a@b.c",
    "a@b.c>",
    "A <a@b.c> <d@e.f>",
    "a@b.c, d@e.f",
    `${"x".repeat(65)}@b.c`,
    "a@b.c\u0000",
  ])("%j is none", (given) => {
    expect(readMailbox(given)).toBeNull();
  });
});

describe("words and lines", () => {
  it("are left alone when they are plain", () => {
    expect(encodeWords("Your sign-in code")).toBe("Your sign-in code");
    expect(encodeWords("looks =?UTF-8?B?ZW5jb2RlZA==?= already")).toMatch(/^=\?UTF-8\?B\?/);
  });

  it("break without cutting a character or an escape", () => {
    for (const word of encodeWords("👍".repeat(40)).split("\r\n ")) {
      expect(word.length).toBeLessThanOrEqual(75);
      const [, base64 = ""] = /^=\?UTF-8\?B\?(.*)\?=$/.exec(word) ?? [];
      expect(Buffer.from(base64, "base64").toString()).toMatch(/^(👍)+$/u);
    }
    for (const line of quotedPrintable("ü".repeat(200)).split("\r\n")) {
      expect(line.length).toBeLessThanOrEqual(76);
      expect(line).toMatch(/^(=[0-9A-F]{2})*=?$/);
    }
    expect(quotedPrintable("a \r\nb\t\rc\n")).toBe("a=20\r\nb=09\r\nc\r\n");
  });
});
