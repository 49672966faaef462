/** What goes wrong before a request is even understood, and by whom requests are told apart. */
import { countAttempt } from "./counters.ts";
import { stayAway } from "./delivery.ts";
import { serverError } from "./failure.ts";
import type { Fault } from "./faults.ts";
import { type Fields, isFields } from "./fields.ts";
import { seedOf } from "./usage.ts";

const longestUser = 256;

interface Misled {
  model: string;
  fields: Fields;
  signal: AbortSignal;
}

export async function misbehave(fault: Fault, { model, fields, signal }: Misled): Promise<void> {
  if (fault.kind === "status") throw fault.failure();
  if (fault.kind === "flaky" && countAttempt(model, userOf(fields) ?? seedOf(fields)) < fault.failures)
    throw serverError();
  if (fault.kind === "no-headers") await stayAway(signal);
}

/** By whom the counters and a flaky model tell requests apart. */
export function userOf(fields: Fields): string | null {
  const metadata = isFields(fields["metadata"]) ? fields["metadata"] : {};
  const named = [fields["user"], metadata["id"], metadata["user_id"], fields["safety_identifier"]];
  const user = named.find((value) => typeof value === "string" && value !== "");
  return typeof user === "string" ? user.slice(0, longestUser) : null;
}
