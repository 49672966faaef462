/** Sessions: opening, sliding, refreshing in parallel, reuse, ending, and that all of it outlives the object's sleep. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import {
  checkOpaqueSession,
  checkSession,
  countConversion,
  knowsDevice,
  listSessions,
  type OpenedSession,
  openSession,
  readSealedApiKey,
  refreshSession,
  revokeAllSessions,
  revokeSession,
} from "#durable/session-store/client";
import { createSessionCache, remember } from "#durable/session-store/cache";
import { parseSessionToken } from "#durable/session-store/token";
import { freshId, objects, times } from "./objects.ts";

const sessions = objects.SESSION_STORE;
const startMs = Date.now();
const second = 1_000;
const day = 86_400 * second;
const origin = { ip: "192.0.2.7", userAgent: "test" };

async function openOpaque(
  userId: string,
  more: { nowMs?: number; refreshTtlSeconds?: number; deviceId?: string } = {},
) {
  const request = {
    userId,
    sessionId: freshId("session"),
    kind: "opaque",
    ttlSeconds: 7 * 86_400,
    ...origin,
  } as const;
  return await openSession(sessions, { nowMs: startMs, ...request, ...more });
}

async function openRefreshable(userId: string) {
  const request = {
    userId,
    sessionId: freshId("session"),
    kind: "access-refresh",
    ...origin,
  } as const;
  return await openSession(sessions, {
    ...request,
    refreshTtlSeconds: 14 * 86_400,
    nowMs: startMs,
  });
}

/** What a caller would send to refresh: the parsed token. */
function presented(token: string | null) {
  const parsed = parseSessionToken(token ?? "");
  if (!parsed) throw new Error("no token");
  return { userId: parsed.userId, sessionId: parsed.sessionId, secret: parsed.secret };
}

async function isActive(opened: OpenedSession, userId: string, nowMs: number): Promise<boolean> {
  const check = await checkSession(sessions, { userId, sessionId: opened.sessionId }, { nowMs, maxAgeMs: 0 });
  return check.active;
}

function checkToken(token: string | null, nowMs: number) {
  return checkOpaqueSession(sessions, presented(token), { nowMs, maxAgeMs: 0 });
}

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

describe("refreshing", () => {
  it("gives 50 parallel refreshes one successor", async () => {
    const opened = await openRefreshable(freshId("user"));
    const request = { ...presented(opened.refreshToken), nowMs: startMs + second };
    const outcomes = await Promise.all(times(50, () => refreshSession(sessions, request)));
    const tokens = outcomes.map((outcome) => (outcome.ok ? outcome.refreshToken : outcome.reason));
    expect(new Set(tokens).size).toBe(1);
    expect(parseSessionToken(tokens[0] ?? "")).not.toBeNull();
    expect(outcomes.filter((outcome) => outcome.ok && outcome.rotated)).toHaveLength(1);
    expect(tokens[0]).not.toBe(opened.refreshToken);
    expect(
      await refreshSession(sessions, {
        ...presented(tokens[0] ?? ""),
        nowMs: startMs + 2 * second,
      }),
    ).toMatchObject({
      ok: true,
      rotated: true,
    });
  });

  it("repeats the successor for 30 seconds, also after the object slept and after further refreshes", async () => {
    const userId = freshId("user");
    const opened = await openRefreshable(userId);
    const at = (token: string | null, nowMs: number) => refreshSession(sessions, { ...presented(token), nowMs });
    const first = await at(opened.refreshToken, startMs);
    if (!first.ok) throw new Error(first.reason);
    await evictDurableObject(sessions.getByName(userId));
    expect(await at(opened.refreshToken, startMs + 29 * second)).toEqual({
      ...first,
      rotated: false,
    });
    expect(await at(first.refreshToken, startMs + 29 * second)).toMatchObject({
      ok: true,
      rotated: true,
    });
    expect(await at(opened.refreshToken, startMs + 30 * second)).toEqual({
      ...first,
      rotated: false,
    });
  });

  it("ends the whole session when an exchanged token comes back after 30 seconds", async () => {
    const userId = freshId("user");
    const opened = await openRefreshable(userId);
    const other = await openRefreshable(userId);
    const at = (token: string | null, nowMs: number) => refreshSession(sessions, { ...presented(token), nowMs });
    const first = await at(opened.refreshToken, startMs);
    if (!first.ok) throw new Error(first.reason);
    const replayMs = startMs + 30 * second + 1;
    expect(await at(opened.refreshToken, replayMs)).toEqual({ ok: false, reason: "reused" });
    expect(await at(first.refreshToken, replayMs)).toEqual({ ok: false, reason: "revoked" });
    expect(await isActive(opened, userId, replayMs)).toBe(false);
    expect(await isActive(other, userId, replayMs)).toBe(true);
  });

  it("recognises a replay many refreshes later", async () => {
    const opened = await openRefreshable(freshId("user"));
    let token = opened.refreshToken;
    for (let round = 0; round < 20; round += 1) {
      const next = await refreshSession(sessions, {
        ...presented(token),
        nowMs: startMs + round * 60 * second,
      });
      token = next.ok ? next.refreshToken : null;
    }
    const replay = { ...presented(opened.refreshToken), nowMs: startMs + 3_600 * second };
    expect(await refreshSession(sessions, replay)).toEqual({ ok: false, reason: "reused" });
    expect(await refreshSession(sessions, { ...presented(token), nowMs: startMs + 3_600 * second })).toEqual({
      ok: false,
      reason: "revoked",
    });
  });

  it("cannot be made to end a session by guessing", async () => {
    const userId = freshId("user");
    const opened = await openRefreshable(userId);
    const guess = { ...presented(opened.refreshToken), secret: "A".repeat(43), nowMs: startMs };
    expect(await refreshSession(sessions, guess)).toEqual({ ok: false, reason: "unknown" });
    expect(await isActive(opened, userId, startMs)).toBe(true);
  });

  it("expires an unused refresh token, and every token thirty days after sign-in", async () => {
    const opened = await openRefreshable(freshId("user"));
    const at = (token: string | null, nowMs: number) => refreshSession(sessions, { ...presented(token), nowMs });
    expect(await at(opened.refreshToken, startMs + 14 * day)).toEqual({
      ok: false,
      reason: "expired",
    });
    let token = opened.refreshToken;
    for (const days of [13, 26]) {
      const next = await at(token, startMs + days * day);
      if (!next.ok) throw new Error(next.reason);
      expect(next.refreshExpiresAtMs).toBe(startMs + Math.min(days + 14, 30) * day);
      token = next.refreshToken;
    }
    expect(await at(token, startMs + 30 * day)).toEqual({ ok: false, reason: "expired" });
  });

  it("renews the session token of an opaque session and lets the old one go after the grace time", async () => {
    const opened = await openOpaque(freshId("user"), { refreshTtlSeconds: 30 * 86_400 });
    const next = await refreshSession(sessions, {
      ...presented(opened.refreshToken),
      nowMs: startMs,
    });
    if (!next.ok) throw new Error(next.reason);
    expect(next.token).not.toBe(opened.token);
    expect(next.tokenExpiresAtMs).toBe(startMs + 7 * day);
    expect(await checkToken(opened.token, startMs + 29 * second)).toMatchObject({ active: true });
    expect(await checkToken(opened.token, startMs + 30 * second)).toEqual({
      active: false,
      reason: "expired",
    });
    expect(await checkToken(next.token, startMs + day)).toMatchObject({
      active: true,
      expiresAtMs: startMs + 7 * day,
    });
    expect(await checkToken(next.token, startMs + 7 * day)).toEqual({
      active: false,
      reason: "expired",
    });
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

describe("the isolate's memory", () => {
  async function remembered() {
    const userId = freshId("user");
    const { sessionId } = await openOpaque(userId);
    const cache = createSessionCache();
    const request = { userId, sessionId };
    const late: Array<Promise<unknown>> = [];
    const waitUntil = (work: Promise<unknown>) => void late.push(work);
    const check = (nowMs: number, maxAgeMs?: number) =>
      checkSession(sessions, request, {
        nowMs,
        cache,
        waitUntil,
        ...(maxAgeMs === undefined ? {} : { maxAgeMs }),
      });
    // Behind the client's back, so that only asking the object can tell.
    const endElsewhere = () => sessions.getByName(userId).revoke({ sessionId, reason: "signed-out", nowMs: startMs });
    return { request, cache, late, check, endElsewhere };
  }

  it("answers from memory for ten seconds and asks when told to or when it is older", async () => {
    const { check, endElsewhere } = await remembered();
    expect(await check(startMs)).toMatchObject({ active: true });
    await endElsewhere();
    expect(await check(startMs + 4_999)).toMatchObject({ active: true });
    expect(await check(startMs + 4_999, 0)).toEqual({ active: false, reason: "revoked" });
    const other = await remembered();
    await other.check(startMs);
    await other.endElsewhere();
    expect(await other.check(startMs + 10_000)).toEqual({ active: false, reason: "revoked" });
  });

  it("renews an answer of more than five seconds once, behind the answer", async () => {
    const { check, endElsewhere, late } = await remembered();
    await check(startMs);
    await endElsewhere();
    expect(await check(startMs + 5_000)).toMatchObject({ active: true });
    expect(await check(startMs + 5_000)).toMatchObject({ active: true });
    expect(late).toHaveLength(1);
    await Promise.all(late);
    expect(await check(startMs + 5_001)).toEqual({ active: false, reason: "revoked" });
  });

  it("forgets a session ended here at once, and does not take back an answer from before", async () => {
    const { request, cache, check, late } = await remembered();
    await check(startMs);
    await check(startMs + 6_000);
    expect(late).toHaveLength(1);
    await revokeSession(sessions, { ...request, reason: "signed-out", nowMs: startMs }, { cache });
    await Promise.all(late);
    expect(await check(startMs + 6_001)).toEqual({ active: false, reason: "revoked" });
  });

  it("does not answer for another secret, nor past the end of the session", async () => {
    const userId = freshId("user");
    const sessionId = freshId("session");
    const opened = await openSession(sessions, {
      userId,
      sessionId,
      kind: "opaque",
      ttlSeconds: 2,
      ...origin,
      nowMs: startMs,
    });
    const cache = createSessionCache();
    const real = presented(opened.token);
    expect(await checkOpaqueSession(sessions, real, { nowMs: startMs, cache })).toMatchObject({
      active: true,
    });
    const wrong = { ...real, secret: "A".repeat(43) };
    expect(await checkOpaqueSession(sessions, wrong, { nowMs: startMs, cache })).toMatchObject({
      active: false,
    });
    expect(await checkOpaqueSession(sessions, real, { nowMs: startMs + 1, cache })).toMatchObject({
      active: true,
    });
    expect(await checkOpaqueSession(sessions, real, { nowMs: startMs + 2_000, cache })).toMatchObject({
      reason: "expired",
    });
  });

  it("stays within its bound", () => {
    const cache = createSessionCache();
    const check = { active: false, reason: "revoked" } as const;
    for (let index = 0; index < 5_100; index += 1) {
      remember(cache, { sessionId: `ses_${index}` }, { check, askedAtMs: startMs, generation: cache.generation });
    }
    expect(cache.entries.size).toBe(5_000);
  });
});
