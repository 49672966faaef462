/** What a workspace used and may still use, and what other features ask of its quotas. */
import { auditEntry } from "#core/audit";
import type { Ctx, WorkspaceCtx } from "#core/context";
import { type LimitOverrides, limitsOf, type PlanName, plans } from "#core/plans";
import { Problem } from "#core/problem";
import {
  grantBonus,
  handBackCalls,
  type MeterState,
  purseCalls,
  readMeters,
  readScope,
  setRoom,
  setUsageAnchor,
  settlePurses,
} from "#durable/ledger/client";
import { monthOf } from "#lib/usage-period";
import { deliverUsage } from "./deliver.ts";
import { readHistory, readReport, readStats, reportCsv } from "./reports.ts";
import {
  meterLimit,
  type ReportType,
  type ResourceName,
  resourceNames,
  resources,
  shown,
  standingOf,
} from "./rules.ts";
import type { ResourceUsage } from "./shapes.ts";
import { findLimits, updateOverrides } from "./store.ts";

export { deliverUsage } from "./deliver.ts";
export { chargeTokens, consumeTokens, giveBackTokens, holdTokens, limitsOn } from "./outside.ts";
export { leftBeside, type ModelUse, type Standing, type Ticket } from "#durable/ledger/client";
export {
  type Amounts,
  chargeApiCall,
  chargeCredits,
  chargeUsage,
  type Hold,
  putBackUsage,
  releaseUsage,
  reserveUsage,
  settleUsage,
  takeUsage,
} from "./quotas.ts";
export type { ResourceName } from "./rules.ts";
export type { ResourceUsage } from "./shapes.ts";

/** A workspace of which the plan is known; whoever asks. */
export interface Measured extends Pick<Ctx, "objects" | "now"> {
  workspaceId: string;
  plan: PlanName;
  overrides: LimitOverrides;
}

export interface Usage {
  workspaceId: string;
  plan: PlanName;
  period: { startsAt: string; endsAt: string };
  resources: Record<ResourceName, ResourceUsage>;
  usage: Record<ResourceName, number>;
  limits: Record<ResourceName, number | null>;
}

const iso = (at: number) => new Date(at).toISOString();

/** The counters that are enforced, each with its limit. */
export async function usageOf(ctx: Measured): Promise<Usage> {
  const { workspaceId, plan, overrides } = ctx;
  const nowMs = ctx.now();
  const limit = meterLimit("apiCalls", plan, overrides);
  await handBackCalls(ctx.objects.LEDGER, { workspaceId, limit, nowMs });
  await settlePurses(purseCalls(ctx.objects.LEDGER), { workspaceId, nowMs });
  const { meters, storage } = await readMeters(ctx.objects.LEDGER, { workspaceId, nowMs });
  const month = meters.find(({ meter }) => meter === "aiTokens");
  const all = resourceNames.map((name): [ResourceName, ResourceUsage] => {
    const { meter } = resources[name];
    const state = meters.find((one) => one.meter === meter);
    return [name, toResource(ctx, name, state ?? { ...storage, bonus: 0, endMs: null })];
  });
  const each = <Value>(of: (usage: ResourceUsage) => Value) =>
    Object.fromEntries(all.map(([name, usage]) => [name, of(usage)])) as Record<ResourceName, Value>;
  const { startMs, endMs } = month?.endMs ? { startMs: month.startMs, endMs: month.endMs } : monthOf(nowMs);
  return {
    workspaceId,
    plan,
    period: { startsAt: iso(startMs), endsAt: iso(endMs) },
    resources: each((usage) => usage),
    usage: each(({ used }) => used),
    limits: each((usage) => usage.limit),
  };
}

type Counted = Pick<MeterState, "used" | "reserved" | "bonus" | "endMs">;

function toResource(ctx: Measured, resource: ResourceName, counted: Counted): ResourceUsage {
  const limit = meterLimit(resource, ctx.plan, ctx.overrides);
  const { available, percentUsed, exceeded } = standingOf({ ...counted, limit });
  const inUnit = (amount: number | null) => (amount === null ? null : shown(resource, amount));
  const used = shown(resource, counted.used);
  return {
    resource,
    resourceType: resource,
    unit: resources[resource].unit,
    used,
    current: used,
    reserved: shown(resource, counted.reserved),
    limit: inUnit(limit),
    granted: shown(resource, counted.bonus),
    available: inUnit(available),
    percentUsed,
    exceeded,
    resetsAt: counted.endMs === null ? null : iso(counted.endMs),
  };
}

export async function quotaOf(ctx: WorkspaceCtx, resource: ResourceName): Promise<ResourceUsage> {
  return (await usageOf(ctx)).resources[resource];
}

/** What users or keys (or one of them) used in the periods that run now, in the units that are shown. */
export async function usageBy(
  ctx: Pick<Ctx, "objects" | "now"> & { workspaceId: string },
  of: { scope: "user" | "key" | "model"; id?: string },
): Promise<{ id: string; resource: ResourceName; used: number; reserved: number }[]> {
  const request = { workspaceId: ctx.workspaceId, scope: of.scope, nowMs: ctx.now() };
  const states = await readScope(ctx.objects.LEDGER, of.id === undefined ? request : { ...request, scopeId: of.id });
  return states.flatMap(({ meter, scopeId, used, reserved }) => {
    const resource = resourceNames.find((name) => resources[name].meter === meter);
    return resource
      ? [{ id: scopeId, resource, used: shown(resource, used), reserved: shown(resource, reserved) }]
      : [];
  });
}

/** What was used a moment ago is told before it is summed up. */
export async function upToDate(ctx: WorkspaceCtx): Promise<void> {
  const { workspaceId, plan, overrides } = ctx;
  const limit = meterLimit("apiCalls", plan, overrides);
  await handBackCalls(ctx.objects.LEDGER, { workspaceId, limit, nowMs: ctx.now() });
  await settlePurses(purseCalls(ctx.objects.LEDGER), { workspaceId, nowMs: ctx.now() });
  await deliverUsage(ctx, workspaceId);
}

export async function historyOf(ctx: WorkspaceCtx, days: number) {
  await upToDate(ctx);
  return readHistory(ctx, days);
}

export async function statsOf(ctx: WorkspaceCtx, days: number) {
  await upToDate(ctx);
  return readStats(ctx, days);
}

export async function reportOf(ctx: WorkspaceCtx, query: { period: ReportType; date?: string | undefined }) {
  await upToDate(ctx);
  return readReport(ctx, query);
}

export async function reportCsvOf(ctx: WorkspaceCtx, query: { period: ReportType; date?: string | undefined }) {
  const report = await reportOf(ctx, query);
  const workspace = await findLimits(ctx, ctx.workspaceId);
  return reportCsv(report, workspace?.name ?? "");
}

/** Credits on top of the daily ones, kept until they are used; a negative number takes back what is left. Returns what is left of grants. */
export async function grantCredits(
  ctx: Pick<Ctx, "objects">,
  grant: { workspaceId: string; credits: number; grantId: string },
): Promise<number> {
  const { workspaceId, credits, grantId } = grant;
  return grantBonus(ctx.objects.LEDGER, { workspaceId, id: grantId, meter: "credits", amount: credits });
}

/** What of the credits may be used now; null: no limit. */
export async function creditsLeft(ctx: Measured): Promise<number | null> {
  const { workspaceId, plan, overrides } = ctx;
  const { meters } = await readMeters(ctx.objects.LEDGER, { workspaceId, nowMs: ctx.now() });
  const counted = meters.find(({ meter }) => meter === "credits") ?? { used: 0, reserved: 0, bonus: 0 };
  return standingOf({ ...counted, limit: meterLimit("credits", plan, overrides) }).available;
}

/** Makes exactly so many credits usable from now on, beside the days to come. The same grant counts once. */
export async function setCredits(
  ctx: Pick<Ctx, "objects" | "now">,
  grant: { workspaceId: string; credits: number; perDay: number; grantId: string },
): Promise<void> {
  const { workspaceId, credits, perDay, grantId } = grant;
  const room = {
    workspaceId,
    id: grantId,
    meter: "credits",
    amount: credits,
    limit: perDay,
    nowMs: ctx.now(),
  } as const;
  await setRoom(ctx.objects.LEDGER, room);
}

/** From now on the workspace's usage months begin with its subscription's; null: with the calendar's. */
export async function setUsagePeriod(
  ctx: Pick<Ctx, "objects">,
  workspaceId: string,
  anchorMs: number | null,
): Promise<void> {
  await setUsageAnchor(ctx.objects.LEDGER, { workspaceId, anchorMs });
}

export async function limitsFor(ctx: Ctx, workspaceId: string) {
  const found = await findLimits(ctx, workspaceId);
  if (!found) throw new Problem("workspace-not-found");
  const { plan, overrides } = found;
  return { workspaceId, plan, planLimits: plans[plan].limits, overrides, limits: limitsOf(plan, overrides) };
}

/** They count within ten seconds everywhere, which is as long as a plan is remembered. */
export async function overrideLimits(ctx: WorkspaceCtx, workspaceId: string, given: LimitOverrides) {
  const before = await limitsFor(ctx, workspaceId);
  await ctx.db.batch([
    updateOverrides(ctx, workspaceId, given),
    auditEntry({ ...ctx, workspaceId }, "limits.changed", {
      target: workspaceId,
      before: { overrides: before.overrides },
      after: { overrides: given },
    }),
  ]);
  return limitsFor(ctx, workspaceId);
}
