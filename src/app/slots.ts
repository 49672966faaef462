/** How many requests a sub-user may have under way at once, over all isolates. Everybody else has no such limit, and asks nobody. */
import type { WorkspaceCtx } from "#core/context";
import { Problem } from "#core/problem";
import { enterSlot, leaveSlot } from "#durable/rate-limiter/client";
import type { AppCtx } from "./app-context.ts";

/** Returns how to give the place back, or null where none is needed. Throws `too-many-at-once`. */
export async function takeSlot(ctx: AppCtx & Partial<Pick<WorkspaceCtx, "subUser" | "userId">>) {
  const { subUser, userId } = ctx;
  if (!subUser || userId === undefined) return null;
  const most = subUser.limits.max_concurrent_requests;
  const limiters = ctx.objects.RATE_LIMITER;
  const place = { principal: `sub-user:${userId}`, id: Buffer.from(ctx.random(12)).toString("hex") };
  if (!(await enterSlot(limiters, { ...place, most, nowMs: ctx.now() })))
    throw new Problem("too-many-at-once", {
      detail: `${most} of your requests are under way, and more you may not have at once.`,
      members: { limit: "max_concurrent_requests", quota: most },
      headers: { "retry-after": "1" },
    });
  return () => ctx.later(leaveSlot(limiters, place));
}

/** A stream is under way until it has been read, or its reader has left. */
export function whenRead(response: Response, leave: () => void): Response {
  if (!response.body || (response.headers.get("content-type") ?? "").includes("json")) {
    leave();
    return response;
  }
  const passing = new TransformStream({ flush: leave, cancel: leave });
  return new Response(response.body.pipeThrough(passing), response);
}
