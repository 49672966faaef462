/** Decisions about deliveries, from values only: when to try again, and what an answer means. */

/** Waiting times after each failed try, in seconds: about three days in all. */
export const waitsSeconds = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400] as const;
export const maxTries = waitsSeconds.length + 1;
/** An endpoint may ask for more time, but not for ever. */
const maxRetryAfterSeconds = 86_400;

/**
 * Seconds until the next try; null: that was the last one.
 * @param tries how many there were, from 1. @param noise a random byte: up to a tenth is added, so that failures together do not return together.
 */
export function nextWaitSeconds(tries: number, noise: number, retryAfter: number | null): number | null {
  const wait = waitsSeconds[tries - 1];
  if (wait === undefined) return null;
  const asked = Math.min(retryAfter ?? 0, maxRetryAfterSeconds);
  return Math.max(Math.round(wait * (1 + noise / 2_550)), asked);
}

/** `Retry-After` in whole seconds (RFC 9110 section 10.2.3, that form alone); null for anything else. */
export function retryAfterOf(headers: Headers): number | null {
  const given = headers.get("retry-after");
  return given !== null && /^\d{1,7}$/.test(given) ? Number(given) : null;
}

/** Success is 2xx and nothing else: a redirect may lead where nobody allowed it to. */
export function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

/** RFC 9110 section 15.5.11: the endpoint asks not to be called again. */
export const goneStatus = 410;
