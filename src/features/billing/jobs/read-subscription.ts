/** Reads a workspace's subscription anew, because an event, a schedule or a person gave reason to. */
import * as z from "zod";
import { paymentsOf } from "#adapters/payments/index";
import { defineJob, done, fail, retry } from "#core/job";
import { Problem } from "#core/problem";
import { waitingEvents } from "../store.ts";
import { syncAccount } from "../sync.ts";

export const readSubscriptionJob = defineJob({
  name: "billing.read-subscription",
  lane: "delivery",
  /** `forEvents`: of many events at once the first job reads for all of them, and the others find nothing left to do. */
  payload: () => z.object({ forEvents: z.boolean().default(false) }),
  attempts: 10,
  async run(ctx, { forEvents }) {
    const payments = paymentsOf(ctx);
    if (!payments) return fail("billing-not-configured");
    const id = { workspaceId: ctx.workspaceId, provider: payments.provider };
    if (forEvents && (await waitingEvents(ctx, id, 1)).length === 0) return done({ read: false });
    try {
      const account = await syncAccount(ctx, payments, ctx.workspaceId);
      return done({ state: account?.state ?? null, plan: account?.grantedPlan ?? "free" });
    } catch (error) {
      if (error instanceof Problem && error.code === "billing-unavailable") return retry("no answer");
      throw error;
    }
  },
});
