/** What a kept stream promises: all of it behind any event, once, and never an end that it did not have. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import {
  appendToStream,
  discardStream,
  openStream,
  readStream,
  type StreamName,
  type StreamState,
} from "#durable/stream-buffer/client";
import { freshId, objects } from "./objects.ts";

const buffers = objects.STREAM_BUFFER;
const opening = { userId: "usr_1", wrappedKey: "wrapped", masterVersion: 1, errors: "openai" as const };

async function opened() {
  const name: StreamName = { workspaceId: freshId("workspace"), mode: "live", id: "stream_1" };
  const openedAtMs = Date.now();
  await openStream(buffers, name, opening);
  const stub = () => buffers.getByName(`${name.workspaceId} live stream_1`);
  return {
    name,
    stub,
    append: (
      firstId: number,
      count: number,
      more: { state?: Exclude<StreamState, "lost">; size?: number; afterMs?: number } = {},
    ) =>
      appendToStream(buffers, name, {
        part: count === 0 ? null : { firstId, count, sealed: new Uint8Array(more.size ?? 3).fill(firstId) },
        state: more.state ?? "running",
        ...(more.afterMs === undefined ? {} : { nowMs: openedAtMs + more.afterMs }),
      }),
    read: (after = 0, more: { waitMs?: number; afterMs?: number } = {}) =>
      readStream(buffers, name, {
        after,
        waitMs: more.waitMs ?? 0,
        ...(more.afterMs === undefined ? {} : { nowMs: openedAtMs + more.afterMs }),
      }),
    alarmAfter: (afterMs: number) =>
      runInDurableObject(stub(), (object) =>
        object.alarm({ nowMs: openedAtMs + afterMs } as Parameters<typeof object.alarm>[0]),
      ),
    rowCount: () =>
      runInDurableObject(
        stub(),
        (_, state) => state.storage.sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'stream'").toArray().length,
      ),
  };
}

const placesOf = (reading: Awaited<ReturnType<typeof readStream>>) =>
  reading?.parts.map(({ firstId, count }) => [firstId, count]);

describe("a kept stream", () => {
  it("gives all parts that have something behind an event, and says how far it is", async () => {
    const one = await opened();
    expect(await one.read()).toMatchObject({ ...opening, state: "running", lastId: 0, parts: [] });
    expect(await one.append(1, 2)).toBe(true);
    expect(await one.append(3, 1)).toBe(true);
    expect(await one.append(4, 5, { state: "ended" })).toBe(true);
    expect(placesOf(await one.read())).toEqual([
      [1, 2],
      [3, 1],
      [4, 5],
    ]);
    expect(placesOf(await one.read(1))).toHaveLength(3);
    expect(placesOf(await one.read(2))).toEqual([
      [3, 1],
      [4, 5],
    ]);
    expect(placesOf(await one.read(8))).toEqual([]);
    expect(await one.read(8)).toMatchObject({ state: "ended", lastId: 8 });
    expect((await one.read(3))?.parts[0]?.sealed).toEqual(new Uint8Array([4, 4, 4]));
  });

  it("takes a part once that comes again, and nothing after the end", async () => {
    const one = await opened();
    await one.append(1, 2);
    expect(await one.append(1, 2)).toBe(true);
    expect(await one.append(3, 1, { state: "ended" })).toBe(true);
    expect(await one.append(4, 1)).toBe(false);
    expect(placesOf(await one.read())).toEqual([
      [1, 2],
      [3, 1],
    ]);
  });

  it("with a gap is given up, for it will never be whole", async () => {
    const one = await opened();
    await one.append(1, 2);
    expect(await one.append(4, 1, { state: "ended" })).toBe(false);
    expect(await one.read()).toMatchObject({ state: "lost", lastId: 2 });
  });

  it("wakes all who wait for news, and lets who waited long enough go", async () => {
    const one = await opened();
    const waiting = Promise.all([one.read(0, { waitMs: 5_000 }), one.read(0, { waitMs: 5_000 })]);
    await one.append(1, 1);
    for (const reading of await waiting) expect(placesOf(reading)).toEqual([[1, 1]]);
    expect(placesOf(await one.read(1, { waitMs: 20 }))).toEqual([]);
    const ending = one.read(1, { waitMs: 5_000 });
    await one.append(0, 0, { state: "ended" });
    expect(await ending).toMatchObject({ state: "ended", lastId: 1 });
  });

  it("gives a long one piece by piece", async () => {
    const one = await opened();
    for (let id = 1; id <= 5; id += 1) await one.append(id, 1, { size: 100_000 });
    expect(placesOf(await one.read())).toHaveLength(3);
    expect(placesOf(await one.read(3))).toHaveLength(2);
  });

  it("is as it was after it was removed from memory, and has not ended by that", async () => {
    const one = await opened();
    await one.append(1, 2);
    await evictDurableObject(one.stub());
    expect(await one.read()).toMatchObject({ state: "running", lastId: 2 });
    await one.append(3, 1);
    await runInDurableObject(one.stub(), (_, state) => {
      state.abort("crash");
    }).catch(() => undefined);
    expect(await one.read()).toMatchObject({ state: "running", lastId: 3 });
    expect(await one.append(4, 1, { state: "ended" })).toBe(true);
    await evictDurableObject(one.stub());
    expect(await one.read(3)).toMatchObject({ state: "ended", lastId: 4 });
  });

  it("is on no disk before its first events, and gone when it was removed so early", async () => {
    const one = await opened();
    expect(await one.rowCount()).toBe(0);
    expect(await one.read(0, { afterMs: 31_000 })).toMatchObject({ state: "lost", lastId: 0 });
    expect(await one.append(1, 1, { afterMs: 31_001 })).toBe(false);
    const two = await opened();
    await evictDurableObject(two.stub());
    expect(await two.read()).toBeNull();
    expect(await two.append(1, 1, { state: "ended" })).toBe(false);
    expect(await two.read()).toBeNull();
  });

  it("is lost when its sender falls silent, and stays so when that one comes back", async () => {
    const one = await opened();
    await one.append(1, 2);
    await one.append(0, 0, { afterMs: 25_000 });
    expect(await one.read(0, { afterMs: 54_000 })).toMatchObject({ state: "running" });
    await evictDurableObject(one.stub());
    expect(await one.read(0, { afterMs: 55_001 })).toMatchObject({ state: "lost", lastId: 2 });
    expect(await one.append(3, 1, { state: "ended", afterMs: 55_002 })).toBe(false);
    expect(await one.read(0, { afterMs: 55_003 })).toMatchObject({ state: "lost", lastId: 2 });
  });

  it("keeps nothing of one that is too long but that it was", async () => {
    const one = await opened();
    await one.append(1, 2, { size: 1_000_000 });
    await one.append(3, 1, { size: 1_000_000 });
    expect(await one.append(4, 1, { size: 200_000 })).toBe(false);
    expect(await one.read()).toMatchObject({ state: "too-long", parts: [] });
    const two = await opened();
    await two.append(1, 2);
    await two.append(0, 0, { state: "too-long" });
    expect(await two.read(0, { afterMs: 900_000 })).toMatchObject({ state: "too-long", parts: [] });
    expect(await two.read(0, { afterMs: 1_300_000 })).toBeNull();
  });

  it("is gone five minutes after its end, read or not, and erased by the alarm", async () => {
    const one = await opened();
    await one.append(1, 2, { state: "ended", afterMs: 20_000 });
    expect(await one.read(0, { afterMs: 319_000 })).not.toBeNull();
    expect(await one.read(0, { afterMs: 320_000 })).toBeNull();
    await one.alarmAfter(300_000);
    expect(await one.rowCount()).toBe(1);
    expect(await runInDurableObject(one.stub(), (_, state) => state.storage.getAlarm())).not.toBeNull();
    await one.alarmAfter(320_001);
    expect(await one.rowCount()).toBe(0);
    expect(await runDurableObjectAlarm(one.stub())).toBe(false);
  });

  it("of which nobody was told is discarded, and one that never was leaves no trace", async () => {
    const one = await opened();
    await discardStream(buffers, one.name);
    expect(await one.rowCount()).toBe(0);
    expect(await one.read()).toBeNull();
    expect(await one.append(1, 1)).toBe(false);
    const nobody = { ...one.name, id: "stream_2" };
    expect(await readStream(buffers, nobody, { after: 0, waitMs: 1_000 })).toBeNull();
    const stub = buffers.getByName(`${nobody.workspaceId} live stream_2`);
    expect(await runInDurableObject(stub, (_, state) => state.storage.sql.databaseSize)).toBeLessThan(20_000);
  });
});
