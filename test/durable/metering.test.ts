/** Metering: admission of all or nothing, leases that return, periods, budgets, grants, notices, and counters that survive sleep and crashes. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import {
  type Budget,
  chargeMeters,
  confirmOutgoing,
  grantBonus,
  type MeteredName,
  readMeters,
  readOutgoing,
  readScope,
  releaseMeters,
  reserveMeters,
  type Scopes,
  setRoom,
  setUsageAnchor,
  settleMeters,
} from "#durable/ledger/client";
import { dayOf, monthOf } from "#lib/usage-period";
import { freshId, objects, times } from "./objects.ts";

const ledgers = objects.LEDGER;
const startMs = Date.now();
const hour = 3_600_000;
const day = 24 * hour;
const midnight = dayOf(startMs).endMs;
const nextMonth = monthOf(startMs).endMs;

type Amounts = Partial<Record<MeteredName, number>>;
interface More {
  limits?: Partial<Record<MeteredName, number | null>>;
  scopes?: Scopes;
  budgets?: Budget[];
  nowMs?: number;
  ttlMs?: number;
}

function ledger(limits: More["limits"] = {}) {
  const workspaceId = freshId("workspace");
  const asking = (reservationId: string, amounts: Amounts, more: More) => ({
    workspaceId,
    reservationId,
    meters: (Object.entries(amounts) as [MeteredName, number][]).map(([meter, amount]) => ({
      meter,
      amount,
      limit: { ...limits, ...more.limits }[meter] ?? null,
    })),
    scopes: more.scopes ?? {},
    budgets: more.budgets ?? [],
    nowMs: more.nowMs ?? startMs,
  });
  return {
    workspaceId,
    stub: ledgers.getByName(workspaceId),
    reserve: (id: string, amounts: Amounts, more: More = {}) =>
      reserveMeters(ledgers, { ...asking(id, amounts, more), ttlMs: more.ttlMs ?? hour }),
    charge: (id: string, amounts: Amounts, more: More = {}) => chargeMeters(ledgers, asking(id, amounts, more)),
    settle: (id: string, amounts: Amounts, more: More = {}) => settleMeters(ledgers, asking(id, amounts, more)),
    release: (id: string, nowMs = startMs) => releaseMeters(ledgers, { workspaceId, reservationId: id, nowMs }),
    grant: (id: string, meter: MeteredName, amount: number) => grantBonus(ledgers, { workspaceId, id, meter, amount }),
    setRoom: (id: string, amount: number, limit: number, nowMs = startMs) =>
      setRoom(ledgers, { workspaceId, id, meter: "credits", amount, limit, nowMs }),
    anchor: (anchorMs: number | null) => setUsageAnchor(ledgers, { workspaceId, anchorMs }),
    async read(meter: MeteredName, nowMs = startMs) {
      const { meters } = await readMeters(ledgers, { workspaceId, nowMs });
      const found = meters.find((state) => state.meter === meter);
      if (!found) throw new Error(`no ${meter}`);
      return found;
    },
    async held(meter: MeteredName, nowMs = startMs) {
      const { used, reserved } = await this.read(meter, nowMs);
      return { used, reserved };
    },
    scope: (scope: "user" | "key" | "model", scopeId: string) =>
      readScope(ledgers, { workspaceId, scope, scopeId, nowMs: startMs }),
    outgoing: () => readOutgoing(ledgers, { workspaceId, limit: 1_000 }),
    confirm: (throughSeq: number) => confirmOutgoing(ledgers, { workspaceId, throughSeq }),
    flush: () => runInDurableObject(ledgers.getByName(workspaceId), (instance) => void instance.outgoing({ limit: 1 })),
    evict: () => evictDurableObject(ledgers.getByName(workspaceId)),
  };
}

describe.concurrent("reserving", () => {
  it("admits exactly 20 of 200 parallel reservations against a balance for 20", async () => {
    const one = ledger({ aiTokens: 2_000 });
    const outcomes = await Promise.all(times(200, (index) => one.reserve(`r${index}`, { aiTokens: 100 })));
    expect(outcomes.filter(({ ok }) => ok)).toHaveLength(20);
    const refused = outcomes.find(({ ok }) => !ok);
    expect(refused).toMatchObject({
      ok: false,
      short: [
        { meter: "aiTokens", scope: "workspace", limit: 2_000, used: 0, reserved: 2_000, needed: 100, available: 0 },
      ],
    });
    expect(await one.held("aiTokens")).toEqual({ used: 0, reserved: 2_000 });
  });

  it("holds all meters or none", async () => {
    const one = ledger({ aiTokens: 1_000, moneyMicroUsd: 50 });
    expect(await one.reserve("a", { aiTokens: 10, moneyMicroUsd: 51 })).toMatchObject({
      ok: false,
      short: [{ meter: "moneyMicroUsd", needed: 51, available: 50 }],
    });
    expect(await one.held("aiTokens")).toEqual({ used: 0, reserved: 0 });
    expect(await one.reserve("a", { aiTokens: 10, moneyMicroUsd: 50 })).toMatchObject({ ok: true, state: "open" });
    expect(await one.reserve("b", { aiTokens: 991, moneyMicroUsd: 1 })).toMatchObject({
      ok: false,
      short: [{ meter: "aiTokens" }, { meter: "moneyMicroUsd" }],
    });
  });

  it("counts one id once, however often it comes", async () => {
    const one = ledger({ credits: 10 });
    await Promise.all(times(20, () => one.reserve("a", { credits: 8 })));
    expect(await one.held("credits")).toEqual({ used: 0, reserved: 8 });
    await one.settle("a", { credits: 5 });
    expect(await one.reserve("a", { credits: 8 })).toMatchObject({ ok: true, state: "settled" });
    expect(await one.settle("a", { credits: 5 })).toMatchObject({ ok: true, repeated: true });
    expect(await one.held("credits")).toEqual({ used: 5, reserved: 0 });
  });

  it("refuses what is no amount, no meter and no id, and an endless life", async () => {
    const one = ledger();
    const refused = (request: object) =>
      runInDurableObject(one.stub, (instance) => instance.reserveMeters(request as never));
    const line = { meter: "aiTokens", amount: 1, limit: null };
    const fine = { reservationId: "a", meters: [line], ttlMs: 1_000 };
    for (const change of [
      { meters: [{ ...line, amount: -1 }] },
      { meters: [{ ...line, amount: 0.5 }] },
      { meters: [{ ...line, amount: Number.NaN }] },
      { meters: [{ ...line, meter: "hours" }] },
      { meters: [line, line] },
      { meters: [] },
      { reservationId: "" },
      { reservationId: "recovered:1" },
      { ttlMs: 0 },
      { ttlMs: hour + 1 },
    ])
      await expect(refused({ ...fine, ...change }), JSON.stringify(change)).rejects.toThrow(RangeError);
    expect(await refused(fine)).toMatchObject({ ok: true });
  });

  it("returns what was abandoned, in full, with the next call and by alarm", async () => {
    const one = ledger({ aiTokens: 100 });
    await one.reserve("a", { aiTokens: 60 }, { ttlMs: 1_000 });
    await one.reserve("b", { aiTokens: 40 }, { ttlMs: 2_000 });
    expect(await one.reserve("c", { aiTokens: 60 }, { nowMs: startMs + 999 })).toMatchObject({ ok: false });
    expect(await one.reserve("c", { aiTokens: 60 }, { nowMs: startMs + 1_000 })).toMatchObject({ ok: true });
    expect(await one.held("aiTokens", startMs + 2 * hour)).toEqual({ used: 0, reserved: 0 });

    await one.reserve("d", { aiTokens: 100 }, { nowMs: Date.now() - 2 * hour });
    await runInDurableObject(one.stub, async (instance, state) => {
      await instance.alarm();
      expect(state.storage.sql.exec("SELECT id FROM meter_leases WHERE state = 'open'").toArray()).toEqual([]);
      expect(state.storage.sql.exec("SELECT state FROM meter_leases WHERE id = 'd'").one()).toEqual({
        state: "expired",
      });
    });
  });

  it("gives back what is released, once", async () => {
    const one = ledger({ aiTokens: 100 });
    await one.reserve("a", { aiTokens: 60 });
    expect(await one.release("a")).toBe(true);
    expect(await one.release("a")).toBe(false);
    expect(await one.release("never")).toBe(false);
    expect(await one.held("aiTokens")).toEqual({ used: 0, reserved: 0 });
    expect(await one.settle("a", { aiTokens: 60 })).toEqual({ ok: false, reason: "released" });
    expect(await one.held("aiTokens")).toEqual({ used: 0, reserved: 0 });
  });
});

describe.concurrent("settling", () => {
  it("charges what it came to and returns the rest", async () => {
    const one = ledger({ aiTokens: 1_000, moneyMicroUsd: 1_000 });
    await one.reserve("a", { aiTokens: 800, moneyMicroUsd: 300 });
    expect(await one.settle("a", { aiTokens: 123 })).toMatchObject({ ok: true, repeated: false });
    expect(await one.held("aiTokens")).toEqual({ used: 123, reserved: 0 });
    expect(await one.held("moneyMicroUsd")).toEqual({ used: 0, reserved: 0 });
  });

  it("charges work whose reservation had lapsed", async () => {
    const one = ledger({ aiTokens: 1_000 });
    await one.reserve("a", { aiTokens: 800 }, { ttlMs: 1_000 });
    await one.settle("a", { aiTokens: 700 }, { nowMs: startMs + 5_000 });
    await one.settle("a", { aiTokens: 700 }, { nowMs: startMs + 5_000 });
    expect(await one.held("aiTokens", startMs + 5_000)).toEqual({ used: 700, reserved: 0 });
  });

  it("belongs to the period of the reservation", async () => {
    const one = ledger({ credits: 10 });
    await one.reserve("a", { credits: 8 }, { nowMs: midnight - 1 });
    expect(await one.reserve("b", { credits: 10 }, { nowMs: midnight })).toMatchObject({ ok: true });
    await one.settle("a", { credits: 8 }, { nowMs: midnight + 5 });
    expect(await one.held("credits", midnight + 5)).toEqual({ used: 0, reserved: 10 });
    expect(await one.held("credits", midnight - 1)).toEqual({ used: 8, reserved: 0 });
  });

  it("of a charge in one step is admitted only when it fits", async () => {
    const one = ledger({ credits: 10 });
    const outcomes = await Promise.all(times(30, (index) => one.charge(`c${index}`, { credits: 1 })));
    expect(outcomes.filter(({ ok }) => ok)).toHaveLength(10);
    expect(await one.charge("c0", { credits: 1 })).toMatchObject({ ok: true, state: "settled" });
    expect(await one.held("credits")).toEqual({ used: 10, reserved: 0 });
  });
});

describe.concurrent("periods", () => {
  it("are calendar months, or a subscription's once it has an anchor; credits begin anew each day", async () => {
    const one = ledger({ aiTokens: 100, credits: 10 });
    await one.charge("a", { aiTokens: 100, credits: 10 });
    expect(await one.charge("b", { aiTokens: 1 })).toMatchObject({ ok: false, short: [{ endMs: nextMonth }] });
    expect(await one.charge("c", { credits: 10 }, { nowMs: startMs + day })).toMatchObject({ ok: true });
    expect(await one.charge("d", { aiTokens: 100 }, { nowMs: nextMonth })).toMatchObject({ ok: true });
    const anchorMs = startMs - day;
    await one.anchor(anchorMs);
    const own = monthOf(startMs, anchorMs);
    expect(await one.read("aiTokens")).toMatchObject({ used: 0, startMs: anchorMs, endMs: own.endMs });
    await one.evict();
    expect(await one.read("aiTokens", own.endMs + 5)).toMatchObject({ startMs: own.endMs });
    await one.anchor(null);
    expect(await one.held("aiTokens")).toEqual({ used: 100, reserved: 0 });
  });
});

describe.concurrent("scopes and budgets", () => {
  it("charge the child and the parent", async () => {
    const one = ledger({ aiTokens: 1_000 });
    await one.charge("a", { aiTokens: 30 }, { scopes: { userId: "usr_child", keyId: "key_1", model: "m/large" } });
    await one.charge("b", { aiTokens: 20 }, { scopes: { userId: "usr_other" } });
    expect(await one.held("aiTokens")).toEqual({ used: 50, reserved: 0 });
    expect(await one.scope("user", "usr_child")).toMatchObject([{ meter: "aiTokens", used: 30 }]);
    expect(await one.scope("key", "key_1")).toMatchObject([{ used: 30 }]);
    expect(await one.scope("model", "m/large")).toMatchObject([{ used: 30 }]);
    expect(await one.scope("user", "usr_nobody")).toEqual([]);
  });

  it("are checked in the same call, all or nothing", async () => {
    const one = ledger({ aiTokens: 1_000 });
    const scopes = { userId: "usr_child", keyId: "key_1" };
    const budgets: Budget[] = [
      { meter: "aiTokens", scope: "user", limit: 50, period: "month" },
      { meter: "aiTokens", scope: "key", limit: 100, period: "total" },
    ];
    const outcomes = await Promise.all(
      times(40, (index) => one.reserve(`r${index}`, { aiTokens: 5 }, { scopes, budgets })),
    );
    expect(outcomes.filter(({ ok }) => ok)).toHaveLength(10);
    expect(outcomes.find(({ ok }) => !ok)).toMatchObject({
      short: [{ scope: "user", scopeId: "usr_child", limit: 50 }],
    });
    expect(await one.held("aiTokens")).toEqual({ used: 0, reserved: 50 });
    const later = { scopes, budgets, nowMs: nextMonth };
    for (let index = 0; index < 10; index += 1) await one.settle(`r${index}`, { aiTokens: 5 });
    expect(await one.charge("n1", { aiTokens: 50 }, later)).toMatchObject({ ok: true });
    expect(await one.charge("n2", { aiTokens: 1 }, { ...later, nowMs: nextMonth + 40 * day })).toMatchObject({
      ok: false,
      short: [{ scope: "key", limit: 100, used: 100, endMs: null }],
    });
  });
});

describe.concurrent("grants", () => {
  it("are used after the day's allowance, once, and stay over the reset", async () => {
    const one = ledger({ credits: 10 });
    expect(await one.grant("g1", "credits", 5)).toBe(5);
    expect(await one.grant("g1", "credits", 5)).toBe(5);
    expect(await one.charge("a", { credits: 12 })).toMatchObject({ ok: true });
    expect(await one.read("credits")).toMatchObject({ used: 12, bonus: 3 });
    expect(await one.charge("b", { credits: 4 })).toMatchObject({ ok: false, short: [{ available: 3 }] });
    await one.evict();
    expect(await one.charge("c", { credits: 13 }, { nowMs: startMs + day })).toMatchObject({ ok: true });
    expect(await one.charge("d", { credits: 1 }, { nowMs: startMs + day })).toMatchObject({ ok: false });
    expect(await one.charge("e", { credits: 11 }, { nowMs: startMs + 2 * day })).toMatchObject({ ok: false });
    expect(await one.grant("g2", "credits", 4)).toBe(4);
    expect(await one.grant("g3", "credits", -9)).toBe(0);
  });

  it("make exactly what was set usable, more or less than the day has, once for each id", async () => {
    const one = ledger({ credits: 10 });
    await one.charge("a", { credits: 3 });
    await one.reserve("b", { credits: 2 });
    expect(await one.setRoom("more", 50, 10)).toBe(50);
    expect(await one.setRoom("more", 50, 10)).toBe(50);
    expect(await one.charge("c", { credits: 51 })).toMatchObject({ ok: false, short: [{ available: 50 }] });
    expect(await one.setRoom("less", 4, 10)).toBe(4);
    expect(await one.read("credits")).toMatchObject({ used: 4, reserved: 2, bonus: 0 });
    expect(await one.setRoom("nothing", 0, 10)).toBe(0);
    await one.evict();
    expect(await one.charge("d", { credits: 1 })).toMatchObject({ ok: false });
    expect(await one.settle("b", { credits: 2 })).toMatchObject({ ok: true });
    expect(await one.read("credits")).toMatchObject({ used: 10, reserved: 0, bonus: 0 });
    // The next day has its own again.
    expect(await one.charge("e", { credits: 10 }, { nowMs: startMs + day })).toMatchObject({ ok: true });
    const events = (await one.outgoing()).flatMap((item) => (item.kind === "event" ? [item.event] : []));
    expect(events.reduce((sum, { amount }) => sum + amount, 0)).toBe(20);
  });

  it("that set an amount keep to it while others charge", async () => {
    const one = ledger({ credits: 10 });
    const early = times(20, (index) => one.charge(`early${index}`, { credits: 1 }));
    const setting = one.setRoom("set", 6, 10);
    const late = times(20, (index) => one.charge(`late${index}`, { credits: 1 }));
    expect(await setting).toBe(6);
    const admitted = (await Promise.all([...early, ...late])).filter(({ ok }) => ok).length;
    // Whatever was charged before it was set, six came after.
    expect(admitted).toBeGreaterThanOrEqual(6);
    expect(admitted).toBeLessThanOrEqual(16);
    expect(await one.charge("last", { credits: 1 })).toMatchObject({ ok: false });
  });

  it("are not promised twice around midnight", async () => {
    const one = ledger({ credits: 10 });
    await one.grant("g1", "credits", 5);
    await one.reserve("a", { credits: 15 }, { nowMs: midnight - 1 });
    expect(await one.reserve("b", { credits: 11 }, { nowMs: midnight })).toMatchObject({ ok: false });
    expect(await one.reserve("c", { credits: 10 }, { nowMs: midnight })).toMatchObject({ ok: true });
  });
});

describe("what the database learns", () => {
  it("is each amount with its id, until it is confirmed", async () => {
    const one = ledger();
    await one.charge("a", { aiTokens: 30, moneyMicroUsd: 7 }, { scopes: { userId: "u", keyId: "k", model: "m" } });
    await one.charge("a", { aiTokens: 30, moneyMicroUsd: 7 });
    await one.reserve("b", { aiTokens: 30 });
    await one.release("b");
    await one.evict();
    const items = await one.outgoing();
    const event = { atMs: startMs, userId: "u", keyId: "k", model: "m" };
    expect(items.map((item) => item.kind === "event" && item.event)).toEqual([
      { ...event, id: "a/aiTokens", meter: "aiTokens", amount: 30 },
      { ...event, id: "a/moneyMicroUsd", meter: "moneyMicroUsd", amount: 7 },
    ]);
    await one.confirm(items[0]?.seq ?? 0);
    expect(await one.outgoing()).toEqual(items.slice(1));
  });

  it("is a notice at 80 and at 100 percent, each once in a period, by the step that reaches it", async () => {
    const one = ledger({ aiTokens: 1_000 });
    const levels = async () =>
      (await one.outgoing()).flatMap((item) => (item.kind === "notice" ? [[item.notice.level, item.notice.used]] : []));
    await one.charge("a", { aiTokens: 799 });
    expect(await levels()).toEqual([]);
    await one.charge("b", { aiTokens: 1 });
    await one.charge("c", { aiTokens: 100 });
    await one.evict();
    await one.charge("d", { aiTokens: 100 });
    await one.charge("e", { aiTokens: 10 }, { limits: { aiTokens: 2_000 } });
    expect(await levels()).toEqual([
      [80, 800],
      [100, 1_000],
    ]);
    await one.charge("f", { aiTokens: 1_000 }, { nowMs: nextMonth });
    expect(await levels()).toHaveLength(4);
  });
});
