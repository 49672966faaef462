/** Rotation of a person's key: every image opens before, during and after, and nothing comes back from the dead. */
import { describe, expect, it } from "vitest";
import { runJob } from "#app/run-job";
import { startRewraps } from "#features/secrets/index";
import {
  createDataKey,
  deactivateKey,
  destroyDataKeys,
  isHolderGone,
  openDataKey,
  rotateKey,
} from "#features/secrets/service";
import { bindings, type Person, signUp } from "#test/support/harness";
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

const keysPath = "/v1/encryption-keys";

async function userKey(person: Person): Promise<string> {
  return (await person.call("POST", keysPath, { body: { keyType: "user" } })).body.id;
}

async function rotate(person: Person, id = "active", headers: Record<string, string> = {}) {
  return person.call("POST", `${keysPath}/${id}/rotate`, { headers });
}

const countUnder = async (encryptionKeyId: string) =>
  (
    await bindings.DB.prepare(
      "select count(*) as keys from data_keys where encryption_key_id = ? and destroyed_at is null",
    )
      .bind(encryptionKeyId)
      .first<{ keys: number }>()
  )?.keys;

/** A rotation whose job nobody but the test runs: the queue's own consumer may be faster, so the job is planted anew where that matters. */
async function rotateQuietly(person: Person): Promise<{ oldId: string; newId: string; jobId: string }> {
  const oldId = await userKey(person);
  const oldRow = await bindings.DB.prepare("select count(*) as keys from data_keys where encryption_key_id = ?")
    .bind(oldId)
    .first<{ keys: number }>();
  await bindings.DB.prepare(
    "update data_keys set encryption_key_id = 'held ' || encryption_key_id where encryption_key_id = ?",
  )
    .bind(oldId)
    .run();
  const { body } = await rotate(person, oldId);
  await finish(quietContext(), body.jobId);
  await bindings.DB.prepare("update data_keys set encryption_key_id = ? where encryption_key_id = ?")
    .bind(oldId, `held ${oldId}`)
    .run();
  expect(await countUnder(oldId)).toBe(oldRow?.keys);
  const jobId = await plantJob(quietContext(), {
    name: "secrets.rewrap-data-keys",
    workspaceId: person.workspaceId,
    payload: { encryptionKeyId: oldId },
  });
  return { oldId, newId: body.key.id, jobId };
}

describe("rotating a user key", () => {
  it("answers the new key, the retired one and the job, and audits it", async () => {
    const person = await signUp();
    const id = await userKey(person);
    const rotated = await rotate(person, id);
    expect(rotated).toMatchObject({
      status: 200,
      body: {
        key: { version: 2, state: "active", keyType: "user", rotatedAt: null },
        previous: { id, version: 1, state: "retired", deactivatedAt: null },
      },
    });
    expect(Date.parse(rotated.body.previous.rotatedAt)).toBeGreaterThan(0);
    expect(rotated.body.key.fingerprint).not.toBe(rotated.body.previous.fingerprint);
    expect((await person.call("GET", `/v1/jobs/${rotated.body.jobId}`)).body).toMatchObject({
      kind: "secrets.rewrap-data-keys",
    });
    expect(await userKey(person)).toBe(rotated.body.key.id);
    const audited = await bindings.DB.prepare(
      "select details from audit_log where action = 'encryption-key.rotated' and target = ?",
    )
      .bind(id)
      .first<{ details: string }>();
    expect(JSON.parse(audited?.details ?? "{}")).toEqual({ successor: rotated.body.key.id, version: 2 });
  });

  it("opens every data key before, during and after the move, which shows its progress", async () => {
    const person = await signUp();
    const ctx = actAs(person);
    const made = await storeDataKeys(ctx, 120);
    const raws = new Map(made.map(({ keyId, raw }) => [keyId, raw]));
    const { oldId, newId, jobId } = await rotateQuietly(person);
    let opened = 0;
    let moving = true;
    const openers = Array.from({ length: 4 }, async (_, opener) => {
      for (let turn = opener; moving || turn < made.length; turn += 1) {
        const keyId = made[turn % made.length]?.keyId ?? "";
        expect(await open(ctx, keyId)).toBe(raws.get(keyId));
        opened += 1;
      }
    });
    const ended = await finish(quietContext(), jobId).finally(() => {
      moving = false;
    });
    await Promise.all(openers);
    expect(opened).toBeGreaterThanOrEqual(120);
    expect(ended).toMatchObject({ state: "succeeded", total: 120, done: 120, attempt: 1 });
    expect(JSON.parse(ended.result ?? "{}")).toEqual({ moved: 120, damaged: 0 });
    expect([await countUnder(oldId), await countUnder(newId)]).toEqual([0, 120]);
    for (const { keyId, raw } of made) expect(await open(ctx, keyId)).toBe(raw);
  });

  it("lets the old key go after the move: the images open without it", async () => {
    const person = await signUp();
    const [made] = await storeDataKeys(actAs(person), 1);
    const { oldId, jobId } = await rotateQuietly(person);
    await finish(quietContext(), jobId);
    await person.call("POST", `${keysPath}/${oldId}/deactivate`);
    expect(await open(actAs(person), made?.keyId ?? "")).toBe(made?.raw);
  });

  it("happens once when several ask at the same moment", async () => {
    const person = await signUp();
    const id = await userKey(person);
    const answers = await Promise.all(Array.from({ length: 5 }, () => rotate(person, id)));
    expect(answers.map((answer) => answer.status).sort()).toEqual([200, 409, 409, 409, 409]);
    for (const answer of answers.filter(({ status }) => status === 409))
      expect(answer.body.code).toBe("encryption-key-not-rotatable");
    const rows = await bindings.DB.prepare(
      "select version, state from encryption_keys where workspace_id = ? order by version",
    )
      .bind(person.workspaceId)
      .all();
    expect(rows.results).toEqual([
      { version: 1, state: "retired" },
      { version: 2, state: "active" },
    ]);
  });

  it("is refused for imports, and for keys that are not active", async () => {
    const person = await signUp();
    const imported = await person.call("POST", keysPath, {
      body: { keyType: "master", format: 1, keyHex: newMasterHex(), userId: "alice" },
    });
    const id = await userKey(person);
    await rotate(person, id);
    for (const refused of [imported.body.id, id])
      expect(await rotate(person, refused)).toMatchObject({
        status: 409,
        body: { code: "encryption-key-not-rotatable" },
      });
    await person.call("POST", `${keysPath}/active/deactivate`);
    expect(await rotate(person)).toMatchObject({ status: 404, body: { code: "encryption-key-not-found" } });
  });

  it("is reached by older clients through the person instead of the key, for oneself only", async () => {
    const [person, other] = [await signUp(), await signUp()];
    const made = await person.call("POST", "/api/keys", { body: { userId: person.userId, keyType: "user" } });
    expect(made.status).toBe(201);
    const rotated = await person.call("POST", `/api/keys/${person.userId}/rotate`);
    expect(rotated.status).toBe(200);
    const listed = await person.call("GET", `/api/keys/${person.userId}`);
    expect(listed.body.keys.map((key: { version: number; state: string }) => [key.version, key.state])).toEqual([
      [2, "active"],
      [1, "retired"],
    ]);
    for (const [method, path] of [
      ["GET", `/api/keys/${other.userId}`],
      ["POST", `/api/keys/${other.userId}/rotate`],
    ] as const) {
      expect(await person.call(method, path)).toMatchObject({ status: 404, body: { code: "user-not-found" } });
    }
  });

  it("is not repeated by a retry whose first answer was lost", async () => {
    const person = await signUp();
    const id = await userKey(person);
    const headers = { "idempotency-key": crypto.randomUUID() };
    const first = await rotate(person, "active", headers);
    // The row was written, the answer was not: what a crash between the two leaves behind.
    await bindings.DB.prepare("update idempotency_keys set status = null, body = null, locked_until = 0 where key = ?")
      .bind(headers["idempotency-key"])
      .run();
    const second = await rotate(person, "active", headers);
    expect(second.status).toBe(200);
    expect([second.body.key.id, second.body.previous.id, second.body.jobId]).toEqual([
      first.body.key.id,
      id,
      first.body.jobId,
    ]);
    const rows = await bindings.DB.prepare("select count(*) as keys from encryption_keys where workspace_id = ?")
      .bind(person.workspaceId)
      .first();
    expect(rows).toEqual({ keys: 2 });
  });
});

async function keyState(id: string) {
  return bindings.DB.prepare(
    `select state, deactivated_at as deactivated,
       (select count(*) from audit_log where target = k.id and action = 'encryption-key.deactivated') as told
       from encryption_keys k where id = ?`,
  )
    .bind(id)
    .first();
}

/** Runs the job while something else happens between its reading a page and its writing it. */
async function runWhile(jobId: string, meanwhile: () => Promise<unknown>, nthBatch = 1): Promise<void> {
  const ctx = quietContext();
  beforeBatch(ctx, nthBatch, meanwhile);
  await runJob(ctx, jobId);
}

describe("moving data keys", () => {
  it("leaves a key that is destroyed meanwhile destroyed", async () => {
    const person = await signUp();
    const ctx = actAs(person);
    const [gone, stays] = await storeDataKeys(ctx, 2);
    const { newId, jobId } = await rotateQuietly(person);
    await runWhile(jobId, () => ctx.db.batch([destroyDataKeys(ctx, gone?.conversionId ?? "")]));
    expect(await finish(quietContext(), jobId)).toMatchObject({ state: "succeeded" });
    expect(await refusal(open(ctx, gone?.keyId ?? ""))).toBe("encryption-key-destroyed");
    const row = await bindings.DB.prepare("select wrapped_key as wrapped from data_keys where id = ?")
      .bind(gone?.keyId)
      .first();
    expect(row).toEqual({ wrapped: "" });
    expect(await open(ctx, stays?.keyId ?? "")).toBe(stays?.raw);
    expect(await countUnder(newId)).toBe(1);
  });

  it("goes to the newest key when the person rotates again meanwhile", async () => {
    const person = await signUp();
    const ctx = actAs(person);
    const made = await storeDataKeys(ctx, 3);
    const { oldId, newId, jobId } = await rotateQuietly(person);
    let newestId = "";
    await runWhile(jobId, async () => {
      const { body } = await rotate(person);
      newestId = body.key.id;
      await finish(quietContext(), body.jobId);
    });
    expect(await finish(quietContext(), jobId)).toMatchObject({ state: "succeeded", attempt: 2 });
    expect([await countUnder(oldId), await countUnder(newId), await countUnder(newestId)]).toEqual([0, 0, 3]);
    for (const { keyId, raw } of made) expect(await open(ctx, keyId)).toBe(raw);
  });

  it("keeps the old key from being switched off until it has ended", async () => {
    const person = await signUp();
    const ctx = actAs(person);
    const made = await storeDataKeys(ctx, 2);
    const { oldId, jobId } = await rotateQuietly(person);
    for (const query of ["", "?force=false"]) {
      const refused = await person.call("POST", `${keysPath}/${oldId}/deactivate${query}`);
      expect(refused).toMatchObject({
        status: 409,
        body: { code: "encryption-key-moving", dataKeysLeft: 2, jobId, suggestion: expect.stringContaining("force") },
      });
    }
    expect(await keyState(oldId)).toEqual({ state: "retired", deactivated: null, told: 0 });
    for (const { keyId, raw } of made) expect(await open(ctx, keyId)).toBe(raw);
    await finish(quietContext(), jobId);
    expect(await person.call("POST", `${keysPath}/${oldId}/deactivate`)).toMatchObject({
      status: 200,
      body: { state: "deactivated" },
    });
    expect(await keyState(oldId)).toEqual({ state: "deactivated", deactivated: expect.any(Number), told: 1 });
    for (const { keyId, raw } of made) expect(await open(ctx, keyId)).toBe(raw);
  });

  it("is not overtaken by a deactivation that saw the key before it was rotated", async () => {
    const person = await signUp();
    const [made] = await storeDataKeys(actAs(person), 1);
    const id = await userKey(person);
    const ctx = actAs(person);
    // In a context that tells the queue nothing: the move is still to come.
    beforeBatch(ctx, 1, () => rotateKey(actAs(person), id));
    expect(await refusal(deactivateKey(ctx, id))).toBe("encryption-key-moving");
    expect(await keyState(id)).toEqual({ state: "retired", deactivated: null, told: 0 });
    expect(await open(actAs(person), made?.keyId ?? "")).toBe(made?.raw);
  });

  it("does not hold back whoever has no active key that the images could move to", async () => {
    const person = await signUp();
    const [made] = await storeDataKeys(actAs(person), 1);
    const { oldId, newId } = await rotateQuietly(person);
    await person.call("POST", `${keysPath}/${newId}/deactivate`);
    expect((await person.call("POST", `${keysPath}/${oldId}/deactivate`)).status).toBe(200);
    expect(await refusal(open(actAs(person), made?.keyId ?? ""))).toBe("encryption-key-deactivated");
  });

  it("leaves no image behind under a key that is switched off while it is being sealed", async () => {
    const person = await signUp();
    const ctx = actAs(person);
    const late = await createDataKey(ctx, { conversionId: "conv_late", encryptionKeyId: null });
    await person.call("POST", `${keysPath}/active/deactivate`);
    const error: unknown = await ctx.db.batch([late.statement]).catch((reason: unknown) => reason);
    expect(isHolderGone(error)).toBe(true);
    const kept = await bindings.DB.prepare("select count(*) as keys from data_keys where id = ?")
      .bind(late.keyId)
      .first();
    expect(kept).toEqual({ keys: 0 });
  });

  it("stops when the old key is switched off by force, whose keys then refuse to open", async () => {
    const person = await signUp();
    const ctx = actAs(person);
    const [made] = await storeDataKeys(ctx, 1);
    const { oldId, jobId } = await rotateQuietly(person);
    await person.call("POST", `${keysPath}/${oldId}/deactivate?force=true`);
    expect(await finish(quietContext(), jobId)).toMatchObject({
      state: "failed",
      problemCode: "encryption-key-deactivated",
    });
    expect(await refusal(open(ctx, made?.keyId ?? ""))).toBe("encryption-key-deactivated");
  });

  it("keeps everything openable under the retired key when the new one is deactivated", async () => {
    const person = await signUp();
    const ctx = actAs(person);
    const [made] = await storeDataKeys(ctx, 1);
    const { oldId, newId, jobId } = await rotateQuietly(person);
    await person.call("POST", `${keysPath}/${newId}/deactivate`);
    expect(await finish(quietContext(), jobId)).toMatchObject({ state: "succeeded" });
    expect(await countUnder(oldId)).toBe(1);
    expect(await open(ctx, made?.keyId ?? "")).toBe(made?.raw);
  });

  it("goes on past a damaged data key and reports it", async () => {
    const person = await signUp();
    const ctx = actAs(person);
    const made = await storeDataKeys(ctx, 3);
    const { oldId, newId, jobId } = await rotateQuietly(person);
    await bindings.DB.prepare("update data_keys set wrapped_key = ? where id = ?").bind("AAAA", made[1]?.keyId).run();
    const ended = await finish(quietContext(), jobId);
    expect(JSON.parse(ended.result ?? "{}")).toEqual({ moved: 2, damaged: 1 });
    expect([await countUnder(oldId), await countUnder(newId)]).toEqual([1, 2]);
    // Left behind for good, it must not be started again every hour for ever by this test's own database.
    await bindings.DB.prepare("update data_keys set destroyed_at = 1 where id = ?").bind(made[1]?.keyId).run();
  });

  it("takes over where a run died, without a second effect", async () => {
    const person = await signUp();
    const ctx = actAs(person);
    const made = await storeDataKeys(ctx, 60);
    const { oldId, newId, jobId } = await rotateQuietly(person);
    // The first batch moves a page, the second tells of it, the third would move the rest.
    await runWhile(jobId, () => Promise.reject(new Error("the isolate died")), 3);
    expect(await jobRow(jobId)).toMatchObject({ state: "queued", attempt: 1 });
    expect([await countUnder(oldId), await countUnder(newId)]).toEqual([10, 50]);
    for (const { keyId, raw } of made) expect(await open(ctx, keyId)).toBe(raw);
    await bindings.DB.prepare("update jobs set run_at = 0 where id = ?").bind(jobId).run();
    expect(await finish(quietContext(), jobId)).toMatchObject({ state: "succeeded", attempt: 2 });
    expect([await countUnder(oldId), await countUnder(newId)]).toEqual([0, 60]);
    for (const { keyId, raw } of made) expect(await open(ctx, keyId)).toBe(raw);
  });

  it("is started again by the hourly tick for what a conversion stored behind it", async () => {
    const person = await signUp();
    const ctx = actAs(person);
    const late = await createDataKey(ctx, { conversionId: "conv_late", encryptionKeyId: null });
    const { oldId, newId, jobId } = await rotateQuietly(person);
    await finish(quietContext(), jobId);
    await ctx.db.batch([late.statement]);
    const raw = await open(ctx, late.keyId);
    await startRewraps(quietContext());
    await startRewraps(quietContext());
    const started = await bindings.DB.prepare(
      "select id from jobs where workspace_id = ? and state = 'queued' and payload like ?",
    )
      .bind(person.workspaceId, `%${oldId}%`)
      .all<{ id: string }>();
    expect(started.results).toHaveLength(1);
    await finish(quietContext(), started.results[0]?.id ?? "");
    expect([await countUnder(oldId), await countUnder(newId)]).toEqual([0, 1]);
    expect(Buffer.from(await openDataKey(ctx, late.keyId)).toString("hex")).toBe(raw);
  });
});
