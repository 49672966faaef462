/** What is left to the caller, read from the counters that are enforced. */
import type { WorkspaceCtx } from "#core/context";
import { requestLimit } from "#core/limits";
import { limitsOn, type Standing } from "#features/usage/service";
import type { LimitShown } from "./shapes.ts";

const dayMs = 24 * 3_600_000;
const iso = (at: number | null) => (at === null ? null : new Date(at).toISOString());

export async function balanceOf(ctx: WorkspaceCtx) {
  const standings = await limitsOn(ctx, ["aiTokens"]);
  const { limit, used, reserved, bonus, endMs } = monthOf(ctx, standings);
  const narrowest = narrowestOf(standings);
  return {
    tokens_remaining: narrowest?.available ?? null,
    tokens_used: used,
    tokens_reserved: reserved,
    monthly_limit: limit,
    bonus_tokens: bonus,
    usage_percentage: limit === null ? null : limit === 0 ? 100 : Math.round((used / limit) * 10_000) / 100,
    reset_date: iso(endMs),
    subscription_tier: ctx.plan,
    limited_by: narrowest?.scope ?? null,
  };
}

/** Of a sub-user its own month, of everybody else the workspace's. */
function monthOf({ subUser }: WorkspaceCtx, standings: readonly Standing[]): Standing {
  const scope = subUser ? "user" : "workspace";
  const found = standings.find((standing) => standing.scope === scope && periodOf(standing) === "month");
  if (!found) throw new RangeError("the ledger told no month");
  return found;
}

function narrowestOf(standings: readonly Standing[]): (Standing & { available: number }) | null {
  let narrowest: (Standing & { available: number }) | null = null;
  for (const standing of standings) {
    const { available } = standing;
    if (available !== null && (narrowest === null || available < narrowest.available))
      narrowest = { ...standing, available };
  }
  return narrowest;
}

/** Usage months have 28 days at least. */
function periodOf({ startMs, endMs }: Standing): LimitShown["period"] {
  if (endMs === null) return "total";
  return endMs - startMs <= dayMs ? "day" : "month";
}

export async function limitsOf(ctx: WorkspaceCtx) {
  const standings = await limitsOn(ctx, ["aiTokens", "moneyMicroUsd"]);
  const tokens = standings.filter(({ meter }) => meter === "aiTokens");
  const month = monthOf(ctx, tokens);
  return {
    subscription_tier: ctx.plan,
    monthly_limit: month.limit,
    tokens_used: month.used,
    tokens_remaining: narrowestOf(tokens)?.available ?? null,
    reset_date: iso(month.endMs),
    limits: standings.filter(({ scope, limit }) => scope === "workspace" || limit !== null).map(toShown),
    rate_limits: rateLimitsOf(ctx),
  };
}

function toShown(standing: Standing): LimitShown {
  const { meter, scope, limit, used, reserved, available, endMs } = standing;
  return {
    resource: meter === "aiTokens" ? "tokens" : "money_micro_usd",
    scope,
    period: periodOf(standing),
    limit,
    used,
    reserved,
    remaining: available,
    reset_date: iso(endMs),
  };
}

function rateLimitsOf({ actor, plan, overrides, subUser }: WorkspaceCtx) {
  const kind = actor.kind === "api-key" ? "api-key" : "user";
  const perMinute = (limitClass: "default" | "chat" | "batch") => {
    const quota = requestLimit({ kind, plan, overrides, limitClass })?.quota ?? null;
    const own = subUser?.limits.requests_per_minute ?? null;
    return quota === null || own === null ? (quota ?? own) : Math.min(quota, own);
  };
  return {
    requests_per_minute: perMinute("default"),
    chat_requests_per_minute: perMinute("chat"),
    batch_requests_per_minute: perMinute("batch"),
    requests_per_hour: subUser?.limits.requests_per_hour ?? null,
    concurrent_requests: subUser?.limits.max_concurrent_requests ?? null,
  };
}
