/** How work ends otherwise than well: cancelled, failed, retried, met by a runtime that packs differently; and what is left of a request's key. */
import { describe, expect, it } from "vitest";
import { runJob } from "#app/run-job";
import { bindings, overrideLimits, signUp } from "#test/support/harness";
import { gateAt, imageRows, newKey, plantOpening, plantSealing, withBucket } from "./planting.ts";
import {
  content,
  conversionRow,
  countRows,
  downloadImages,
  finishJob,
  held,
  jobState,
  open,
  patient,
  quietContext,
  seal,
  sealed,
  storedKeys,
  storeFile,
  wav,
} from "./support.ts";

describe("cancelling", () => {
  it("a waiting conversion ends it at once, and it can be retried from nothing", async () => {
    const person = await signUp();
    const audio = wav(20_000);
    const { conversionId, jobId } = await plantSealing(person, audio);
    expect((await held(person)).reserved).toBeGreaterThan(20_000);
    expect((await person.call("POST", `/v1/jobs/${jobId}/cancel`)).body).toMatchObject({ state: "cancelled" });
    expect(await held(person)).toEqual({ used: 20_000, reserved: 0 });
    expect((await person.call("GET", `/v1/conversions/${conversionId}`)).body).toMatchObject({
      status: "failed",
      state: "cancelled",
      problem: { code: "job-cancelled" },
    });
    expect((await person.call("POST", `/v1/jobs/${jobId}/retry`)).status).toBe(202);
    expect(await finishJob(person, jobId)).toBe("succeeded");
    const { body } = await person.call("GET", `/v1/conversions/${conversionId}`);
    expect(await held(person)).toEqual({ used: 20_000 + body.totalImageBytes, reserved: 0 });
    const opened = await open(person, { conversionId });
    expect(await content(person, opened.body.conversion.outputFileId)).toEqual(audio);
  });

  it("a running one stops it between two images and removes those that are there", async () => {
    const person = await signUp();
    const { conversionId, jobId } = await plantSealing(person, wav(30_000), {
      masterKeyHex: newKey(),
      maxChunkBytes: 10_000,
    });
    const { gate, gated } = gateAt(2, ((...args: Parameters<R2Bucket["put"]>) => bindings.FILES.put(...args)) as never);
    const slow = withBucket(person, { put: gated as never });
    // Progress is written once a second; the test's clock runs faster.
    let offsetMs = 0;
    const { now } = slow;
    slow.now = () => now() + (offsetMs += 1_100);
    const running = runJob(slow, jobId);
    await gate.reached;
    expect((await person.call("POST", `/v1/jobs/${jobId}/cancel`)).status).toBe(202);
    gate.open();
    await running;
    expect(await jobState(jobId)).toBe("cancelled");
    expect(await storedKeys(person, "sealed")).toEqual([]);
    expect(await imageRows(conversionId)).toEqual([]);
    expect(await held(person)).toEqual({ used: 30_000, reserved: 0 });
  });

  it("an opening leaves no file", async () => {
    const person = await signUp();
    const { id } = await sealed(person, wav(500));
    const { conversionId, jobId } = await plantOpening(person, { conversionId: id });
    await person.call("POST", `/v1/jobs/${jobId}/cancel`);
    expect((await person.call("GET", `/v1/conversions/${conversionId}`)).body).toMatchObject({
      state: "cancelled",
      outputFileId: null,
    });
    expect(await storedKeys(person, "opened")).toEqual([]);
    expect((await held(person)).reserved).toBe(0);
  });

  it("is told to who waits for the conversion", async () => {
    const person = await signUp();
    const fileId = await storeFile(person, "tone.wav", wav(500));
    const headers = { ...patient, "idempotency-key": "cancelled" };
    const first = await seal(person, { fileId }, headers);
    await bindings.DB.prepare(
      "update jobs set state = 'cancelled', problem_code = 'job-cancelled', problem_detail = 'Stopped.' where id = ?",
    )
      .bind(first.body.jobId)
      .run();
    await bindings.DB.prepare(
      "update idempotency_keys set status = null, body = null, locked_until = 0 where key = 'cancelled'",
    ).run();
    const second = await seal(person, { fileId }, headers);
    expect(second).toMatchObject({
      status: 409,
      body: {
        code: "job-cancelled",
        detail: "Stopped.",
        conversionId: first.body.conversionId,
        jobId: first.body.jobId,
      },
    });
  });
});

describe("a failed conversion", () => {
  it("says why, may be retried when the cause is gone, and may be deleted", async () => {
    const person = await signUp();
    const audio = wav(20_000);
    const { conversionId, jobId, fileId } = await plantSealing(person, audio);
    const { file } = {
      file: await bindings.DB.prepare("select r2_key as r2Key from files where id = ?")
        .bind(fileId)
        .first<{ r2Key: string }>(),
    };
    await bindings.FILES.put(file?.r2Key ?? "", audio.slice(1));
    await runJob(quietContext(person), jobId);
    expect((await person.call("GET", `/v1/conversions/${conversionId}`)).body).toMatchObject({
      status: "failed",
      problem: { code: "source-changed" },
    });
    expect(await held(person)).toEqual({ used: 20_000, reserved: 0 });
    const object = await bindings.FILES.put(file?.r2Key ?? "", audio);
    await bindings.DB.prepare("update conversions set input_etag = ? where id = ?")
      .bind(object?.etag ?? "", conversionId)
      .run();
    await person.call("POST", `/v1/jobs/${jobId}/retry`);
    expect(await finishJob(person, jobId)).toBe("succeeded");
    const second = await plantSealing(person, audio);
    await person.call("DELETE", `/v1/files/${second.fileId}?force=true`);
    await runJob(quietContext(person), second.jobId);
    expect((await person.call("GET", `/v1/conversions/${second.conversionId}`)).body.problem).toMatchObject({
      code: "file-not-found",
    });
    expect((await person.call("DELETE", `/v1/conversions/${second.conversionId}`)).status).toBe(204);
    expect(await person.call("POST", `/v1/jobs/${second.jobId}/retry`)).toMatchObject({ status: 202 });
    expect(await finishJob(person, second.jobId)).toBe("failed");
  });

  it("with the same bytes of another version of the file is refused: what is sealed is one immutable version", async () => {
    const person = await signUp();
    const audio = wav(20_000);
    const { conversionId, jobId, fileId } = await plantSealing(person, audio);
    const file = await bindings.DB.prepare("select r2_key as r2Key from files where id = ?")
      .bind(fileId)
      .first<{ r2Key: string }>();
    const other = audio.slice();
    other[19_000] = (other[19_000] ?? 0) ^ 1;
    await bindings.FILES.put(file?.r2Key ?? "", other);
    await runJob(quietContext(person), jobId);
    expect((await person.call("GET", `/v1/conversions/${conversionId}`)).body.problem).toMatchObject({
      code: "source-changed",
    });
    expect(await storedKeys(person, "sealed")).toEqual([]);
  });

  it("is one that has no room left when it runs", async () => {
    const person = await signUp();
    const { conversionId, jobId } = await plantSealing(person, wav(20_000));
    await person.call("POST", `/v1/jobs/${jobId}/cancel`);
    await overrideLimits(person.workspaceId, { storageBytes: 30_000 });
    await bindings.DB.prepare(
      "update jobs set state = 'queued', ended_at = null, cancel_requested_at = null, problem_code = null, run_at = 0 where id = ?",
    )
      .bind(jobId)
      .run();
    await runJob(quietContext(person), jobId);
    expect((await person.call("GET", `/v1/conversions/${conversionId}`)).body.problem).toMatchObject({
      code: "storage-quota-exceeded",
      limitBytes: 30_000,
    });
    expect(await held(person)).toEqual({ used: 20_000, reserved: 0 });
  });
});

describe("a runtime that packs differently", () => {
  it("takes a new identity and key instead of writing other bytes under the old ones", async () => {
    const person = await signUp();
    const audio = wav(30_000, { packs: true });
    const { conversionId, jobId } = await plantSealing(person, audio);
    const before = await conversionRow(conversionId);
    await bindings.DB.prepare("update conversions set runtime = 'another' where id = ?").bind(conversionId).run();
    expect(await finishJob(person, jobId)).toBe("succeeded");
    const after = await conversionRow(conversionId);
    for (const column of ["seal_id", "data_key_id", "nonce_prefix"]) expect(after[column]).not.toBe(before[column]);
    expect(after["runtime"]).toMatch(/^zstd-[0-9a-f]{16}$/);
    expect(await countRows("data_keys", "conversion_id = ? and destroyed_at is null", conversionId)).toBe(1);
    expect(await countRows("data_keys", "id = ? and wrapped_key = ''", before["data_key_id"])).toBe(1);
    const opened = await open(person, { conversionId });
    expect(await content(person, opened.body.conversion.outputFileId)).toEqual(audio);
  });

  it("matters only where something is packed", async () => {
    const person = await signUp();
    const { conversionId, jobId } = await plantSealing(person, wav(30_000), { compress: false });
    const before = await conversionRow(conversionId);
    await bindings.DB.prepare("update conversions set runtime = 'another' where id = ?").bind(conversionId).run();
    expect(await finishJob(person, jobId)).toBe("succeeded");
    const after = await conversionRow(conversionId);
    for (const column of ["seal_id", "data_key_id", "nonce_prefix", "sealed_at"])
      expect(after[column]).toBe(before[column]);
  });
});

describe("a key given with the request", () => {
  it("waits in a wrapped form that only its own conversion can open", async () => {
    const person = await signUp();
    const masterKeyHex = newKey();
    const { conversionId, jobId } = await plantSealing(person, wav(5_000), { masterKeyHex, userId: "zoe" });
    const stored = String((await conversionRow(conversionId))["request_key"]);
    expect(stored).toMatch(/^1:[A-Za-z0-9+/]+=*$/);
    for (const clear of [masterKeyHex, Buffer.from(masterKeyHex, "hex").toString("base64").slice(0, 40)])
      expect(stored).not.toContain(clear);
    const other = await plantSealing(person, wav(5_000), { masterKeyHex: newKey(), userId: "zoe" });
    await bindings.DB.prepare("update conversions set request_key = ? where id = ?")
      .bind(stored, other.conversionId)
      .run();
    await finishJob(person, other.jobId);
    expect((await person.call("GET", `/v1/jobs/${other.jobId}`)).body.problem.code).toBe("encryption-key-damaged");
    expect(await finishJob(person, jobId)).toBe("succeeded");
    expect(await downloadImages(person, conversionId)).toHaveLength(1);
    expect((await conversionRow(conversionId))["request_key"]).toBeNull();
  });
});
