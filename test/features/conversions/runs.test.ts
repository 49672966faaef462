/** What happens to the work itself: cancelled, failed and retried, killed half way, overtaken, or met by a runtime that packs differently. */
import { describe, expect, it } from "vitest";
import type { AppCtx } from "#app/context";
import { runJob } from "#app/run-job";
import type { WorkspaceCtx } from "#core/context";
import { startOpening } from "#features/conversions/start-opening";
import { startSealing, takeIds } from "#features/conversions/start-sealing";
import { sweep } from "#features/jobs/index";
import { bindings, overrideLimits, type Person, signUp } from "#test/support/harness";
import {
  content,
  conversionRow,
  countRows,
  downloadImages,
  finishJob,
  held,
  jobState,
  mebibyte,
  open,
  patient,
  quietContext,
  seal,
  sealed,
  sha256,
  storedKeys,
  storeFile,
  wav,
} from "./support.ts";

const newKey = () => Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");

/** A conversion whose job nobody but the test runs. */
async function plantSealing(
  person: Person,
  audio: Uint8Array,
  options: Parameters<typeof startSealing>[2] | Record<string, unknown> = {},
) {
  const ctx = quietContext(person);
  const ids = takeIds(ctx);
  const fileId = await storeFile(person, "tone.wav", audio);
  await startSealing(ctx, ids, { fileId, ...options });
  return { ...ids, fileId };
}

async function plantOpening(person: Person, body: Parameters<typeof startOpening>[2]) {
  const ctx = quietContext(person);
  const ids = takeIds(ctx);
  await startOpening(ctx, ids, body);
  return ids;
}

/** A context whose bucket does something else at the n-th call of a method. */
function withBucket(person: Person, change: Partial<R2Bucket>): AppCtx & WorkspaceCtx {
  const ctx = quietContext(person);
  const files = new Proxy(bindings.FILES, {
    get(target, name) {
      const given = change[name as keyof R2Bucket];
      if (given) return given;
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return Object.assign(ctx, { files });
}

interface Gate {
  reached: Promise<void>;
  open(): void;
}

/** Holds the n-th call until it is let go, as a machine does that stands still. */
function gateAt(
  call: number,
  run: (...args: never[]) => Promise<unknown>,
): { gate: Gate; gated: (...args: never[]) => Promise<unknown> } {
  const reached = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<void>();
  let calls = 0;
  return {
    gate: { reached: reached.promise, open: () => opened.resolve() },
    async gated(...args) {
      calls += 1;
      if (calls === call) {
        reached.resolve();
        await opened.promise;
      }
      return run(...args);
    },
  };
}

const expireLease = (jobId: string) =>
  bindings.DB.prepare("update jobs set lease_until = 1 where id = ?").bind(jobId).run();
const imageRows = async (conversionId: string) =>
  (
    await bindings.DB.prepare(
      'select "index", sha256, r2_key as r2Key from conversion_images where conversion_id = ? order by "index"',
    )
      .bind(conversionId)
      .all<{ index: number; sha256: string; r2Key: string }>()
  ).results;

async function storedHashes(person: Person): Promise<string[]> {
  const hashes = [];
  for (const key of await storedKeys(person, "sealed"))
    hashes.push(
      await sha256(new Uint8Array((await (await bindings.FILES.get(key))?.arrayBuffer()) ?? new ArrayBuffer())),
    );
  return hashes.sort();
}

describe("a killed run", () => {
  it("is taken up by the next, which writes the same bytes and nothing twice", async () => {
    const person = await signUp();
    const audio = wav(50_000, { packs: true });
    const { conversionId, jobId } = await plantSealing(person, audio, {
      masterKeyHex: newKey(),
      userId: "zoe",
      maxChunkBytes: 2_000,
    });
    const puts: string[] = [];
    const put = async (key: string, bytes: Uint8Array<ArrayBuffer>, options: R2PutOptions) => {
      puts.push(await sha256(bytes));
      return bindings.FILES.put(key, bytes, options);
    };
    const { gate, gated } = gateAt(13, put as never);
    const killed = runJob(withBucket(person, { put: gated as never }), jobId);
    await gate.reached;
    await expect.poll(async () => (await imageRows(conversionId)).length).toBe(10);
    const before = await imageRows(conversionId);
    await expireLease(jobId);
    const secondPuts: string[] = [];
    const counting = withBucket(person, {
      put: ((key: string, bytes: Uint8Array<ArrayBuffer>, options: R2PutOptions) => {
        secondPuts.push(key);
        return bindings.FILES.put(key, bytes, options);
      }) as never,
    });
    expect(await runJob(counting, jobId)).toBe("ran");
    expect(await jobState(jobId)).toBe("succeeded");
    expect(secondPuts).toHaveLength(15);
    const after = await imageRows(conversionId);
    expect(after).toHaveLength(25);
    expect(after.slice(0, 10)).toEqual(before);
    gate.open();
    await killed;
    expect(await jobState(jobId)).toBe("succeeded");
    expect(await imageRows(conversionId)).toEqual(after);
    // The killed run's thirteenth image came last of all and was the same to the byte.
    expect(puts[12]).toBe(after[12]?.sha256);
    expect(await storedHashes(person)).toEqual(after.map((image) => image.sha256).sort());
    const { body } = await person.call("GET", `/v1/conversions/${conversionId}`);
    expect(body).toMatchObject({ imageCount: 25, sha256: await sha256(audio) });
    expect(await held(person)).toEqual({ used: 50_000 + body.totalImageBytes, reserved: 0 });
  });

  it("of version 2 repeats its images to the byte as well", async () => {
    const person = await signUp();
    const audio = wav(30_000, { packs: true });
    const { conversionId, jobId } = await plantSealing(person, audio);
    let first = "";
    const failing = withBucket(person, {
      put: (async (_key: string, bytes: Uint8Array<ArrayBuffer>) => {
        first = await sha256(bytes);
        throw new Error("Network connection lost.");
      }) as never,
    });
    await runJob(failing, jobId);
    expect(await jobState(jobId)).toBe("queued");
    await bindings.DB.prepare("update jobs set run_at = 0 where id = ?").bind(jobId).run();
    await runJob(quietContext(person), jobId);
    expect((await imageRows(conversionId)).map((image) => image.sha256)).toEqual([first]);
    const opened = await open(person, { conversionId });
    expect(await content(person, opened.body.conversion.outputFileId)).toEqual(audio);
  });

  it("that dies again and again fails for good and leaves nothing", async () => {
    const person = await signUp();
    const { conversionId, jobId, fileId } = await plantSealing(person, wav(30_000), {
      masterKeyHex: newKey(),
      maxChunkBytes: 10_000,
    });
    let puts = 0;
    const failing = withBucket(person, {
      put: (async (...args: Parameters<R2Bucket["put"]>) => {
        puts += 1;
        if (puts > 1) throw new Error("Network connection lost.");
        return bindings.FILES.put(...args);
      }) as never,
    });
    for (let attempt = 0; attempt < 5; attempt += 1) {
      await bindings.DB.prepare("update jobs set run_at = 0 where id = ?").bind(jobId).run();
      await runJob(failing, jobId);
    }
    expect((await person.call("GET", `/v1/conversions/${conversionId}`)).body).toMatchObject({
      status: "failed",
      state: "failed",
      problem: { code: "internal" },
      imageCount: null,
    });
    expect(await storedKeys(person, "sealed")).toEqual([]);
    expect(await imageRows(conversionId)).toEqual([]);
    expect((await conversionRow(conversionId))["request_key"]).toBeNull();
    expect(await held(person)).toEqual({ used: 30_000, reserved: 0 });
    expect((await person.call("GET", `/v1/files/${fileId}`)).status).toBe(200);
  });

  it("that opened half a file leaves no half: the next writes all of it, and an overtaken one changes nothing", async () => {
    const person = await signUp();
    const audio = wav(8 * mebibyte + 5_000);
    const { id } = await sealed(person, audio);
    const { conversionId, jobId } = await plantOpening(person, { conversionId: id });
    let reads = 0;
    const stalled = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    const slow = withBucket(person, {
      get: (async (...args: Parameters<R2Bucket["get"]>) => {
        reads += 1;
        if (reads === 2) {
          reached.resolve();
          await stalled.promise;
        }
        return bindings.FILES.get(...args);
      }) as never,
    });
    const killed = runJob(slow, jobId);
    await reached.promise;
    const firstUpload = (await conversionRow(conversionId))["output_upload_id"];
    expect(firstUpload).not.toBeNull();
    await expireLease(jobId);
    await runJob(quietContext(person), jobId);
    expect(await jobState(jobId)).toBe("succeeded");
    stalled.resolve();
    await killed;
    expect(await jobState(jobId)).toBe("succeeded");
    const { body } = await person.call("GET", `/v1/conversions/${conversionId}`);
    expect(await sha256(await content(person, body.outputFileId))).toBe(await sha256(audio));
    expect(await storedKeys(person, "opened")).toHaveLength(1);
    expect(await countRows("files", "workspace_id = ? and origin = 'opened'", person.workspaceId)).toBe(1);
    await expect(
      bindings.FILES.resumeMultipartUpload(
        `w/${person.workspaceId}/d/opened/${conversionId}/audio`,
        String(firstUpload),
      ).complete([]),
    ).rejects.toThrow();
  });

  it("is found by the sweep", async () => {
    const person = await signUp();
    const { jobId } = await plantSealing(person, wav(500));
    await bindings.DB.prepare(
      "update jobs set state = 'running', lease_token = 'dead', lease_until = 1, attempt = 1 where id = ?",
    )
      .bind(jobId)
      .run();
    const ctx = quietContext(person);
    const offered: string[] = [];
    ctx.offer = async ({ jobId: id }) => void offered.push(id);
    await sweep(ctx);
    expect(offered).toContain(jobId);
    expect(await finishJob(person, jobId)).toBe("succeeded");
  });
});

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
      "update jobs set state = 'queued', ended_at = null, cancel_requested_at = null, run_at = 0 where id = ?",
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
