/** What the gate promises: never more inside than there are places, places that come back by themselves, and a queue that is kept in order. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { enterGate, type GateName, leaveGate } from "#durable/gate/client";
import { freshId, objects, times } from "./objects.ts";

const gates = objects.GATE;

function opened(more: Partial<GateName> = {}) {
  const name: GateName = { workspaceId: freshId("workspace"), mode: "live", provider: "openai", ...more };
  const startMs = Date.now();
  return {
    name,
    stub: () => gates.getByName(`${name.workspaceId} ${name.mode} ${name.provider}`),
    enter: (holder: string, { most = 2, leaseMs = 60_000, afterMs = 0 } = {}) =>
      enterGate(gates, name, { holder, most, leaseMs, nowMs: startMs + afterMs }),
    leave: (holder: string) => leaveGate(gates, name, holder),
  };
}

describe("the gate", () => {
  it("lets in as many as there are places, also when all come at once", async () => {
    const gate = opened();
    const answers = await Promise.all(times(20, (index) => gate.enter(`h${index}`, { most: 3 })));
    expect(answers.filter(({ ok }) => ok)).toHaveLength(3);
    expect(answers[0]).toEqual({ ok: true, lapsesInMs: 60_000 });
    const told = answers.flatMap((answer) => (answer.ok ? [] : [answer.retryAfterMs]));
    expect(Math.min(...told)).toBeGreaterThanOrEqual(1_000);
    expect(told).toEqual(told.toSorted((one, other) => one - other));
  });

  it("gives the same holder its own place again, and takes it back once", async () => {
    const gate = opened();
    await gate.enter("a", { most: 1 });
    expect(await gate.enter("a", { most: 1, afterMs: 59_000 })).toEqual({ ok: true, lapsesInMs: 60_000 });
    expect((await gate.enter("b", { most: 1, afterMs: 61_000 })).ok).toBe(false);
    expect([await gate.leave("a"), await gate.leave("a"), await gate.leave("never")]).toEqual([true, false, false]);
    expect((await gate.enter("b", { most: 1, afterMs: 62_000 })).ok).toBe(true);
  });

  it("frees the place of an isolate that died when its lease lapses, and not a moment sooner", async () => {
    const gate = opened();
    await gate.enter("dies", { most: 1, leaseMs: 10_000 });
    expect((await gate.enter("b", { most: 1, afterMs: 9_999 })).ok).toBe(false);
    expect((await gate.enter("b", { most: 1, afterMs: 10_000 })).ok).toBe(true);
  });

  it("lets in who has waited longer, and does not wait for one who stays away", async () => {
    const gate = opened();
    await gate.enter("a", { most: 1 });
    expect((await gate.enter("first", { most: 1, afterMs: 100 })).ok).toBe(false);
    expect((await gate.enter("second", { most: 1, afterMs: 200 })).ok).toBe(false);
    await gate.leave("a");
    expect((await gate.enter("second", { most: 1, afterMs: 1_000 })).ok).toBe(false);
    expect((await gate.enter("first", { most: 1, afterMs: 1_100 })).ok).toBe(true);
    await gate.leave("first");
    expect((await gate.enter("late", { most: 1, afterMs: 1_200 })).ok).toBe(false);
    // By now the second one has missed its moment and the time that is given on top of it.
    expect((await gate.enter("late", { most: 1, afterMs: 13_000 })).ok).toBe(true);
  });

  it("forgets nobody when it is removed from memory, and everything when all have gone", async () => {
    const gate = opened();
    await gate.enter("a", { most: 1 });
    await evictDurableObject(gate.stub());
    expect((await gate.enter("b", { most: 1, afterMs: 1_000 })).ok).toBe(false);
    expect(await gate.leave("a")).toBe(true);
    await gate.leave("b");
    expect(await runDurableObjectAlarm(gate.stub())).toBe(true);
    const tables = await runInDurableObject(gate.stub(), (_, { storage }) =>
      storage.sql.exec("SELECT name FROM sqlite_master WHERE name IN ('places', 'waiters')").toArray(),
    );
    expect(tables).toEqual([]);
    expect((await gate.enter("c", { most: 1 })).ok).toBe(true);
  });

  it("keeps workspaces, providers and test mode apart", async () => {
    const one = opened();
    await one.enter("a", { most: 1 });
    for (const other of [{ provider: "deepgram" }, { mode: "test" as const }, { workspaceId: freshId("workspace") }])
      expect((await opened({ ...one.name, ...other }).enter("a", { most: 1 })).ok).toBe(true);
  });

  it.each([{ most: 0 }, { most: 101 }, { most: 1.5 }, { leaseMs: 0 }, { leaseMs: 900_001 }])(
    "refuses senseless numbers: %j",
    async (numbers) => {
      await runInDurableObject(opened().stub(), async (object) => {
        await expect(object.enter({ holder: "a", most: 1, leaseMs: 1, ...numbers })).rejects.toThrow(RangeError);
      });
    },
  );
});
