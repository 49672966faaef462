/** Takes from the exact limits of durable/rate-limiter and keeps the strictest result for the headers of the answer. */
import { recordFailure } from "#core/audit";
import type { Limit } from "#core/limits";
import { Problem } from "#core/problem";
import { takeTokens } from "#durable/rate-limiter/client";
import type { AppCtx, RateLimitState } from "./app-context.ts";

export interface Charge {
  limit: Limit;
  cost: number;
}

/** From all limits of one principal or from none, with at most one call. Throws `rate-limited`. */
export async function takeLimits(ctx: AppCtx, charges: readonly Charge[], principal: string): Promise<void> {
  const [first, ...others] = charges;
  if (!first) return;
  const limits = [first.limit, ...others.map((charge) => charge.limit)] as const;
  const costs = charges.map(({ cost }) => cost);
  const taken = await takeTokens(ctx.objects.RATE_LIMITER, { principal, limits, costs }, { nowMs: ctx.now() });
  const { limit } = taken;
  const { shown } = ctx.rateLimit;
  if (!shown || taken.remaining < shown.taken.remaining || !taken.allowed) ctx.rateLimit.shown = { limit, taken };
  if (taken.allowed) return;
  recordFailure(ctx, "limit.exceeded", { target: principal, by: limit.name, details: { limit: limit.name } });
  throw new Problem("rate-limited", {
    detail: `The limit "${limit.name}" allows ${limit.quota} in ${limit.windowSeconds} seconds.`,
    members: {
      limit: limit.name,
      quota: limit.quota,
      windowSeconds: limit.windowSeconds,
      retryAfterSeconds: taken.retryAfterSeconds,
    },
    headers: { "retry-after": String(taken.retryAfterSeconds) },
  });
}

/** The fields of draft-ietf-httpapi-ratelimit-headers and the older `X-RateLimit-*`. */
export function rateLimitHeaders(state: RateLimitState, nowMs: number): Record<string, string> {
  if (!state.shown) return {};
  const { limit, taken } = state.shown;
  return {
    "ratelimit-policy": `"${limit.name}";q=${limit.quota};w=${limit.windowSeconds}`,
    ratelimit: `"${limit.name}";r=${taken.remaining};t=${taken.resetInSeconds}`,
    "x-ratelimit-limit": String(limit.quota),
    "x-ratelimit-remaining": String(taken.remaining),
    "x-ratelimit-reset": String(Math.ceil(nowMs / 1_000) + taken.resetInSeconds),
  };
}
