/**
 * Mail by SMTP to a real server, with TLS and sign-in, through refusals, hang-ups and the death of the sender: nothing lost, at most doubled
 * with the same Message-ID, read back as it was meant, and no word of it kept. `npm run bar:mail`
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { type Bar, type BarOptions, type BarResult, main, type MutantRun, note } from "../options.ts";
import { type Person, signUp } from "../people.ts";
import { openStage, type Patch, type Stage } from "../stage.ts";
import { makeCertificate } from "./certificate.ts";
import { type Inbox, openInbox } from "./inbox.ts";
import { type Expected, verify } from "./verify.ts";

interface MailMutant extends MutantRun {
  patches: Patch[];
}

const jobFile = "src/features/notifications/jobs/send-mail.ts";
const transportFile = "src/adapters/mail/smtp/transport.ts";

const mutants: MailMutant[] = [
  {
    name: "new-message-id",
    provenBy: "doubled",
    patches: [
      {
        file: jobFile,
        find: "    messageId: messageIdOf(payload.mailId, mail.from),\n    headers",
        replace: "    messageId: messageIdOf(crypto.randomUUID(), mail.from),\n    headers",
      },
    ],
  },
  { name: "no-retry", provenBy: "lost", patches: [{ file: jobFile, find: "attempts: 12", replace: "attempts: 1" }] },
  {
    name: "in-clear",
    provenBy: "clear",
    patches: [{ file: transportFile, find: 'smtp.useTls ? "starttls" : "none"', replace: '"none"' }],
  },
  {
    name: "bodies-kept",
    provenBy: "kept",
    patches: [{ file: jobFile, find: 'ctx.settings.mail.transport === "outbox"', replace: "true" }],
  },
  {
    name: "bare-subject",
    provenBy: "subject",
    patches: [
      {
        file: "src/adapters/mail/mime.ts",
        find: "${encodeWords(mail.subject)}",
        replace: "${mail.subject.slice(0, 60)}",
      },
    ],
  },
];

export const bar: Bar = { name: "mail", mutants, run };

/** How many mails of each kind; the sender is killed once for each `kill`. */
interface Counts {
  ok: number;
  busy: number;
  cut: number;
  gone: number;
  kill: number;
}

const full: Counts = { ok: 20, busy: 6, cut: 6, gone: 4, kill: 3 };
const reduced: Counts = { ok: 6, busy: 2, cut: 2, gone: 2, kill: 1 };
const least: Counts = { ok: 2, busy: 1, cut: 1, gone: 1, kill: 0 };
/** A lease of 30 s after a kill, and the back-off of what is tried again. */
const settleSeconds = { own: 120, mutant: 12 };
const workspaceName = "Größenwahn & Söhne – 録音スタジオ <b>„Ärger“</b>";
const implicitTlsPort = 465;

async function run(options: BarOptions, variant: string | null): Promise<BarResult> {
  const ownCounts = options.quick ? reduced : full;
  const counts = variant === null ? ownCounts : least;
  note(`mail${variant === null ? "" : `, mutant ${variant}`}: ${JSON.stringify(counts)}`);
  const patches = mutants.find(({ name }) => name === variant)?.patches ?? [];
  const secrets = { username: "sender", password: randomBytes(12).toString("base64url") };
  const folder = mkdtempSync(join(tmpdir(), "overtone-mail-"));
  const certificate = makeCertificate();
  writeFileSync(join(folder, "ca.pem"), certificate.certificate);
  // The runtime trusts what stands here beside the public authorities: so TLS is checked as it is in production.
  process.env["NODE_EXTRA_CA_CERTS"] = join(folder, "ca.pem");
  const inbox = await openInbox({ certificate, ...secrets, isImplicit: false });
  try {
    const first = await deliver({ counts, patches, inbox, secrets, isMutant: variant !== null });
    const violations = [...first.violations];
    const implicit = variant === null ? await deliverImplicitly({ certificate, secrets }) : null;
    violations.push(...(implicit?.violations ?? []));
    return {
      ok: violations.length === 0,
      counts,
      messages: first.messages,
      doubled: first.doubled,
      implicitTls: implicit === null ? "not run" : implicit.outcome,
      violations,
    };
  } finally {
    delete process.env["NODE_EXTRA_CA_CERTS"];
    await inbox.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Delivery {
  counts: Counts;
  patches: Patch[];
  inbox: Inbox;
  secrets: { username: string; password: string };
  isMutant: boolean;
}

async function deliver({ counts, patches, inbox, secrets, isMutant }: Delivery) {
  const stage = await openStage(patches, {
    MAIL_TRANSPORT: "smtp",
    FROM_EMAIL: "Overtone für alle <no-reply@localhost>",
    SMTP_HOST: "localhost",
    SMTP_PORT: String(inbox.port),
    SMTP_USERNAME: secrets.username,
    SMTP_PASSWORD: secrets.password,
    SMTP_USE_TLS: "true",
  });
  try {
    await stage.start();
    const person = await signUp(stage.url);
    await nameWorkspace(stage, person);
    const expected: Expected[] = [];
    for (const kind of ["ok", "busy", "cut", "gone"] as const)
      for (let index = 0; index < counts[kind]; index += 1) expected.push(await invite(stage, person, kind));
    for (let index = 0; index < counts.kill; index += 1) expected.push(await killWhileSending(stage, inbox, person));
    await settle(stage, { inbox, expected, seconds: isMutant ? settleSeconds.mutant : settleSeconds.own });
    await stage.stop();
    const log = readFileSync(join(stage.folder, ".wrangler/dev.log"), "utf8");
    return await verify({ stateDir: stage.stateDir, log, inbox, expected, workspaceName });
  } finally {
    await stage.remove();
  }
}

/** Port 465 only may be ours to open on some machines; where it is not, the answer says so. */
async function deliverImplicitly(
  given: Pick<Delivery, "secrets"> & { certificate: ReturnType<typeof makeCertificate> },
) {
  const { certificate, secrets } = given;
  const inbox = await openInbox({ certificate, ...secrets, isImplicit: true, port: implicitTlsPort }).catch(() => null);
  if (!inbox) return { outcome: `not run: port ${implicitTlsPort} cannot be opened here`, violations: [] };
  try {
    const counts = { ok: 2, busy: 0, cut: 0, gone: 0, kill: 0 };
    const { violations, messages } = await deliver({ counts, patches: [], inbox, secrets, isMutant: true });
    return { outcome: `${messages} mails`, violations };
  } finally {
    await inbox.close();
  }
}

async function nameWorkspace({ url }: Stage, { workspaceId, token }: Person): Promise<void> {
  const answer = await fetch(`${url}/v1/workspaces/${workspaceId}`, {
    method: "PATCH",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify({ name: workspaceName }),
  });
  if (!answer.ok) throw new Error(`the workspace's name answered ${answer.status} ${await answer.text()}`);
}

async function invite({ url }: Stage, { workspaceId, token }: Person, kind: Expected["kind"]): Promise<Expected> {
  const to = `${kind}-${randomBytes(6).toString("hex")}@example.com`;
  const answer = await fetch(`${url}/v1/workspaces/${workspaceId}/invitations`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify({ email: to, role: "viewer" }),
  });
  if (answer.status !== 201) throw new Error(`an invitation answered ${answer.status} ${await answer.text()}`);
  return { to, kind };
}

/** SIGKILL after the server took the message and before the sender could know. */
async function killWhileSending(stage: Stage, inbox: Inbox, person: Person): Promise<Expected> {
  const held = Promise.withResolvers<void>();
  inbox.onHeld = held.resolve;
  const expected = await invite(stage, person, "kill");
  await Promise.race([
    held.promise,
    pause(20_000, undefined, { ref: false }).then(() => {
      throw new Error("the mail that was to be held back never came");
    }),
  ]);
  await stage.kill();
  await stage.start();
  return expected;
}

interface Settling {
  inbox: Inbox;
  expected: readonly Expected[];
  seconds: number;
}

/** Sweeps until every mail came as often as it has to, and a little longer, for those that come once too often. */
async function settle(stage: Stage, { inbox, expected, seconds }: Settling): Promise<void> {
  const least = { ok: 1, busy: 1, cut: 2, gone: 0, kill: 2 };
  const isHere = ({ to, kind }: Expected) => inbox.taken.filter((mail) => mail.to === to).length >= least[kind];
  for (const until = Date.now() + seconds * 1_000; Date.now() < until; await pause(1_000)) {
    await stage.tick("* * * * *");
    if (expected.every(isHere)) break;
  }
  await pause(3_000);
}

if (import.meta.main) await main(bar);
