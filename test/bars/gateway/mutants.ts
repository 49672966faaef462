/** Ways to break what this bar checks, each one change of the product that could happen by mistake. */
import type { MutantRun } from "../options.ts";
import type { Patch } from "../stage.ts";

export type Phase = "calls" | "leaving" | "budget";

interface GatewayMutant extends MutantRun {
  /** The part of the bar that has to see it; the others are left out. */
  phase: Phase;
  patches: Patch[];
}

const admission = "src/features/chat/admission.ts";
const purse = "src/durable/ledger/purse.ts";
const relay = "src/features/chat/relay.ts";
const serve = "src/features/chat/serve.ts";
const tries = "src/features/chat/try-targets.ts";

/** Who leaves is followed for five seconds instead of 25, so that a run of it is short. */
export const drain = { longMs: 25_000, shortMs: 5_000 };
export const shortDrain: Patch = {
  file: relay,
  find: "const drainMs = 25_000;",
  replace: `const drainMs = ${drain.shortMs};`,
};

export const mutants: GatewayMutant[] = [
  {
    name: "no-refund",
    provenBy: "billed",
    phase: "calls",
    patches: [
      {
        file: admission,
        find: "if (ticket) putBackUsage(ctx, ticket, { amounts: used, use });",
        replace: "if (ticket) putBackUsage(ctx, ticket, { amounts: bill ? used : ticket.held, use });",
      },
    ],
  },
  {
    name: "usage-ignored",
    provenBy: "billed",
    phase: "calls",
    patches: [
      {
        file: serve,
        find: "delivered.usage ?? estimatedUsage(guess, delivered)",
        replace: "{ ...estimatedUsage(guess, delivered), estimated: false }",
      },
    ],
  },
  {
    name: "estimates-unflagged",
    provenBy: "flag",
    phase: "calls",
    patches: [{ file: serve, find: "outputTokens, estimated: true }", replace: "outputTokens, estimated: false }" }],
  },
  {
    name: "cut-looks-whole",
    provenBy: "clean",
    phase: "calls",
    patches: [
      {
        file: relay,
        find: "if (isCut) return [bytesOf(",
        replace: "if (isCut) return [doneEvent];\n  if (isCut) return [bytesOf(",
      },
    ],
  },
  {
    name: "late-fallback",
    provenBy: "fallback",
    phase: "calls",
    patches: [
      {
        file: serve,
        find: "signal: request.signal };\n  const { response, ended }",
        replace:
          "signal: request.signal, again: () => tryTargets(ctx, targets.slice(1), { call, begin: beginStream(rules) }) };\n  const { response, ended }",
      },
      {
        file: relay,
        find: "const batch = await open.source.next();\n    isCancelled = caller.isGone();",
        replace: `const batch = await open.source.next().catch(async () => {
      const { begun } = await (rules as any).again();
      open.source = begun.source;
      open.isDone = begun.isDone;
      await caller.write(begun.held);
      return begun.isDone ? null : begun.source.next();
    });
    isCancelled = caller.isGone();`,
      },
    ],
  },
  {
    name: "settled-twice",
    provenBy: "billed",
    phase: "calls",
    patches: [
      {
        file: purse,
        find: "    await settleSurely(() => ledger.settle({",
        replace:
          "    await ledger.settle({ ...claim, meters: linesOf(spent), uses: [], reservationId: `${reservationId}:again`, nowMs });\n    await settleSurely(() => ledger.settle({",
      },
    ],
  },
  {
    name: "retry-after-ignored",
    provenBy: "retry-after",
    phase: "calls",
    patches: [
      { file: tries, find: "return toldMs > patienceMs ? null : toldMs + jitterMs;", replace: "return jitterMs;" },
      { file: tries, find: "resting.untilMs - nowMs > earlyMs", replace: "resting.untilMs < 0" },
    ],
  },
  {
    name: "no-drain",
    provenBy: "disconnect",
    phase: "leaving",
    patches: [{ file: relay, find: "timer = setTimeout(() => void source.cancel(), drainMs);", replace: "" }],
  },
  {
    name: "left-unsettled",
    provenBy: "held",
    phase: "leaving",
    patches: [
      {
        file: serve,
        find: "      conclude(ctx, hasFailed ?",
        replace: "      if (!delivered.isCancelled) conclude(ctx, hasFailed ?",
      },
    ],
  },
  {
    name: "purse-overspends",
    provenBy: "overspent",
    phase: "budget",
    patches: [{ file: purse, find: "(free[meter] ?? 0) >= amount", replace: "(free[meter] ?? 0) > -1_000_000_000" }],
  },
];
