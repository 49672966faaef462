/** Completing uploads: what is verified, what is removed, and what happens when it is done twice, at once, or half. */
import { beforeAll, describe, expect, it } from "vitest";
import type { Bindings } from "#core/env";
import { completeUpload } from "#features/media/complete-upload";
import { reserveStorage } from "#features/media/storage";
import { bindings, type Person } from "#test/support/harness";
import {
  complete,
  countAudits,
  countRows,
  create,
  held,
  mebibyte,
  newOwner,
  personContext,
  sendBytes,
  sha256,
  storedKeys,
  storedUpload,
  uploadFile,
  wav,
} from "./support.ts";

let person: Person;

beforeAll(async () => {
  person = await newOwner();
});

/** A bucket whose next multipart complete happens, or not, and then fails as a lost connection. */
function bucketThatFails(after: "doing it" | "nothing"): Bindings {
  const files = new Proxy(bindings.FILES, {
    get(bucket, name) {
      if (name !== "resumeMultipartUpload") return Reflect.get(bucket, name).bind(bucket);
      return (key: string, id: string) => ({
        complete: async (parts: R2UploadedPart[]) => {
          if (after === "doing it") await bucket.resumeMultipartUpload(key, id).complete(parts);
          throw new Error("Network connection lost.");
        },
      });
    },
  });
  return { ...bindings, FILES: files };
}

async function prepared(owner: Person, sizeBytes: number, declared = {}) {
  const bytes = wav(sizeBytes);
  const { body } = await create(owner, { sizeBytes, ...declared });
  const parts = await sendBytes(body, bytes);
  return { id: body.id as string, bytes, parts };
}

describe("completeUpload", () => {
  it.each([
    ["single", 3_000],
    ["multipart", 10 * mebibyte + 3_000],
  ])("makes a verified file of a %s upload, and the same one again", async (strategy, sizeBytes) => {
    const owner = await newOwner();
    const bytes = wav(sizeBytes);
    const hash = await sha256(bytes);
    const { body } = await create(owner, { sizeBytes, sha256: hash.toUpperCase() });
    expect(body.strategy).toBe(strategy);
    expect(body.sha256).toBe(hash);
    const parts = await sendBytes(body, bytes);
    const first = await complete(owner, body.id, parts);
    expect(first).toMatchObject({
      status: 200,
      body: {
        upload: { status: "ready" },
        file: { sha256: hash, sizeBytes, contentType: "audio/wav", name: "take.wav" },
      },
    });
    const again = await complete(owner, body.id, parts);
    expect(again.body).toEqual(first.body);
    expect(await held(owner)).toEqual({ used: sizeBytes, reserved: 0 });
    const content = await owner.call("GET", first.body.file.links.content);
    expect(await sha256(content.bytes)).toBe(hash);
    expect([await countRows("files", owner), await countAudits("upload.complete", owner)]).toEqual([1, 1]);
  });

  it("stores the canonical type of an alias, and what the tracks of a container show", async () => {
    const { id } = await uploadFile(person, wav(100), {
      contentType: "audio/x-wav; charset=binary",
      fileName: "alias.WAVE",
    });
    expect((await person.call("GET", `/v1/files/${id}`)).body).toMatchObject({
      contentType: "audio/wav",
      kind: "audio",
      name: "alias.WAVE",
    });
  });

  it("tells that the bytes of a single PUT are not there, and stays open", async () => {
    const { body } = await create(person, { sizeBytes: 100 });
    expect(await complete(person, body.id)).toMatchObject({ status: 409, body: { code: "upload-missing" } });
    await sendBytes(body, wav(100));
    expect((await complete(person, body.id)).status).toBe(200);
  });

  it("refuses a wrong tag and stays open for the part to be sent again", async () => {
    const { id, parts } = await prepared(person, 10 * mebibyte + 100);
    const wrong = parts.map((part) =>
      part.partNumber === 2 ? { ...part, etag: "0123456789abcdef0123456789abcdef" } : part,
    );
    expect(await complete(person, id, wrong)).toMatchObject({ status: 422, body: { code: "part-invalid" } });
    expect((await person.call("GET", `/v1/uploads/${id}`)).body.status).toBe("uploading");
    expect(
      (await person.call("POST", `/v1/uploads/${id}/parts`, { body: { partNumbers: [2] } })).body.urls,
    ).toHaveLength(1);
    expect((await complete(person, id, parts)).status).toBe(200);
  });

  it("fails an upload whose parts storage has given up", async () => {
    const owner = await newOwner();
    const { id, parts } = await prepared(owner, 10 * mebibyte + 100);
    const { r2Key, r2UploadId } = await storedUpload(id);
    await bindings.FILES.resumeMultipartUpload(r2Key, r2UploadId ?? "").abort();
    expect((await complete(owner, id, parts)).body.code).toBe("upload-missing");
    expect((await owner.call("GET", `/v1/uploads/${id}`)).body).toMatchObject({
      status: "failed",
      problem: { code: "upload-missing" },
    });
    expect(await held(owner)).toEqual({ used: 0, reserved: 0 });
  });
});

describe("what is not as declared", () => {
  const png = new Uint8Array([
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52, 0, 0, 0, 1,
  ]);

  it.each([
    ["a size", wav(900), { sizeBytes: 1_000 }, 422, "size-mismatch"],
    ["content of another type", png, { sizeBytes: png.length }, 415, "file-type-mismatch"],
    ["a hash", wav(1_000), { sizeBytes: 1_000, sha256: "ab".repeat(32) }, 422, "hash-mismatch"],
  ])("%s: is removed, releases its quota, and answers the same again", async (_, bytes, declared, status, code) => {
    const owner = await newOwner();
    const { body } = await create(owner, declared);
    await sendBytes(body, bytes);
    const refused = await complete(owner, body.id);
    expect([refused.status, refused.body.code]).toEqual([status, code]);
    expect(await storedKeys(owner)).toEqual([]);
    expect(await held(owner)).toEqual({ used: 0, reserved: 0 });
    const { body: failed } = await owner.call("GET", `/v1/uploads/${body.id}`);
    expect(failed).toMatchObject({ status: "failed", problem: { code, detail: refused.body.detail }, fileId: null });
    expect((await complete(owner, body.id)).body).toMatchObject({ status, code, detail: refused.body.detail });
    expect([await countRows("files", owner), await countAudits("upload.fail", owner)]).toEqual([0, 1]);
  });

  it("clears the key again after the last URL has ended, because a late PUT could bring the bytes back", async () => {
    const { body } = await create(person, { sizeBytes: 1_000 });
    await sendBytes(body, wav(900));
    await complete(person, body.id);
    const { sweepAt } = await storedUpload(body.id);
    expect(sweepAt).toBeGreaterThan(Date.parse(body.urls[0].expiresAt));
  });

  it("is refused and removed when the quota went to something else meanwhile", async () => {
    const owner = await newOwner();
    const { id } = await prepared(owner, 5_000);
    const { fileId } = await storedUpload(id);
    const ctx = personContext(owner);
    // The reservation is lost, and another holding takes its place.
    await bindings.LEDGER.getByName(owner.workspaceId).release({ meter: "storage", id: fileId });
    await reserveStorage(ctx, "conv_other", 7_000);
    await expect(completeUpload({ ...ctx, overrides: { storageBytes: 10_000 } }, id, [])).rejects.toMatchObject({
      code: "storage-quota-exceeded",
    });
    expect(await storedKeys(owner)).toEqual([]);
    expect(await held(owner)).toEqual({ used: 0, reserved: 7_000 });
  });
});

describe("twice, at once, or half", () => {
  it.each([
    ["single", 2_000],
    ["multipart", 10 * mebibyte + 2_000],
  ])("parallel completes of a %s upload make one file", async (_, sizeBytes) => {
    const owner = await newOwner();
    const { id, parts } = await prepared(owner, sizeBytes);
    const answers = await Promise.all(Array.from({ length: 5 }, () => complete(owner, id, parts)));
    expect(answers.map((answer) => answer.status)).toEqual([200, 200, 200, 200, 200]);
    expect(new Set(answers.map((answer) => answer.body.file.id)).size).toBe(1);
    expect([await countRows("files", owner), await countAudits("upload.complete", owner)]).toEqual([1, 1]);
    expect(await held(owner)).toEqual({ used: sizeBytes, reserved: 0 });
  });

  it.each([
    ["before R2 did it", "nothing"],
    ["after R2 did it", "doing it"],
  ] as const)("a connection lost to storage %s is mended by the same call again", async (_, after) => {
    const owner = await newOwner();
    const { id, parts } = await prepared(owner, 10 * mebibyte + 2_000);
    const path = `/v1/uploads/${id}/complete`;
    const body = { parts: parts.map(({ partNumber, etag }) => ({ partNumber, etag })) };
    const broken = await owner.call("POST", path, { body, env: bucketThatFails(after) });
    expect(broken.status).toBe(after === "nothing" ? 503 : 200);
    expect((await owner.call("GET", `/v1/uploads/${id}`)).body.status).toBe(
      after === "nothing" ? "completing" : "ready",
    );
    expect((await complete(owner, id, parts)).body).toMatchObject({
      upload: { status: "ready" },
      file: { sizeBytes: 10 * mebibyte + 2_000 },
    });
    expect(await held(owner)).toEqual({ used: 10 * mebibyte + 2_000, reserved: 0 });
  });

  it("goes on after a crash between R2 and the database, without being told the parts", async () => {
    const owner = await newOwner();
    const { id, parts } = await prepared(owner, 10 * mebibyte + 2_000);
    const { r2Key, r2UploadId } = await storedUpload(id);
    await bindings.DB.prepare("update uploads set status = 'completing' where id = ?").bind(id).run();
    await bindings.FILES.resumeMultipartUpload(r2Key, r2UploadId ?? "").complete(parts);
    expect((await complete(owner, id)).body.upload.status).toBe("ready");
    expect([await countRows("files", owner), await countAudits("upload.complete", owner)]).toEqual([1, 1]);
  });

  it.each(["before", "after"] as const)("survives a database that fails %s its commit", async (when) => {
    const owner = await newOwner();
    const { id } = await prepared(owner, 4_000);
    const ctx = personContext(owner);
    const batch = ctx.db.batch.bind(ctx.db);
    ctx.db.batch = async (statements) => {
      if (when === "after") await batch(statements);
      throw new Error("Network connection lost.");
    };
    const outcome = await completeUpload(ctx, id, []).then(
      ({ upload }) => upload.status,
      (error: Error) => error.message,
    );
    expect(outcome).toBe(when === "before" ? "Network connection lost." : "ready");
    expect((await complete(owner, id)).status).toBe(200);
    expect([await countRows("files", owner), await countAudits("upload.complete", owner)]).toEqual([1, 1]);
    expect(await held(owner)).toEqual({ used: 4_000, reserved: 0 });
  });

  it("never leaves a file without bytes or bytes without a file when an abort races with it", async () => {
    for (let round = 0; round < 8; round += 1) {
      const owner = await newOwner();
      const { id, parts } = await prepared(owner, round % 2 === 0 ? 2_000 : 10 * mebibyte + 1);
      const abort = async () => {
        await scheduler.wait(round * 3);
        return owner.call("DELETE", `/v1/uploads/${id}`);
      };
      const [completed, aborted] = await Promise.all([complete(owner, id, parts), abort()]);
      const { status } = (await owner.call("GET", `/v1/uploads/${id}`)).body;
      const stored = await storedKeys(owner);
      const files = await countRows("files", owner);
      const { used, reserved } = await held(owner);
      const isReady = status === "ready";
      expect({
        status,
        isCompleted: completed.status === 200,
        aborted: aborted.status,
        stored: stored.length,
        files,
        isUsed: used > 0,
        reserved,
      }).toEqual({
        status: isReady ? "ready" : "aborted",
        isCompleted: isReady,
        aborted: isReady ? 409 : 204,
        stored: isReady ? 1 : 0,
        files: isReady ? 1 : 0,
        isUsed: isReady,
        reserved: 0,
      });
    }
  });

  it.each(["before settling", "before committing"])(
    "gives the quota back when an abort comes just %s",
    async (moment) => {
      const owner = await newOwner();
      const { id } = await prepared(owner, 4_000);
      const ctx = personContext(owner);
      const abort = async () => expect((await owner.call("DELETE", `/v1/uploads/${id}`)).status).toBe(204);
      const batch = ctx.db.batch.bind(ctx.db);
      if (moment === "before committing") ctx.db.batch = async (statements) => abort().then(() => batch(statements));
      const ledger = bindings.LEDGER.getByName(owner.workspaceId);
      const settle = async (request: Parameters<typeof ledger.settle>[0]) => {
        if (moment === "before settling") await abort();
        return ledger.settle(request);
      };
      const stub = { settle, release: (request: Parameters<typeof ledger.release>[0]) => ledger.release(request) };
      ctx.objects = { ...ctx.objects, LEDGER: { getByName: () => stub } as never };
      await expect(completeUpload(ctx, id, [])).rejects.toMatchObject({ code: "upload-ended" });
      expect(await held(owner)).toEqual({ used: 0, reserved: 0 });
      expect([await countRows("files", owner), (await storedKeys(owner)).length]).toEqual([0, 0]);
    },
  );

  it("answers 404 for a file that was deleted since", async () => {
    const { id, uploadId } = await uploadFile(person, wav(300));
    await person.call("DELETE", `/v1/files/${id}`);
    expect(await complete(person, uploadId)).toMatchObject({ status: 404, body: { code: "file-not-found" } });
  });
});
