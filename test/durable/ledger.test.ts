/** The ledger: no overspend under parallel calls, harmless repetition, expiry, and totals that survive sleep and drift. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { describe, expect, it, vi } from "vitest";
import { readTotals, reconcile, release, renew, reserve, settle } from "#durable/ledger/client";
import { freshId, objects, times } from "./objects.ts";

const ledgers = objects.LEDGER;
const meter = "storage";
const startMs = Date.now();
const hour = 3_600_000;

function ledger(limit: number | null = 1_000) {
  const workspaceId = freshId("workspace");
  const base = { workspaceId, meter, nowMs: startMs } as const;
  return {
    stub: ledgers.getByName(workspaceId),
    reserve: (id: string, amount: number, more: { nowMs?: number; expiresAtMs?: number; limit?: number | null } = {}) =>
      reserve(ledgers, { ...base, id, amount, limit, expiresAtMs: startMs + hour, ...more }),
    settle: (id: string, amount: number, more: { nowMs?: number; limit?: number | null } = {}) =>
      settle(ledgers, { ...base, id, amount, limit, ...more }),
    release: (id: string, more: { onlyReserved?: boolean } = {}) => release(ledgers, { ...base, id, ...more }),
    renew: (id: string, expiresAtMs: number, nowMs = startMs) => renew(ledgers, { ...base, id, expiresAtMs, nowMs }),
    read: (nowMs = startMs) => readTotals(ledgers, { ...base, nowMs }),
    reconcile: (holdings: Array<{ id: string; amount: number }>, more: object = {}) =>
      reconcile(ledgers, { ...base, afterId: null, throughId: null, holdings, ...more }),
  };
}

describe("reserving", () => {
  it("admits exactly 20 of 200 parallel reservations into room for 20", async () => {
    const { reserve: hold, read } = ledger(200);
    const outcomes = await Promise.all(times(200, (index) => hold(`u${index}`, 10)));
    expect(outcomes.filter((outcome) => outcome.ok)).toHaveLength(20);
    expect(outcomes.find((outcome) => !outcome.ok)).toEqual({
      ok: false,
      reason: "over-quota",
      used: 0,
      reserved: 200,
      limit: 200,
    });
    expect(await read()).toEqual({ used: 0, reserved: 200 });
  });

  it("counts an id once however often it comes, and re-checks a changed amount", async () => {
    const { reserve: hold } = ledger();
    await Promise.all(times(10, () => hold("u1", 600)));
    expect(await hold("u1", 600)).toMatchObject({ ok: true, reserved: 600 });
    expect(await hold("u1", 1_001)).toMatchObject({ ok: false, reserved: 600 });
    expect(await hold("u1", 1_000)).toMatchObject({ ok: true, reserved: 1_000 });
    expect(await hold("u2", 1)).toMatchObject({ ok: false, reserved: 1_000 });
    expect(await hold("u1", 100)).toMatchObject({ ok: true, reserved: 100 });
  });

  it("does not touch what is settled", async () => {
    const { reserve: hold, settle: keep } = ledger();
    await keep("f1", 300);
    expect(await hold("f1", 999)).toMatchObject({ ok: true, used: 300, reserved: 0 });
  });

  it("knows no limit when there is none, and keeps big sums exact", async () => {
    const { reserve: hold } = ledger(null);
    const tebibyte = 1024 ** 4;
    await hold("u1", 4_000 * tebibyte + 1);
    expect(await hold("u2", 4_000 * tebibyte)).toMatchObject({
      ok: true,
      reserved: 8_000 * tebibyte + 1,
      limit: null,
    });
  });

  it("refuses amounts that are not whole numbers", async () => {
    const { stub } = ledger();
    for (const amount of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      const refused = runInDurableObject(stub, (instance) =>
        instance.settle({ meter, id: "f1", amount, limit: null, nowMs: startMs }),
      );
      await expect(refused).rejects.toThrow(RangeError);
    }
  });

  it("lets reservations expire with the next call and by alarm", async () => {
    const one = ledger();
    await one.reserve("u1", 900, { expiresAtMs: startMs + hour });
    await one.reserve("u2", 100, { expiresAtMs: startMs + 2 * hour });
    expect(await one.reserve("u3", 900, { nowMs: startMs + hour - 1 })).toMatchObject({
      ok: false,
    });
    expect(await one.reserve("u3", 900, { nowMs: startMs + hour, expiresAtMs: startMs + 5 * hour })).toMatchObject({
      ok: true,
      reserved: 1_000,
    });
    await evictDurableObject(one.stub);
    await runInDurableObject(one.stub, async (instance, state) => {
      expect(await state.storage.getAlarm()).toBe(startMs + hour);
      vi.spyOn(Date, "now").mockReturnValue(startMs + 2 * hour);
      await instance.alarm().finally(() => vi.restoreAllMocks());
      expect(await state.storage.getAlarm()).toBe(startMs + 5 * hour);
      expect(state.storage.sql.exec("SELECT id FROM holdings").toArray()).toEqual([{ id: "u3" }]);
    });
  });

  it("is renewed while it lives and not afterwards", async () => {
    const one = ledger();
    await one.reserve("u1", 400, { expiresAtMs: startMs + hour });
    expect(await one.renew("u1", startMs + 3 * hour)).toBe(true);
    expect(await one.read(startMs + 2 * hour)).toEqual({ used: 0, reserved: 400 });
    expect(await one.renew("u1", startMs + 9 * hour, startMs + 3 * hour)).toBe(false);
    expect(await one.read(startMs + 3 * hour)).toEqual({ used: 0, reserved: 0 });
  });
});

describe("settling", () => {
  it("turns a reservation into use, once", async () => {
    const one = ledger();
    await one.reserve("u1", 500);
    await Promise.all(times(5, () => one.settle("u1", 480)));
    expect(await one.settle("u1", 480)).toEqual({ ok: true, used: 480, reserved: 0, limit: 1_000 });
    expect(await one.read(startMs + 5 * hour)).toEqual({ used: 480, reserved: 0 });
  });

  it("checks what is more than was reserved, and changes nothing when it does not fit", async () => {
    const one = ledger();
    await one.reserve("u1", 500);
    await one.reserve("u2", 400);
    expect(await one.settle("u1", 601)).toMatchObject({
      ok: false,
      reason: "over-quota",
      used: 0,
      reserved: 900,
    });
    expect(await one.settle("u1", 600)).toMatchObject({ ok: true, used: 600, reserved: 400 });
  });

  it("checks the whole amount when the reservation is gone", async () => {
    const one = ledger();
    await one.reserve("u1", 500, { expiresAtMs: startMs + 10 });
    await one.reserve("u2", 600, { nowMs: startMs + 10 });
    expect(await one.settle("u1", 500, { nowMs: startMs + 11 })).toMatchObject({
      ok: false,
      used: 0,
      reserved: 600,
    });
    expect(await one.settle("u1", 400, { nowMs: startMs + 11 })).toMatchObject({
      ok: true,
      used: 400,
    });
  });

  it("keeps what is over after a downgrade and admits nothing new", async () => {
    const one = ledger();
    await one.reserve("u1", 800);
    await one.settle("u2", 200);
    expect(await one.settle("u1", 800, { limit: 100 })).toMatchObject({ ok: true, used: 1_000 });
    expect(await one.reserve("u3", 1, { limit: 100 })).toMatchObject({ ok: false });
    expect(await one.settle("u1", 700, { limit: 100 })).toMatchObject({ ok: true, used: 900 });
  });
});

describe("releasing", () => {
  it("gives back once, and is harmless for what holds nothing", async () => {
    const one = ledger();
    await one.settle("f1", 300);
    await one.reserve("u1", 200);
    expect(await one.release("f1")).toEqual({ released: 300, used: 0, reserved: 200 });
    expect(await one.release("f1")).toEqual({ released: 0, used: 0, reserved: 200 });
    expect(await one.release("u1")).toEqual({ released: 200, used: 0, reserved: 0 });
    expect(await one.release("never")).toEqual({ released: 0, used: 0, reserved: 0 });
  });

  it("leaves settled holdings to late clean-up of reservations", async () => {
    const one = ledger();
    await one.settle("f1", 300);
    expect(await one.release("f1", { onlyReserved: true })).toEqual({
      released: 0,
      used: 300,
      reserved: 0,
    });
  });
});

describe("totals", () => {
  it("survive eviction", async () => {
    const one = ledger();
    await one.settle("f1", 300);
    await one.reserve("u1", 200);
    await evictDurableObject(one.stub);
    expect(await one.read()).toEqual({ used: 300, reserved: 200 });
    expect(await one.reserve("u2", 501)).toMatchObject({ ok: false });
    expect(await one.settle("u1", 250)).toMatchObject({ ok: true, used: 550, reserved: 0 });
  });

  it("agree with a plain model over random calls, through sleep, and never pass the limit or fall below zero", async () => {
    const one = ledger(500);
    const model = plainLedger(500);
    let seed = 20_261_121;
    const next = (below: number) => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    const actions = {
      reserve: async (id: string, amount: number) => (await one.reserve(id, amount)).ok,
      settle: async (id: string, amount: number) => (await one.settle(id, amount)).ok,
      release: async (id: string) => (await one.release(id)).released,
    };
    const outcomes = new Set<string>();
    for (let step = 0; step < 400; step += 1) {
      const action = (["reserve", "settle", "release"] as const)[next(3)] ?? "release";
      const [id, amount] = [`h${next(12)}`, next(120)] as const;
      const outcome = await actions[action](id, amount);
      expect(outcome).toBe(model[action](id, amount));
      outcomes.add(`${action} ${outcome !== false}`);
      if (step % 50 === 0) await evictDurableObject(one.stub);
      expect(await one.read()).toEqual(model.totals());
    }
    expect([...outcomes].toSorted()).toEqual([
      "release true",
      "reserve false",
      "reserve true",
      "settle false",
      "settle true",
    ]);
  });
});

/** The same rules without storage: a list of holdings, summed up each time. */
function plainLedger(limit: number) {
  const holdings = new Map<string, { state: "reserved" | "settled"; amount: number }>();
  const sum = (state?: string) =>
    [...holdings.values()].reduce((all, one) => all + (state === undefined || one.state === state ? one.amount : 0), 0);
  const put = (id: string, state: "reserved" | "settled", amount: number) => {
    const grows = amount - (holdings.get(id)?.amount ?? 0);
    if (grows > 0 && sum() + grows > limit) return false;
    holdings.set(id, { state, amount });
    return true;
  };
  return {
    reserve: (id: string, amount: number) => holdings.get(id)?.state === "settled" || put(id, "reserved", amount),
    settle: (id: string, amount: number) => put(id, "settled", amount),
    release: (id: string) => {
      const { amount } = holdings.get(id) ?? { amount: 0 };
      holdings.delete(id);
      return amount;
    },
    totals: () => ({ used: sum("settled"), reserved: sum("reserved") }),
  };
}

describe("reconciling", () => {
  it("adds what is missing, corrects amounts, drops what is gone for over an hour", async () => {
    const one = ledger();
    await one.settle("f1", 100, { nowMs: startMs - 2 * hour });
    await one.settle("f2", 100, { nowMs: startMs - 2 * hour });
    await one.settle("f3", 100, { nowMs: startMs - hour + 1 });
    await one.reserve("u1", 50);
    await one.reserve("u2", 50);
    const list = [
      { id: "f1", amount: 120 },
      { id: "f9", amount: 30 },
      { id: "u1", amount: 55 },
    ];
    expect(await one.reconcile(list)).toEqual({
      added: 1,
      corrected: 2,
      dropped: 1,
      hasMore: false,
      used: 305,
      reserved: 50,
    });
    expect(await one.reconcile(list)).toEqual({
      added: 0,
      corrected: 0,
      dropped: 0,
      hasMore: false,
      used: 305,
      reserved: 50,
    });
    await evictDurableObject(one.stub);
    expect(await one.read()).toEqual({ used: 305, reserved: 50 });
  });

  it("does not ask the limit for what exists", async () => {
    const one = ledger(10);
    expect(await one.reconcile([{ id: "f1", amount: 5_000 }])).toMatchObject({
      added: 1,
      used: 5_000,
    });
  });

  it("works page by page in any order, and touches only the ids of its page", async () => {
    const one = ledger(null);
    const ids = times(30, (index) => `f${String(index).padStart(2, "0")}`);
    for (const id of ids) await one.settle(id, 1, { nowMs: startMs - 2 * hour });
    const page = (from: number, to: number, gone: number) => ({
      holdings: ids
        .slice(from, to)
        .filter((_id, index) => index !== gone)
        .map((id) => ({ id, amount: 1 })),
      range: {
        afterId: from === 0 ? null : (ids[from - 1] ?? null),
        throughId: to === 30 ? null : (ids[to - 1] ?? null),
      },
    });
    const pages = [page(20, 30, 9), page(0, 10, 9), page(10, 20, 0)];
    for (const { holdings, range } of pages)
      expect(await one.reconcile(holdings, range)).toMatchObject({ dropped: 1, added: 0 });
    expect(await one.read()).toEqual({ used: 27, reserved: 0 });
  });

  it("drops more than fits one call in several, and refuses an oversized page", async () => {
    const one = ledger(null);
    await runInDurableObject(one.stub, (instance) => {
      for (let index = 0; index < 2_500; index += 1) {
        instance.settle({
          meter,
          id: `f${index}`,
          amount: 2,
          limit: null,
          nowMs: startMs - 2 * hour,
        });
      }
    });
    const kept = [{ id: "f1", amount: 2 }];
    expect(await one.reconcile(kept)).toMatchObject({ dropped: 1_999, hasMore: true });
    expect(await one.reconcile(kept)).toEqual({
      added: 0,
      corrected: 0,
      dropped: 500,
      hasMore: false,
      used: 2,
      reserved: 0,
    });
    const oversized = times(1_001, (index) => ({ id: `f${index}`, amount: 1 }));
    const refused = runInDurableObject(one.stub, (instance) =>
      instance.reconcile({ meter, afterId: null, throughId: null, holdings: oversized }),
    );
    await expect(refused).rejects.toThrow(RangeError);
  });
});
