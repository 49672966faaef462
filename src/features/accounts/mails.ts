/** The mails that this feature sends by itself, each with its cause in one batch or, where nothing is changed, alone. */
import type { Ctx } from "#core/context";
import { commitWithJobs } from "#core/job";
import { mailJob } from "#features/notifications/service";
import type { UserRow } from "./tables.ts";

/** Tells a person that a device signed in which had no session before. */
export async function announceNewDevice(ctx: Ctx, user: UserRow): Promise<void> {
  const { address, userAgent } = ctx.origin;
  const order = { to: user.email, userId: user.id, data: { address, userAgent, at: ctx.now() } };
  await commitWithJobs(ctx, [], [mailJob(ctx, { template: "new-sign-in", ...order })]);
}
