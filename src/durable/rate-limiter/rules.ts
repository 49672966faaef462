/** The arithmetic of counting windows and lease sizes. No storage and no clock. */
import type { Limit } from "#core/limits";

/** A window starts with the first request after the last one ended, so a principal's first minute is a whole minute. */
export interface Window {
  startMs: number;
  windowMs: number;
  /** Leased to isolates and not handed back. */
  used: number;
}

/** How long an isolate may use what it was leased. */
export const leaseMs = 5_000;
const largestBlock = 64;
/** Of a large quota: what an isolate that vanishes may take along is next to nothing of it. */
const largestShare = 1_024;
/** Below this quota a block would let one isolate hold a share of the limit that others then miss. */
const smallestQuotaForBlocks = 24;

export function isOpen(window: Window, nowMs: number): boolean {
  return nowMs < window.startMs + window.windowMs;
}

/** The window that counts now: the given one while it is open, else a new one. A changed window length takes effect at once. */
export function windowAt(window: Window | undefined, limit: Limit, nowMs: number): Window {
  const windowMs = limit.windowSeconds * 1_000;
  if (window && isOpen({ ...window, windowMs }, nowMs)) return { ...window, windowMs };
  return { startMs: nowMs, windowMs, used: 0 };
}

/** A block is an eighth of what is left, so that many isolates share the end of a window in small pieces. */
export function blockSize(quota: number, remaining: number): number {
  if (quota < smallestQuotaForBlocks) return 1;
  const largest = Math.max(largestBlock, Math.floor(quota / largestShare));
  return Math.min(Math.max(Math.floor(remaining / 8), 1), largest);
}

/** All of `want` or nothing; more than that only as a block, and never more than is left. */
export function grantSize(ask: { quota: number; remaining: number; want: number; exact: boolean }): number {
  const { quota, remaining, want, exact } = ask;
  if (remaining < want) return 0;
  return exact ? want : Math.min(remaining, Math.max(want, blockSize(quota, remaining)));
}
