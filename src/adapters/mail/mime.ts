/**
 * A mail as bytes on the wire (RFC 5322, RFC 2045, RFC 2047): text and HTML side by side, quoted-printable, lines of at most 76 characters.
 * Refuses nothing: a line end in a header value becomes a space, so that no value can begin a header of its own.
 */
import type { Mail } from "#core/mailer";

export interface Mailbox {
  name: string | null;
  address: string;
}

/** `Name <address>`, `"Name" <address>` or an address. Null for what has no address that could be put on the wire. */
export function readMailbox(given: string): Mailbox | null {
  if (/\p{Cc}/u.test(given)) return null;
  const [, quoted, plain, inBrackets] = /^\s*(?:"([^"]*)"|([^<>"]*?))\s*<([^<>]*)>\s*$/.exec(given) ?? [];
  const address = (inBrackets ?? given).trim();
  if (!/^[^\s<>()[\]\\,;:"\p{Cc}@]{1,64}@[^\s<>()[\]\\,;:"\p{Cc}@]{1,255}$/u.test(address)) return null;
  const name = oneLine(quoted ?? plain ?? "");
  return { name: name || null, address };
}

const encoder = new TextEncoder();
const isAscii = (text: string) => /^[\x20-\x7e]*$/.test(text);
const oneLine = (value: string) => value.replace(/\p{Cc}+/gu, " ").trim();
/** 42 bytes are 56 characters of base64: with their frame an encoded word of 68, which fits into a line of 78 after `Subject: `. */
const wordBytes = 42;

/** Encoded words (RFC 2047), none cut within a character, folded one a line. */
export function encodeWords(given: string): string {
  const text = oneLine(given);
  if (isAscii(text) && text.length <= 60 && !text.includes("=?")) return text;
  const words: string[] = [];
  let word = "";
  for (const character of text) {
    if (encoder.encode(word + character).length > wordBytes) {
      words.push(word);
      word = "";
    }
    word += character;
  }
  if (word) words.push(word);
  return words.map((part) => `=?UTF-8?B?${Buffer.from(part).toString("base64")}?=`).join("\r\n ");
}

/** RFC 2045, section 6.7. Line ends come out as CR LF whatever they were. */
export function quotedPrintable(text: string): string {
  return text
    .replace(/\r\n|\r/g, "\n")
    .split("\n")
    .map(quoteLine)
    .join("\r\n");
}

function quoteLine(line: string): string {
  const bytes = encoder.encode(line);
  let quoted = "";
  let length = 0;
  for (let index = 0; index < bytes.length; index += 1) {
    const unit = quoteByte(bytes[index] ?? 0, index === bytes.length - 1);
    // One place is left for the `=` of a soft line end.
    if (length + unit.length > 75) {
      quoted += "=\r\n";
      length = 0;
    }
    quoted += unit;
    length += unit.length;
  }
  return quoted;
}

function quoteByte(byte: number, isLast: boolean): string {
  const isBlank = byte === 0x20 || byte === 0x09;
  const isPlain = byte > 0x20 && byte < 0x7f && byte !== 0x3d;
  if (isPlain || (isBlank && !isLast)) return String.fromCharCode(byte);
  return `=${byte.toString(16).toUpperCase().padStart(2, "0")}`;
}

function mailboxHeader({ name, address }: Mailbox): string {
  if (name === null) return address;
  const isAtom = /^[\w !#$%&'*+/=?^`{|}~-]+$/.test(name) && name.length <= 60 && !name.includes("=?");
  return isAtom ? `${name} <${address}>` : `${encodeWords(name)}\r\n <${address}>`;
}

export interface Envelope {
  from: Mailbox;
  to: Mailbox;
  at: Date;
}

/** Ends with a line end. The boundary is the mail's own name, which stands nowhere in quoted-printable lines that begin with `--`. */
export function composeMime(mail: Mail, { from, to, at }: Envelope): string {
  const boundary = `=_${mail.id.replace(/[^\w]/g, "")}`;
  const part = (type: string, text: string) => [
    `--${boundary}`,
    `Content-Type: ${type}; charset=utf-8`,
    "Content-Transfer-Encoding: quoted-printable",
    "",
    quotedPrintable(text),
  ];
  const lines = [
    `Date: ${at.toUTCString().replace("GMT", "+0000")}`,
    `From: ${mailboxHeader(from)}`,
    `To: ${mailboxHeader(to)}`,
    `Message-ID: ${oneLine(mail.messageId)}`,
    `Subject: ${encodeWords(mail.subject)}`,
    ...Object.entries(mail.headers).map(([name, value]) => `${name.replace(/[^\w-]/g, "")}: ${oneLine(value)}`),
    "MIME-Version: 1.0",
    `Content-Type: multipart/alternative;\r\n boundary="${boundary}"`,
    "",
    ...part("text/plain", mail.text),
    ...part("text/html", mail.html),
    `--${boundary}--`,
    "",
  ];
  return lines.join("\r\n");
}
