/** How entries get from the isolate into the database: together, behind the answer, through the queue, each once; and how they leave it. */
import { createExecutionContext, createMessageBatch, getQueueResult } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { consume } from "#app/queue";
import type { Bindings } from "#core/env";
import { purgeOld, writeEntries } from "#features/message-logs/service";
import { gather, packed, takeHeld } from "#features/message-logs/gather";
import { countingBindings } from "#test/support/counting";
import { bindings, signUp, systemContext } from "#test/support/harness";
import { clientOf } from "../chat/client.ts";
import { ask, entryOf, logOf, recordingQueue, rowsOf } from "./support.ts";

async function deliver(body: unknown, env: Bindings = bindings, queue = "overtone-delivery") {
  const batch = createMessageBatch(queue, [{ id: "m", timestamp: new Date(), attempts: 1, body }]);
  const execution = createExecutionContext();
  await consume(batch, env, execution);
  return getQueueResult(batch, execution);
}

describe("on its way", () => {
  it("an entry costs its request nothing, and goes out with the others of the moment", async () => {
    const person = await signUp();
    await logOf(person);
    const { env: counting, counts, reset } = countingBindings();
    const { env, sent, fail } = recordingQueue(counting);
    const { api, settled } = clientOf(person.token, env);
    // What fails to be sent goes out with the next.
    fail(1);
    await api.chat.completions.create(ask("Hello"));
    await settled();
    expect(sent).toEqual([]);
    for (let time = 0; time < 6; time += 1) await api.chat.completions.create(ask("Hello"));
    reset();
    for (let time = 0; time < 8; time += 1) await api.chat.completions.create(ask("Hello"));
    expect(counts).toEqual({ database: 0, objects: 0, files: 0 });
    await settled();
    expect(sent.length).toBeLessThanOrEqual(3);
    const userIds = sent.flatMap(({ messageLogs }) => messageLogs.map(({ userId }) => userId));
    expect(userIds).toEqual(Array.from({ length: 15 }, () => person.userId));
    expect(await rowsOf(person.userId)).toEqual([]);
    for (const message of sent) await deliver(message);
    expect(await logOf(person)).toHaveLength(15);
  });

  it("a message that comes again is written once, and the dead letter of one, too", async () => {
    const person = await signUp();
    const message = { v: 1, messageLogs: [entryOf(person), entryOf(person, { messages: '{"request":1}' })] };
    for (const queue of ["overtone-delivery", "overtone-delivery", "overtone-dead-letters"])
      expect((await deliver(message, bindings, queue)).explicitAcks).toEqual(["m"]);
    const rows = await rowsOf(person.userId);
    expect(rows).toHaveLength(2);
    expect(rows.find(({ id }) => id === message.messageLogs[1]?.id)).toMatchObject({
      email: person.email,
      tokens_used: 7,
      input_tokens: 3,
      cached_input_tokens: 1,
      is_stream: 0,
      messages: '{"request":1}',
    });
  });

  it("a message that cannot be written comes again, and one that nobody can read does not", async () => {
    const person = await signUp();
    const failing = { ...bindings, DB: { withSession: () => ({ prepare: () => ({ bind: () => ({}) }) }) } };
    const message = { v: 1, messageLogs: [entryOf(person)] };
    expect((await deliver(message, failing as unknown as Bindings)).retryMessages).toHaveLength(1);
    const unreadable = { v: 1, messageLogs: [{ ...entryOf(person), costMicroUsd: "much" }] };
    expect((await deliver(unreadable)).explicitAcks).toEqual(["m"]);
    expect(await rowsOf(person.userId)).toEqual([]);
  });

  it("entries of a person who is gone are erased, and written no more", async () => {
    const person = await signUp();
    await writeEntries(systemContext(), [entryOf(person), entryOf(person, { workspaceId: "wks_elsewhere" })]);
    expect(await rowsOf(person.userId)).toHaveLength(2);
    const { password } = person;
    expect((await person.call("DELETE", "/v1/users/account", { body: { password } })).status).toBe(200);
    await writeEntries(systemContext(), [entryOf(person)]);
    expect(await rowsOf(person.userId)).toEqual([]);
  });

  it("entries wait while the queue takes nothing, and it is not tried anew by each request", async () => {
    const person = await signUp();
    takeHeld();
    const tried: number[] = [];
    let nowMs = Date.now() + 100_000;
    const tell = async () => {
      tried.push(nowMs);
      throw new Error("the queue is not there");
    };
    const works: Promise<unknown>[] = [];
    const later = (work: Promise<unknown>) => void works.push(work.catch(() => undefined));
    const ctx = { ...systemContext(), tell, later, now: () => nowMs };
    const gatherMany = async (entries: number) => {
      for (let count = 0; count < entries; count += 1) gather(ctx, entryOf(person));
      await Promise.all(works.splice(0));
    };
    await gatherMany(500);
    await gatherMany(20);
    nowMs += 5_000;
    await gatherMany(1);
    expect(tried).toEqual([nowMs - 5_000, nowMs]);
    await gatherMany(2_000);
    expect(takeHeld()).toHaveLength(2_000);
  });

  it("a message holds as many as a queue takes", async () => {
    const person = await signUp();
    const long = entryOf(person, { messages: JSON.stringify({ request: "ä".repeat(8_000) }) });
    const packs = packed(Array.from({ length: 250 }, (_, index) => (index % 2 === 0 ? long : entryOf(person))));
    expect(packs.flat()).toHaveLength(250);
    for (const pack of packs) {
      expect(pack.length).toBeLessThanOrEqual(100);
      expect(Buffer.byteLength(JSON.stringify({ v: 1, messageLogs: pack }))).toBeLessThan(128_000);
    }
    expect(packs.length).toBeLessThan(40);
  });
});

describe("in the database", () => {
  it("entries stay as long as logs do, and erasures as long as a queue keeps a message", async () => {
    const person = await signUp();
    const dayMs = 24 * 3_600_000;
    const [old, young] = [entryOf(person, { at: Date.now() - 31 * dayMs }), entryOf(person)];
    await writeEntries(systemContext(), [old, young]);
    await person.call("DELETE", "/v1/message-logs?to=2020-01-01");
    await person.call("DELETE", "/v1/message-logs?to=2020-01-02");
    const erasures = bindings.DB.prepare("select to_at from message_log_erasures where user_id = ?").bind(
      person.userId,
    );
    await bindings.DB.prepare("update message_log_erasures set created_at = ? where user_id = ? and to_at = ?")
      .bind(Date.now() - 16 * dayMs, person.userId, Date.UTC(2020, 0, 1))
      .run();
    await purgeOld(systemContext());
    expect((await rowsOf(person.userId)).map(({ id }) => id)).toEqual([young.id]);
    expect((await erasures.all()).results).toEqual([{ to_at: Date.UTC(2020, 0, 2) }]);
  });
});
