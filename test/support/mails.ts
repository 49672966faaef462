/** Reads what the Worker mailed, as a person reads their box: the jobs that send are run first. */
import { runJob } from "#app/run-job";
import { bindings, systemContext } from "./harness.ts";

export interface MailRead {
  id: string;
  template: string;
  recipient: string;
  state: string;
  subject: string;
  text: string;
  html: string;
}

/** All mails to an address, oldest first. Runs the jobs that send to it, unless the queue is just running them. */
export async function mailsTo(address: string): Promise<MailRead[]> {
  const waiting = `select id from jobs where name = 'notifications.send-mail' and ended_at is null
    and run_at <= ? and payload ->> 'to' = ?`;
  for (let round = 0; round < 200; round += 1) {
    const { results } = await bindings.DB.prepare(waiting).bind(Date.now(), address).all<{ id: string }>();
    if (results.length === 0) break;
    for (const { id } of results) if ((await runJob(systemContext(), id)) === "not-claimed") await scheduler.wait(10);
  }
  const sent = "select * from outbox_mails where recipient = ? order by id";
  return (await bindings.DB.prepare(sent).bind(address).all<MailRead>()).results;
}

/** The code in the newest mail of a template; throws when there is none. */
export async function mailedCode(address: string, template: string): Promise<string> {
  const mail = (await mailsTo(address)).findLast((candidate) => candidate.template === template);
  const code = mail && /^ {4}(\S+)$/m.exec(mail.text)?.[1];
  if (!code) throw new Error(`no code was mailed to ${address} as ${template}`);
  return code;
}
