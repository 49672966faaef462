/** Reads a workspace's subscription anew, because an event, a schedule or a person gave reason to. */
import * as z from "zod";
import { paymentsOf } from "#adapters/payments/index";
import { defineJob, done, fail, retry } from "#core/job";
import { Problem } from "#core/problem";
import { syncAccount } from "../sync.ts";

export const readSubscriptionJob = defineJob({
  name: "billing.read-subscription",
  lane: "delivery",
  payload: () => z.object({}),
  attempts: 10,
  async run(ctx) {
    const payments = paymentsOf(ctx);
    if (!payments) return fail("billing-not-configured");
    try {
      const account = await syncAccount(ctx, payments, ctx.workspaceId);
      return done({ state: account?.state ?? null, plan: account?.grantedPlan ?? "free" });
    } catch (error) {
      if (error instanceof Problem && error.code === "billing-unavailable") return retry("no answer");
      throw error;
    }
  },
});
