/** Runs that die, stand still or are overtaken: the next one writes the same bytes, and nothing is there twice or half. */
import { describe, expect, it } from "vitest";
import { runJob } from "#app/run-job";
import { sweep } from "#features/jobs/index";
import { bindings, type Person, signUp } from "#test/support/harness";
import { expireLease, gateAt, imageRows, newKey, plantOpening, plantSealing, withBucket } from "./planting.ts";
import {
  content,
  conversionRow,
  countRows,
  finishJob,
  held,
  jobState,
  mebibyte,
  open,
  quietContext,
  sealed,
  sha256,
  storedKeys,
  wav,
} from "./support.ts";

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

  it("that stood still while it cleaned up removes nothing that a later try stored", async () => {
    const person = await signUp();
    const audio = wav(30_000);
    const { conversionId, jobId } = await plantSealing(person, audio);
    await bindings.DB.prepare("update jobs set cancel_requested_at = 1 where id = ?").bind(jobId).run();
    const { gate, gated } = gateAt(1, (options: R2ListOptions) => bindings.FILES.list(options));
    const still = runJob(withBucket(person, { list: gated as never }), jobId);
    await gate.reached;
    await expireLease(jobId);
    await bindings.DB.prepare("update jobs set cancel_requested_at = null where id = ?").bind(jobId).run();
    // Who takes over finds how the run was to end, and does not begin the work again.
    expect(await runJob(quietContext(person), jobId)).toBe("ran");
    expect(await jobState(jobId)).toBe("cancelled");
    expect((await person.call("POST", `/v1/jobs/${jobId}/retry`)).status).toBe(202);
    await finishJob(person, jobId);
    expect(await jobState(jobId)).toBe("succeeded");
    const stored = await storedKeys(person, "sealed");
    expect(stored).toHaveLength(1);
    gate.open();
    await still;
    expect(await storedKeys(person, "sealed")).toEqual(stored);
    const { body } = await person.call("GET", `/v1/conversions/${conversionId}`);
    expect(body).toMatchObject({ state: "succeeded", imageCount: 1 });
    expect((await person.call("GET", body.images[0].url)).status).toBe(200);
    expect(await held(person)).toEqual({ used: 30_000 + body.totalImageBytes, reserved: 0 });
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
