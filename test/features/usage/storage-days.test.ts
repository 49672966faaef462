/** What was stored on each day: measured once when the day has ended, in pages, and told by history and reports. */
import { describe, expect, it } from "vitest";
import { runJob } from "#app/run-job";
import { dayName } from "#lib/usage-period";
import { settle } from "#durable/ledger/client";
import { measureStorage } from "#features/usage/schedules";
import { readHistory, readReport } from "#features/usage/reports";
import { bindings, type Person, signUp, systemContext } from "#test/support/harness";
import { actingAs, rows } from "./support.ts";

const dayMs = 86_400_000;
const today = Math.floor(Date.now() / dayMs) * dayMs;
/** Far enough back that no other test measures these days. */
const first = today - 40 * dayMs;
const day = (index: number) => dayName(first + index * dayMs);

async function hold(workspaceId: string, sizeBytes: number): Promise<void> {
  await settle(bindings.LEDGER, { workspaceId, meter: "storage", id: "file_it", amount: sizeBytes, limit: null });
}

async function store(person: Person, sizeBytes: number): Promise<void> {
  const { workspaceId } = person;
  await bindings.DB.prepare(
    `insert or ignore into files (id, workspace_id, name, content_type, kind, size_bytes, sha256, origin, r2_key, created_at, updated_at)
     values (?1, ?2, 'a', 'audio/wav', 'audio', ?3, '', 'upload', ?1, 0, 0)`,
  )
    .bind(`file_${workspaceId}`, workspaceId, sizeBytes)
    .run();
  await hold(workspaceId, sizeBytes);
}

/** The tick of the night after a day, and its jobs until none is left. */
async function measure(index: number): Promise<void> {
  const at = first + (index + 1) * dayMs + 2 * 3_600_000;
  const ctx = systemContext();
  ctx.offer = async () => undefined;
  await measureStorage({ ...ctx, now: () => at });
  for (;;) {
    const waiting = await rows<{ id: string }>(
      "select id from jobs where name = 'usage.measure-storage' and payload like ? and state not in ('succeeded', 'failed')",
      `%${day(index)}%`,
    );
    if (waiting.length === 0) return;
    await bindings.DB.prepare("update jobs set run_at = 0, state = 'queued' where id = ? and state = 'scheduled'")
      .bind(waiting[0]?.id)
      .run();
    await runJob(ctx, waiting[0]?.id ?? "");
  }
}

const history = async (person: Person, nowMs: number, days: number): Promise<[string, number][]> => {
  const { items } = await readHistory(actingAs(person, { nowMs }), days);
  return items.map(({ date, storageBytes }) => [date, storageBytes]);
};

describe("storage by day", () => {
  it("is measured when a day has ended; what was not measured has what came before it, and today what is there now", async () => {
    const person = await signUp();
    await store(person, 1_000);
    await measure(1);
    await hold(person.workspaceId, 5_000);
    await measure(2);
    // The third night's tick was missed.
    await hold(person.workspaceId, 700);
    await measure(4);
    await hold(person.workspaceId, 900);
    expect(await history(person, first + 6 * dayMs + 5, 7)).toEqual([
      [day(0), 0],
      [day(1), 1_000],
      [day(2), 5_000],
      [day(3), 5_000],
      [day(4), 700],
      // Yesterday, which no tick has measured yet, and today.
      [day(5), 900],
      [day(6), 900],
    ]);
    expect(await history(person, first + 4 * dayMs, 2)).toEqual([
      [day(3), 900],
      [day(4), 700],
    ]);
    const shown = await person.call("GET", "/v1/usage/history?days=1");
    expect(shown.body.items).toMatchObject([{ date: dayName(today), storageBytes: 900 }]);
    expect(shown.body.totals).not.toHaveProperty("storageBytes");
  });

  it("is measured once a day, however often the tick comes", async () => {
    const person = await signUp();
    await store(person, 10);
    await measure(10);
    await hold(person.workspaceId, 20);
    await measure(10);
    expect(await daysOf(person.workspaceId)).toEqual([{ day: day(10), size_bytes: 10 }]);
  });

  it("is measured of every workspace that stores something, page after page, and of no deleted one", async () => {
    const person = await signUp();
    const [empty, gone] = [await signUp(), await signUp()];
    await store(gone, 77);
    await bindings.DB.prepare("update workspaces set deleted_at = 1 where id = ?").bind(gone.workspaceId).run();
    const ids = Array.from({ length: 230 }, (_, index) => `wks_${person.workspaceId.slice(-8)}${index}`);
    const each = JSON.stringify(ids);
    await bindings.DB.batch([
      bindings.DB.prepare(
        `insert into workspaces (id, name, kind, owner_user_id, created_at)
         select value, 'one of many', 'team', ?2, 0 from json_each(?1)`,
      ).bind(each, person.userId),
      bindings.DB.prepare(
        `insert into files (id, workspace_id, name, content_type, kind, size_bytes, sha256, origin, r2_key, created_at, updated_at)
         select 'file_' || value, value, 'a', 'audio/wav', 'audio', 1, '', 'upload', 'file_' || value, 0, 0 from json_each(?1)`,
      ).bind(each),
    ]);
    for (const [index, id] of ids.entries()) if (index % 23 === 0) await hold(id, index + 1);
    await measure(20);
    const measured = await rows<{ workspace_id: string; size_bytes: number }>(
      "select workspace_id, size_bytes from usage_storage_days where day = ? and workspace_id in (select value from json_each(?))",
      day(20),
      each,
    );
    expect(measured.length).toBe(230);
    expect(measured.filter(({ size_bytes: size }) => size > 0).length).toBe(10);
    expect(await daysOf(empty.workspaceId)).toEqual([]);
    expect(await daysOf(gone.workspaceId)).toEqual([]);
  });

  it("is in a report what it was when the period ended, with its growth", async () => {
    const person = await signUp();
    await store(person, 2_000_000_000);
    await measure(30);
    await hold(person.workspaceId, 3_000_000_000);
    await measure(31);
    await hold(person.workspaceId, 9);
    const ctx = actingAs(person, { nowMs: first + 35 * dayMs });
    const report = await readReport(ctx, { period: "daily", date: day(31) });
    expect(report).toMatchObject({
      totalStorage: 3_000_000_000,
      reportData: { growthPercent: { storage: 50 }, costs: { storageMicroUsd: 60_000 } },
    });
    const now = await readReport(ctx, { period: "daily" });
    expect(now).toMatchObject({ totalStorage: 9, reportData: { growthPercent: { storage: 0 } } });
  });
});

async function daysOf(workspaceId: string) {
  return rows("select day, size_bytes from usage_storage_days where workspace_id = ? order by day", workspaceId);
}
