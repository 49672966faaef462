/** When password sign-in locks: five failures within an hour lock it for an hour. Pure; the same for known and unknown addresses. */

const maxFailures = 5;
const failureWindowMs = 3_600_000;
const lockMs = 3_600_000;

export interface Lockout {
  /** At most `maxFailures`, oldest first. */
  failuresAtMs: number[];
  lockedUntilMs: number | null;
}

export const noLockout: Lockout = { failuresAtMs: [], lockedUntilMs: null };

/** What still counts now. A lock that ended takes its failures with it, so that the next mistake does not lock again. */
export function currentLockout(lockout: Lockout, nowMs: number): Lockout {
  if (lockout.lockedUntilMs !== null) return nowMs < lockout.lockedUntilMs ? lockout : noLockout;
  return {
    failuresAtMs: lockout.failuresAtMs.filter((atMs) => atMs > nowMs - failureWindowMs),
    lockedUntilMs: null,
  };
}

/** A failure while locked changes nothing: it would let anyone keep somebody else locked out for ever. */
export function withFailure(lockout: Lockout, nowMs: number): Lockout {
  const current = currentLockout(lockout, nowMs);
  if (current.lockedUntilMs !== null) return current;
  const failuresAtMs = [...current.failuresAtMs, nowMs];
  return {
    failuresAtMs,
    lockedUntilMs: failuresAtMs.length >= maxFailures ? nowMs + lockMs : null,
  };
}

/** Takes back the newest failure, and the lock with it. */
export function withoutNewestFailure(lockout: Lockout, nowMs: number): Lockout {
  return {
    failuresAtMs: currentLockout(lockout, nowMs).failuresAtMs.slice(0, -1),
    lockedUntilMs: null,
  };
}

/** When nothing of it counts any more; null: nothing counts now. */
export function lockoutEndsAtMs(lockout: Lockout): number | null {
  if (lockout.lockedUntilMs !== null) return lockout.lockedUntilMs;
  const newest = lockout.failuresAtMs.at(-1);
  return newest === undefined ? null : newest + failureWindowMs;
}
