/** Sessions: opening, sliding, ending, and that all of it outlives the object's sleep. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import {
  checkOpaqueSession,
  checkSession,
  countConversion,
  knowsDevice,
  listSessions,
  openSession,
  readSealedApiKey,
  refreshSession,
  revokeAllSessions,
  revokeSession,
  type OpenedSession,
} from "#durable/session-store/client";
import { parseSessionToken } from "#durable/session-store/token";
import { freshId } from "./objects.ts";
import {
  checkToken,
  day,
  openOpaque,
  openRefreshable,
  origin,
  presented,
  second,
  sessions,
  startMs,
} from "./session-support.ts";

describe("opening and checking", () => {
  it("gives each kind its tokens and refuses lifetimes that do not fit", async () => {
    const userId = freshId("user");
    const opaque = await openOpaque(userId);
    expect(parseSessionToken(opaque.token ?? "")).toMatchObject({
      kind: "session",
      userId,
      sessionId: opaque.sessionId,
    });
    expect(opaque.refreshToken).toBeNull();
    const refreshable = await openRefreshable(userId);
    expect(refreshable.token).toBeNull();
    expect(parseSessionToken(refreshable.refreshToken ?? "")).toMatchObject({
      kind: "refresh",
      userId,
    });
    const open = (request: { kind: "opaque" | "access-refresh"; ttlSeconds?: number; refreshTtlSeconds?: number }) =>
      runInDurableObject(sessions.getByName(userId), (store) =>
        store.open({ sessionId: freshId("session"), ...origin, ...request }),
      );
    await expect(open({ kind: "opaque" })).rejects.toThrow(/ttlSeconds/);
    await expect(open({ kind: "opaque", ttlSeconds: 0 })).rejects.toThrow(/positive/);
    await expect(open({ kind: "access-refresh", ttlSeconds: 60 })).rejects.toThrow(/refreshTtlSeconds/);
  });

  it("answers unknown for wrong secrets, foreign sessions and unknown users, and leaves no database behind", async () => {
    const opened = await openOpaque(freshId("user"));
    const real = presented(opened.token);
    const wrong = { ...real, secret: "A".repeat(43) };
    const unknown = { active: false, reason: "unknown" };
    expect(await checkOpaqueSession(sessions, wrong, { nowMs: startMs, maxAgeMs: 0 })).toEqual(unknown);
    const foreign = { ...real, userId: freshId("user") };
    expect(await checkOpaqueSession(sessions, foreign, { nowMs: startMs, maxAgeMs: 0 })).toEqual(unknown);
    expect(await checkSession(sessions, foreign, { nowMs: startMs, maxAgeMs: 0 })).toEqual(unknown);
    const tables = await runInDurableObject(
      sessions.getByName(foreign.userId),
      (_store, state) => state.storage.sql.exec("SELECT name FROM sqlite_master").toArray().length,
    );
    expect(tables).toBe(0);
  });

  it("does not take a refresh token for a session token, nor the other way round", async () => {
    const opened = await openOpaque(freshId("user"), { refreshTtlSeconds: 86_400 });
    expect(await checkToken(opened.refreshToken, startMs)).toMatchObject({
      active: false,
      reason: "unknown",
    });
    expect(await refreshSession(sessions, presented(opened.token))).toEqual({
      ok: false,
      reason: "unknown",
    });
  });

  it("keeps no token and no device in clear", async () => {
    const userId = freshId("user");
    const deviceId = "device-0123456789abcdef";
    const opened = await openOpaque(userId, { refreshTtlSeconds: 86_400, deviceId });
    const secrets = [presented(opened.token).secret, presented(opened.refreshToken).secret, deviceId];
    const stored = await runInDurableObject(sessions.getByName(userId), (_store, state) =>
      JSON.stringify(["sessions", "tokens"].map((table) => state.storage.sql.exec(`SELECT * FROM ${table}`).toArray())),
    );
    expect(stored).toContain(opened.sessionId);
    for (const secret of secrets) expect(stored).not.toContain(secret);
  });

  it("slides with use to seven days after the last, and not past thirty days in all", async () => {
    const opened = await openOpaque(freshId("user"));
    expect(opened.expiresAtMs).toBe(startMs + 7 * day);
    for (const dayOfUse of [6, 12, 18, 24]) {
      const check = await checkToken(opened.token, startMs + dayOfUse * day);
      expect(check).toMatchObject({
        active: true,
        expiresAtMs: Math.min(startMs + (dayOfUse + 7) * day, startMs + 30 * day),
      });
    }
    expect(await checkToken(opened.token, startMs + 30 * day - 1)).toMatchObject({ active: true });
    expect(await checkToken(opened.token, startMs + 30 * day)).toEqual({
      active: false,
      reason: "expired",
    });
  });

  it("expires a sliding token that was not used", async () => {
    const opened = await openOpaque(freshId("user"));
    expect(await checkToken(opened.token, startMs + 7 * day)).toEqual({
      active: false,
      reason: "expired",
    });
  });

  it("writes the last use at most once a minute", async () => {
    const opened = await openOpaque(freshId("user"));
    const seenAt = async (nowMs: number) => {
      await checkToken(opened.token, nowMs);
      const [session] = await listSessions(sessions, {
        userId: presented(opened.token).userId,
        nowMs,
      });
      return session?.lastSeenAtMs;
    };
    expect(await seenAt(startMs + 59 * second)).toBe(startMs);
    expect(await seenAt(startMs + 60 * second)).toBe(startMs + 60 * second);
    expect(await seenAt(startMs + 100 * second)).toBe(startMs + 60 * second);
  });
});

describe("ending", () => {
  it("ends one, and then all but one", async () => {
    const userId = freshId("user");
    const [first, other, third] = [await openOpaque(userId), await openOpaque(userId), await openOpaque(userId)];
    const end = {
      userId,
      sessionId: first.sessionId,
      reason: "signed-out",
      nowMs: startMs,
    } as const;
    expect(await revokeSession(sessions, end)).toBe(true);
    expect(await revokeSession(sessions, end)).toBe(false);
    expect(await checkToken(first.token, startMs)).toEqual({ active: false, reason: "revoked" });
    const all = {
      userId,
      exceptSessionId: third.sessionId,
      reason: "password-changed",
      nowMs: startMs,
    } as const;
    expect(await revokeAllSessions(sessions, all)).toEqual([other.sessionId]);
    const left = await listSessions(sessions, { userId, nowMs: startMs });
    expect(left.map((session) => session.sessionId)).toEqual([third.sessionId]);
  });

  it("keeps 100 sessions a user and lets the oldest go", async () => {
    const userId = freshId("user");
    const opened: OpenedSession[] = [];
    for (let index = 0; index < 102; index += 1) opened.push(await openOpaque(userId, { nowMs: startMs + index }));
    const nowMs = startMs + second;
    const listed = await listSessions(sessions, { userId, nowMs });
    expect(listed).toHaveLength(100);
    const gone = opened.slice(0, 2).map((session) => session.sessionId);
    expect(opened.flatMap((session) => session.endedSessionIds)).toEqual(gone);
    expect(await checkToken(opened[0]?.token ?? null, nowMs)).toEqual({
      active: false,
      reason: "revoked",
    });
    expect(await checkToken(opened[2]?.token ?? null, nowMs)).toMatchObject({ active: true });
  });

  it("drops the sealed key with the session and counts conversions", async () => {
    const userId = freshId("user");
    const sessionId = freshId("session");
    const request = {
      userId,
      sessionId,
      kind: "opaque",
      ttlSeconds: 60,
      sealedApiKey: "sealed",
      ...origin,
    } as const;
    await openSession(sessions, { ...request, nowMs: startMs });
    await countConversion(sessions, { userId, sessionId });
    expect((await listSessions(sessions, { userId, nowMs: startMs }))[0]?.conversionCount).toBe(1);
    expect(await readSealedApiKey(sessions, { userId, sessionId, nowMs: startMs })).toBe("sealed");
    expect(await readSealedApiKey(sessions, { userId, sessionId, nowMs: startMs + 60 * second })).toBeNull();
    await revokeSession(sessions, { userId, sessionId, reason: "signed-out", nowMs: startMs });
    expect(await readSealedApiKey(sessions, { userId, sessionId, nowMs: startMs })).toBeNull();
    const stored = await runInDurableObject(sessions.getByName(userId), (_store, state) =>
      JSON.stringify(state.storage.sql.exec("SELECT * FROM sessions").toArray()),
    );
    expect(stored).not.toContain('sealed"');
  });

  it("knows a device until its session is taken away", async () => {
    const userId = freshId("user");
    const opened = await openOpaque(userId, { deviceId: "laptop" });
    expect(await knowsDevice(sessions, { userId, deviceId: "laptop" })).toBe(true);
    expect(await knowsDevice(sessions, { userId, deviceId: "phone" })).toBe(false);
    const { sessionId } = opened;
    await revokeSession(sessions, { userId, sessionId, reason: "ended-by-staff", nowMs: startMs });
    expect(await knowsDevice(sessions, { userId, deviceId: "laptop" })).toBe(false);
  });
});

describe("sleep and sweeping", () => {
  it("keeps sessions through eviction", async () => {
    const userId = freshId("user");
    const kept = await openOpaque(userId);
    const ended = await openOpaque(userId);
    await revokeSession(sessions, {
      userId,
      sessionId: ended.sessionId,
      reason: "signed-out",
      nowMs: startMs,
    });
    await evictDurableObject(sessions.getByName(userId));
    expect(await checkToken(kept.token, startMs)).toMatchObject({ active: true });
    expect(await checkToken(ended.token, startMs)).toEqual({ active: false, reason: "revoked" });
  });

  it("deletes what is over, then the storage, and starts anew after that", async () => {
    const userId = freshId("user");
    const stub = sessions.getByName(userId);
    const early = await openOpaque(userId);
    const late = await openOpaque(userId, { nowMs: startMs + day });
    expect(await runInDurableObject(stub, (_store, state) => state.storage.getAlarm())).toBe(early.expiresAtMs);
    await stub.sweep({ nowMs: early.expiresAtMs });
    expect(await checkToken(early.token, startMs)).toEqual({ active: false, reason: "unknown" });
    expect(await checkToken(late.token, startMs + day)).toMatchObject({ active: true });
    expect(await runInDurableObject(stub, (_store, state) => state.storage.getAlarm())).toBe(late.expiresAtMs);
    await stub.sweep({ nowMs: late.expiresAtMs });
    const left = await runInDurableObject(stub, async (_store, state) => ({
      tables: state.storage.sql.exec("SELECT name FROM sqlite_master WHERE name IN ('sessions', 'tokens')").toArray(),
      alarm: await state.storage.getAlarm(),
    }));
    expect(left).toEqual({ tables: [], alarm: null });
    const anew = await openOpaque(userId);
    expect(await checkToken(anew.token, startMs)).toMatchObject({ active: true });
  });
});
