/** API calls out of leased blocks: many isolates together never pass the limit, few calls go to the ledger, and every call is counted. */
import { describe, expect, it } from "vitest";
import { createCallLeases, handBackCalls, readMeters, takeApiCall } from "#durable/ledger/client";
import { freshId, objects, times } from "./objects.ts";

const ledgers = objects.LEDGER;
const startMs = Date.now();

function quota(limit: number | null) {
  const workspaceId = freshId("workspace");
  let asked = 0;
  const counting = new Proxy(ledgers, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        if (name === "getByName") asked += 1;
        return Reflect.apply(value, target, args) as unknown;
      };
    },
  });
  return {
    asked: () => asked,
    isolate(keyId = "key_1") {
      const state = createCallLeases();
      const behind: Promise<unknown>[] = [];
      const later = (work: Promise<unknown>) => void behind.push(work);
      const call = { workspaceId, keyId, userId: "usr_1", limit };
      return {
        take: (nowMs = startMs) =>
          takeApiCall(counting, call, { nowMs, objectNowMs: nowMs, state, later, newId: () => crypto.randomUUID() }),
        /** What runs behind the answers is over. */
        async settled() {
          await Promise.all(behind.splice(0));
        },
        handBack: (nowMs = startMs) => handBackCalls(ledgers, { workspaceId, limit, nowMs }, state),
      };
    },
    async held(nowMs = startMs) {
      const { meters } = await readMeters(ledgers, { workspaceId, nowMs });
      const calls = meters.find(({ meter }) => meter === "apiCalls");
      return { used: calls?.used, reserved: calls?.reserved };
    },
  };
}

describe("blocks of API calls", () => {
  it("spare most questions, and come to exactly the calls that were made", async () => {
    const one = quota(10_000);
    const isolate = one.isolate();
    for (let call = 0; call < 300; call += 1) {
      expect(await isolate.take()).toBeNull();
      // Between two calls there is time for what runs behind the answer.
      await isolate.settled();
    }
    expect(one.asked()).toBeLessThan(12);
    await isolate.handBack();
    expect(await one.held()).toEqual({ used: 300, reserved: 0 });
  });

  it("of many isolates at once never pass the limit, and reach it", async () => {
    const one = quota(500);
    const isolates = times(8, (index) => one.isolate(`key_${index % 3}`));
    let passed = 0;
    for (let round = 0; round < 12; round += 1) {
      const taken = await Promise.all(isolates.flatMap((isolate) => times(8, () => isolate.take())));
      passed += taken.filter((short) => short === null).length;
    }
    expect(passed).toBeLessThanOrEqual(500);
    for (const isolate of isolates) await isolate.handBack();
    // What was left in some isolate's block is there for the others, a moment after they were refused.
    for (let call = 0; call < 600; call += 1) if ((await isolates[0]!.take(startMs + 2_000)) === null) passed += 1;
    expect(passed).toBe(500);
    await isolates[0]!.handBack(startMs + 2_000);
    expect(await one.held(startMs + 2_000)).toEqual({ used: 500, reserved: 0 });
    expect(await isolates[1]!.take(startMs + 4_000)).toMatchObject({ meter: "apiCalls", limit: 500, available: 0 });
  });

  it("that callers fetch at once are given back but for one, and come to exactly the calls that were made", async () => {
    const one = quota(10_000);
    const isolate = one.isolate();
    let passed = 0;
    const take = async () => {
      for (let call = 0; call < 12; call += 1) if ((await isolate.take()) === null) passed += 1;
    };
    await Promise.all(times(24, take));
    await isolate.settled();
    await isolate.handBack();
    expect(passed).toBe(288);
    expect(await one.held()).toEqual({ used: 288, reserved: 0 });
  });

  it("are fetched before the last one is used up, so that no busy caller waits, and still come to the calls that were made", async () => {
    const one = quota(null);
    const isolate = one.isolate();
    for (let call = 0; call < 100; call += 1) await isolate.take();
    await isolate.settled();
    const asked = one.asked();
    let waited = 0;
    for (let call = 0; call < 3_000; call += 1) {
      const before = one.asked();
      const taken = isolate.take();
      // Whoever has to ask first asks in the same turn, before anything was fetched ahead.
      if (
        one.asked() > before &&
        (await Promise.race([taken.then(() => "at once"), Promise.resolve().then(() => Promise.resolve("waits"))])) ===
          "waits"
      )
        waited += 1;
      await taken;
      await isolate.settled();
    }
    expect(waited).toBe(0);
    expect(one.asked() - asked).toBeLessThan(8);
    await isolate.handBack();
    expect(await one.held()).toEqual({ used: 3_100, reserved: 0 });
  });

  it("that come when the rest was handed back go back themselves", async () => {
    const one = quota(null);
    const isolate = one.isolate();
    for (let call = 0; call < 16 + 64; call += 1) await isolate.take();
    // The block that is fetched ahead is still under way.
    await isolate.handBack();
    await isolate.settled();
    expect(await one.held()).toEqual({ used: 80, reserved: 0 });
  });

  it("of an isolate that vanished count whole; of one that reports late, as they were used", async () => {
    const one = quota(1_000);
    const [vanished, late] = [one.isolate("key_a"), one.isolate("key_b")];
    for (const isolate of [vanished, late]) for (let call = 0; call < 3; call += 1) await isolate.take();
    const before = await one.held();
    expect(before).toEqual({ used: 2, reserved: 8 });
    const afterwards = startMs + 130_000;
    expect(await one.held(afterwards)).toEqual({ used: 10, reserved: 0 });
    await late.handBack(afterwards);
    expect(await one.held(afterwards)).toEqual({ used: 8, reserved: 0 });
    await late.handBack(afterwards);
    expect(await one.held(afterwards)).toEqual({ used: 8, reserved: 0 });
  });

  it("are lent for a minute: what is left then goes back", async () => {
    const one = quota(null);
    const isolate = one.isolate();
    for (let call = 0; call < 5; call += 1) expect(await isolate.take()).toBeNull();
    const asked = one.asked();
    expect(await isolate.take(startMs + 61_000)).toBeNull();
    expect(one.asked()).toBe(asked + 1);
    expect(await one.held(startMs + 61_000)).toEqual({ used: 6, reserved: 0 });
  });
});
