/**
 * What one isolate holds of the limits it was leased, as plain values: no promises, no network, no clock. It may lose tokens (then
 * fewer requests pass than could) but never makes any.
 */
import type { Limit } from "#core/limits";
import type { LeaseGrant, LeaseRequest } from "./object.ts";

interface Lease {
  windowStartMs: number;
  /** By this isolate's clock, counted from before the lease was asked for, so never late. */
  resetAtMs: number;
  validUntilMs: number;
  held: number;
  /** What the object had left when it last answered. */
  remaining: number;
  /** Costs from this on were just refused; asking again at once would only load the object. */
  refusedCost: number;
  refusedUntilMs: number;
  callStartedAtMs: number;
}

export interface LimiterState {
  leases: Map<string, Lease>;
}

/** One limit of one principal, and what the request in hand costs. */
export interface Charge {
  principal: string;
  limit: Limit;
  cost: number;
}

export interface Taken {
  allowed: boolean;
  limit: Limit;
  /** Left of the quota: what the object has plus what this isolate holds. */
  remaining: number;
  resetInSeconds: number;
  /** 0 when allowed. */
  retryAfterSeconds: number;
}

const maxLeases = 10_000;
/** Others may hand tokens back, so a refusal is asked about again before the window ends. */
const refusalMs = 1_000;
/** A call that has not come back after this long was lost with its request. */
const callPatienceMs = 1_000;

/** Marks that a first call is under way: a window that is over and holds nothing. */
const nothingYet: Lease = {
  windowStartMs: 0,
  resetAtMs: 0,
  validUntilMs: 0,
  held: 0,
  remaining: 0,
  refusedCost: 0,
  refusedUntilMs: 0,
  callStartedAtMs: 0,
};

export function createLimiterState(): LimiterState {
  return { leases: new Map() };
}

/** `ready`: enough is held. `refused`: just refused. `unknown`: ask the object. Takes nothing. */
export function look(state: LimiterState, charge: Charge, nowMs: number): "ready" | "refused" | "unknown" {
  const lease = state.leases.get(keyOf(charge));
  if (!lease || nowMs >= lease.resetAtMs) return "unknown";
  if (nowMs < lease.validUntilMs && lease.held >= charge.cost) return "ready";
  return nowMs < lease.refusedUntilMs && charge.cost >= lease.refusedCost ? "refused" : "unknown";
}

/** After `look` said `ready`. */
export function consume(state: LimiterState, charge: Charge): number | null {
  const lease = state.leases.get(keyOf(charge));
  if (!lease) return null;
  lease.held -= charge.cost;
  return lease.windowStartMs;
}

/** Puts back what `consume` or a grant gave for a request that was refused by another limit. */
export function putBack(state: LimiterState, charge: Charge, windowStartMs: number | null): void {
  const lease = state.leases.get(keyOf(charge));
  if (lease?.windowStartMs === windowStartMs) lease.held += charge.cost;
}

/**
 * The request for a lease. What was left of the last one is taken out of the state first: if the call is lost the tokens are lost,
 * and are never both handed back and used.
 */
export function askFor(state: LimiterState, charge: Charge, nowMs: number): LeaseRequest {
  const { limit, cost } = charge;
  const lease = state.leases.get(keyOf(charge));
  if (!lease) {
    keep(state, charge, { ...nothingYet, callStartedAtMs: nowMs });
    return { limit, want: cost, unused: 0, windowStartMs: null, exact: false };
  }
  const { held, windowStartMs } = lease;
  const exact = nowMs - lease.callStartedAtMs < callPatienceMs;
  lease.held = 0;
  lease.callStartedAtMs = nowMs;
  return { limit, want: cost, unused: held, windowStartMs, exact };
}

/** Takes the charge out of a grant and keeps the rest. `askedAtMs` is the isolate's time before the call. */
export function settle(state: LimiterState, charge: Charge, answer: { grant: LeaseGrant; askedAtMs: number }): Taken {
  const { grant, askedAtMs } = answer;
  const isGranted = grant.granted >= charge.cost;
  const lease: Lease = {
    windowStartMs: grant.windowStartMs,
    resetAtMs: askedAtMs + grant.resetInMs,
    validUntilMs: askedAtMs + grant.validForMs,
    held: isGranted ? grant.granted - charge.cost : grant.granted,
    remaining: grant.remaining,
    refusedCost: charge.cost,
    refusedUntilMs: isGranted ? 0 : askedAtMs + refusalMs,
    callStartedAtMs: 0,
  };
  const known = state.leases.get(keyOf(charge));
  const isLate = known !== undefined && known.windowStartMs > lease.windowStartMs;
  if (!isLate) keep(state, charge, known ? merged(known, lease) : lease);
  return describe(isLate ? lease : (state.leases.get(keyOf(charge)) ?? lease), charge, {
    allowed: isGranted,
    nowMs: askedAtMs,
  });
}

/** The answer for a charge that `look` decided without a call. */
export function takenLocally(state: LimiterState, charge: Charge, at: { allowed: boolean; nowMs: number }): Taken {
  const lease = state.leases.get(keyOf(charge));
  if (!lease)
    return {
      allowed: at.allowed,
      limit: charge.limit,
      remaining: 0,
      resetInSeconds: 0,
      retryAfterSeconds: 0,
    };
  return describe(lease, charge, at);
}

/** The result that binds: a refusal with the longest wait, else the smallest remainder. */
export function strictest(results: readonly [Taken, ...Taken[]]): Taken {
  return results.reduce((strict, next) => {
    if (strict.allowed !== next.allowed) return strict.allowed ? next : strict;
    if (!strict.allowed) return next.retryAfterSeconds > strict.retryAfterSeconds ? next : strict;
    return next.remaining < strict.remaining ? next : strict;
  });
}

function keyOf(charge: Charge): string {
  return `${charge.principal}\n${charge.limit.name}`;
}

/** Two calls of the same isolate came back: their tokens add up, and the shorter validity counts for all of them. */
function merged(known: Lease, fresh: Lease): Lease {
  if (known.windowStartMs !== fresh.windowStartMs || known.held === 0) return fresh;
  return {
    ...fresh,
    held: known.held + fresh.held,
    validUntilMs: Math.min(known.validUntilMs, fresh.validUntilMs),
    resetAtMs: Math.min(known.resetAtMs, fresh.resetAtMs),
  };
}

function keep(state: LimiterState, charge: Charge, lease: Lease): void {
  const key = keyOf(charge);
  state.leases.delete(key);
  state.leases.set(key, lease);
  if (state.leases.size <= maxLeases) return;
  const oldest = state.leases.keys().next();
  if (!oldest.done) state.leases.delete(oldest.value);
}

function describe(lease: Lease, charge: Charge, at: { allowed: boolean; nowMs: number }): Taken {
  const resetInSeconds = Math.max(Math.ceil((lease.resetAtMs - at.nowMs) / 1_000), 1);
  return {
    allowed: at.allowed,
    limit: charge.limit,
    remaining: Math.max(lease.remaining + lease.held, 0),
    resetInSeconds,
    retryAfterSeconds: at.allowed ? 0 : resetInSeconds,
  };
}
