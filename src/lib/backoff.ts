/** Waiting time before the next attempt: exponential, half of it jitter, so that failures together do not return together. */

const baseSeconds = 2;
const capSeconds = 3_600;

/** @param attempt from 1. @param noise a random byte. @returns 1 to 3,600 whole seconds. */
export function backoffSeconds(attempt: number, noise: number): number {
  const ceiling = Math.min(capSeconds, baseSeconds * 2 ** (attempt - 1));
  return Math.max(1, Math.round(ceiling * (0.5 + noise / 510)));
}
