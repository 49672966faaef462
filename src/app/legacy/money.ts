/** Paths of usage, quotas, plans and billing in systems C and D. */
import type { Alias } from "../legacy-paths.ts";
import { subscriptions } from "./subscriptions.ts";

export const money: Alias[] = [...subscriptions];
