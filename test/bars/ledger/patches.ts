/**
 * The door through which the bar reaches the quotas: no published operation charges tokens yet, so the copy of the product that is run gets
 * one that calls the very functions which they will call. And the mutants: ways to break what the bar checks, each a change that could happen.
 */
import type { MutantRun } from "../options.ts";
import type { Patch } from "../stage.ts";

const routes = "src/features/usage/routes.ts";
const metering = "src/durable/ledger/metering.ts";
const book = "src/durable/ledger/book.ts";

const operation = `
  rawEndpoint({
    name: "barLedger",
    method: "post",
    path: "/v1/bar/ledger",
    summary: "The quotas, for the bar",
    access: "usage:read",
    uncounted: true,
    produces: { "application/json": "What came of it." },
    handle: async (ctx, { request }) => {
      const asked = (await request.json()) as { act: string; id: string; amount: number; limit: number | null; ttlMs: number };
      const acting = { ...ctx, overrides: { ...ctx.overrides, aiTokensPerMonth: asked.limit } };
      const wanted = { reservationId: asked.id, amounts: { aiTokens: asked.amount } };
      const hold = {
        workspaceId: ctx.workspaceId,
        reservationId: asked.id,
        meters: [{ meter: "aiTokens" as const, amount: asked.amount, limit: asked.limit }],
        scopes: { userId: ctx.userId },
        budgets: [],
      };
      if (asked.act === "reserve") await service.reserveUsage(acting, { ...wanted, ttlMs: asked.ttlMs });
      if (asked.act === "charge") await service.chargeUsage(acting, wanted);
      if (asked.act === "settle") await service.settleUsage(acting, hold, { aiTokens: asked.amount });
      if (asked.act === "release") await service.releaseUsage(acting, hold);
      return Response.json({ done: asked.act });
    },
  }),`;

export const door: Patch[] = [
  { file: routes, find: "export const routes = [", replace: `export const routes = [${operation}` },
];

export type Act = "crowd" | "promise" | "storm";

interface LedgerMutant extends MutantRun {
  /** The act of the bar that has to see it; the others are left out. */
  act: Act;
  patches: Patch[];
}

export const mutants: LedgerMutant[] = [
  {
    name: "no-limit",
    provenBy: "admitted",
    act: "crowd",
    patches: [{ file: book, find: "return needed <= available ?", replace: "return needed <= available + limit ?" }],
  },
  {
    name: "no-return",
    provenBy: "abandoned",
    act: "crowd",
    patches: [
      { file: book, find: "if (lease.expiresAtMs > nowMs)", replace: "if (lease.expiresAtMs + 3_600_000 > nowMs)" },
    ],
  },
  {
    name: "no-marks",
    provenBy: "overspent",
    act: "promise",
    patches: [
      { file: metering, find: "if (state.longestTtlMs > 0) recover(", replace: "if (state.longestTtlMs < 0) recover(" },
    ],
  },
  {
    name: "answers-unwritten",
    provenBy: "lost",
    act: "storm",
    patches: [
      {
        file: metering,
        find: "  if (sinceMs >= shareMs) {\n    flush(state);\n    return Promise.resolve();\n  }",
        replace: "  if (sinceMs >= 0) {\n    writeWithin(state, 3_000);\n    return Promise.resolve();\n  }",
      },
    ],
  },
  {
    name: "forgets-ids",
    provenBy: "doubled",
    act: "storm",
    patches: [
      { file: metering, find: 'const repeated = known?.state === "settled";', replace: "const repeated = false;" },
    ],
  },
];
