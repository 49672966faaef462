/** What clients see of a job. */
import * as z from "zod";
import { type Output, shape } from "#core/shape";
import { jobStates } from "#core/states";
import { pageOf, pageQuery } from "#core/page";

export const jobParams = shape(() =>
  z.object({ id: z.string().max(64).meta({ example: "job_01kahs7m3n0000000000000000" }) }),
);

export const jobListQuery = shape(() =>
  pageQuery().extend({
    state: z.enum(jobStates).optional(),
    kind: z.string().max(80).optional().meta({
      description: "The job's name, for example conversions.seal-audio; also one of work that nobody asked for itself.",
    }),
    include: z.enum(["asked", "all"]).default("asked").meta({
      description:
        "`asked`: what a person or key started. `all`: also what follows from it, such as mail, webhooks and clean-up.",
    }),
  }),
);

export const jobShape = shape(() =>
  z
    .object({
      id: z.string(),
      kind: z.string(),
      state: z.enum(jobStates),
      step: z.string().nullable(),
      done: z.number().int(),
      total: z.number().int(),
      progress: z.number().min(0).max(1).meta({ description: "0 to 1." }),
      attempt: z.number().int(),
      maxAttempts: z.number().int(),
      cancelRequested: z.boolean(),
      result: z.record(z.string(), z.unknown()).nullable(),
      problem: z.object({ code: z.string(), detail: z.string() }).loose().nullable(),
      createdAt: z.string(),
      startedAt: z.string().nullable(),
      endedAt: z.string().nullable(),
      links: z.object({ self: z.string(), events: z.string(), cancel: z.string(), retry: z.string() }),
    })
    .meta({ id: "Job" }),
);

export const jobPage = pageOf(jobShape, "JobPage");
export type JobShape = Output<typeof jobShape>;
