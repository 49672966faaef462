/** Exact limits over many isolates: never more than the quota in a window, with tokens leased, lost, handed back and out of step. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { describe, expect, it, vi } from "vitest";
import { createLimiterState, takeFromLease, takeToken, takeTokens } from "#durable/rate-limiter/client";
import { settle } from "#durable/rate-limiter/leases";
import type { LeaseGrant, LeaseRequest } from "#durable/rate-limiter/object";
import { blockSize, grantSize } from "#durable/rate-limiter/rules";
import { freshId, objects, times } from "./objects.ts";

const limiters = objects.RATE_LIMITER;
const startMs = Date.now();
const perMinute = (quota: number) => ({ name: "default", quota, windowSeconds: 60 });

/** Small numbers in a fixed order, so that a failure can be repeated. */
function sequence(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** The binding with every call seen, and failing on demand. */
function watched() {
  const seen = { calls: 0, grants: [] as LeaseGrant[], isDown: false };
  const lease = async (name: string, request: { leases: LeaseRequest[]; nowMs?: number }) => {
    seen.calls += 1;
    if (seen.isDown) throw new Error("unreachable");
    const grants = await limiters.getByName(name).lease(request);
    seen.grants.push(...grants);
    return grants;
  };
  const namespace = {
    getByName: (name: string) => ({ lease: (request: never) => lease(name, request) }),
  };
  return { seen, namespace: namespace as unknown as typeof limiters };
}

/** One isolate whose clock and the object's both show `nowMs`. */
function isolate(principal = freshId("user"), namespace = limiters) {
  const state = createLimiterState();
  const take = (limit: ReturnType<typeof perMinute>, nowMs = startMs, cost = 1) =>
    takeToken(namespace, { principal, limit, cost }, { nowMs, objectNowMs: nowMs, state });
  const held = () => [...state.leases.values()].reduce((sum, lease) => sum + lease.held, 0);
  return { principal, state, take, held };
}

async function drain(one: ReturnType<typeof isolate>, limit: ReturnType<typeof perMinute>, nowMs = startMs) {
  let admitted = 0;
  while (admitted < 10_000 && (await one.take(limit, nowMs)).allowed) admitted += 1;
  return admitted;
}

describe("one isolate", () => {
  it.each([1, 5, 23, 24, 30, 600])("admits exactly %i and shows what is left", async (quota) => {
    const one = isolate();
    for (let left = quota - 1; left >= 0; left -= 1) {
      expect(await one.take(perMinute(quota))).toMatchObject({
        allowed: true,
        remaining: left,
        retryAfterSeconds: 0,
      });
    }
    const refused = await one.take(perMinute(quota));
    expect(refused).toMatchObject({
      allowed: false,
      remaining: 0,
      resetInSeconds: 60,
      retryAfterSeconds: 60,
    });
    expect(await one.take(perMinute(quota), startMs + 59_999)).toMatchObject({
      allowed: false,
      retryAfterSeconds: 1,
    });
    expect(await one.take(perMinute(quota), startMs + 60_000)).toMatchObject({
      allowed: true,
      remaining: quota - 1,
    });
  });

  it("needs few calls: none while it holds a lease, none just after a refusal", async () => {
    const { seen, namespace } = watched();
    const one = isolate(freshId("user"), namespace);
    expect(await drain(one, perMinute(600))).toBe(600);
    const { calls } = seen;
    expect(calls).toBeLessThan(60);
    await one.take(perMinute(600), startMs + 999);
    expect(seen.calls).toBe(calls);
    await one.take(perMinute(600), startMs + 1_000);
    expect(seen.calls).toBe(calls + 1);
  });

  it("decides without a promise while it holds tokens, and not past the lease or the window", async () => {
    const one = isolate();
    const limit = perMinute(600);
    const request = { principal: one.principal, limit };
    expect(takeFromLease(request, { nowMs: startMs, state: one.state })).toBeUndefined();
    await one.take(limit);
    expect(takeFromLease(request, { nowMs: startMs + 4_999, state: one.state })).toMatchObject({
      remaining: 598,
    });
    expect(takeFromLease(request, { nowMs: startMs + 5_000, state: one.state })).toBeUndefined();
    const short = {
      principal: one.principal,
      limit: { ...limit, name: "short", windowSeconds: 2 },
    };
    const options = { nowMs: startMs, objectNowMs: startMs, state: one.state };
    await takeToken(limiters, short, options);
    expect(takeFromLease(short, { nowMs: startMs + 1_999, state: one.state })).toMatchObject({
      allowed: true,
    });
    expect(takeFromLease(short, { nowMs: startMs + 2_000, state: one.state })).toBeUndefined();
  });

  it("serves 50 requests at once on a cold start without hoarding a block for each", async () => {
    const one = isolate();
    const taken = await Promise.all(times(50, () => one.take(perMinute(600))));
    expect(taken.filter((result) => result.allowed)).toHaveLength(50);
    expect(one.held()).toBeLessThanOrEqual(64);
    expect(await drain(one, perMinute(600))).toBe(550);
  });

  it("takes whole costs only, and refuses senseless ones", async () => {
    const one = isolate();
    expect(await one.take(perMinute(30), startMs, 20)).toMatchObject({
      allowed: true,
      remaining: 10,
    });
    expect(await one.take(perMinute(30), startMs, 11)).toMatchObject({
      allowed: false,
      remaining: 10,
    });
    expect(await one.take(perMinute(30), startMs, 10)).toMatchObject({
      allowed: true,
      remaining: 0,
    });
    for (const cost of [0, -1, 1.5, Number.NaN])
      await expect(one.take(perMinute(30), startMs, cost)).rejects.toThrow(RangeError);
  });

  it("throws when the limiter cannot be reached, and then has neither made nor kept tokens", async () => {
    const { seen, namespace } = watched();
    const one = isolate(freshId("user"), namespace);
    await one.take(perMinute(100));
    seen.isDown = true;
    await expect(one.take(perMinute(100), startMs + 5_000)).rejects.toThrow("unreachable");
    expect(one.held()).toBe(0);
    seen.isDown = false;
    // The eleven tokens of the block that was being handed back are lost, which is the safe side.
    expect(await drain(one, perMinute(100), startMs + 6_000)).toBe(88);
  });
});

describe("many isolates", () => {
  it.each([7, 100, 500])("admit a quota of %i in full and no more, all asking at once", async (quota) => {
    const principal = freshId("user");
    const isolates = times(20, () => isolate(principal));
    let admitted = 0;
    for (let round = 0; round < 120; round += 1) {
      const taken = await Promise.all(isolates.map((one) => one.take(perMinute(quota))));
      admitted += taken.filter((result) => result.allowed).length;
    }
    expect(admitted).toBe(quota);
  });

  it.each([1, 2, 3, 4])("never pass the quota of any window over minutes of random use (seed %i)", async (seed) => {
    const next = sequence(seed);
    const { seen, namespace } = watched();
    const principal = freshId("user");
    const limit = { name: "default", quota: 90, windowSeconds: 20 };
    // Isolates on other machines: their clocks are off by up to two minutes.
    const isolates = times(12, () => ({
      state: createLimiterState(),
      aheadMs: next(240_000) - 120_000,
    }));
    const admittedAtMs: number[] = [];
    let nowMs = startMs;
    for (let step = 0; step < 1_500; step += 1) {
      nowMs += next(10) === 0 ? next(3_000) : next(40);
      const askers = isolates.filter(() => next(4) === 0);
      const taken = await Promise.all(
        askers.map(({ state, aheadMs }) =>
          takeToken(
            namespace,
            { principal, limit, cost: 1 + next(3) },
            { nowMs: nowMs + aheadMs, objectNowMs: nowMs, state },
          ),
        ),
      );
      taken.forEach((result) => result.allowed && admittedAtMs.push(nowMs));
    }
    const windows = [...new Set(seen.grants.map((grant) => grant.windowStartMs))];
    const admittedIn = (windowStartMs: number) =>
      admittedAtMs.filter((atMs) => atMs >= windowStartMs && atMs < windowStartMs + 20_000).length;
    expect(windows.length).toBeGreaterThan(5);
    expect(windows.reduce((sum, window) => sum + admittedIn(window), 0)).toBe(admittedAtMs.length);
    for (const window of windows) expect(admittedIn(window)).toBeLessThanOrEqual(limit.quota);
    expect(admittedAtMs.length).toBeGreaterThan(windows.length * 20);
  });

  it("hand unused tokens back, so that others can use them", async () => {
    const principal = freshId("user");
    const [early, late] = [isolate(principal), isolate(principal)];
    await early.take(perMinute(100));
    expect(early.held()).toBe(11);
    expect(await drain(late, perMinute(100))).toBe(88);
    expect(await early.take(perMinute(100), startMs + 6_000)).toMatchObject({
      allowed: true,
      remaining: 10,
    });
    const rest =
      (await drain(late, perMinute(100), startMs + 6_000)) + (await drain(early, perMinute(100), startMs + 6_000));
    expect(rest).toBe(10);
  });

  it("show the time to the end of the window by their own clocks", async () => {
    const options = { nowMs: startMs + 90_000, objectNowMs: startMs, state: createLimiterState() };
    const request = { principal: freshId("user"), limit: perMinute(100) };
    expect(await takeToken(limiters, request, options)).toMatchObject({ resetInSeconds: 60 });
    expect(await takeToken(limiters, request, { ...options, nowMs: startMs + 92_000 })).toMatchObject({
      resetInSeconds: 58,
    });
  });

  it("cannot hand back tokens of a window that is over", async () => {
    const stub = limiters.getByName(freshId("user"));
    const limit = perMinute(100);
    const ask = { limit, want: 50, unused: 0, windowStartMs: null, exact: true };
    const [first] = await stub.lease({ leases: [ask], nowMs: startMs });
    const windowStartMs = first?.windowStartMs ?? null;
    await stub.lease({ leases: [{ ...ask, want: 90 }], nowMs: startMs + 60_000 });
    const back = { ...ask, want: 11, unused: 50, windowStartMs };
    expect(await stub.lease({ leases: [back], nowMs: startMs + 61_000 })).toMatchObject([
      { granted: 0, remaining: 10 },
    ]);
  });
});

describe("several limits at once", () => {
  const minute = perMinute(100);
  const batch = { name: "batch", quota: 3, windowSeconds: 60 };

  it("reports the strictest, uses one call, and takes from all or from none", async () => {
    const { seen, namespace } = watched();
    const principal = freshId("user");
    const options = { nowMs: startMs, objectNowMs: startMs, state: createLimiterState() };
    const take = () => takeTokens(namespace, { principal, limits: [minute, batch] }, options);
    for (const remaining of [2, 1, 0]) expect(await take()).toMatchObject({ allowed: true, limit: batch, remaining });
    expect(seen.calls).toBe(3);
    for (let round = 0; round < 5; round += 1) expect(await take()).toMatchObject({ allowed: false, limit: batch });
    expect(await takeToken(namespace, { principal, limit: minute }, options)).toMatchObject({
      allowed: true,
      remaining: 96,
    });
  });

  it("gives back what one limit granted when another refuses in the same call", async () => {
    const principal = freshId("user");
    const cold = () => ({ nowMs: startMs, objectNowMs: startMs, state: createLimiterState() });
    await takeTokens(limiters, { principal, limits: [batch], cost: 3 }, cold());
    const options = cold();
    expect(await takeTokens(limiters, { principal, limits: [minute, batch] }, options)).toMatchObject({ limit: batch });
    expect(await takeToken(limiters, { principal, limit: minute }, options)).toMatchObject({
      remaining: 99,
    });
  });
});

describe("sleep", () => {
  it("keeps a window of an hour through eviction, at once", async () => {
    const limit = { name: "conversions", quota: 10, windowSeconds: 3_600 };
    const one = isolate();
    for (let index = 0; index < 7; index += 1) await one.take(limit);
    await evictDurableObject(limiters.getByName(one.principal));
    expect(await drain(isolate(one.principal), limit)).toBe(3);
  });

  it("writes a window of a minute behind the answer and keeps it through eviction", async () => {
    const one = isolate();
    for (let index = 0; index < 15; index += 1) await one.take(perMinute(20));
    const stub = limiters.getByName(one.principal);
    const tables = () =>
      runInDurableObject(stub, (_limiter, state) => state.storage.sql.exec("SELECT name FROM sqlite_master").toArray());
    expect(await tables()).toEqual([]);
    await vi.waitFor(async () => expect(await tables()).not.toEqual([]), {
      timeout: 10_000,
      interval: 100,
    });
    await evictDurableObject(stub);
    expect(await drain(isolate(one.principal), perMinute(20))).toBe(5);
  });

  it("sweeps windows that are over and keeps those that are not", async () => {
    const principal = freshId("user");
    const stub = limiters.getByName(principal);
    const lease = (name: string, windowSeconds: number, nowMs: number) =>
      stub.lease({
        leases: [
          {
            limit: { name, quota: 10, windowSeconds },
            want: 4,
            unused: 0,
            windowStartMs: null,
            exact: true,
          },
        ],
        nowMs,
      });
    await lease("over", 61, Date.now() - 62_000);
    await lease("open", 3_600, Date.now());
    const rows = () =>
      runInDurableObject(stub, (_limiter, state) => state.storage.sql.exec("SELECT name FROM windows").toArray());
    await runInDurableObject(stub, (limiter) => limiter.alarm());
    expect(await rows()).toEqual([{ name: "open" }]);
    expect(await lease("open", 3_600, Date.now())).toMatchObject([{ remaining: 2 }]);
    await lease("open", 1, Date.now() + 3_600_000);
    await runInDurableObject(stub, async (limiter, state) => {
      vi.spyOn(Date, "now").mockReturnValue(startMs + 9_000_000);
      await limiter.alarm().finally(() => vi.restoreAllMocks());
      expect(state.storage.sql.exec("SELECT name FROM sqlite_master WHERE name = 'windows'").toArray()).toEqual([]);
    });
  });
});

describe("the arithmetic", () => {
  it("leases an eighth of what is left, between 1 and 64, and single tokens of small quotas", () => {
    expect([23, 24, 100, 1_000].map((quota) => blockSize(quota, quota))).toEqual([1, 3, 12, 64]);
    expect(blockSize(1_000, 7)).toBe(1);
  });

  it("never grants more than is left and never a part of what is wanted", () => {
    expect(grantSize({ quota: 100, remaining: 3, want: 4, exact: false })).toBe(0);
    expect(grantSize({ quota: 100, remaining: 3, want: 3, exact: false })).toBe(3);
    expect(grantSize({ quota: 100, remaining: 80, want: 1, exact: true })).toBe(1);
    expect(grantSize({ quota: 100, remaining: 80, want: 1, exact: false })).toBe(10);
  });

  it("does not mix an answer of an older window that comes late into a newer lease", () => {
    const state = createLimiterState();
    const charge = { principal: "p", limit: perMinute(100), cost: 1 };
    const grant = {
      granted: 5,
      remaining: 50,
      windowStartMs: startMs + 60_000,
      resetInMs: 60_000,
      validForMs: 5_000,
    };
    settle(state, charge, { grant, askedAtMs: startMs + 60_000 });
    const late = { ...grant, granted: 9, windowStartMs: startMs };
    expect(settle(state, charge, { grant: late, askedAtMs: startMs + 59_000 })).toMatchObject({
      allowed: true,
    });
    expect([...state.leases.values()]).toMatchObject([{ held: 4, windowStartMs: startMs + 60_000 }]);
  });

  it("bounds what an isolate remembers", () => {
    const state = createLimiterState();
    const grant = {
      granted: 5,
      remaining: 50,
      windowStartMs: startMs,
      resetInMs: 60_000,
      validForMs: 5_000,
    };
    for (let index = 0; index < 10_050; index += 1) {
      settle(state, { principal: `p${index}`, limit: perMinute(100), cost: 1 }, { grant, askedAtMs: startMs });
    }
    expect(state.leases.size).toBe(10_000);
  });
});
