/** Sessions as the tests open and present them. */
import { checkOpaqueSession, checkSession, openSession, type OpenedSession } from "#durable/session-store/client";
import { parseSessionToken } from "#durable/session-store/token";
import { freshId, objects } from "./objects.ts";

export const sessions = objects.SESSION_STORE;
export const startMs = Date.now();
export const second = 1_000;
export const day = 86_400 * second;
export const origin = { ip: "192.0.2.7", userAgent: "test" };

export async function openOpaque(
  userId: string,
  more: { nowMs?: number; refreshTtlSeconds?: number; deviceId?: string } = {},
): Promise<OpenedSession> {
  const request = { userId, sessionId: freshId("session"), kind: "opaque", ttlSeconds: 7 * 86_400, ...origin } as const;
  return await openSession(sessions, { nowMs: startMs, ...request, ...more });
}

export async function openRefreshable(userId: string): Promise<OpenedSession> {
  const request = { userId, sessionId: freshId("session"), kind: "access-refresh", ...origin } as const;
  return await openSession(sessions, { ...request, refreshTtlSeconds: 14 * 86_400, nowMs: startMs });
}

/** What a caller would send: the parsed token. */
export function presented(token: string | null): { userId: string; sessionId: string; secret: string } {
  const parsed = parseSessionToken(token ?? "");
  if (!parsed) throw new Error("no token");
  return { userId: parsed.userId, sessionId: parsed.sessionId, secret: parsed.secret };
}

/** Asks the object, not the isolate's memory. */
export async function isActive(opened: OpenedSession, userId: string, nowMs: number): Promise<boolean> {
  const check = await checkSession(sessions, { userId, sessionId: opened.sessionId }, { nowMs, maxAgeMs: 0 });
  return check.active;
}

/** Asks the object, not the isolate's memory. */
export function checkToken(token: string | null, nowMs: number) {
  return checkOpaqueSession(sessions, presented(token), { nowMs, maxAgeMs: 0 });
}
