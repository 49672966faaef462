/** When what of a stream is sent to its object, and what is not after something was lost. */
import { describe, expect, it, vi } from "vitest";
import type { WorkspaceCtx } from "#core/context";
import type { Addition } from "#durable/stream-buffer/client";
import { type Pace, startRecorder } from "#features/chat/recorder";
import { systemContext } from "#test/support/harness";

const event = (text: string) => Uint8Array.from(Buffer.from(`data: ${JSON.stringify(text)}\n\n`));

/** An object in memory, which fails when `fails` says so. */
function fakeObject(fails: (sent: number) => boolean = () => false, opens = async () => undefined) {
  const taken: Addition[] = [];
  const did: string[] = [];
  let sent = 0;
  const stub = {
    async open() {
      did.push("open");
      await opens();
    },
    discard: async () => void did.push("discard"),
    async append(addition: Addition) {
      sent += 1;
      if (fails(sent)) throw new Error("moved");
      taken.push(addition);
      return true;
    },
  };
  const { settings, random, log } = systemContext();
  const ctx = {
    settings,
    random,
    log,
    objects: { STREAM_BUFFER: { getByName: () => stub } },
    actor: { kind: "user" },
    userId: "usr_1",
    workspaceId: "wks_1",
    takeLimit: async () => undefined,
  } as unknown as WorkspaceCtx;
  const told = () => taken.map(({ part, state }) => [part && [part.firstId, part.count], state]);
  return { ctx, told, did, sent: () => sent };
}

const usual: Pace = { gatherMs: 250, heartbeatMs: 10_000, openMs: 1_000, retryMs: 1 };

describe("a recorder", () => {
  it("says that it is there while the model is silent, and sends what gathered", async () => {
    const { ctx, told, did } = fakeObject();
    const recorder = await startRecorder(ctx, "openai", { ...usual, heartbeatMs: 5 });
    expect(await recorder.isOpen).toBe(true);
    await vi.waitFor(() => expect(told().length).toBeGreaterThan(1));
    expect(told()).toEqual(told().map(() => [null, "running"]));
    for (const word of ["a", "b", "c"]) recorder.number(event(word));
    await vi.waitFor(() => expect(told().filter(([part]) => part)).toEqual([[[1, 3], "running"]]));
    recorder.number(event("d"));
    await recorder.end();
    const all = told();
    expect(all.at(-1)).toEqual([[4, 1], "ended"]);
    await scheduler.wait(30);
    expect(told()).toEqual(all);
    expect(did).toEqual(["open"]);
  });

  it("sends together what came before its time", async () => {
    const { ctx, told } = fakeObject();
    const recorder = await startRecorder(ctx, "openai", { ...usual, gatherMs: 40 });
    for (const word of ["a", "b"]) recorder.number(event(word));
    await scheduler.wait(1);
    recorder.number(event("c"));
    await vi.waitFor(() => expect(told()).toEqual([[[1, 3], "running"]]));
    await recorder.end();
    expect(told()[1]).toEqual([null, "ended"]);
  });

  it("sends a part again that was not confirmed", async () => {
    const { ctx, told, sent } = fakeObject((count) => count <= 2);
    const recorder = await startRecorder(ctx, "openai", usual);
    recorder.number(event("a"));
    await recorder.end();
    expect(sent()).toBe(3);
    expect(told()).toEqual([[[1, 1], "ended"]]);
  });

  it("never tells an end of a stream of which a part is lost", async () => {
    const { ctx, told, sent } = fakeObject((count) => count <= 4);
    const recorder = await startRecorder(ctx, "openai", { ...usual, gatherMs: 1 });
    recorder.number(event("a"));
    await vi.waitFor(() => expect(sent()).toBe(4));
    expect(Buffer.from(recorder.number(event("b"))).toString()).toBe('data: "b"\nid: 2\n\n');
    await recorder.end();
    expect([sent(), told()]).toEqual([4, []]);
  });

  it("says of one that grew too long that it did, once, and numbers it on", async () => {
    const { ctx, told } = fakeObject();
    const recorder = await startRecorder(ctx, "openai", { ...usual, gatherMs: 1 });
    recorder.number(event("x".repeat(600_000)));
    await vi.waitFor(() => expect(told()).toHaveLength(1));
    recorder.number(event("x".repeat(600_000)));
    expect(Buffer.from(recorder.number(event("y"))).toString()).toBe('data: "y"\nid: 3\n\n');
    await recorder.end();
    expect(told()).toEqual([
      [[1, 1], "running"],
      [null, "too-long"],
    ]);
  });

  it("that waits for its object holds no more than its share of the memory", async () => {
    const { ctx, told } = fakeObject();
    const many = await Promise.all(Array.from({ length: 18 }, () => startRecorder(ctx, "openai", usual)));
    for (const recorder of many) recorder.number(event("x".repeat(1_000_000)));
    await Promise.all(many.map((recorder) => recorder.end()));
    expect(told()).toHaveLength(16);
    const next = await startRecorder(ctx, "openai", usual);
    next.number(event("a"));
    await next.end();
    expect(told()).toHaveLength(17);
  });

  it("is not waited for where its object does not answer", async () => {
    const { ctx, told } = fakeObject(undefined, () => new Promise(() => undefined));
    const recorder = await startRecorder(ctx, "openai", { ...usual, openMs: 5, heartbeatMs: 20 });
    expect(await recorder.isOpen).toBe(false);
    await scheduler.wait(40);
    expect(told()).toEqual([]);
  });

  it("of a request that failed is silent", async () => {
    const { ctx, told, did } = fakeObject();
    await (await startRecorder(ctx, "openai", { ...usual, heartbeatMs: 5 })).discard();
    await scheduler.wait(20);
    expect([told(), did]).toEqual([[], ["open", "discard"]]);
  });
});
