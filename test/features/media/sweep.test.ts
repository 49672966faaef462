/** What looks after uploads that nobody ended, and after a ledger that lost its way. */
import { describe, expect, it } from "vitest";
import { settleStorage } from "#features/media/storage";
import { bindings } from "#test/support/harness";
import {
  complete,
  countAudits,
  countRows,
  create,
  held,
  letExpire,
  mebibyte,
  newOwner,
  personContext,
  runJobs,
  runSchedule,
  sendBytes,
  storedKeys,
  storedUpload,
  uploadFile,
  wav,
} from "./support.ts";

const sweep = () => runSchedule("media.sweep-uploads");

describe("media.sweep-uploads", () => {
  it("expires what is over its time: bytes go, quota comes back, the client is told", async () => {
    const owner = await newOwner();
    const single = (await create(owner, { sizeBytes: 1_000 })).body;
    await sendBytes(single, wav(1_000));
    const large = (await create(owner, { sizeBytes: 10 * mebibyte + 1 })).body;
    const parts = await sendBytes(large, wav(10 * mebibyte + 1));
    const young = (await create(owner, { sizeBytes: 500 })).body;
    for (const { id } of [single, large]) await letExpire(id);
    await sweep();
    await runJobs("media.sweep-uploads", owner);
    for (const { id } of [single, large])
      expect((await owner.call("GET", `/v1/uploads/${id}`)).body.status).toBe("expired");
    expect((await owner.call("GET", `/v1/uploads/${young.id}`)).body.status).toBe("pending");
    expect(await storedKeys(owner)).toEqual([]);
    expect(await held(owner)).toEqual({ used: 0, reserved: 500 });
    expect(await countAudits("upload.expire", owner)).toBe(2);
    expect(await complete(owner, large.id, parts)).toMatchObject({ status: 410, body: { code: "upload-expired" } });
    expect(await owner.call("DELETE", `/v1/uploads/${single.id}`)).toMatchObject({ status: 410 });
    const { r2Key, r2UploadId } = await storedUpload(large.id);
    await expect(bindings.FILES.resumeMultipartUpload(r2Key, r2UploadId ?? "").uploadPart(1, "x")).rejects.toThrow(
      "10024",
    );
  });

  it("refuses new parts as soon as the time is over, before any sweep", async () => {
    const owner = await newOwner();
    const { body } = await create(owner, { sizeBytes: 1_000 });
    await letExpire(body.id);
    expect((await owner.call("POST", `/v1/uploads/${body.id}/parts`, { body: { partNumbers: [1] } })).body.code).toBe(
      "upload-expired",
    );
    expect((await complete(owner, body.id)).body.code).toBe("upload-expired");
  });

  it("works through more than one page", async () => {
    const owner = await newOwner();
    const insert =
      "insert into uploads (id, workspace_id, file_id, file_name, content_type, kind, size_bytes, strategy, part_size_bytes, part_count, r2_key, status, created_at, updated_at, expires_at, sweep_at) select 'upl_' || value || ?1, ?1, 'file_' || value || ?1, 'a.wav', 'audio/wav', 'audio', 1, 'single', 1, 1, 'w/x/' || value, 'pending', 1, 1, 1, 1 from json_each(?2)";
    await bindings.DB.prepare(insert)
      .bind(owner.workspaceId, JSON.stringify(Array.from({ length: 130 }, (_, index) => index)))
      .run();
    await sweep();
    const jobs = await runJobs("media.sweep-uploads", owner);
    expect(jobs.at(-1)?.state).toBe("succeeded");
    const open = await bindings.DB.prepare(
      "select count(*) as count from uploads where workspace_id = ? and (status <> 'expired' or sweep_at is not null)",
    )
      .bind(owner.workspaceId)
      .first();
    expect(open).toEqual({ count: 0 });
  });

  it("finishes a complete that was interrupted after the bytes were one object", async () => {
    const owner = await newOwner();
    const { body } = await create(owner, { sizeBytes: 10 * mebibyte + 7 });
    const parts = await sendBytes(body, wav(10 * mebibyte + 7));
    const { r2Key, r2UploadId } = await storedUpload(body.id);
    await bindings.FILES.resumeMultipartUpload(r2Key, r2UploadId ?? "").complete(parts);
    await bindings.DB.prepare("update uploads set status = 'completing', sweep_at = 1 where id = ?")
      .bind(body.id)
      .run();
    await sweep();
    await runJobs("media.sweep-uploads", owner);
    const { body: upload } = await owner.call("GET", `/v1/uploads/${body.id}`);
    expect(upload.status).toBe("ready");
    expect((await owner.call("GET", `/v1/files/${upload.fileId}`)).status).toBe(200);
    expect(await held(owner)).toEqual({ used: 10 * mebibyte + 7, reserved: 0 });
  });

  it("fails an interrupted complete whose bytes are not as declared", async () => {
    const owner = await newOwner();
    const { body } = await create(owner, { sizeBytes: 1_000, sha256: "cd".repeat(32) });
    await sendBytes(body, wav(1_000));
    await bindings.DB.prepare("update uploads set status = 'completing', sweep_at = 1 where id = ?")
      .bind(body.id)
      .run();
    await sweep();
    await runJobs("media.sweep-uploads", owner);
    expect((await owner.call("GET", `/v1/uploads/${body.id}`)).body).toMatchObject({
      status: "failed",
      problem: { code: "hash-mismatch" },
    });
    expect([await held(owner), await storedKeys(owner)]).toEqual([{ used: 0, reserved: 0 }, []]);
  });

  it("opens an interrupted complete again when nothing was assembled", async () => {
    const owner = await newOwner();
    const { body } = await create(owner, { sizeBytes: 10 * mebibyte + 7 });
    const parts = await sendBytes(body, wav(10 * mebibyte + 7));
    await bindings.DB.prepare("update uploads set status = 'completing', sweep_at = 1 where id = ?")
      .bind(body.id)
      .run();
    await sweep();
    await runJobs("media.sweep-uploads", owner);
    expect((await owner.call("GET", `/v1/uploads/${body.id}`)).body.status).toBe("uploading");
    expect((await complete(owner, body.id, parts)).status).toBe(200);
  });

  it("removes what a crash left of an upload that had ended, and what a late PUT brought back", async () => {
    const owner = await newOwner();
    const { body } = await create(owner, { sizeBytes: 1_000 });
    expect((await owner.call("DELETE", `/v1/uploads/${body.id}`)).status).toBe(204);
    await sendBytes(body, wav(1_000));
    expect(await storedKeys(owner)).toHaveLength(1);
    await bindings.DB.prepare("update uploads set sweep_at = 1, urls_expire_at = 1 where id = ?").bind(body.id).run();
    await sweep();
    await runJobs("media.sweep-uploads", owner);
    expect(await storedKeys(owner)).toEqual([]);
    expect((await storedUpload(body.id)).sweepAt).toBeNull();
  });

  it("removes a form upload whose request died", async () => {
    const owner = await newOwner();
    const key = `w/${owner.workspaceId}/u/upl_form/take.wav`;
    const { uploadId } = await bindings.FILES.createMultipartUpload(key);
    await bindings.DB.prepare(
      "insert into uploads (id, workspace_id, file_id, file_name, content_type, kind, size_bytes, strategy, part_size_bytes, part_count, r2_key, r2_upload_id, status, created_at, updated_at, expires_at, sweep_at) values (?1, ?2, ?3, 'take.wav', 'audio/wav', 'audio', 0, 'form', 1, 0, ?4, ?5, 'uploading', 1, 1, 1, 1)",
    )
      .bind(`upl_${crypto.randomUUID()}`, owner.workspaceId, `file_${crypto.randomUUID()}`, key, uploadId)
      .run();
    await sweep();
    await runJobs("media.sweep-uploads", owner);
    await expect(bindings.FILES.resumeMultipartUpload(key, uploadId).uploadPart(1, "x")).rejects.toThrow("10024");
  });
});

describe("media.reconcile-storage", () => {
  it("gives back what no file holds, and counts what the ledger forgot", async () => {
    const owner = await newOwner();
    const kept = await uploadFile(owner, wav(4_000));
    const lost = await uploadFile(owner, wav(3_000));
    const ledger = bindings.LEDGER.getByName(owner.workspaceId);
    await ledger.release({ meter: "storage", id: kept.id });
    // A file deleted in the database whose release never came, and a conversion's holding that is none of this feature's business.
    await bindings.DB.prepare("update files set deleted_at = 1 where id = ?").bind(lost.id).run();
    const twoHoursAgo = Date.now() - 7_200_000;
    await ledger.release({ meter: "storage", id: lost.id });
    await ledger.settle({ meter: "storage", id: lost.id, amount: 3_000, limit: null, nowMs: twoHoursAgo });
    await ledger.settle({ meter: "storage", id: "conv_other", amount: 50, limit: null, nowMs: twoHoursAgo });
    expect(await held(owner)).toEqual({ used: 3_050, reserved: 0 });
    await runSchedule("media.reconcile-storage");
    const [job] = await runJobs("media.reconcile-storage", owner);
    expect(job).toMatchObject({ state: "succeeded", result: '{"added":1,"corrected":0,"dropped":1}' });
    expect(await held(owner)).toEqual({ used: 4_050, reserved: 0 });
    await runSchedule("media.reconcile-storage");
    expect((await runJobs("media.reconcile-storage", owner)).every((ended) => ended.state === "succeeded")).toBe(true);
    expect(await held(owner)).toEqual({ used: 4_050, reserved: 0 });
  });

  it("leaves workspaces alone whose files did not change", async () => {
    const owner = await newOwner();
    await uploadFile(owner, wav(100));
    await bindings.DB.prepare("update files set updated_at = updated_at - 2 * 86400000 where workspace_id = ?")
      .bind(owner.workspaceId)
      .run();
    await runSchedule("media.reconcile-storage");
    expect(await runJobs("media.reconcile-storage", owner)).toEqual([]);
    expect(await countRows("files", owner)).toBe(1);
  });
});

describe("settleStorage in a job", () => {
  it("takes what was reserved and not a byte more", async () => {
    const owner = await newOwner();
    const ctx = personContext(owner);
    const { plan: _plan, overrides: _overrides, ...jobCtx } = ctx;
    await bindings.LEDGER.getByName(owner.workspaceId).reserve({
      meter: "storage",
      id: "conv_1",
      amount: 100,
      limit: null,
      expiresAtMs: Date.now() + 60_000,
    });
    await expect(settleStorage(jobCtx, "conv_1", 101)).rejects.toMatchObject({ code: "storage-quota-exceeded" });
    await settleStorage(jobCtx, "conv_1", 90);
    await settleStorage(jobCtx, "conv_1", 90);
    expect(await held(owner)).toEqual({ used: 90, reserved: 0 });
  });
});
