/**
 * A target that fails again and again is left alone for a while, so that its callers do not wait for what will not come. Each isolate judges by
 * what it saw itself: no call is made to find out.
 */
import { BoundedMap } from "#lib/bounded-map";

interface Circuit {
  failures: number;
  lastFailureMs: number;
  openUntilMs: number;
}

const failuresToOpen = 5;
const openMs = 15_000;
/** Failures further apart than this are not a row. */
const forgetMs = 60_000;
const maxCircuits = 1_000;

export interface Breaker {
  /** Null: it may be asked. Else when it may be again; then one request is let through, and what becomes of it decides. */
  closedFor(target: string, nowMs: number): number | null;
  succeeded(target: string): void;
  failed(target: string, nowMs: number): void;
  /** Those that may not be asked, or that the next request finds out about. */
  notClosed(nowMs: number): { target: string; state: OpenState }[];
}

export type OpenState = "open" | "half-open";

export function openBreaker(): Breaker {
  const circuits = new BoundedMap<string, Circuit>(maxCircuits);
  return {
    closedFor(target, nowMs) {
      const circuit = circuits.get(target);
      if (!circuit || circuit.failures < failuresToOpen) return null;
      if (nowMs < circuit.openUntilMs) return circuit.openUntilMs - nowMs;
      // The one that finds out; those who come while it is under way still wait.
      circuit.openUntilMs = nowMs + openMs;
      return null;
    },
    succeeded(target) {
      circuits.delete(target);
    },
    failed(target, nowMs) {
      const before = circuits.get(target);
      const failures = before && nowMs - before.lastFailureMs < forgetMs ? before.failures + 1 : 1;
      const openUntilMs = failures >= failuresToOpen ? nowMs + openMs : 0;
      circuits.set(target, { failures, lastFailureMs: nowMs, openUntilMs });
    },
    notClosed: (nowMs) =>
      [...circuits.entries()]
        .filter(([, { failures }]) => failures >= failuresToOpen)
        .map(([target, { openUntilMs }]) => ({ target, state: nowMs < openUntilMs ? "open" : "half-open" })),
  };
}
