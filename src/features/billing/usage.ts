/** What the workspace has used of its plan, in the names of older clients. The counters are those that are enforced. */
import { readMeters } from "#durable/ledger/client";
import type { WorkspaceCtx } from "#core/context";
import { limitsOf } from "#core/plans";
import { Problem } from "#core/problem";
import { findBilled } from "./store.ts";

/** In percent, one decimal; null without a limit. */
function share(used: number, limit: number | null): number | null {
  if (limit === null) return null;
  return limit === 0 ? 100 : Math.round((used / limit) * 1_000) / 10;
}

export async function usageOfPlan(ctx: WorkspaceCtx) {
  const billed = await findBilled(ctx, ctx.workspaceId);
  if (!billed) throw new Problem("workspace-not-found");
  const limits = limitsOf(billed.plan, billed.overrides);
  const { meters } = await readMeters(ctx.objects.LEDGER, { workspaceId: ctx.workspaceId });
  const meter = (name: string) => meters.find((state) => state.meter === name && state.scope === "workspace");
  const calls = meter("apiCalls");
  const tokens = meter("aiTokens");
  const requestsUsed = calls?.used ?? 0;
  const tokensUsed = tokens?.used ?? 0;
  const endsAt = tokens?.endMs ?? calls?.endMs ?? null;
  return {
    usage_limits: {
      monthly_requests: limits.apiCallsPerMonth,
      monthly_tokens: limits.aiTokensPerMonth,
      // Requests at the same time are not limited.
      concurrent_requests: null,
      rate_limit_per_minute: limits.apiKeyRequestsPerMinute,
    },
    current_usage: {
      requests_used: requestsUsed,
      tokens_used: tokensUsed,
      reset_date: new Date(endsAt ?? nextMonth(ctx.now())).toISOString(),
    },
    usage_percentage: {
      requests: share(requestsUsed, limits.apiCallsPerMonth),
      tokens: share(tokensUsed, limits.aiTokensPerMonth),
    },
  };
}

function nextMonth(nowMs: number): number {
  const now = new Date(nowMs);
  return Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1);
}
