/**
 * What becomes of a purse whose isolate dies with requests under way, against the real ledger: what it had settled stays charged once, all else returns
 * when its reservations lapse, and until then nobody else gets it.
 */
import { describe, expect, it } from "vitest";
import { purseCalls, readMeters } from "#durable/ledger/client";
import {
  type Claim,
  createPurses,
  type LedgerCalls,
  putBack,
  settlePurses,
  takeFromPurse,
  type Ticket,
} from "#durable/ledger/purse";
import { freshId, objects, times } from "./objects.ts";

const ledgers = objects.LEDGER;
/** As long as a purse's reservation. */
const ttlMs = 1_200_000;

function budget(limit: number) {
  const workspaceId = freshId("workspace");
  const claim = (amount: number): Claim => ({
    workspaceId,
    meters: [{ meter: "aiTokens", amount, limit }],
    scopes: { userId: "u", model: "m" },
  });
  return {
    claim,
    async stands(afterMs = 0) {
      const { meters } = await readMeters(ledgers, { workspaceId, nowMs: Date.now() + afterMs });
      const state = meters.find(({ meter }) => meter === "aiTokens");
      return { used: state?.used ?? -1, reserved: state?.reserved ?? -1 };
    },
    isolate: () => isolateOf(workspaceId, claim),
  };
}

/** One isolate's memory. Once it is dead it reaches nobody and hears nothing, whatever it had still to say. */
function isolateOf(workspaceId: string, claim: (amount: number) => Claim) {
  const state = createPurses();
  const real = purseCalls(ledgers);
  let diesAfter = Infinity;
  const dead = Promise.withResolvers<null>();
  const alive = <Asked, Answer>(send: (asked: Asked) => Promise<Answer>) => {
    return async (asked: Asked): Promise<Answer> => {
      diesAfter -= 1;
      if (diesAfter >= 0) return send(asked);
      dead.resolve(null);
      return new Promise<never>(() => undefined);
    };
  };
  const calls: LedgerCalls = { reserve: alive(real.reserve), settle: alive(real.settle) };
  return {
    async take(amount: number): Promise<Ticket | null> {
      const newId = () => crypto.randomUUID();
      const taking = takeFromPurse(calls, claim(amount), { nowMs: Date.now(), newId, state });
      const taken = await Promise.race([taking, dead.promise]);
      return taken?.ok ? taken.ticket : null;
    },
    end(ticket: Ticket | null, used: number): void {
      if (ticket) void putBack(calls, ticket, { amounts: { aiTokens: used } });
    },
    settle: () => Promise.race([settlePurses(calls, { workspaceId, nowMs: Date.now() }, state), dead.promise]),
    /** It sends so many calls more, and then nothing. */
    dieAfter(count: number): void {
      diesAfter = count;
    },
  };
}

describe("an isolate that dies in the middle of streams", () => {
  it("leaves charged what it had settled, and its reservations return when they lapse", async () => {
    const { isolate, stands } = budget(1_000);
    const one = isolate();
    one.end(await one.take(100), 40);
    await one.settle();
    // Two streams under way, and one that ended a moment ago.
    await one.take(200);
    await one.take(150);
    one.end(await one.take(50), 30);
    one.dieAfter(0);
    const { used, reserved } = await stands();
    expect(used).toBe(40);
    expect(reserved).toBeGreaterThanOrEqual(400);
    const other = isolate();
    expect(await other.take(1_000 - used - reserved + 1)).toBeNull();
    expect(await stands(ttlMs - 10_000)).toEqual({ used, reserved });
    expect(await stands(ttlMs + 1_000)).toEqual({ used: 40, reserved: 0 });
    const rest = await other.take(960);
    expect(rest).not.toBeNull();
    expect(await other.take(1)).toBeNull();
  });

  it("charges nothing twice, whether it dies before, between or after the two calls of a settlement", async () => {
    for (const calls of times(3, (index) => index)) {
      const { isolate, stands } = budget(1_000);
      const one = isolate();
      await one.take(100);
      const short = await one.take(60);
      one.dieAfter(calls);
      // The stream's share is reserved anew, then what was spent is settled.
      one.end(short, 25);
      await one.settle();
      const { used, reserved } = await stands();
      expect(used + reserved).toBeLessThanOrEqual(1_000);
      expect([0, 25]).toContain(used);
      expect(await stands(ttlMs + 1_000)).toEqual({ used, reserved: 0 });
    }
  });

  it("that was only cut off for long is charged once for what it tells after all", async () => {
    const { isolate, stands } = budget(1_000);
    const one = isolate();
    const stream = await one.take(300);
    expect(await stands(ttlMs + 1_000)).toEqual({ used: 0, reserved: 0 });
    one.end(stream, 120);
    await Promise.all([one.settle(), one.settle()]);
    expect(await stands()).toEqual({ used: 120, reserved: 0 });
  });

  it("costs the operator no more than what was held for its requests, whenever it dies", async () => {
    let seed = 11;
    const chance = (most: number) => (seed = (seed * 48_271) % 2_147_483_647) % most;
    let lost = 0;
    for (const round of times(5, (index) => index)) {
      const { isolate, stands } = budget(3_000);
      const [dying, living] = [isolate(), isolate()];
      let spent = 0;
      const request = async (one: ReturnType<typeof isolate>): Promise<void> => {
        const amount = 1 + chance(60);
        const ticket = await one.take(amount);
        if (!ticket) return;
        const used = chance(amount + 1);
        // Some of them are streams that never end.
        if (chance(4) === 0) return;
        spent += used;
        one.end(ticket, used);
        if (chance(6) === 0) await one.settle();
      };
      dying.dieAfter(2 + chance(6));
      for (let turn = 0; turn < 12; turn += 1) await Promise.all([request(dying), request(living)]);
      await living.settle();
      const { used, reserved } = await stands();
      expect(used, `round ${round}`).toBeLessThanOrEqual(spent);
      expect(used + reserved, `round ${round}`).toBeGreaterThanOrEqual(spent);
      expect(used + reserved, `round ${round}`).toBeLessThanOrEqual(3_000);
      expect(await stands(ttlMs + 1_000), `round ${round}`).toEqual({ used, reserved: 0 });
      lost += spent - used;
    }
    expect(lost).toBeGreaterThan(0);
  });
});
