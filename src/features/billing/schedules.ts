/** Finds the subscriptions to read anew: all that live once a day, and those whose grace is over. It reads none itself. */
import { paymentProvider } from "#adapters/payments/index";
import type { Ctx } from "#core/context";
import { commitWithJobs } from "#core/job";
import { defineSchedule } from "#core/schedule";
import { readSubscriptionJob } from "./jobs/read-subscription.ts";
import { checkoutWatchedMs, graceMs } from "./rules.ts";
import { accountsOutOfGrace, accountsToRead, purgeEvents } from "./store.ts";

const pageSize = 100;
/** 800 subscriptions a tick: D1 allows 1,000 statements an invocation. The hourly ticks go on where the night's stopped. */
const maxPages = 8;
const hourMs = 3_600_000;
/** Longer than the payment company repeats an event. */
const eventsKeptMs = 30 * 24 * 3_600_000;

type Find = (after: string) => Promise<string[]>;

async function readEach(ctx: Ctx, find: Find): Promise<void> {
  let after = "";
  for (let page = 0; page < maxPages; page += 1) {
    const found = await find(after);
    await commitWithJobs(
      ctx,
      [],
      found.map((workspaceId) => readSubscriptionJob.row({ ...ctx, workspaceId }, {})),
    );
    after = found.at(-1) ?? after;
    if (found.length < pageSize) return;
  }
  ctx.log("warn", "billing.schedule-capped", { workspaces: maxPages * pageSize });
}

/** Repairs what lost events left behind. */
async function reconcile(ctx: Ctx, unreadForMs: number): Promise<void> {
  const provider = paymentProvider(ctx.settings);
  if (provider === null) return;
  const at = ctx.now();
  const since = { checkoutSince: at - checkoutWatchedMs, readBefore: at - unreadForMs };
  await readEach(ctx, (after) => accountsToRead(ctx, { provider, ...since, after, limit: pageSize }));
}

async function endGrace(ctx: Ctx): Promise<void> {
  const provider = paymentProvider(ctx.settings);
  if (provider === null) return;
  const overdueBefore = ctx.now() - graceMs;
  await readEach(ctx, (after) => accountsOutOfGrace(ctx, { provider, overdueBefore, after, limit: pageSize }));
}

export const schedules = [
  defineSchedule({ name: "billing.reconcile", every: "day", run: (ctx) => reconcile(ctx, hourMs) }),
  defineSchedule({ name: "billing.reconcile-rest", every: "hour", run: (ctx) => reconcile(ctx, 25 * hourMs) }),
  defineSchedule({
    name: "billing.purge-events",
    every: "day",
    run: async (ctx) => {
      await ctx.db.batch([purgeEvents(ctx, ctx.now() - eventsKeptMs)]);
    },
  }),
  defineSchedule({ name: "billing.end-grace", every: "hour", run: endGrace }),
];
