/** Holds what the server took, and what the sender kept, against what was asked for. Each violation begins with the word of its kind. */
import PostalMime from "postal-mime";
import { readState } from "../state.ts";
import type { Inbox, Taken } from "./inbox.ts";

export interface Expected {
  to: string;
  kind: "ok" | "busy" | "cut" | "gone" | "kill";
}

interface Evidence {
  stateDir: string;
  log: string;
  inbox: Inbox;
  expected: readonly Expected[];
  workspaceName: string;
}

interface OutboxRow {
  recipient: string;
  state: string;
  problem: string | null;
  subject: string | null;
  text: string | null;
  html: string | null;
  message_id: string;
}

const mayCome = { ok: [1, 1], busy: [1, 1], cut: [1, 2], gone: [0, 0], kill: [1, 2] } as const;

export async function verify({ stateDir, log, inbox, expected, workspaceName }: Evidence) {
  const rows = readState(stateDir).database<OutboxRow>("select * from outbox_mails");
  const violations = new Set(inbox.faults);
  let doubled = 0;
  for (const { to, kind } of expected) {
    const copies = inbox.taken.filter((mail) => mail.to === to);
    const [least, most] = mayCome[kind];
    if (copies.length < least) violations.add(`lost: ${to}`);
    if (copies.length > most) violations.add(`doubled: ${to} came ${copies.length} times`);
    if (copies.length > 1) doubled += 1;
    const ids = await Promise.all(copies.map((copy) => read(copy, { log, workspaceName, violations })));
    if (new Set(ids).size > 1) violations.add(`doubled: ${to} under several Message-IDs`);
    verifyRow(rows, { to, kind, messageId: ids[0] ?? null, violations });
  }
  return { messages: inbox.taken.length, doubled, violations: [...violations] };
}

interface Reading {
  log: string;
  workspaceName: string;
  violations: Set<string>;
}

/** The Message-ID. */
async function read(taken: Taken, { log, workspaceName, violations }: Reading): Promise<string> {
  const { to, from, raw, isProtected } = taken;
  const check = (holds: boolean, violation: string) => (holds ? null : violations.add(`${violation}: ${to}`));
  check(isProtected, "clear");
  check(from === "no-reply@localhost", "envelope");
  check(/^[\t\r\n\x20-\x7e]*$/.test(raw), "bytes");
  const mail = await PostalMime.parse(Buffer.from(raw, "latin1"));
  check(mail.subject?.endsWith(` invites you to ${workspaceName}`) === true, `subject ${mail.subject}`);
  check(mail.from?.name === "Overtone für alle" && mail.from.address === "no-reply@localhost", "from");
  check(mail.to?.[0]?.address === to, "to");
  check(Math.abs(Date.parse(mail.date ?? "") - Date.now()) < 3_600_000, "date");
  check(/^<mail_[0-9a-z]{26}@localhost>$/.test(mail.messageId ?? ""), "message-id");
  check(mail.text?.includes(`"${workspaceName}"`) === true, "text");
  check(mail.html?.includes("録音スタジオ &lt;b&gt;") === true && !mail.html.includes("<b>"), "html");
  check(!mail.headers.some(({ key }) => key === "list-unsubscribe" || key === "bcc"), "headers");
  const [, token = null] = /\/invitations\/([\w-]{40,})/.exec(mail.text ?? "") ?? [];
  check(token !== null && mail.html?.includes(token) === true, "link");
  check(token === null || !log.includes(token), "kept in the log");
  return mail.messageId ?? "";
}

interface RowCheck extends Expected {
  messageId: string | null;
  violations: Set<string>;
}

function verifyRow(rows: readonly OutboxRow[], { to, kind, messageId, violations }: RowCheck): void {
  const own = rows.filter((row) => row.recipient === to);
  const [row] = own;
  if (!row || own.length !== 1) {
    violations.add(`lost: ${to} has ${own.length} rows in the outbox`);
    return;
  }
  const wanted = kind === "gone" ? "refused" : "sent";
  if (row.state !== wanted) violations.add(`lost: ${to} is ${row.state} and not ${wanted}`);
  if (kind === "gone" && !row.problem?.includes("550")) violations.add(`refusal: ${to} says ${row.problem}`);
  if (row.subject !== null || row.text !== null || row.html !== null) violations.add(`kept: the words of ${to}`);
  if (messageId !== null && row.message_id !== messageId) violations.add(`doubled: ${to} under another Message-ID`);
}
