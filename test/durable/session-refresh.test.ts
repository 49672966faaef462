/** Exchanging refresh tokens: in parallel, repeated, replayed, expired. */
import { evictDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { refreshSession } from "#durable/session-store/client";
import { parseSessionToken } from "#durable/session-store/token";
import { freshId, times } from "./objects.ts";
import {
  checkToken,
  day,
  isActive,
  openOpaque,
  openRefreshable,
  presented,
  second,
  sessions,
  startMs,
} from "./session-support.ts";

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
