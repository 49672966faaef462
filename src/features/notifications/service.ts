/** What the other features ask: send this mail, tell this person. */
import type { Ctx } from "#core/context";
import type { Enqueued } from "#core/job";
import { sendMailJob } from "./jobs/send-mail.ts";
import type { MailOrder } from "./mail-data.ts";
import { sealMailData } from "./sealing.ts";

/** Mails are the deployment's work: nobody finds them among a workspace's jobs, where their number would tell about other people. */
const systemWorkspaceId = "system";

/**
 * The row that sends a mail. Put it into the batch of its cause (`commitWithJobs`), so that neither exists without the other. What the mail
 * is told is sealed in the row.
 *
 * @example
 * await commitWithJobs(ctx, [insertCode(ctx, row)], [mailJob(ctx, { template: "sign-in-code", to, data: { code, expiresInMinutes: 10 } })]);
 */
export function mailJob(ctx: Pick<Ctx, "db" | "now" | "newId" | "settings" | "random">, order: MailOrder): Enqueued {
  const mailId = ctx.newId("mail");
  const { template, to, userId = null, workspaceId = null } = order;
  return sendMailJob.row(
    { db: ctx.db, now: ctx.now, newId: ctx.newId, workspaceId: systemWorkspaceId },
    { mailId, template, to: to.trim(), ...sealMailData(ctx, mailId, order.data), userId, workspaceId },
  );
}
