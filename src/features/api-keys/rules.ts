/** Decisions about API keys on plain data: what a key may be restricted to, what restricts more, and what a check can come to. */
import type { Limit } from "#core/limits";
import { type AddressRange, isWithin, readRange } from "#lib/network-address";

/** A limit of one key. `cost`: what each use takes from it, 1 unless said. */
export interface NamedLimit {
  name: string;
  quota: number;
  windowSeconds: number;
  cost?: number | undefined;
}

/** The words of Unkey, so that who knows them reads ours. */
export const outcomes = [
  "VALID",
  "NOT_FOUND",
  "FORBIDDEN",
  "DISABLED",
  "EXPIRED",
  "INSUFFICIENT_PERMISSIONS",
  "RATE_LIMITED",
  "USAGE_EXCEEDED",
] as const;
export type Outcome = (typeof outcomes)[number];

/** What a request by a key comes to when it is refused with a code; null: no use of the key. */
export function outcomeOf(code: string): Outcome | null {
  const known: Record<string, Outcome> = {
    "address-not-allowed": "FORBIDDEN",
    "email-not-verified": "FORBIDDEN",
    "permission-denied": "INSUFFICIENT_PERMISSIONS",
    "session-required": "INSUFFICIENT_PERMISSIONS",
    "staff-only": "INSUFFICIENT_PERMISSIONS",
    "endpoint-not-allowed": "INSUFFICIENT_PERMISSIONS",
    "rate-limited": "RATE_LIMITED",
    "quota-exceeded": "USAGE_EXCEEDED",
  };
  return known[code] ?? null;
}

/** What is taken from the limits of a key. The name is marked, so that it meets no limit of a plan. */
export function chargesOf(limits: readonly NamedLimit[], cost?: number): { limit: Limit; cost: number }[] {
  return limits.map(({ name, quota, windowSeconds, cost: own }) => ({
    limit: { name: `key:${name}`, quota, windowSeconds },
    cost: cost ?? own ?? 1,
  }));
}

export function rangesOf(texts: readonly string[]): AddressRange[] {
  return texts.flatMap((text) => readRange(text) ?? []);
}

/** Is each of the inner ranges in one of the outer ones? An empty list means all addresses. */
export function isNarrower(inner: readonly string[], outer: readonly string[]): boolean {
  if (outer.length === 0) return true;
  const wide = rangesOf(outer);
  return inner.length > 0 && rangesOf(inner).every((range) => wide.some((around) => isWithin(range, around)));
}

/** Kinds of keys that older systems made and that keep working. */
const importedPattern = /^(?:pe-|sk_live_|org_)[A-Za-z0-9_-]{16,200}$/;

export function isImportedKind(text: string): boolean {
  return importedPattern.test(text);
}

export function dayOf(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 10);
}
