/**
 * How many sign-ins of one isolate are under way at once. Each costs several calls beside its hash; fifty that arrive together would
 * hold up every other request for the sum of them. Those without a place wait, and beyond that they are asked to come back.
 */
import type { Ctx } from "#core/context";
import { busy } from "./hashing.ts";

const places = 3;
const maxWaiting = 100;
const pauseMs = 20;
/** The runtime drops the code of a request whose client left, clean-up included: what it held is free again after this time. */
const heldMs = 10_000;

/** Since when each holder holds. A counter would never come down again for those who left. */
const underWay = new Map<symbol, number>();
const waiting = new Map<symbol, number>();

/** Runs the work when there is a place; throws `hashing-busy` when too many wait already, or after ten seconds. */
export async function inPlace<T>(ctx: Ctx, work: () => Promise<T>): Promise<T> {
  const self = Symbol("sign-in");
  if (isFull(underWay, places, ctx.now())) await waitForPlace(ctx, self);
  underWay.set(self, ctx.now());
  try {
    return await work();
  } finally {
    underWay.delete(self);
  }
}

async function waitForPlace(ctx: Ctx, self: symbol): Promise<void> {
  if (isFull(waiting, maxWaiting, ctx.now())) throw busy();
  const until = ctx.now() + heldMs;
  waiting.set(self, ctx.now());
  try {
    // A timer of one's own: a promise that another request resolves may not be awaited in this runtime.
    while (isFull(underWay, places, ctx.now())) {
      if (ctx.now() > until) throw busy();
      await scheduler.wait(pauseMs);
    }
  } finally {
    waiting.delete(self);
  }
}

function isFull(holders: Map<symbol, number>, size: number, nowMs: number): boolean {
  if (holders.size < size) return false;
  for (const [holder, since] of holders) if (nowMs - since > heldMs) holders.delete(holder);
  return holders.size >= size;
}
