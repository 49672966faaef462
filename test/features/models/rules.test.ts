import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { costOf, cycleFrom, inOrder, overrideOf, priceAt, rollOf, type Route, routeOf } from "#features/models/rules";
import { stateOf } from "#features/models/health";

const asked = (change: object = {}) => ({ model: "gpt-5", metadata: {}, sizeBytes: 100, ...change });
const routes: Route[] = [
  { when: { metadata: { tier: ["gold", "silver"], region: "eu-*" } }, targets: [{ provider: "a", weight: 1 }] },
  { when: { minBytes: 1_000, maxBytes: 2_000 }, targets: [{ provider: "b", weight: 1 }] },
  { when: { model: "gpt-4*" }, targets: [{ provider: "c", weight: 1 }] },
  { when: { metadata: { beta: true } }, targets: [{ provider: "d", weight: 1 }] },
];

describe("a route", () => {
  it.each([
    [{ metadata: { tier: "gold", region: "eu-west" } }, "a"],
    [{ metadata: { tier: "silver", region: "eu-" } }, "a"],
    [{ metadata: { tier: "gold", region: "us-east" } }, null],
    [{ metadata: { tier: "gold" } }, null],
    [{ sizeBytes: 1_000 }, "b"],
    [{ sizeBytes: 2_000 }, "b"],
    [{ sizeBytes: 2_001 }, null],
    [{ model: "gpt-4o" }, "c"],
    [{ metadata: { beta: true } }, "d"],
    [{ metadata: { beta: "true" } }, null],
    [{}, null],
  ])("for %j leads to %s", (change, provider) => {
    expect(routeOf(routes, asked(change))?.targets[0]?.provider ?? null).toBe(provider);
  });

  it("without a condition holds always, and nothing is read from a prototype", () => {
    const otherwise: Route = { targets: [{ provider: "z", weight: 1 }] };
    expect(routeOf([...routes, otherwise], asked())).toBe(otherwise);
    const strange: Route = { when: { metadata: { toString: "*" } }, targets: otherwise.targets };
    expect(routeOf([strange], asked())).toBeNull();
  });

  it("belongs to the exact id first, then to the longest pattern", () => {
    const rows = new Map(["gpt-5", "gpt-*", "*", "gpt-4*"].map((id) => [id, { id }]));
    expect(["gpt-5", "gpt-4o", "gpt-3.5", "o3"].map((id) => overrideOf(rows, id)?.id)).toEqual([
      "gpt-5",
      "gpt-4*",
      "gpt-*",
      "*",
    ]);
    rows.delete("*");
    expect(overrideOf(rows, "o3")).toBeNull();
  });
});

describe("the order of places", () => {
  const places = [
    { name: "big", weight: 3 },
    { name: "small", weight: 1 },
    { name: "spare", weight: 0 },
  ];
  const firstOf = (rolls: number[]) => inOrder(places, rolls)[0]?.name;

  it("holds each place once, and those of weight 0 last", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.record({ id: fc.integer(), weight: fc.constantFrom(0, 1, 5) }), {
          maxLength: 8,
          selector: ({ id }) => id,
        }),
        fc.infiniteStream(fc.double({ min: 0.001, max: 0.999, noNaN: true })),
        (given, stream) => {
          const rolls = given.map(() => stream.next().value as number);
          const order = inOrder(given, rolls);
          expect(order.toSorted((a, b) => a.id - b.id)).toEqual(given.toSorted((a, b) => a.id - b.id));
          const firstSpare = order.findIndex(({ weight }) => weight === 0);
          if (firstSpare !== -1) expect(order.slice(firstSpare).every(({ weight }) => weight === 0)).toBe(true);
        },
      ),
    );
  });

  it("follows the weights", () => {
    const users = Array.from({ length: 4_000 }, (_, user) => places.map(({ name }) => rollOf(`${user} ${name}`)));
    const big = users.filter((rolls) => firstOf(rolls) === "big").length;
    // Three of four, within five standard deviations.
    expect(Math.abs(big - 3_000)).toBeLessThan(140);
  });

  it("is the same for the same text, and moves only those who had been at a place that left", () => {
    const others = places.filter(({ name }) => name !== "small");
    for (let user = 0; user < 200; user += 1) {
      const rolls = places.map(({ name }) => rollOf(`${user} ${name}`));
      expect(rolls).toEqual(places.map(({ name }) => rollOf(`${user} ${name}`)));
      if (firstOf(rolls) === "big")
        expect(
          inOrder(
            others,
            others.map(({ name }) => rollOf(`${user} ${name}`)),
          )[0]?.name,
        ).toBe("big");
      for (const roll of rolls) expect(roll > 0 && roll < 1).toBe(true);
    }
  });
});

describe("money", () => {
  const price = {
    inputMicroUsdPerMillion: 2_500_000,
    cachedInputMicroUsdPerMillion: 1_250_000,
    outputMicroUsdPerMillion: 10_000_000,
  };
  const usage = (inputTokens: number, cachedInputTokens: number, outputTokens: number) => ({
    inputTokens,
    cachedInputTokens,
    outputTokens,
    estimated: false,
  });

  it.each([
    [usage(0, 0, 0), 0],
    [usage(1, 0, 0), 3],
    [usage(1_000, 0, 100), 3_500],
    [usage(1_000, 400, 100), 3_000],
    [usage(1_000, 5_000, 0), 1_250],
    [usage(1_000_000, 0, 1_000_000), 12_500_000],
  ])("of %j is %d micro-USD, rounded up", (used, cost) => {
    expect(costOf(price, used)).toBe(cost);
  });

  it("takes the newest price whose time has come", () => {
    const rows = [{ effectiveAt: 100 }, { effectiveAt: 300 }, { effectiveAt: 200 }];
    expect([99, 100, 250, 300].map((at) => priceAt(rows, at)?.effectiveAt ?? null)).toEqual([null, 100, 200, 300]);
  });
});

describe("fallbacks", () => {
  const graph: Record<string, string[]> = { a: ["b", "c"], b: ["c"], c: ["d"], d: ["b"], e: ["a"] };
  const of = (id: string) => graph[id] ?? [];

  it("that lead back are found, and a ring further on is none of this one's", () => {
    expect(cycleFrom("b", of)).toEqual(["b", "c", "d", "b"]);
    expect(cycleFrom("a", of)).toBeNull();
    expect(cycleFrom("e", of)).toBeNull();
    expect(cycleFrom("self", () => ["self"])).toEqual(["self", "self"]);
  });
});

describe("the state of a provider", () => {
  it.each([
    [[], "unknown"],
    [[true, true], "healthy"],
    [[true, true, false], "degraded"],
    [[false, false, true], "degraded"],
    [[true, false, false], "failing"],
    [[false], "failing"],
  ])("after %j is %s", (outcomes, state) => {
    expect(stateOf(outcomes)).toBe(state);
  });
});
