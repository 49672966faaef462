/**
 * The check of an API key on the request path. A forged key costs no read; a known key costs a look in this isolate's memory;
 * a key that was switched off is refused within ten seconds everywhere, and at once by operations that ask for a fresh check.
 * A key of an older system says nothing about itself: it is found by its hash, and so is, once in ten seconds, that there is none.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { mayDo } from "#core/access";
import type { Database } from "#core/context";
import type { Settings } from "#core/env";
import { permissionsOf } from "#core/sub-user";
import { BoundedMap } from "#lib/bounded-map";
import { type AddressRange, isInRanges } from "#lib/network-address";
import { readKey } from "./key-format.ts";
import { isImportedKind, rangesOf } from "./rules.ts";
import { type CheckedKey, findForCheck, touchKey } from "./store.ts";

const rememberMs = 10_000;
const touchEveryMs = 60_000;

export interface KnownKey {
  id: string;
  key: CheckedKey;
  /** Where it may come from; null: from anywhere. */
  ranges: AddressRange[] | null;
  /** The end of the key, or of the grace of the secret that was shown. */
  endsAt: number | null;
  readAt: number;
}

export type KeyCheck =
  | { ok: true; known: KnownKey }
  | { ok: false; reason: "unknown" }
  | { ok: false; reason: "disabled" | "expired"; known: KnownKey };

/** By the key's text: hashing would cost more than the rest of the check, and the text is in this memory during the request anyway. */
const remembered = new BoundedMap<string, KnownKey>(5_000);
/** Texts of older systems' kinds that no key has, with the time of the look. */
const unknownTexts = new BoundedMap<string, number>(5_000);

export function isApiKey(text: string): boolean {
  return text.startsWith("ovt_") || isImportedKind(text);
}

/** Forgets all keys that this isolate remembers. */
export function forgetAllKeys(): number {
  return remembered.clear();
}

export function knownKey(text: string, nowMs: number): KnownKey | undefined {
  const known = remembered.get(text);
  return known && nowMs - known.readAt < rememberMs && !hasEnded(known, nowMs) ? known : undefined;
}

function hasEnded({ endsAt }: KnownKey, nowMs: number): boolean {
  return endsAt !== null && endsAt <= nowMs;
}

/** May the key come from there? */
export function isAllowedFrom({ ranges }: KnownKey, address: string | null): boolean {
  return ranges === null || (address !== null && isInRanges(address, ranges));
}

/** The hash under which a key of an older system is stored. */
export function hashOfImported(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** In this isolate a key that was just imported works at once. */
export function forgetUnknown(text: string): void {
  unknownTexts.delete(text);
}

export interface CheckDeps {
  db: Database;
  settings: Settings;
  later(work: Promise<unknown>): void;
}

export async function checkKey(deps: CheckDeps, text: string, nowMs: number): Promise<KeyCheck> {
  const named = nameOf(deps.settings, text);
  if (!named || isKnownUnknown(text, nowMs)) return { ok: false, reason: "unknown" };
  const key = await findForCheck(deps.db, named, nowMs);
  const known = key && toKnown(key, { hash: named.hash, readAt: nowMs });
  if (!known) {
    remembered.delete(text);
    if (named.id === null) unknownTexts.set(text, nowMs);
    return { ok: false, reason: "unknown" };
  }
  if (!known.key.enabled || hasEnded(known, nowMs)) {
    remembered.delete(text);
    return { ok: false, reason: known.key.enabled ? "expired" : "disabled", known };
  }
  if (nowMs - (known.key.lastUsedAt ?? 0) > touchEveryMs)
    deps.later(Promise.resolve(deps.db.batch([touchKey(deps.db, known.id, nowMs)])));
  remembered.set(text, known);
  return { ok: true, known };
}

function isKnownUnknown(text: string, nowMs: number): boolean {
  const lookedAt = unknownTexts.get(text);
  return lookedAt !== undefined && nowMs - lookedAt < rememberMs;
}

/** How the key is found: by the id that it proves, or by its hash. Null: nobody made it. */
function nameOf(settings: Settings, text: string): { id: string | null; hash: string } | null {
  if (isImportedKind(text)) return { id: null, hash: hashOfImported(text) };
  return readKey(settings.masterKeys, text);
}

/** Null when the hash is of another secret. A key never does more than its maker may do at that time. */
function toKnown(key: CheckedKey, { hash, readAt }: { hash: string; readAt: number }): KnownKey | null {
  const isCurrent = sameHash(key.hash, hash);
  if (!isCurrent && key.retiredUntil === null) return null;
  const maker = { role: key.role, granted: key.subUser ? permissionsOf(key.subUser) : [] };
  const ends = [key.expiresAt, isCurrent ? null : key.retiredUntil].filter((at) => at !== null);
  return {
    id: key.id,
    key: { ...key, scopes: key.scopes.filter((scope) => mayDo(maker, scope)) },
    ranges: key.allowedAddresses.length === 0 ? null : rangesOf(key.allowedAddresses),
    endsAt: ends.length === 0 ? null : Math.min(...ends),
    readAt,
  };
}

function sameHash(stored: string, given: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(stored), digest(given));
}

/** After a change of who may act where: this isolate reads such keys anew, as all others do within ten seconds. */
export function forgetKeys(of: { workspaceId: string; userId?: string }): void {
  remembered.deleteWhere(
    ({ key }) => key.workspaceId === of.workspaceId && (of.userId === undefined || key.userId === of.userId),
  );
}
