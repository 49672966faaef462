/** Magic inputs: a word in the customer's address makes the simulated Stripe misbehave. docs/sandbox.md lists them. */
import { StripeFailure } from "./failure.ts";

export const faults = ["rate-limited", "reply-lost", "slow", "unavailable"] as const;
export type Fault = (typeof faults)[number];

const slowMs = 3_000;

/** `anna+slow@example.com` */
export function faultOf(email: string): Fault | null {
  return faults.find((fault) => email.includes(`+${fault}@`)) ?? null;
}

/** `reply-lost`: what was asked for is done and the answer never arrives, the first time for each idempotency key. */
export async function misbehave(
  fault: Fault,
  moment: "before" | "after",
  { isWrite }: { isWrite: boolean },
): Promise<void> {
  if (fault === "slow" && moment === "before") await new Promise((resolve) => setTimeout(resolve, slowMs));
  if (fault === "rate-limited" && moment === "before")
    throw new StripeFailure(429, "rate_limit_error", { code: "rate_limit", message: "Too many requests." });
  if (fault === "unavailable" && moment === "before")
    throw new StripeFailure(503, "api_error", { message: "An error occurred." });
  if (fault === "reply-lost" && moment === "after" && isWrite)
    throw new StripeFailure(504, "api_error", { message: "The reply was lost." });
}
