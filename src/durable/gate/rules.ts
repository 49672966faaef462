/** The arithmetic of the gate: who may go in, and when the others should come back. */

/** Longer than the longest call of a provider; whoever wants more renews. */
export const longestLeaseMs = 900_000;
export const mostPlaces = 100;
/** More waiters than this are told to come back, but keep no place in the queue. */
export const mostWaiters = 1_000;
/** A waiter that is so late does not come back: it must not hold up those behind it. */
export const waiterGraceMs = 5_000;

const shortestWaitMs = 1_000;
const longestWaitMs = 30_000;
/** How long a call is taken to last until one has ended. */
export const firstGuessMs = 5_000;

/** When it is worth asking again: as many rounds of calls later as there are waiters before, half of a call for the one under way. */
export function waitMs({ ahead, most, callMs }: { ahead: number; most: number; callMs: number }): number {
  const rounds = Math.floor(ahead / most) + 0.5;
  return Math.round(Math.min(Math.max(rounds * callMs, shortestWaitMs), longestWaitMs));
}

/** The usual length of a call, where the newest ones count most. */
export function averageMs(before: number, heldMs: number): number {
  return Math.round(before * 0.75 + heldMs * 0.25);
}
