/** Sign-in lockout: five failures an hour lock for an hour, whoever the address belongs to, and however the guesses arrive. */
import { evictDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import {
  beginSignIn,
  signInAbandoned,
  signInFailed,
  signInState,
  signInSucceeded,
} from "#durable/session-store/client";
import { freshId, objects, times } from "./objects.ts";

const sessions = objects.SESSION_STORE;
const startMs = Date.now();
const minute = 60_000;
const hour = 60 * minute;

function address() {
  const addressHash = freshId("request");
  const at = (nowMs: number) => ({ addressHash, nowMs });
  return { addressHash, at };
}

async function fail(at: (nowMs: number) => { addressHash: string; nowMs: number }, count: number, nowMs: number) {
  for (let index = 0; index < count; index += 1) await signInFailed(sessions, at(nowMs));
}

describe("lockout", () => {
  it("locks after the fifth failure for an hour, and starts from nothing afterwards", async () => {
    const { at } = address();
    expect(await signInState(sessions, at(startMs))).toEqual({ failures: 0, lockedUntilMs: null });
    await fail(at, 4, startMs);
    expect(await signInState(sessions, at(startMs))).toEqual({ failures: 4, lockedUntilMs: null });
    expect(await signInFailed(sessions, at(startMs))).toEqual({
      failures: 5,
      lockedUntilMs: startMs + hour,
    });
    expect(await signInState(sessions, at(startMs + hour - 1))).toMatchObject({
      lockedUntilMs: startMs + hour,
    });
    expect(await signInState(sessions, at(startMs + hour))).toEqual({
      failures: 0,
      lockedUntilMs: null,
    });
    expect(await signInFailed(sessions, at(startMs + hour))).toEqual({
      failures: 1,
      lockedUntilMs: null,
    });
  });

  it("is not prolonged by failures while locked", async () => {
    const { at } = address();
    await fail(at, 5, startMs);
    expect(await signInFailed(sessions, at(startMs + 30 * minute))).toMatchObject({
      lockedUntilMs: startMs + hour,
    });
  });

  it("counts failures of the last hour only", async () => {
    const { at } = address();
    await fail(at, 4, startMs);
    expect(await signInFailed(sessions, at(startMs + hour))).toEqual({
      failures: 1,
      lockedUntilMs: null,
    });
  });

  it("is cleared by a success", async () => {
    const { addressHash, at } = address();
    await fail(at, 4, startMs);
    await signInSucceeded(sessions, { addressHash });
    expect(await signInFailed(sessions, at(startMs))).toEqual({ failures: 1, lockedUntilMs: null });
  });

  it("survives eviction", async () => {
    const { addressHash, at } = address();
    await fail(at, 5, startMs);
    await evictDurableObject(sessions.getByName(`lock:${addressHash}`));
    expect(await signInState(sessions, at(startMs))).toMatchObject({
      failures: 5,
      lockedUntilMs: startMs + hour,
    });
  });

  it("lets at most five of 40 parallel attempts compare a password", async () => {
    const { at } = address();
    const attempts = await Promise.all(times(40, () => beginSignIn(sessions, at(startMs))));
    expect(attempts.filter((attempt) => attempt.allowed)).toHaveLength(5);
    expect(await beginSignIn(sessions, at(startMs + 1))).toMatchObject({
      allowed: false,
      lockedUntilMs: startMs + hour,
    });
  });

  it("takes back an attempt in which nothing was compared, also the one that locked", async () => {
    const { at } = address();
    await fail(at, 4, startMs);
    expect(await beginSignIn(sessions, at(startMs))).toMatchObject({
      allowed: true,
      lockedUntilMs: startMs + hour,
    });
    expect(await signInAbandoned(sessions, at(startMs))).toEqual({
      failures: 4,
      lockedUntilMs: null,
    });
    expect(await beginSignIn(sessions, at(startMs))).toMatchObject({ allowed: true });
  });

  it("lets the right password in at the fifth attempt", async () => {
    const { addressHash, at } = address();
    await fail(at, 4, startMs);
    expect(await beginSignIn(sessions, at(startMs))).toMatchObject({ allowed: true });
    await signInSucceeded(sessions, { addressHash });
    expect(await signInState(sessions, at(startMs))).toEqual({ failures: 0, lockedUntilMs: null });
  });

  it("leaves nothing behind when it is over", async () => {
    const { addressHash, at } = address();
    await fail(at, 5, startMs);
    const stub = sessions.getByName(`lock:${addressHash}`);
    await stub.sweep({ nowMs: startMs + hour });
    await evictDurableObject(stub);
    expect(await signInState(sessions, at(startMs))).toEqual({ failures: 0, lockedUntilMs: null });
  });
});
