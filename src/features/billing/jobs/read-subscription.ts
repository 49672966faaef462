/** Reads a workspace's subscription anew, because an event, a schedule or a person gave reason to. */
import * as z from "zod";
import type { Payments } from "#adapters/payments/contract";
import { paymentsOf } from "#adapters/payments/index";
import { defineJob, done, fail, type JobCtx, type Outcome, retry } from "#core/job";
import { Problem } from "#core/problem";
import { waitingEvents } from "../store.ts";
import { syncAccount } from "../sync.ts";

/** A reading takes so many events along; what is left after this many has a job of its own. */
const maxReadings = 5;

export const readSubscriptionJob = defineJob({
  name: "billing.read-subscription",
  lane: "delivery",
  /** `forEvents`: of many events at once the first job reads for all of them, and the others find nothing left to do. */
  payload: () => z.object({ forEvents: z.boolean().default(false) }),
  attempts: 10,
  async run(ctx, { forEvents }): Promise<Outcome> {
    const payments = paymentsOf(ctx);
    if (!payments) return fail("billing-not-configured");
    if (forEvents && !(await isAnyWaiting(ctx, payments))) return done({ read: false });
    try {
      return await readAll(ctx, payments);
    } catch (error) {
      if (error instanceof Problem && error.code === "billing-unavailable") return retry("no answer");
      throw error;
    }
  },
});

async function isAnyWaiting(ctx: JobCtx, { provider }: Payments): Promise<boolean> {
  return (await waitingEvents(ctx, { workspaceId: ctx.workspaceId, provider }, 1)).length > 0;
}

/** Until no event waits: those that came before this job began have no other one to wait for. */
async function readAll(ctx: JobCtx, payments: Payments): Promise<Outcome> {
  let account = await syncAccount(ctx, payments, ctx.workspaceId);
  for (let reading = 1; reading < maxReadings && (await isAnyWaiting(ctx, payments)); reading += 1)
    account = await syncAccount(ctx, payments, ctx.workspaceId);
  const rest = (await isAnyWaiting(ctx, payments)) ? [readSubscriptionJob.row(ctx, { forEvents: true })] : [];
  return done({ state: account?.state ?? null, plan: account?.grantedPlan ?? "free" }, [], rest);
}
