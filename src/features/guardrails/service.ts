/** What the gateway asks about guardrails: the policy that holds for a workspace now, and the guard over one request. */
export { type Guard, guardOf, letThrough } from "./guard.ts";
export { policyOf } from "./policy.ts";
export type { StreamGuard } from "./stream-guard.ts";
