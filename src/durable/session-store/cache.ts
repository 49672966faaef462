/**
 * What this isolate remembers about sessions for at most ten seconds. It holds values, never promises: a promise of one request
 * may not be awaited by another. Money, keys and administration ask the object itself (`maxAgeMs: 0`).
 */
import { createHash } from "node:crypto";
import type { SessionCheck } from "./shapes.ts";

export const maxCacheAgeMs = 10_000;
/** From this age on an entry still answers, but is renewed behind the answer. */
const renewAfterMs = 5_000;
const maxEntries = 5_000;
/** A renewal that has not come back after this long was lost with its request; the next request may try again. */
const renewalPatienceMs = 2_000;

interface Entry {
  check: SessionCheck;
  /** Whose object answered. A token names its person itself, so one with another id in it must not find this entry. */
  userId: string;
  /** Of the secret that was checked; null when only the id was. */
  secretHash: string | null;
  checkedAtMs: number;
  renewalStartedAtMs: number | null;
}

export interface SessionCache {
  entries: Map<string, Entry>;
  /** Grows with every `forget`: an answer that was under way then may be older than the revocation, and is not kept. */
  generation: number;
}

export interface SessionName {
  userId: string;
  sessionId: string;
  /** The secret of an opaque token; left out for sessions that a signed access token names. */
  secret?: string;
}

export function createSessionCache(): SessionCache {
  return { entries: new Map(), generation: 0 };
}

/** undefined: ask the object. `renew` is true for one caller at a time, who should ask the object behind the answer. */
export function recall(
  cache: SessionCache,
  name: SessionName,
  at: { nowMs: number; maxAgeMs: number },
): { check: SessionCheck; renew: boolean } | undefined {
  const entry = cache.entries.get(keyOf(name));
  if (!entry || entry.userId !== name.userId || entry.secretHash !== secretHashOf(name)) return undefined;
  const ageMs = at.nowMs - entry.checkedAtMs;
  if (ageMs < 0 || ageMs >= Math.min(at.maxAgeMs, maxCacheAgeMs)) return undefined;
  if (entry.check.active && at.nowMs >= entry.check.expiresAtMs) return undefined;
  const isRenewing = entry.renewalStartedAtMs !== null && at.nowMs - entry.renewalStartedAtMs < renewalPatienceMs;
  const renew = ageMs >= renewAfterMs && !isRenewing;
  if (renew) entry.renewalStartedAtMs = at.nowMs;
  return { check: entry.check, renew };
}

/**
 * Keeps an answer under the time its question was asked. `unknown` is not kept, so that forged tokens cannot push real sessions out,
 * nor is the answer to a question asked before the last `forget`.
 */
export function remember(
  cache: SessionCache,
  name: SessionName,
  answer: { check: SessionCheck; askedAtMs: number; generation: number },
): void {
  const { check, askedAtMs, generation } = answer;
  if (generation !== cache.generation || (!check.active && check.reason === "unknown")) return;
  const key = keyOf(name);
  cache.entries.delete(key);
  cache.entries.set(key, {
    check,
    userId: name.userId,
    secretHash: secretHashOf(name),
    checkedAtMs: askedAtMs,
    renewalStartedAtMs: null,
  });
  if (cache.entries.size <= maxEntries) return;
  const oldest = cache.entries.keys().next();
  if (!oldest.done) cache.entries.delete(oldest.value);
}

/** Drops a session at once from this isolate; other isolates follow within ten seconds. */
export function forget(cache: SessionCache, sessionId: string): void {
  cache.generation += 1;
  cache.entries.delete(keyOf({ sessionId }));
  cache.entries.delete(keyOf({ sessionId, secret: "" }));
}

/** Drops everything and tells how much that was. */
export function forgetAll(cache: SessionCache): number {
  const { size } = cache.entries;
  cache.generation += 1;
  cache.entries.clear();
  return size;
}

function keyOf(name: Omit<SessionName, "userId">): string {
  return name.secret === undefined ? `id ${name.sessionId}` : `opaque ${name.sessionId}`;
}

function secretHashOf(name: SessionName): string | null {
  return name.secret === undefined ? null : createHash("sha256").update(name.secret).digest("base64url");
}
