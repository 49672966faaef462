/** Rotation of the master key, with two versions configured: keys are wrapped anew while they are used, and an older isolate does no harm. */
import { randomBytes } from "node:crypto";
import { afterAll, describe, expect, it } from "vitest";
import { runJob } from "#app/run-job";
import type { Bindings } from "#core/env";
import secrets, { startRewraps } from "#features/secrets/index";
import { ensureUserKey } from "#features/secrets/own-keys";
import { countStaleKeys, listV1Masters } from "#features/secrets/service";
import { bindings, call, type Person, signUp } from "#test/support/harness";
import {
  actAs,
  beforeBatch,
  finish,
  jobRow,
  newMasterHex,
  open,
  plantJob,
  quietContext,
  refusal,
  storeDataKeys,
} from "./acting.ts";

const { MASTER_KEYS: first } = bindings as unknown as { MASTER_KEYS: string };
const second = `2:${randomBytes(32).toString("base64")}`;
const configured = (...keys: string[]) => ({ MASTER_KEYS: keys.join(",") }) as unknown as Partial<Bindings>;
const rolledOut = configured(second, first);
const name = "secrets.rewrap-encryption-keys";

const plant = (masterVersion: number) =>
  plantJob(quietContext(), { name, workspaceId: "system", payload: { masterVersion } });

async function versionsOf(workspaceId: string): Promise<number[]> {
  const rows = await bindings.DB.prepare(
    "select distinct master_version as version from encryption_keys where workspace_id = ? order by 1",
  )
    .bind(workspaceId)
    .all<{ version: number }>();
  return rows.results.map(({ version }) => version);
}

async function withKeys(count: number): Promise<{ person: Person; made: Awaited<ReturnType<typeof storeDataKeys>> }> {
  const person = await signUp();
  const body = { keyType: "master", format: 1, keyHex: newMasterHex(), userId: "alice" };
  expect((await person.call("POST", "/v1/encryption-keys", { body })).status).toBe(201);
  const made: Awaited<ReturnType<typeof storeDataKeys>> = [];
  for (let index = 0; index < count; index += 1)
    made.push(...(await storeDataKeys(Object.assign(actAs(person), { userId: `usr_${person.userId}_${index}` }), 1)));
  return { person, made };
}

/** The rest of the suite knows version 1 only. */
afterAll(async () => {
  const ctx = quietContext(configured(first, second));
  const { state } = await finish(ctx, await plant(1));
  if (state !== "succeeded") throw new Error("the keys are not wrapped by version 1 again");
});

describe("rotating the master key", () => {
  it("wraps every key by the current version while all of them stay in use, and back", async () => {
    const { person, made } = await withKeys(70);
    const before = await listV1Masters(actAs(person), "alice");
    const ctx = quietContext(rolledOut);
    const asked = actAs(person, rolledOut);
    expect(await versionsOf(person.workspaceId)).toEqual([1]);
    const { currentVersion, staleKeys } = await countStaleKeys(ctx);
    expect(currentVersion).toBe(2);
    expect(staleKeys).toBeGreaterThanOrEqual(71);

    let moving = true;
    let opened = 0;
    const opener = (async () => {
      for (let turn = 0; moving || turn < made.length; turn += 1) {
        const key = made[turn % made.length];
        expect(await open(asked, key?.keyId ?? "")).toBe(key?.raw);
        opened += 1;
      }
    })();
    const ended = await finish(ctx, await plant(2)).finally(() => {
      moving = false;
    });
    await opener;
    expect(opened).toBeGreaterThanOrEqual(70);
    expect(ended).toMatchObject({ state: "succeeded", attempt: 1 });
    expect(JSON.parse(ended.result ?? "{}").rewrapped).toBe(staleKeys - JSON.parse(ended.result ?? "{}").left);
    expect(await versionsOf(person.workspaceId)).toEqual([2]);

    // The older version is not needed for these any more, and alone it opens nothing.
    const withoutFirst = actAs(person, configured(second));
    for (const { keyId, raw } of made) expect(await open(withoutFirst, keyId)).toBe(raw);
    expect(await listV1Masters(withoutFirst, "alice")).toEqual(before);
    expect(await refusal(open(actAs(person), made[0]?.keyId ?? ""))).toBe("unavailable");

    await finish(quietContext(configured(first, second)), await plant(1));
    expect(await versionsOf(person.workspaceId)).toEqual([1]);
    for (const { keyId, raw } of made) expect(await open(actAs(person), keyId)).toBe(raw);
  });

  it("wraps new keys by the current version from the start", async () => {
    const person = await signUp();
    const { row } = await ensureUserKey(actAs(person, rolledOut));
    expect(row.masterVersion).toBe(2);
  });

  it("is started by the hourly tick, once at a time, and only when a key is stale", async () => {
    expect(secrets.schedules?.map(({ every, run }) => [every, run])).toEqual([["hour", startRewraps]]);
    await withKeys(1);
    const ctx = quietContext(rolledOut);
    const waiting = () =>
      bindings.DB.prepare("select id from jobs where name = ? and state in ('queued', 'running')")
        .bind(name)
        .all<{ id: string }>();
    await startRewraps(ctx);
    await startRewraps(ctx);
    const [job, ...others] = (await waiting()).results;
    expect(others).toEqual([]);
    await finish(ctx, job?.id ?? "");
    await bindings.DB.prepare("delete from encryption_keys where master_version <> 2").run();
    expect(await countStaleKeys(ctx)).toEqual({ currentVersion: 2, staleKeys: 0 });
    await startRewraps(ctx);
    expect((await waiting()).results).toEqual([]);
  });

  it("is shown by the status page", async () => {
    const { body } = await call("GET", "/v1/status");
    expect(body.encryption).toEqual(await countStaleKeys(quietContext()));
  });
});

describe("the rotation's job", () => {
  it("waits where the new master key has not arrived, and touches nothing there", async () => {
    const { person } = await withKeys(1);
    const jobId = await plant(2);
    await runJob(quietContext(), jobId);
    expect(await jobRow(jobId)).toMatchObject({ state: "queued", attempt: 1 });
    expect(await versionsOf(person.workspaceId)).toEqual([1]);
    await bindings.DB.prepare("update jobs set run_at = 0 where id = ?").bind(jobId).run();
    expect(await finish(quietContext(rolledOut), jobId)).toMatchObject({ state: "succeeded" });
    expect(await versionsOf(person.workspaceId)).toEqual([2]);
  });

  it("of an older version does not wrap by it again", async () => {
    const person = await signUp();
    await ensureUserKey(actAs(person, rolledOut));
    const ended = await finish(quietContext(rolledOut), await plant(1));
    expect(JSON.parse(ended.result ?? "{}")).toEqual({ rewrapped: 0, left: 0, superseded: true });
    expect(await versionsOf(person.workspaceId)).toEqual([2]);
  });

  it("goes on past damaged keys and keys of a dropped version, and leaves them as they are", async () => {
    const { person, made } = await withKeys(3);
    const rows = await bindings.DB.prepare(
      "select id from encryption_keys where workspace_id = ? and key_type = 'user' order by id",
    )
      .bind(person.workspaceId)
      .all<{ id: string }>();
    const [damaged, dropped] = rows.results;
    await bindings.DB.batch([
      bindings.DB.prepare("update encryption_keys set wrapped_key = 'AAAA' where id = ?").bind(damaged?.id),
      bindings.DB.prepare("update encryption_keys set master_version = 7 where id = ?").bind(dropped?.id),
    ]);
    const ended = await finish(quietContext(rolledOut), await plant(2));
    expect(JSON.parse(ended.result ?? "{}")).toMatchObject({ left: 2 });
    expect(await versionsOf(person.workspaceId)).toEqual([1, 2, 7]);
    const codes = await Promise.all(made.map(({ keyId }) => refusal(open(actAs(person, rolledOut), keyId))));
    expect(codes.sort()).toEqual(["encryption-key-damaged", "not refused", "unavailable"]);
    await bindings.DB.prepare("delete from encryption_keys where id in (?, ?)").bind(damaged?.id, dropped?.id).run();
  });

  it("goes on where a run died", async () => {
    const { person, made } = await withKeys(55);
    await finish(quietContext(configured(first, second)), await plant(1));
    const jobId = await plant(2);
    const dying = quietContext(rolledOut);
    beforeBatch(dying, 3, () => Promise.reject(new Error("the isolate died")));
    await runJob(dying, jobId);
    expect(await jobRow(jobId)).toMatchObject({ state: "queued", attempt: 1 });
    const wrapped = await bindings.DB.prepare(
      "select count(*) as keys from encryption_keys where master_version = 2",
    ).first();
    expect(wrapped).toEqual({ keys: 50 });
    for (const { keyId, raw } of made) expect(await open(actAs(person, rolledOut), keyId)).toBe(raw);
    await bindings.DB.prepare("update jobs set run_at = 0 where id = ?").bind(jobId).run();
    expect(await finish(quietContext(rolledOut), jobId)).toMatchObject({ state: "succeeded", attempt: 2 });
    expect(await versionsOf(person.workspaceId)).toEqual([2]);
    for (const { keyId, raw } of made) expect(await open(actAs(person, rolledOut), keyId)).toBe(raw);
  });
});
