import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { MeterState, ModelUse, Reserved } from "#durable/ledger/meters";
import {
  type Amounts,
  type Claim,
  createPurses,
  leftBeside,
  type LedgerCalls,
  putBack as putBackLater,
  type Ticket,
  type Purses,
  settlePurses,
  takeFromPurse,
} from "#durable/ledger/purse";

/** A ledger of one meter in memory, which notes what it is asked. */
function makeLedger(limit: number | null, delayMs = () => 0) {
  const open = new Map<string, number>();
  const asked: string[] = [];
  let used = 0;
  let mostHeld = 0;
  const failures: Error[] = [];
  const told: ModelUse[][] = [];
  const held = () => [...open.values()].reduce((sum, amount) => sum + amount, 0);
  const state = (): MeterState => ({
    meter: "aiTokens",
    scope: "workspace",
    scopeId: "",
    used,
    reserved: held(),
    limit,
    bonus: 0,
    startMs: 0,
    endMs: null,
  });
  const ledger: LedgerCalls = {
    async reserve({ reservationId, meters, ttlMs, nowMs }): Promise<Reserved> {
      const amount = meters[0]?.amount ?? 0;
      asked.push(`reserve ${amount}`);
      await answerAfter(delayMs());
      if (limit !== null && used + held() + amount > limit) {
        return { ok: false, short: [{ ...state(), limit, needed: amount, available: limit - used - held() }] };
      }
      open.set(reservationId, amount);
      mostHeld = Math.max(mostHeld, used + held());
      return { ok: true, state: "open", expiresAtMs: nowMs + ttlMs, meters: [state()] };
    },
    async settle({ reservationId, meters, uses = [] }) {
      const failure = failures.shift();
      if (failure) throw failure;
      const amount = meters[0]?.amount ?? 0;
      asked.push(`settle ${amount}`);
      await answerAfter(delayMs());
      if (!open.delete(reservationId)) return;
      used += amount;
      told.push(uses);
    },
  };
  return { ledger, asked, failures, uses: told, held, used: () => used, mostHeld: () => mostHeld };
}

const answerAfter = (ms: number) =>
  ms === 0 ? Promise.resolve() : new Promise<void>((resolve) => setTimeout(resolve, ms));

const claim = (amount: number, more: Partial<Claim> = {}): Claim => ({
  workspaceId: "w",
  meters: [{ meter: "aiTokens", amount, limit: 1_000 }],
  scopes: { userId: "u", model: "m" },
  ...more,
});

let ids = 0;
const options = (state: Purses, nowMs = 0) => ({ nowMs, newId: () => String((ids += 1)), state });

async function take(ledger: LedgerCalls, asked: Claim, state: Purses, nowMs = 0) {
  const taken = await takeFromPurse(ledger, asked, options(state, nowMs));
  if (!taken.ok) throw new Error("nothing left");
  return taken.ticket;
}

/** The settlement, if there is to be one, waits for its time. */
const putBack = (ledger: LedgerCalls, ticket: Ticket, amounts: Amounts) =>
  void putBackLater(ledger, ticket, { amounts });

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout"] }));
afterEach(() => void vi.useRealTimers());

/** All timers, and those that they set, each after what the one before has led to; without a real wait for any. */
async function passAll(): Promise<void> {
  do {
    vi.advanceTimersToNextTimer();
    for (let turn = 0; turn < 40; turn += 1) await Promise.resolve();
  } while (vi.getTimerCount() > 0);
}

/** Whatever settlements are waiting. */
const pass = () => vi.advanceTimersByTimeAsync(2_000);

describe("serving many requests out of one reservation", () => {
  it("sets aside for the first what it needs, for those that follow soon more, and asks for them no more", async () => {
    const state = createPurses();
    const { ledger, asked, used, held } = makeLedger(null);
    putBack(ledger, await take(ledger, claim(10), state), { aiTokens: 4 });
    await pass();
    for (let request = 0; request < 4; request += 1)
      putBack(ledger, await take(ledger, claim(10), state, 1_500), { aiTokens: 10 });
    await pass();
    expect(asked).toEqual(["reserve 10", "settle 4", "reserve 40", "settle 40"]);
    expect([used(), held()]).toEqual([44, 0]);
  });

  it("returns what requests did not need, and charges what they came to beyond it", async () => {
    const state = createPurses();
    const { ledger, asked } = makeLedger(null);
    putBack(ledger, await take(ledger, claim(10), state), { aiTokens: 2 });
    putBack(ledger, await take(ledger, claim(8), state), { aiTokens: 11 });
    await pass();
    expect(asked).toEqual(["reserve 10", "settle 13"]);
  });

  it("takes a share back once", async () => {
    const state = createPurses();
    const { ledger, asked } = makeLedger(null);
    const ticket = await take(ledger, claim(10), state);
    putBack(ledger, ticket, { aiTokens: 2 });
    putBack(ledger, ticket, {});
    putBack(ledger, await take(ledger, claim(8), state), { aiTokens: 8 });
    await pass();
    expect(asked).toEqual(["reserve 10", "settle 10"]);
  });

  it("asks for one request alone near the end of a budget, and tells what is short", async () => {
    const state = createPurses();
    const { ledger, asked } = makeLedger(100);
    const first = await take(ledger, claim(60), state);
    expect(leftBeside(first, "aiTokens")).toBe(40);
    const second = await take(ledger, claim(40), state, 1);
    const refused = await takeFromPurse(ledger, claim(1), options(state, 2));
    expect(refused).toMatchObject({ ok: false, short: [{ needed: 1, available: 0 }] });
    expect(asked).toEqual(["reserve 60", "reserve 40", "reserve 1"]);
    for (const ticket of [first, second]) putBack(ledger, ticket, {});
    await pass();
    expect(asked.slice(3)).toEqual(["settle 0", "settle 0"]);
  });

  it("keeps people, keys, models, limits and workspaces apart", async () => {
    const state = createPurses();
    const { ledger, asked } = makeLedger(null);
    const others: Claim[] = [
      claim(10),
      claim(10, { workspaceId: "x" }),
      claim(10, { scopes: { userId: "v", model: "m" } }),
      claim(10, { scopes: { userId: "u", model: "n" } }),
      claim(10, { scopes: { userId: "u", model: "m", keyId: "k" } }),
      claim(10, { meters: [{ meter: "aiTokens", amount: 10, limit: 5_000 }] }),
      claim(10, { budgets: [{ meter: "aiTokens", scope: "user", limit: 5, period: "day" }] }),
    ];
    for (const other of others) putBack(ledger, await take(ledger, other, state), {});
    expect(asked).toHaveLength(others.length);
  });

  it("never leaves a long stream without a reservation while others are settled", async () => {
    const state = createPurses();
    const { ledger, asked, used, held } = makeLedger(null);
    putBack(ledger, await take(ledger, claim(10), state), { aiTokens: 1 });
    await pass();
    const stream = await take(ledger, claim(10), state, 100);
    putBack(ledger, await take(ledger, claim(10), state, 100), { aiTokens: 7 });
    await pass();
    expect(asked.slice(2)).toEqual(["reserve 40", "reserve 10", "settle 7"]);
    expect([used(), held()]).toEqual([8, 10]);
    putBack(ledger, stream, { aiTokens: 9 });
    await pass();
    expect([used(), held()]).toEqual([17, 0]);
  });

  it("waits for the stream where there is no room for both", async () => {
    const state = createPurses();
    const { ledger, used, held } = makeLedger(20);
    const stream = await take(ledger, claim(12), state);
    putBack(ledger, await take(ledger, claim(8), state), { aiTokens: 8 });
    await pass();
    expect(used() + held()).toBeLessThanOrEqual(20);
    putBack(ledger, stream, { aiTokens: 12 });
    await pass();
    expect([used(), held()]).toEqual([20, 0]);
  });

  it("settles one after the other where the ledger is slower than its callers", async () => {
    const state = createPurses();
    let delayMs = 0;
    const { ledger, used, held } = makeLedger(null, () => delayMs);
    putBack(ledger, await take(ledger, claim(10), state), {});
    await pass();
    const [first, second, third] = [
      await take(ledger, claim(10), state, 100),
      await take(ledger, claim(10), state, 100),
      await take(ledger, claim(10), state, 100),
    ];
    delayMs = 600;
    putBack(ledger, first, { aiTokens: 1 });
    await vi.advanceTimersByTimeAsync(300);
    putBack(ledger, second, { aiTokens: 2 });
    await pass();
    putBack(ledger, third, { aiTokens: 4 });
    await pass();
    await pass();
    expect([used(), held()]).toEqual([7, 0]);
  });

  it("sends a settlement again until it is heard", async () => {
    const state = createPurses();
    const { ledger, asked, failures } = makeLedger(null);
    failures.push(new Error("lost"), new Error("lost"));
    const settled = putBackLater(ledger, await take(ledger, claim(10), state), { amounts: { aiTokens: 3 } });
    await pass();
    await settled;
    expect(asked).toEqual(["reserve 10", "settle 3"]);
  });

  it("tells with the settlement what it was for, one entry for each provider and kind", async () => {
    const state = createPurses();
    const { ledger, failures, uses } = makeLedger(null);
    const use = (provider: string, tokens: number): ModelUse => ({
      provider,
      operation: "chat",
      requests: 1,
      errors: provider === "" ? 1 : 0,
      estimated: 0,
      tokens,
      inputTokens: tokens - 1,
      cachedTokens: 0,
      outputTokens: 1,
      moneyMicroUsd: 2,
    });
    const spend = async (provider: string, tokens: number) => {
      const ticket = await take(ledger, claim(6), state);
      void putBackLater(ledger, ticket, { amounts: { aiTokens: tokens }, use: use(provider, tokens) });
    };
    failures.push(new Error("lost"));
    putBack(ledger, await take(ledger, claim(30), state), {});
    for (const [provider, tokens] of [
      ["p", 4],
      ["q", 5],
      ["p", 6],
      ["", 1],
    ] as const)
      await spend(provider, tokens);
    await pass();
    expect(uses).toEqual([
      [{ ...use("p", 10), requests: 2, inputTokens: 8, outputTokens: 2, moneyMicroUsd: 4 }, use("q", 5), use("", 1)],
    ]);
    await spend("q", 3);
    await pass();
    expect(uses.at(-1)).toEqual([use("q", 3)]);
  });

  it("settles at once for somebody who looks", async () => {
    const state = createPurses();
    const { ledger, used } = makeLedger(null);
    putBack(ledger, await take(ledger, claim(10), state), { aiTokens: 3 });
    await settlePurses(ledger, { workspaceId: "another", nowMs: 1 }, state);
    expect(used()).toBe(0);
    await settlePurses(ledger, { workspaceId: "w", nowMs: 1 }, state);
    expect(used()).toBe(3);
    await pass();
    expect(used()).toBe(3);
  });

  it("holds and spends never more than the limit, whatever comes when", async () => {
    let seed = 7;
    const chance = (most: number) => (seed = (seed * 48_271) % 2_147_483_647) % most;
    for (let round = 0; round < 30; round += 1) {
      const limit = 500 + chance(500);
      const isolates = [createPurses(), createPurses(), createPurses()];
      const { ledger, used, held, mostHeld } = makeLedger(limit, () => chance(900));
      let spent = 0;
      const request = async (index: number): Promise<void> => {
        const amount = 1 + chance(40);
        const state = isolates[index % isolates.length] ?? createPurses();
        const taken = await takeFromPurse(ledger, claim(amount), options(state, index * 50));
        if (!taken.ok) return;
        await new Promise((resolve) => setTimeout(resolve, chance(3_000)));
        const cost = chance(amount + 1);
        spent += cost;
        putBack(ledger, taken.ticket, { aiTokens: cost });
      };
      const all = Promise.all(Array.from({ length: 60 }, (_, index) => request(index)));
      await passAll();
      await all;
      await passAll();
      expect(mostHeld()).toBeLessThanOrEqual(limit);
      expect([used(), held()]).toEqual([spent, 0]);
    }
  });
});
