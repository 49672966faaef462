/** Brings what the ledger has to tell into the database: amounts once each, and notices with their mails, webhooks and notifications. */
import type { Ctx } from "#core/context";
import { commitWithJobs, type Enqueued, type Statement } from "#core/job";
import { confirmOutgoing, type Outgoing, type QuotaNotice, readOutgoing } from "#durable/ledger/client";
import { mailJob, notify } from "#features/notifications/service";
import { webhookEvent } from "#features/webhooks/service";
import { addModelUses } from "./model-use-store.ts";
import { resourceOf, resources, shown } from "./rules.ts";
import { addEvents, hasNotice, insertNotice, recipientsOf } from "./store.ts";

const pageSize = 200;
const maxPages = 20;

/** Fetches, writes and confirms until nothing is left. Stopped anywhere, it begins again at the last confirmation, and nothing doubles. */
export async function deliverUsage(ctx: Ctx, workspaceId: string): Promise<void> {
  const scoped = { ...ctx, workspaceId };
  for (let page = 0; page < maxPages; page += 1) {
    const items = await readOutgoing(ctx.objects.LEDGER, { workspaceId, limit: pageSize });
    const last = items.at(-1);
    if (!last) return;
    await writePage(scoped, items);
    await confirmOutgoing(ctx.objects.LEDGER, { workspaceId, throughSeq: last.seq });
    if (items.length < pageSize) return;
  }
}

type Scoped = Ctx & { workspaceId: string };

async function writePage(ctx: Scoped, items: readonly Outgoing[]): Promise<void> {
  const events = items.flatMap((item) => (item.kind === "event" ? [item.event] : []));
  const uses = items.flatMap((item) => (item.kind === "uses" ? [item.event] : []));
  const [first, ...rest] = [...addEvents(ctx, ctx.workspaceId, events), ...addModelUses(ctx, ctx.workspaceId, uses)];
  if (first) await ctx.db.batch([first, ...rest]);
  for (const item of items) if (item.kind === "notice") await giveNotice(ctx, item.notice);
}

/** The row, which can be there once only, is in the batch of everything that tells of it. */
async function giveNotice(ctx: Scoped, notice: QuotaNotice): Promise<void> {
  const { meter, level, startMs } = notice;
  const id = { workspaceId: ctx.workspaceId, meter, periodStart: startMs, level };
  if (await hasNotice(ctx, id)) return;
  const resource = resourceOf(meter);
  const data = {
    resource,
    used: shown(resource, notice.used),
    limit: shown(resource, notice.limit),
    unit: resources[resource].unit,
    percent: level,
    period: periodName(notice),
    resetsAt: notice.endMs === null ? null : new Date(notice.endMs).toISOString(),
  };
  const statements: Statement[] = [insertNotice(ctx, { ...id, used: notice.used, limit: notice.limit })];
  const enqueued: Enqueued[] = webhookEvent(ctx, level === 100 ? "quota.reached" : "quota.warning", data);
  for (const { userId, email, workspaceName } of await recipientsOf(ctx, ctx.workspaceId)) {
    const { workspaceId } = ctx;
    const { used, limit, period, percent } = data;
    const order = { resource, percent, used, limit, period };
    enqueued.push(mailJob(ctx, { template: "quota-notice", to: email, data: order, userId, workspaceId }));
    const title =
      level === 100 ? `${workspaceName}: ${resource} is used up` : `${workspaceName}: ${resource} is at ${level} %`;
    const body = `${used} of ${limit} ${data.unit} are used (${period}). ${resources[resource].suggestion}`;
    statements.push(...notify(ctx, { userId, workspaceId, kind: "quota", title, body, data }));
  }
  await commitWithJobs(ctx, statements, enqueued);
}

/** `2026-11`, or the day where a period is one. */
function periodName({ startMs, endMs }: QuotaNotice): string {
  const name = new Date(startMs).toISOString();
  const isDay = endMs !== null && endMs - startMs <= 24 * 3_600_000;
  return isDay || !name.startsWith("01T00:00:00", 8) ? name.slice(0, 10) : name.slice(0, 7);
}
