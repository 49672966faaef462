/**
 * The check of an API key on the request path. A forged key costs no read; a known key costs a look in this isolate's memory;
 * a key that was switched off is refused within ten seconds everywhere, and at once by operations that ask for a fresh check.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Database } from "#core/context";
import type { Settings } from "#core/env";
import { mayDo } from "#core/access";
import { permissionsOf } from "#core/sub-user";
import { BoundedMap } from "#lib/bounded-map";
import { readKey } from "./key-format.ts";
import { type CheckedKey, findForCheck, touchKey } from "./store.ts";

const rememberMs = 10_000;
const touchEveryMs = 60_000;

export interface KnownKey {
  id: string;
  key: CheckedKey;
  readAt: number;
}

export type KeyCheck = { ok: true; known: KnownKey } | { ok: false; reason: "invalid" | "expired" };

/** By the key's text: hashing would cost more than the rest of the check, and the text is in this memory during the request anyway. */
const remembered = new BoundedMap<string, KnownKey>(5_000);

/** Forgets all keys that this isolate remembers. */
export function forgetAllKeys(): number {
  return remembered.clear();
}

export function knownKey(text: string, nowMs: number): KnownKey | undefined {
  const known = remembered.get(text);
  return known && nowMs - known.readAt < rememberMs && !isExpired(known.key, nowMs) ? known : undefined;
}

function isExpired(key: CheckedKey, nowMs: number): boolean {
  return key.expiresAt !== null && key.expiresAt <= nowMs;
}

export async function checkKey(
  deps: { db: Database; settings: Settings; later(work: Promise<unknown>): void },
  text: string,
  nowMs: number,
): Promise<KeyCheck> {
  const read = readKey(deps.settings.masterKeys, text);
  if (!read) return { ok: false, reason: "invalid" };
  const key = await findForCheck(deps.db, read.id);
  if (!key || !key.enabled || !sameHash(key.hash, read.hash)) {
    remembered.delete(text);
    return { ok: false, reason: "invalid" };
  }
  if (isExpired(key, nowMs)) return { ok: false, reason: "expired" };
  if (nowMs - (key.lastUsedAt ?? 0) > touchEveryMs)
    deps.later(Promise.resolve(deps.db.batch([touchKey(deps.db, read.id, nowMs)])));
  const maker = { role: key.role, granted: key.subUser ? permissionsOf(key.subUser) : [] };
  const known = {
    id: read.id,
    key: { ...key, scopes: key.scopes.filter((scope) => mayDo(maker, scope)) },
    readAt: nowMs,
  };
  remembered.set(text, known);
  return { ok: true, known };
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
