/** Ways to break the promise that this bar checks. Each is one change of the product that could happen by mistake. */
import type { MutantRun } from "../options.ts";
import type { Patch } from "../stage.ts";

interface CrashMutant extends MutantRun {
  patches: Patch[];
}

const store = "src/core/job-store.ts";
const sending = "await queueOf(ctx.env, message.lane).send(";

/**
 * What a mutant meets, and the control run too, which has to pass. Recovery takes seconds instead of minutes, so that a lost job is known to
 * be lost sooner; and each hint arrives twice at once, as queues may deliver it: the local one never does, and works off one by one.
 */
export const conditions: Patch[] = [
  { file: store, find: "leaseMs = 30_000", replace: "leaseMs = 6_000" },
  { file: store, find: "reofferMs = 60_000", replace: "reofferMs = 8_000" },
  {
    file: "src/app/context.ts",
    find: sending,
    replace: `for (const queue of [queueOf(ctx.env, message.lane), ctx.env.TRANSCRIPTION_QUEUE]) await queue.send(`,
  },
];

export const mutants: CrashMutant[] = [
  {
    name: "no-sweeper",
    // Which of its jobs a kill took the hint of is chance: a conversion, or the removal of its source.
    provenBy: "lost: ",
    patches: [{ file: "src/features/jobs/index.ts", find: "page < maxSweepPages", replace: "page < 0" }],
  },
  {
    name: "no-fence",
    provenBy: "doubled: end of job",
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
      // The primary key of images is a second fence: with it the overtaken run fails, and nothing is doubled after all.
      {
        file: "src/features/conversions/store.ts",
        find: "ctx.db.insert(conversionImages).values(rows)",
        replace: "ctx.db.insert(conversionImages).values(rows).onConflictDoNothing()",
      },
    ],
  },
  {
    name: "no-idempotency",
    provenBy: "doubled: conversion",
    patches: [
      {
        file: "src/app/idempotency.ts",
        find: 'call.request.headers.get("idempotency-key")',
        replace: "null as string | null",
      },
    ],
  },
];
