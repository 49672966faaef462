/** What an isolate remembers about sessions, for how long, and when it forgets. */
import { describe, expect, it } from "vitest";
import { createSessionCache, forget, recall, remember } from "#durable/session-store/cache";
import {
  checkOpaqueSession,
  checkSession,
  openSession,
  revokeSession,
  forgetSession,
} from "#durable/session-store/client";
import { freshId } from "./objects.ts";
import { openOpaque, origin, presented, sessions, startMs, second } from "./session-support.ts";

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

  it("does not keep an answer that was under way while a session was forgotten", () => {
    const cache = createSessionCache();
    const name = { userId: "usr_1", sessionId: freshId("session") };
    const times = { createdAtMs: startMs, lastSeenAtMs: startMs, expiresAtMs: startMs + 3_600 * second };
    const check = { active: true, kind: "opaque", ...times } as const;
    const answer = { check, askedAtMs: startMs, generation: cache.generation };
    remember(cache, name, answer);
    expect(recall(cache, name, { nowMs: startMs, maxAgeMs: 10_000 })).toEqual({ check, renew: false });
    expect(recall(cache, { ...name, userId: "usr_2" }, { nowMs: startMs, maxAgeMs: 10_000 })).toBeUndefined();
    forget(cache, name.sessionId);
    remember(cache, name, answer);
    expect(recall(cache, name, { nowMs: startMs, maxAgeMs: 10_000 })).toBeUndefined();
  });

  it("forgets on demand, for a session that something else ended", async () => {
    const { request, cache, check, endElsewhere } = await remembered();
    await check(startMs);
    await endElsewhere();
    forgetSession(request.sessionId, { cache });
    expect(await check(startMs + 1)).toEqual({ active: false, reason: "revoked" });
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
      remember(
        cache,
        { userId: "usr_1", sessionId: `ses_${index}` },
        { check, askedAtMs: startMs, generation: cache.generation },
      );
    }
    expect(cache.entries.size).toBe(5_000);
  });
});
