/** A feature is one value: what it answers, what it does later and what it does by the clock. */
import type { AnyEndpoint } from "./endpoint.ts";
import type { AnyJob } from "./job.ts";
import type { Schedule } from "./schedule.ts";

export interface Feature {
  name: string;
  summary: string;
  endpoints: readonly AnyEndpoint[];
  jobs?: readonly AnyJob[];
  schedules?: readonly Schedule[];
}

export function defineFeature(feature: Feature): Feature {
  return feature;
}
