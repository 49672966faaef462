/** Ends what a deleted workspace pays for (a living one is left alone), and the checkout pages that may still be open. */
import * as z from "zod";
import { paymentsOf } from "#adapters/payments/index";
import { defineJob, done, fail, retry } from "#core/job";
import { Problem } from "#core/problem";
import { isLive } from "../rules.ts";
import { findAccount, findBilled } from "../store.ts";
import { syncAccount } from "../sync.ts";

export const endSubscriptionJob = defineJob({
  name: "billing.end-subscription",
  lane: "delivery",
  payload: () => z.object({}),
  attempts: 15,
  async run(ctx) {
    const payments = paymentsOf(ctx);
    if (!payments) return fail("billing-not-configured");
    const account = await findAccount(ctx, { workspaceId: ctx.workspaceId, provider: payments.provider });
    const billed = await findBilled(ctx, ctx.workspaceId);
    if (!account || !billed || billed.deletedAt === null) return done({ ended: 0 });
    try {
      for (const { id } of await payments.openCheckoutsOf(account.customerId)) await payments.endCheckout(id);
      const living = (await payments.subscriptionsOf(account.customerId)).filter(({ state }) => state !== "ended");
      for (const subscribed of living)
        await payments.cancelNow(subscribed, { refundFrom: isLive(subscribed.state) ? ctx.now() : null });
      await syncAccount(ctx, payments, ctx.workspaceId);
      return done({ ended: living.length });
    } catch (error) {
      if (error instanceof Problem && error.code === "billing-unavailable") return retry("no answer");
      throw error;
    }
  },
});
