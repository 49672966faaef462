/** Enhanced prompts, research and batches, as system B had them. */
import { defineFeature } from "#core/feature";
import { defineSchedule } from "#core/schedule";
import { purgeOldBatches } from "./batches.ts";
import { processBatch } from "./jobs/process-batch.ts";
import { routes } from "./routes.ts";

export default defineFeature({
  name: "prompts",
  summary: "Prompts with a style and a level instead of a model, web research, and batches of them.",
  endpoints: routes,
  jobs: [processBatch],
  schedules: [defineSchedule({ name: "prompts.purge-batches", every: "day", run: purgeOldBatches })],
});
