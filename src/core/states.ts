/** The states of jobs, and what older clients call them. */

export const jobStates = ["scheduled", "queued", "running", "paused", "succeeded", "failed", "cancelled"] as const;
export type JobState = (typeof jobStates)[number];

export const endedStates = ["succeeded", "failed", "cancelled"] as const;
export const unendedStates = ["scheduled", "queued", "running", "paused"] as const;

export function hasEnded(state: JobState): boolean {
  return (endedStates as readonly string[]).includes(state);
}

export const legacyStates = ["pending", "processing", "completed", "failed"] as const;
export type LegacyState = (typeof legacyStates)[number];

const toLegacy: Record<JobState, LegacyState> = {
  scheduled: "pending",
  queued: "pending",
  running: "processing",
  paused: "processing",
  succeeded: "completed",
  failed: "failed",
  cancelled: "failed",
};

export function legacyState(state: JobState): LegacyState {
  return toLegacy[state];
}

/** The states that an older client's `status` filter means. */
export function statesOfLegacy(legacy: LegacyState): JobState[] {
  return jobStates.filter((state) => toLegacy[state] === legacy);
}
