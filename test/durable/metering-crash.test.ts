/**
 * What metering promises over a crash: memory may be lost at any moment, as it is after `abort`, and then nothing is forgotten that was
 * answered for, and nothing is given away that somebody may still be using.
 */
import { runInDurableObject } from "cloudflare:test";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  chargeMeters,
  consumeOutside,
  giveBackOutside,
  holdOutside,
  readMeters,
  readOutgoing,
  releaseMeters,
  reserveMeters,
  settleMeters,
} from "#durable/ledger/client";
import { freshId, objects, times } from "./objects.ts";

const ledgers = objects.LEDGER;

function ledger(limit: number | null) {
  const workspaceId = freshId("workspace");
  const asked = (reservationId: string, amount: number) => ({
    workspaceId,
    reservationId,
    meters: [{ meter: "aiTokens" as const, amount, limit }],
  });
  const stub = () => ledgers.getByName(workspaceId);
  return {
    workspaceId,
    reserve: (id: string, amount: number, ttlMs = 600_000) => reserveMeters(ledgers, { ...asked(id, amount), ttlMs }),
    charge: (id: string, amount: number) => chargeMeters(ledgers, asked(id, amount)),
    settle: (id: string, amount: number) => settleMeters(ledgers, asked(id, amount)),
    release: (id: string) => releaseMeters(ledgers, { workspaceId, reservationId: id }),
    async held(nowMs?: number) {
      const { meters } = await readMeters(ledgers, { workspaceId, ...(nowMs === undefined ? {} : { nowMs }) });
      const state = meters.find(({ meter }) => meter === "aiTokens");
      return { used: state?.used ?? -1, reserved: state?.reserved ?? -1 };
    },
    async told() {
      const items = await readOutgoing(ledgers, { workspaceId, limit: 1_000 });
      return items.flatMap((item) => (item.kind === "event" ? [item.event] : []));
    },
    /** Memory is gone at once: no timer runs, nothing is written any more. */
    crash: () =>
      runInDurableObject(stub(), (_, state) => {
        state.abort("crash");
      }).catch(() => undefined),
    /** Lets the timers run: what is due is written and the marks are closed. */
    rest: () => scheduler.wait(1_600),
  };
}

// They wait for writes and timers most of the time: for all of them at once.
describe.concurrent("after a crash", () => {
  it("knows every charge that it answered for, and tells each once", async () => {
    const one = ledger(1_000);
    for (let round = 0; round < 4; round += 1) {
      await Promise.all(times(10, (index) => one.charge(`c${round}-${index}`, 3)));
      await one.crash();
      // A client that did not hear the answer asks again.
      await Promise.all(times(10, (index) => one.charge(`c${round}-${index}`, 3)));
    }
    expect(await one.held()).toEqual({ used: 120, reserved: 0 });
    const told = await one.told();
    expect(told).toHaveLength(40);
    expect(new Set(told.map(({ id }) => id)).size).toBe(40);
  });

  it("admits nothing that reservations lost in it may still use, and gives it back when those must have ended", async () => {
    const one = ledger(100);
    const before = await Promise.all(times(8, (index) => one.reserve(`b${index}`, 10)));
    await one.crash();
    const after = await Promise.all(times(12, (index) => one.reserve(`a${index}`, 10)));
    const admitted = [...before, ...after].filter(({ ok }) => ok).length;
    expect(before.every(({ ok }) => ok)).toBe(true);
    expect(admitted).toBeLessThanOrEqual(10);
    const { used, reserved } = await one.held();
    expect(used + reserved).toBeLessThanOrEqual(100);
    expect(await one.held(Date.now() + 601_000)).toEqual({ used: 0, reserved: 0 });
  });

  it("charges work whose reservation it lost, out of what it held for it", async () => {
    const one = ledger(100);
    await Promise.all(times(5, (index) => one.reserve(`b${index}`, 10)));
    await one.crash();
    for (let index = 0; index < 5; index += 1) await one.settle(`b${index}`, 10);
    const { used, reserved } = await one.held();
    expect(used).toBe(50);
    expect(used + reserved).toBeLessThanOrEqual(100);
  });

  it("knows every reservation that somebody outside was told of, and its end with what it was for", async () => {
    const { workspaceId, crash } = ledger(1_000);
    const scopes = { userId: "usr_one" };
    const meters = [{ meter: "aiTokens" as const, amount: 10, limit: 1_000 }];
    const hold = (id: string) =>
      holdOutside(ledgers, { workspaceId, reservationId: id, meters, scopes, ttlMs: 60_000, openMax: 10 });
    const counts = { errors: 0, estimated: 0, inputTokens: 0, cachedTokens: 0, outputTokens: 0, moneyMicroUsd: 0 };
    const use = { ...counts, provider: "p", operation: "chat", requests: 1, tokens: 7 };
    const consume = (id: string) =>
      consumeOutside(ledgers, { workspaceId, reservationId: id, ...scopes, meter: "aiTokens", amount: 7, uses: [use] });
    expect((await Promise.all(times(4, (index) => hold(`o:${index}`)))).every(({ ok }) => ok)).toBe(true);
    await crash();
    expect(await consume("o:0")).toMatchObject({ ok: true, repeated: false, charged: 7 });
    expect(await giveBackOutside(ledgers, { workspaceId, reservationId: "o:1", ...scopes })).toMatchObject({
      ok: true,
    });
    await crash();
    expect(await consume("o:0")).toMatchObject({ ok: true, repeated: true, charged: 7 });
    expect(await consume("o:1")).toEqual({ ok: false, reason: "released" });
    const items = await readOutgoing(ledgers, { workspaceId, limit: 100 });
    expect(items.flatMap((item) => (item.kind === "uses" ? [item.event] : []))).toMatchObject([
      { id: "o:0/uses", userId: "usr_one", uses: [use] },
    ]);
    const { meters: states } = await readMeters(ledgers, { workspaceId });
    expect(states.find(({ meter }) => meter === "aiTokens")).toMatchObject({ used: 7 });
  });

  it("holds nothing back for a lone reservation, nor for what was settled long after it", async () => {
    const one = ledger(1_000);
    await one.reserve("only", 30);
    await one.rest();
    await one.crash();
    expect(await one.held()).toEqual({ used: 0, reserved: 30 });
    await one.rest();
    await one.settle("only", 10);
    await one.crash();
    expect(await one.held()).toEqual({ used: 10, reserved: 0 });
  });

  it("equals what was before to the unit, once it had rested", async () => {
    const one = ledger(1_000);
    await Promise.all(times(20, (index) => one.reserve(`b${index}`, 7)));
    for (let index = 0; index < 5; index += 1) await one.settle(`b${index}`, 6);
    await one.release("b9");
    await one.rest();
    const before = await one.held();
    await one.crash();
    expect(await one.held()).toEqual(before);
    expect(before).toEqual({ used: 30, reserved: 14 * 7 });
    expect(await one.settle("b10", 7)).toMatchObject({ ok: true, repeated: false });
    expect(await one.held()).toEqual({ used: 37, reserved: 13 * 7 });
  });
});

type Step =
  | { do: "reserve" | "charge" | "settle"; id: number; amount: number }
  | { do: "release"; id: number }
  | { do: "crash" };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("reserve" as const), id: fc.nat(15), amount: fc.nat(60) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("charge" as const), id: fc.nat(15), amount: fc.nat(30) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("settle" as const), id: fc.nat(15), amount: fc.nat(60) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("release" as const), id: fc.nat(15) }) },
  { weight: 1, arbitrary: fc.constant({ do: "crash" as const }) },
);

/** Histories wait for one write after the other: some of them at once. */
const assertInParallel = (property: fc.IAsyncProperty<[Step[]]>, runs: number, turns: number) =>
  Promise.all(times(runs / turns, () => fc.assert(property, { numRuns: turns })));

describe.concurrent("random histories", () => {
  it("agree with a plain model while nothing crashes", async () => {
    const calm = fc.array(
      step.filter((one) => one.do !== "crash"),
      { minLength: 20, maxLength: 60 },
    );
    await assertInParallel(
      fc.asyncProperty(calm, async (steps) => {
        const limit = 200;
        const one = ledger(limit);
        const model = plainMeter(limit);
        for (const { do: action, id, amount = 0 } of steps as { do: string; id: number; amount?: number }[]) {
          const name = `r${id}`;
          if (action === "reserve") expect((await one.reserve(name, amount)).ok).toBe(model.reserve(name, amount));
          if (action === "charge") expect((await one.charge(name, amount)).ok).toBe(model.charge(name, amount));
          // Nobody settles more than was set aside: that could pass the limit.
          const actual = Math.min(amount, model.heldBy(name));
          if (action === "settle" && model.heldBy(name) > 0) {
            expect((await one.settle(name, actual)).ok).toBe(true);
            model.settle(name, actual);
          }
          if (action === "release") expect(await one.release(name)).toBe(model.release(name));
          expect(await one.held()).toEqual(model.totals());
        }
        const told = await one.told();
        expect(told.reduce((sum, { amount }) => sum + amount, 0)).toBe(model.totals().used);
      }),
      6,
      2,
    );
  });

  it("never forget a charge, charge twice or pass the limit, wherever they crash", async () => {
    await assertInParallel(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 50 }), async (steps) => {
        const limit = 300;
        const one = ledger(limit);
        const holding = new Map<string, number>();
        const ended = new Set<string>();
        let settled = 0;
        for (const now of steps) {
          if (now.do === "crash") {
            await one.crash();
            continue;
          }
          const name = `r${now.id}`;
          if (ended.has(name)) continue;
          if (now.do === "reserve" && !holding.has(name) && (await one.reserve(name, now.amount)).ok)
            holding.set(name, now.amount);
          if (now.do === "charge" && !holding.has(name) && (await one.charge(name, now.amount)).ok) {
            settled += now.amount;
            ended.add(name);
          }
          const held = holding.get(name);
          if (now.do === "settle" && held !== undefined) {
            const actual = Math.min(now.amount, held);
            expect((await one.settle(name, actual)).ok).toBe(true);
            settled += actual;
            holding.delete(name);
            ended.add(name);
          }
          if (now.do === "release" && held !== undefined) {
            await one.release(name);
            holding.delete(name);
            ended.add(name);
          }
          const { used, reserved } = await one.held();
          const outstanding = [...holding.values()].reduce((sum, amount) => sum + amount, 0);
          expect(used).toBe(settled);
          expect(reserved).toBeGreaterThanOrEqual(outstanding);
          expect(used + reserved).toBeLessThanOrEqual(limit);
        }
        const told = await one.told();
        expect(told.reduce((sum, { amount }) => sum + amount, 0)).toBe(settled);
        expect(new Set(told.map(({ id }) => id)).size).toBe(told.length);
      }),
      15,
      3,
    );
  });
});

/** The same rules without storage, time or batches. */
function plainMeter(limit: number) {
  const open = new Map<string, number>();
  const done = new Map<string, number>();
  const sum = (map: Map<string, number>) => [...map.values()].reduce((all, one) => all + one, 0);
  const fits = (amount: number) => amount === 0 || sum(open) + sum(done) + amount <= limit;
  return {
    heldBy: (id: string) => open.get(id) ?? 0,
    reserve(id: string, amount: number) {
      if (open.has(id) || done.has(id)) return true;
      if (!fits(amount)) return false;
      open.set(id, amount);
      return true;
    },
    charge(id: string, amount: number) {
      if (done.has(id)) return true;
      const held = open.get(id);
      if (held === undefined && !fits(amount)) return false;
      open.delete(id);
      done.set(id, amount);
      return true;
    },
    settle(id: string, amount: number) {
      open.delete(id);
      done.set(id, amount);
    },
    release: (id: string) => open.delete(id),
    totals: () => ({ used: sum(done), reserved: sum(open) }),
  };
}
