/** Ways to break the promise that this bar checks. Each is one change of the product that could happen by mistake. */
import type { MutantRun } from "../options.ts";
import type { Patch } from "../stage.ts";

interface CrashMutant extends MutantRun {
  patches: Patch[];
  /** A lease that means nothing shows only when jobs are offered again while they run. */
  tickEveryMs?: number;
}

const store = "src/core/job-store.ts";

/** Recovery in seconds instead of minutes, so that a lost job is known to be lost sooner. The bar without a mutant keeps the product's own. */
export const quickRecovery: Patch[] = [
  { file: store, find: "leaseMs = 30_000", replace: "leaseMs = 6_000" },
  { file: store, find: "reofferMs = 60_000", replace: "reofferMs = 8_000" },
];

export const mutants: CrashMutant[] = [
  {
    name: "no-sweeper",
    provenBy: "lost",
    patches: [{ file: "src/features/jobs/index.ts", find: "page < maxSweepPages", replace: "page < 0" }],
  },
  {
    name: "no-fence",
    provenBy: "doubled: end of job",
    tickEveryMs: 250,
    patches: [
      { file: store, find: "sql`(${jobs.leaseToken} is ${leaseToken})`", replace: "sql`1`" },
      {
        file: store,
        find: 'and(eq(jobs.state, "running"), lt(jobs.leaseUntil, at))',
        replace: 'eq(jobs.state, "running")',
        times: 2,
      },
      {
        file: store,
        find: 'and(eq(jobs.id, id), eq(jobs.leaseToken, leaseToken), eq(jobs.state, "running"))',
        replace: "eq(jobs.id, id)",
      },
    ],
  },
  {
    name: "no-idempotency",
    provenBy: "doubled",
    patches: [
      {
        file: "src/app/idempotency.ts",
        find: 'call.request.headers.get("idempotency-key")',
        replace: "null as string | null",
      },
    ],
  },
];
