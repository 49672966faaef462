/** A feature is one value: what it answers, what it does later and what it does by the clock. */
import type { DescribedEndpoint } from "./endpoint.ts";
import type { AnyJob } from "./job.ts";
import type { Schedule } from "./schedule.ts";

export interface Feature {
  name: string;
  /** For the OpenAPI document alone: the deployed Worker does not hold it. */
  summary: string;
  endpoints: readonly DescribedEndpoint[];
  jobs?: readonly AnyJob[];
  schedules?: readonly Schedule[];
}

export function defineFeature(feature: Feature): Feature {
  return feature;
}
