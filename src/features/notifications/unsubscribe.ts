/** Signed tokens that switch one kind of mail off for one person, with no sign-in (RFC 8058). They open nothing else and never end. */
import { createHmac, timingSafeEqual } from "node:crypto";
import type { Settings } from "#core/env";
import { deriveKey } from "#lib/envelope";
import { isOptionalKind, type NotificationKind } from "./rules.ts";

const macBytes = 16;

function macOf(master: Uint8Array, words: string): Buffer {
  const key = deriveKey(master, "overtone mail unsubscribe");
  return createHmac("sha256", key).update(words).digest().subarray(0, macBytes);
}

export function unsubscribeToken(settings: Settings, userId: string, kind: NotificationKind): string {
  const words = `${userId}.${kind}`;
  return `${words}.${macOf(settings.masterKeys[0].raw, words).toString("base64url")}`;
}

/** Whose mails of which kind; null for anything that we did not sign. Tokens of older master keys stay good: mails lie in boxes for years. */
export function readUnsubscribeToken(
  settings: Settings,
  token: string,
): { userId: string; kind: NotificationKind } | null {
  const [, userId = "", kind = "", mac = ""] = /^([\w-]{1,64})\.([a-z]{1,20})\.([\w-]{22})$/.exec(token) ?? [];
  const given = Buffer.from(mac, "base64url");
  const isOurs = settings.masterKeys.some((master) => {
    const expected = macOf(master.raw, `${userId}.${kind}`);
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
  return isOurs && isOptionalKind(kind) ? { userId, kind } : null;
}

export function unsubscribeLink(settings: Settings, userId: string, kind: NotificationKind): string {
  return `${settings.publicUrl}/v1/notifications/unsubscribe?token=${unsubscribeToken(settings, userId, kind)}`;
}
