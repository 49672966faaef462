/**
 * Takes from exact limits: out of this isolate's lease in memory, or with one call to the principal's limiter. It never admits more
 * than the quota; when the limiter cannot be reached it throws, and the caller decides.
 */
import type { Limit } from "#core/limits";
import { objectNamed, type Placement } from "../stub.ts";
import {
  askFor,
  type Charge,
  consume,
  createLimiterState,
  type LimiterState,
  look,
  putBack,
  settle,
  strictest,
  takenLocally,
  type Taken,
} from "./leases.ts";
import type { RateLimiter } from "./object.ts";

export { createLimiterState, type Taken } from "./leases.ts";

export interface LocalOptions {
  nowMs: number;
  /** The leases to use instead of this isolate's own. */
  state?: LimiterState;
}

export interface TakeOptions extends LocalOptions, Placement {
  /** For tests that move time: what the limiter takes for its clock. */
  objectNowMs?: number;
}

const isolateState = createLimiterState();

/** The path without a call and without a promise. undefined: this isolate cannot decide, use `takeToken`. */
export function takeFromLease(
  request: { principal: string; limit: Limit; cost?: number },
  options: LocalOptions,
): Taken | undefined {
  const { nowMs, state = isolateState } = options;
  const charge = chargeOf(request.principal, request.limit, request.cost);
  const found = look(state, charge, nowMs);
  if (found === "unknown") return undefined;
  if (found === "ready") consume(state, charge);
  return takenLocally(state, charge, { allowed: found === "ready", nowMs });
}

/** Takes `cost` (1 unless given) from one limit. */
export async function takeToken(
  limiters: DurableObjectNamespace<RateLimiter>,
  request: { principal: string; limit: Limit; cost?: number },
  options: TakeOptions,
): Promise<Taken> {
  const { principal, limit, cost } = request;
  const taken = takeFromLease(request, options);
  return taken ?? (await takeTokens(limiters, { principal, limits: [limit], cost }, options));
}

/**
 * Takes from several limits of one principal with at most one call: from all or from none. The strictest result is returned.
 * `costs` has one for each limit, in their order.
 */
export async function takeTokens(
  limiters: DurableObjectNamespace<RateLimiter>,
  request: { principal: string; limits: readonly [Limit, ...Limit[]]; cost?: number; costs?: readonly number[] },
  options: TakeOptions,
): Promise<Taken> {
  const { nowMs, state = isolateState } = options;
  const charges = request.limits.map((limit, index) =>
    chargeOf(request.principal, limit, request.costs?.[index] ?? request.cost),
  );
  const refused = charges.filter((charge) => look(state, charge, nowMs) === "refused");
  if (refused.length > 0)
    return strictestOf(refused.map((charge) => takenLocally(state, charge, { allowed: false, nowMs })));
  // What is held is taken before the call, because other requests take from it while this one waits.
  const held = charges.filter((charge) => look(state, charge, nowMs) === "ready");
  const missing = charges.filter((charge) => !held.includes(charge));
  const taken = held.map((charge) => ({ charge, windowStartMs: consume(state, charge) }));
  const local = held.map((charge) => takenLocally(state, charge, { allowed: true, nowMs }));
  if (missing.length === 0) return strictestOf(local);
  const leases = missing.map((charge) => askFor(state, charge, nowMs));
  const giveBack = () => taken.forEach(({ charge, windowStartMs }) => putBack(state, charge, windowStartMs));
  const grants = await objectNamed(limiters, request.principal, options)
    .lease(options.objectNowMs === undefined ? { leases } : { leases, nowMs: options.objectNowMs })
    .catch((error: unknown) => {
      giveBack();
      throw error;
    });
  const answered = missing.map((charge, index) => {
    const grant = grants[index];
    if (!grant) throw new Error("the limiter left a limit unanswered");
    return {
      charge,
      windowStartMs: grant.windowStartMs,
      result: settle(state, charge, { grant, askedAtMs: nowMs }),
    };
  });
  if (answered.some(({ result }) => !result.allowed)) {
    giveBack();
    for (const { charge, windowStartMs, result } of answered) if (result.allowed) putBack(state, charge, windowStartMs);
  }
  return strictestOf([...local, ...answered.map(({ result }) => result)]);
}

/** A place among the requests that a principal may have under way at once; false: all are taken. Give it back by `leaveSlot`. */
export async function enterSlot(
  limiters: DurableObjectNamespace<RateLimiter>,
  { principal, ...request }: { principal: string; id: string; most: number; nowMs: number },
): Promise<boolean> {
  return await objectNamed(limiters, principal, {}).enter(request);
}

export async function leaveSlot(
  limiters: DurableObjectNamespace<RateLimiter>,
  { principal, id }: { principal: string; id: string },
): Promise<void> {
  await objectNamed(limiters, principal, {}).leave(id);
}

function chargeOf(principal: string, limit: Limit, cost = 1): Charge {
  if (!Number.isSafeInteger(cost) || cost < 1) throw new RangeError("a cost is a whole number of at least 1");
  return { principal, limit, cost };
}

function strictestOf(results: Taken[]): Taken {
  const [first, ...others] = results;
  if (!first) throw new RangeError("no limit was given");
  return strictest([first, ...others]);
}
