/** What research may come to, by its depth. */
import type { Depth } from "../shapes.ts";

interface DepthLimits {
  topicsMin: number;
  topicsMax: number;
  /** All steps together; what is known by then is what there is. */
  totalMs: number;
}

export const depthLimits: Readonly<Record<Depth, DepthLimits>> = {
  basic: { topicsMin: 1, topicsMax: 2, totalMs: 45_000 },
  medium: { topicsMin: 3, topicsMax: 4, totalMs: 75_000 },
  high: { topicsMin: 5, topicsMax: 6, totalMs: 100_000 },
};

export const maxQueryLength = 1_000;
export const maxSearchLength = 400;
export const searchResults = 10;
export const pagesPerTopic = 5;
/** The platform keeps six connections of a request open; more would only wait. */
export const topicsAtOnce = 2;
export const pageLength = 5_000;
export const pageBytesMax = 2 * 1_048_576;
export const pageTimeoutMs = 30_000;
export const sourcesPerTopic = 3;
export const sourceLength = 1_000;
export const shownSources = 3;
export const findingLength = 12_000;

export const researchKeptMs = 24 * 3_600_000;
export const searchKeptMs = 3_600_000;
