/** Starting, resuming and giving up uploads, as a client does it. */
import { beforeAll, describe, expect, it } from "vitest";
import { planParts } from "#features/media/rules";
import { bindings, type Person } from "#test/support/harness";
import {
  complete,
  countRows,
  create,
  held,
  limitStorage,
  mebibyte,
  newOwner,
  sendBytes,
  storedKeys,
  storedUpload,
  uploadFile,
  wav,
} from "./support.ts";

let person: Person;
let stranger: Person;

beforeAll(async () => {
  person = await newOwner();
  stranger = await newOwner();
});

describe("createUpload", () => {
  it("signs one PUT for a small file: exact size, type, and write once", async () => {
    const { status, body } = await create(person, { sizeBytes: 1_000, fileName: "Ünïcode näme.WAV" });
    expect(status).toBe(201);
    expect(body).toMatchObject({
      status: "pending",
      strategy: "single",
      partSizeBytes: 1_000,
      partCount: 1,
      parts: [],
      fileId: null,
      problem: null,
      sha256: null,
    });
    expect(body.id).toMatch(/^upl_/);
    expect(body.urls).toHaveLength(1);
    const [part] = body.urls;
    expect(part.headers).toEqual({ "content-length": "1000", "content-type": "audio/wav", "if-none-match": "*" });
    const url = new URL(part.url);
    const { r2Key, r2UploadId } = await storedUpload(body.id);
    expect(r2UploadId).toBeNull();
    expect(r2Key).toBe(`w/${person.workspaceId}/u/${body.id}/unicode-name.wav`);
    expect(decodeURIComponent(url.pathname)).toMatch(new RegExp(`/overtone-media/${r2Key}$`));
    expect(url.searchParams.get("X-Amz-SignedHeaders")).toBe("content-length;content-type;host;if-none-match");
    expect(Date.parse(part.expiresAt)).toBeLessThanOrEqual(Date.parse(body.expiresAt));
  });

  it("signs the first 20 parts of a large file, the last one with what is left", async () => {
    const sizeBytes = 500 * mebibyte;
    const { body } = await create(person, { sizeBytes });
    expect(body).toMatchObject({ strategy: "multipart", partSizeBytes: 10 * mebibyte, partCount: 50 });
    expect(body.urls.map((part: { partNumber: number }) => part.partNumber)).toEqual(
      Array.from({ length: 20 }, (_, index) => index + 1),
    );
    const small = await create(person, { sizeBytes: 10 * mebibyte + 1 });
    expect(small.body).toMatchObject({ partCount: 2 });
    expect(small.body.urls[1].headers).toEqual({ "content-length": "1" });
    const { r2UploadId } = await storedUpload(small.body.id);
    expect(new URL(small.body.urls[1].url).searchParams.get("uploadId")).toBe(r2UploadId);
    expect((await person.call("DELETE", `/v1/uploads/${body.id}`)).status).toBe(204);
  });

  it.each([
    ["an empty file", { sizeBytes: 0 }, 422, "file-empty"],
    ["a file above 500 MiB", { sizeBytes: 524_288_001 }, 413, "file-too-large"],
    ["an unknown extension", { fileName: "run.exe" }, 415, "file-type-unsupported"],
    ["a name without extension", { fileName: "recording" }, 415, "file-type-unsupported"],
    ["an unknown type", { contentType: "application/x-msdownload" }, 415, "file-type-unsupported"],
    ["no particular type", { contentType: "application/octet-stream" }, 415, "file-type-unsupported"],
    ["a type that does not go with the name", { contentType: "image/png" }, 415, "file-type-mismatch"],
    ["a negative size", { sizeBytes: -1 }, 422, "validation-failed"],
    ["half a byte", { sizeBytes: 1.5 }, 422, "validation-failed"],
    ["a hash that is none", { sha256: "abc" }, 422, "validation-failed"],
    ["an unknown member", { workspaceId: "wks_other" }, 422, "validation-failed"],
  ])("refuses %s and holds nothing", async (_, declared, status, code) => {
    const owner = await newOwner();
    const refused = await create(owner, declared);
    expect([refused.status, refused.body.code]).toEqual([status, code]);
    expect(await held(owner)).toEqual({ used: 0, reserved: 0 });
    expect(await countRows("uploads", owner)).toBe(0);
  });

  it("replays the same upload for the same key, with a URL that is valid from now", async () => {
    const headers = { "idempotency-key": crypto.randomUUID() };
    const first = await create(person, { sizeBytes: 777 }, headers);
    // Hours later: what was signed at first has expired, and so has what the clean-up reckons with.
    await bindings.DB.prepare("update uploads set urls_expire_at = 1 where id = ?").bind(first.body.id).run();
    const again = await create(person, { sizeBytes: 777 }, headers);
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect({ ...again.body, urls: [] }).toEqual({ ...first.body, urls: [] });
    expect(again.body.urls).toHaveLength(1);
    const row = await bindings.DB.prepare("select urls_expire_at as at from uploads where id = ?")
      .bind(first.body.id)
      .first<{ at: number }>();
    expect(row?.at).toBeGreaterThan(Date.parse(again.body.urls[0].expiresAt) - 10_000);
    expect((await create(person, { sizeBytes: 778 }, headers)).body.code).toBe("idempotency-key-reused");
  });

  it("goes on with what an interrupted run stored, with fresh URLs", async () => {
    const headers = { "idempotency-key": crypto.randomUUID() };
    const owner = await newOwner();
    const first = await create(owner, { sizeBytes: 11 * mebibyte }, headers);
    await scheduler.wait(5);
    // As a crash after the commit leaves it: the key is claimed, its lock is over, and no answer was kept.
    await bindings.DB.prepare("update idempotency_keys set status = null, body = null, locked_until = 0 where key = ?")
      .bind(headers["idempotency-key"])
      .run();
    const again = await create(owner, { sizeBytes: 11 * mebibyte }, headers);
    expect(again).toMatchObject({ status: 201, body: { id: first.body.id, status: "pending" } });
    expect(again.body.urls).toHaveLength(2);
    expect(await held(owner)).toEqual({ used: 0, reserved: 11 * mebibyte });
    expect(await countRows("uploads", owner)).toBe(1);
  });

  it("makes one upload of an interrupted run that stored nothing yet", async () => {
    const headers = { "idempotency-key": crypto.randomUUID() };
    const owner = await newOwner();
    const first = await create(owner, { sizeBytes: 2_000 }, headers);
    await scheduler.wait(5);
    // As a crash between the reservation and the commit leaves it.
    await bindings.DB.batch([
      bindings.DB.prepare(
        "update idempotency_keys set status = null, body = null, locked_until = 0 where key = ?",
      ).bind(headers["idempotency-key"]),
      bindings.DB.prepare("delete from uploads where id = ?").bind(first.body.id),
      bindings.DB.prepare("delete from audit_log where target = ?").bind(first.body.id),
    ]);
    const again = await create(owner, { sizeBytes: 2_000 }, headers);
    expect(again).toMatchObject({ status: 201, body: { id: first.body.id } });
    expect(await held(owner)).toEqual({ used: 0, reserved: 2_000 });
  });
});

describe("quota", () => {
  it("is held while an upload is unfinished, and comes back when it is given up", async () => {
    const owner = await newOwner();
    const { body } = await create(owner, { sizeBytes: 5_000 });
    expect(await held(owner)).toEqual({ used: 0, reserved: 5_000 });
    expect((await owner.call("DELETE", `/v1/uploads/${body.id}`)).status).toBe(204);
    expect(await held(owner)).toEqual({ used: 0, reserved: 0 });
  });

  it("refuses what does not fit, with the figures, and never lets parallel uploads pass it", async () => {
    const owner = await newOwner();
    await limitStorage(owner, 10_000);
    const answers = await Promise.all(Array.from({ length: 8 }, () => create(owner, { sizeBytes: 3_000 })));
    expect(answers.filter((answer) => answer.status === 201)).toHaveLength(3);
    const refused = answers.find((answer) => answer.status !== 201);
    expect(refused).toMatchObject({
      status: 413,
      body: {
        code: "storage-quota-exceeded",
        usedBytes: 0,
        reservedBytes: 9_000,
        limitBytes: 10_000,
        neededBytes: 3_000,
      },
    });
    expect(await held(owner)).toEqual({ used: 0, reserved: 9_000 });
  });

  it("counts at most 100 unfinished uploads, also when they begin at once", async () => {
    const owner = await newOwner();
    await create(owner, { sizeBytes: 10 });
    const row =
      "insert into uploads (id, workspace_id, file_id, file_name, content_type, kind, size_bytes, strategy, part_size_bytes, part_count, r2_key, status, created_at, updated_at, expires_at) select 'upl_' || value || ?1, ?1, 'file_' || value || ?1, 'a.wav', 'audio/wav', 'audio', 1, 'single', 1, 1, 'w/x/' || value, 'pending', 1, 1, 1 from json_each(?2)";
    await bindings.DB.prepare(row)
      .bind(owner.workspaceId, JSON.stringify(Array.from({ length: 96 }, (_, index) => index)))
      .run();
    const answers = await Promise.all(Array.from({ length: 6 }, () => create(owner, { sizeBytes: 10 })));
    expect(answers.map((answer) => answer.status).toSorted((a, b) => a - b)).toEqual([201, 201, 201, 409, 409, 409]);
    expect(answers.find((answer) => answer.status === 409)?.body.code).toBe("upload-limit-reached");
    expect(await held(owner)).toEqual({ used: 0, reserved: 40 });
  });
});

describe("parts and resume", () => {
  it("tells what was recorded, signs what is missing, and completes without being told again", async () => {
    const bytes = wav(10 * mebibyte + 5_000);
    const { body: upload } = await create(person, { sizeBytes: bytes.length });
    const [first, second] = await sendBytes(upload, bytes);
    if (!first || !second) throw new Error("two parts were expected");
    const quoted = { ...first, etag: `"${first.etag}"` };
    const recorded = await person.call("POST", `/v1/uploads/${upload.id}/parts`, {
      body: { uploaded: [quoted], partNumbers: [2, 2] },
    });
    expect(recorded.status).toBe(200);
    expect(recorded.body.parts).toEqual([first]);
    expect(recorded.body.urls.map((part: { partNumber: number }) => part.partNumber)).toEqual([2]);
    const resumed = await person.call("GET", `/v1/uploads/${upload.id}`);
    expect(resumed.body).toMatchObject({ status: "uploading", parts: [first], urls: [] });
    const tooEarly = await complete(person, upload.id);
    expect(tooEarly).toMatchObject({ status: 409, body: { code: "parts-missing", missing: [2], missingCount: 1 } });
    const completed = await complete(person, upload.id, [second]);
    expect(completed.body).toMatchObject({
      upload: { status: "ready", problem: null },
      file: { name: "take.wav", sizeBytes: bytes.length, kind: "audio", origin: "upload" },
    });
    expect(completed.body.upload.fileId).toBe(completed.body.file.id);
  });

  it("replaces a part that was sent again", async () => {
    const { body: upload } = await create(person, { sizeBytes: 11 * mebibyte });
    const part = { partNumber: 2, sizeBytes: mebibyte };
    await person.call("POST", `/v1/uploads/${upload.id}/parts`, { body: { uploaded: [{ ...part, etag: "one" }] } });
    const { body } = await person.call("POST", `/v1/uploads/${upload.id}/parts`, {
      body: { uploaded: [{ ...part, etag: "two" }] },
    });
    expect(body.parts).toEqual([{ ...part, etag: "two" }]);
  });

  it("records as many parts as a file can have in one call", async () => {
    const owner = await newOwner();
    const { body: upload } = await create(owner, { sizeBytes: 500 * mebibyte });
    const uploaded = Array.from({ length: 50 }, (_, index) => ({
      partNumber: index + 1,
      etag: `tag-${index}`,
      sizeBytes: 10 * mebibyte,
    }));
    const { body } = await owner.call("POST", `/v1/uploads/${upload.id}/parts`, { body: { uploaded } });
    expect(body.parts).toHaveLength(50);
  });

  it("refuses numbers and sizes that the upload does not have", async () => {
    const { body: upload } = await create(person, { sizeBytes: 11 * mebibyte });
    const path = `/v1/uploads/${upload.id}/parts`;
    const over = await person.call("POST", path, { body: { partNumbers: [3] } });
    expect(over).toMatchObject({ status: 422, body: { code: "part-invalid", partNumbers: [3] } });
    const short = await person.call("POST", path, { body: { uploaded: [{ partNumber: 1, etag: "x", sizeBytes: 5 }] } });
    expect(short).toMatchObject({ status: 422, body: { code: "part-invalid", partNumbers: [1] } });
    expect((await complete(person, upload.id, [{ partNumber: 9, etag: "x" }])).body.code).toBe("part-invalid");
    expect((await person.call("GET", `/v1/uploads/${upload.id}`)).body).toMatchObject({ status: "pending", parts: [] });
  });

  it("signs nothing for an upload that has ended", async () => {
    const { body: upload } = await create(person);
    await person.call("DELETE", `/v1/uploads/${upload.id}`);
    const answer = await person.call("POST", `/v1/uploads/${upload.id}/parts`, { body: { partNumbers: [1] } });
    expect(answer).toMatchObject({ status: 409, body: { code: "upload-ended", status: 409, uploadStatus: "aborted" } });
    expect((await complete(person, upload.id)).body.code).toBe("upload-ended");
  });
});

describe("lists and borders", () => {
  it("pages newest first and filters by status", async () => {
    const owner = await newOwner();
    const ids: string[] = [];
    for (let index = 0; index < 5; index += 1) ids.unshift((await create(owner, { sizeBytes: 10 + index })).body.id);
    const first = await owner.call("GET", "/v1/uploads?limit=2");
    const second = await owner.call("GET", `/v1/uploads?limit=3&cursor=${first.body.nextCursor}`);
    const listed = [...first.body.items, ...second.body.items].map((item: { id: string }) => item.id);
    expect(listed.toSorted()).toEqual(ids.toSorted());
    expect(second.body.nextCursor).toBeNull();
    await owner.call("DELETE", `/v1/uploads/${ids[0]}`);
    expect(
      (await owner.call("GET", "/v1/uploads?status=aborted")).body.items.map((item: { id: string }) => item.id),
    ).toEqual([ids[0]]);
  });

  it("answers a stranger and an unknown id alike", async () => {
    const { body: upload } = await create(person, { sizeBytes: 11 * mebibyte });
    for (const id of [upload.id, "upl_00000000000000000000000000"]) {
      const answers = await Promise.all([
        stranger.call("GET", `/v1/uploads/${id}`),
        stranger.call("POST", `/v1/uploads/${id}/parts`, { body: { partNumbers: [1] } }),
        complete(stranger, id),
        stranger.call("DELETE", `/v1/uploads/${id}`),
      ]);
      for (const answer of answers) expect([answer.status, answer.body.code]).toEqual([404, "upload-not-found"]);
    }
  });

  it("removes bytes that were sent when an upload is given up, and repeats harmlessly", async () => {
    const owner = await newOwner();
    const single = await create(owner, { sizeBytes: 2_000 });
    await sendBytes(single.body, wav(2_000));
    const large = await create(owner, { sizeBytes: 11 * mebibyte });
    await sendBytes(large.body, wav(11 * mebibyte));
    for (const { body } of [single, large, single])
      expect((await owner.call("DELETE", `/v1/uploads/${body.id}`)).status).toBe(204);
    expect(await storedKeys(owner)).toEqual([]);
    expect(await held(owner)).toEqual({ used: 0, reserved: 0 });
    const { r2Key, r2UploadId } = await storedUpload(large.body.id);
    await expect(bindings.FILES.resumeMultipartUpload(r2Key, r2UploadId ?? "").uploadPart(1, "x")).rejects.toThrow(
      "10024",
    );
    expect((await owner.call("GET", `/v1/uploads/${single.body.id}`)).body.status).toBe("aborted");
  });

  it("does not give up what is a file already", async () => {
    const { uploadId, id } = await uploadFile(person, wav(500));
    expect((await person.call("DELETE", `/v1/uploads/${uploadId}`)).body).toMatchObject({ code: "upload-ended" });
    expect((await person.call("GET", `/v1/files/${id}`)).status).toBe(200);
  });
});

describe("planParts", () => {
  it("keeps every part within what R2 takes, for every size up to the limit", () => {
    for (const sizeBytes of [1, 10 * mebibyte, 10 * mebibyte + 1, 123_456_789, 524_288_000]) {
      const { partSizeBytes, partCount, strategy } = planParts(sizeBytes);
      expect(strategy).toBe(partCount === 1 ? "single" : "multipart");
      expect((partCount - 1) * partSizeBytes).toBeLessThan(sizeBytes);
      expect(partCount * partSizeBytes).toBeGreaterThanOrEqual(sizeBytes);
    }
    expect(planParts(100 * 1024 * mebibyte)).toMatchObject({ partSizeBytes: 12 * mebibyte });
  });
});
