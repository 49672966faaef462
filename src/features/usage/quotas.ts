/**
 * Taking from a workspace's quotas: reserve what work can cost at most before it begins, settle what it came to. The ledger decides; this
 * knows the plan's limits, whom to count for, and how to say what is used up.
 */
import type { Ctx, WorkspaceCtx } from "#core/context";
import { Problem } from "#core/problem";
import {
  type Budget,
  chargeMeters,
  type Line,
  type MeteredName,
  type ModelUse,
  purseCalls,
  putBack,
  releaseMeters,
  reserveMeters,
  type Scopes,
  settleMeters,
  type Shortage,
  type Spent,
  takeApiCall,
  takeFromPurse,
  type Ticket,
} from "#durable/ledger/client";
import { meterLimit, resourceOf, resources, shown } from "./rules.ts";

export type Amounts = Partial<Record<MeteredName, number>>;

export interface Wanted {
  /** Names the work: a repeated call counts once. */
  reservationId: string;
  /** What it can cost at most, in the units of the meters. */
  amounts: Amounts;
  model?: string;
  /** Further limits on what this user, key or model may use. */
  budgets?: Budget[];
}

/** Plain data, so that a job can carry it: what was set aside, for whom and within which limits. */
export interface Hold {
  workspaceId: string;
  reservationId: string;
  meters: Line[];
  scopes: Scopes;
  budgets: Budget[];
}

/** A hold whose work has ended, with what it asked of models, for the record. */
export interface Ended extends Hold {
  uses?: ModelUse[];
}

export function holdOf(ctx: WorkspaceCtx, wanted: Wanted): Hold {
  const { reservationId, amounts, model, budgets = [] } = wanted;
  const { actor, subUser } = ctx;
  const own: Budget[] = subUser
    ? [{ meter: "aiTokens", scope: "user", limit: subUser.limits.monthly_tokens, period: "month" }]
    : [];
  // Only of meters that are asked for: a budget of another meter has nothing to say.
  const ofKey = (ctx.keyBudgets ?? [])
    .filter(({ meter }) => (amounts[meter] ?? 0) > 0)
    .map((budget): Budget => ({ ...budget, scope: "key" }));
  return {
    workspaceId: ctx.workspaceId,
    reservationId,
    meters: linesOf(ctx, amounts),
    scopes: {
      userId: ctx.userId,
      ...(actor.kind === "api-key" ? { keyId: actor.keyId } : {}),
      ...(model === undefined ? {} : { model }),
    },
    budgets: [...own, ...ofKey, ...budgets],
  };
}

function linesOf(ctx: WorkspaceCtx, amounts: Amounts): Line[] {
  return (Object.entries(amounts) as [MeteredName, number][]).map(([meter, amount]) => ({
    meter,
    amount,
    limit: meterLimit(resourceOf(meter), ctx.plan, ctx.overrides),
  }));
}

/** Sets aside all or nothing; it returns by itself after `ttlMs` (at most an hour). Throws `quota-exceeded`. */
export async function reserveUsage(ctx: WorkspaceCtx, wanted: Wanted & { ttlMs: number }): Promise<Hold> {
  const hold = holdOf(ctx, wanted);
  const reserved = await reserveMeters(ctx.objects.LEDGER, { ...hold, ttlMs: wanted.ttlMs, nowMs: ctx.now() });
  if (!reserved.ok) throw quotaExceeded(reserved.short, ctx.now());
  return hold;
}

/**
 * Sets aside all or nothing out of what this isolate holds for the same person, key and model, for work that comes often and ends soon. Give it back
 * by `putBackUsage`, whatever happened. Throws `quota-exceeded`.
 */
export async function takeUsage(ctx: WorkspaceCtx, wanted: Omit<Wanted, "reservationId">): Promise<Ticket> {
  const { reservationId: _, ...claim } = holdOf(ctx, { ...wanted, reservationId: "" });
  const nowMs = ctx.now();
  const newId = () => Buffer.from(ctx.random(12)).toString("hex");
  const taken = await takeFromPurse(purseCalls(ctx.objects.LEDGER), claim, { nowMs, newId });
  if (!taken.ok) throw quotaExceeded(taken.short, nowMs);
  return taken.ticket;
}

/** Charges what the work came to (nothing: it failed); the settlement is written a moment later. */
export function putBackUsage(ctx: Ctx, ticket: Ticket, spent: Spent): void {
  const settlement = putBack(purseCalls(ctx.objects.LEDGER), ticket, spent);
  if (settlement) ctx.later(settlement);
}

/** Charges what the work came to; the rest returns. Repeating it changes nothing. */
export async function settleUsage(ctx: Ctx, hold: Ended, amounts: Amounts): Promise<void> {
  const meters = hold.meters.map((line) => ({ ...line, amount: amounts[line.meter] ?? 0 }));
  await settleMeters(ctx.objects.LEDGER, { ...hold, meters, nowMs: ctx.now() });
}

export async function releaseUsage(
  ctx: Ctx,
  hold: Pick<Ended, "workspaceId" | "reservationId" | "uses">,
): Promise<void> {
  const { workspaceId, reservationId, uses = [] } = hold;
  await releaseMeters(ctx.objects.LEDGER, { workspaceId, reservationId, uses, nowMs: ctx.now() });
}

/** Reserves and settles at once, for work whose cost is known beforehand. Throws `quota-exceeded` and then charges nothing. */
export async function chargeUsage(ctx: WorkspaceCtx, wanted: Wanted): Promise<void> {
  const charged = await chargeMeters(ctx.objects.LEDGER, { ...holdOf(ctx, wanted), nowMs: ctx.now() });
  if (!charged.ok) throw quotaExceeded(charged.short, ctx.now());
}

/** One prompt or batch task costs one credit. Without an id of its own, each call is a charge. */
export async function chargeCredits(ctx: WorkspaceCtx, credits: number, chargeId?: string): Promise<void> {
  await chargeUsage(ctx, { reservationId: chargeId ?? `credits:${ctx.newId("event")}`, amounts: { credits } });
}

/** Takes one API call of a request with a live key, out of a block that this isolate holds or with one call. Throws `quota-exceeded`. */
export async function chargeApiCall(ctx: WorkspaceCtx): Promise<void> {
  const { actor, workspaceId, userId } = ctx;
  if (actor.kind !== "api-key" || actor.mode !== "live") return;
  const limit = meterLimit("apiCalls", ctx.plan, ctx.overrides);
  const nowMs = ctx.now();
  const call = { workspaceId, userId, keyId: actor.keyId, limit };
  const short = await takeApiCall(ctx.objects.LEDGER, call, {
    nowMs,
    newId: () => Buffer.from(ctx.random(12)).toString("hex"),
    later: ctx.later,
  });
  if (short) throw quotaExceeded([short], nowMs);
}

export function quotaExceeded(short: readonly Shortage[], nowMs: number): Problem {
  const [first] = short;
  if (!first) throw new RangeError("nothing is short");
  const resource = resourceOf(first.meter);
  const limit = shown(resource, first.limit);
  const whose = first.scope === "workspace" ? "" : ` for this ${first.scope}`;
  const waitSeconds = first.endMs === null ? null : Math.max(Math.ceil((first.endMs - nowMs) / 1_000), 1);
  return new Problem("quota-exceeded", {
    detail: `${shown(resource, first.needed)} ${resources[resource].unit} are needed${whose}, ${shown(resource, first.available)} of ${limit} are left.`,
    members: {
      resource,
      scope: first.scope,
      limit,
      used: shown(resource, first.used),
      reserved: shown(resource, first.reserved),
      available: shown(resource, first.available),
      needed: shown(resource, first.needed),
      // As system C's clients read it.
      ...(resource === "aiTokens" ? { required_tokens: first.needed, available_tokens: first.available } : {}),
      resetsAt: first.endMs === null ? null : new Date(first.endMs).toISOString(),
      suggestion: resources[resource].suggestion,
    },
    headers: {
      ...(waitSeconds === null ? {} : { "retry-after": String(waitSeconds) }),
      // OpenAI's clients would ask again at once where the wait is longer than a minute.
      ...(waitSeconds === null || waitSeconds > 60 ? { "x-should-retry": "false" } : {}),
    },
  });
}
