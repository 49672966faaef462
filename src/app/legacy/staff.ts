/** Paths of administration and support in systems A, B and C. */
import type { Alias } from "../legacy-paths.ts";

export const staff: Alias[] = [];
