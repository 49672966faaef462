/** Ways to break the promise that this bar checks. Each is one change of the product that could happen by mistake. */
import type { MutantRun } from "../options.ts";
import type { Patch } from "../stage.ts";

interface BillingMutant extends MutantRun {
  patches: Patch[];
}

export const mutants: BillingMutant[] = [
  {
    // What was read once is taken for the truth.
    name: "read-once",
    provenBy: "state",
    patches: [
      {
        file: "src/features/billing/sync.ts",
        find: "  const after = accountAfter(before, { chosen, triedAt }, ctx.now());",
        replace:
          "  const after = before.subscriptionId ? before : accountAfter(before, { chosen, triedAt }, ctx.now());",
      },
    ],
  },
  {
    name: "plan-not-moved",
    provenBy: "plan",
    patches: [{ file: "src/features/billing/sync.ts", find: "      ...plan,\n", replace: "" }],
  },
  {
    name: "no-replay-guard",
    provenBy: "double",
    patches: [
      {
        file: "src/features/billing/events.ts",
        find: "if (await hasEvent(ctx, provider, event.id)) return { received: true, duplicate: true };",
        replace: 'event.id += `-${ctx.newId("event")}`;',
        times: 2,
      },
    ],
  },
  {
    name: "unsigned",
    provenBy: "forged",
    patches: [
      {
        file: "src/adapters/payments/stripe/index.ts",
        find: "  } catch {\n    return null;\n  }",
        replace: "  } catch {\n    return toEvent(JSON.parse(rawBody));\n  }",
      },
    ],
  },
];
