/** What the convert operations take and refuse: JSON and forms, waiting, repeating, limits, and claims to be somebody else. */
import { describe, expect, it } from "vitest";
import { bindings, call, overrideLimits, type Person, signUp } from "#test/support/harness";
import {
  content,
  countRows,
  downloadImages,
  finishJob,
  held,
  mebibyte,
  open,
  patient,
  seal,
  sealed,
  sha256,
  storeFile,
  wav,
} from "./support.ts";

const sealPath = "/v1/convert/audio-to-image";
const openPath = "/v1/convert/image-to-audio";

function form(entries: readonly (readonly [name: string, value: string | Blob, fileName?: string])[]): FormData {
  const data = new FormData();
  for (const [name, value, fileName] of entries) {
    if (typeof value === "string") data.append(name, value);
    else data.append(name, value, fileName);
  }
  return data;
}

const audioBlob = (bytes: Uint8Array<ArrayBuffer>) => new Blob([bytes], { type: "audio/wav" });
const countConversions = (person: Person) => countRows("conversions", "workspace_id = ?", person.workspaceId);
const countFiles = (person: Person) =>
  countRows("files", "workspace_id = ? and deleted_at is null", person.workspaceId);

describe("forms", () => {
  it("carry the audio under any of the names that clients use, with fields before and after it", async () => {
    const person = await signUp();
    const audio = wav(70_000, { packs: true });
    for (const field of ["audioFile", "audio", "file"]) {
      const body = form([
        ["compress", "false"],
        ["masterKeyHex", ""],
        [field, audioBlob(audio), "spoken word.wav"],
        ["userId", "default-user"],
        ["theme", "dark"],
      ]);
      const answer = await person.call("POST", sealPath, { body, headers: patient });
      expect(answer).toMatchObject({
        status: 200,
        body: {
          conversion: {
            inputFileName: "spoken word.wav",
            compress: false,
            inputFileSize: 70_000,
            sha256: await sha256(audio),
          },
        },
      });
      const source = await person.call("GET", `/v1/files/${answer.body.conversion.inputFileId}`);
      expect(source.body).toMatchObject({ kind: "audio", contentType: "audio/wav", origin: "upload" });
    }
  });

  it("carry images, or a ZIP of them", async () => {
    const person = await signUp();
    const audio = wav(60_000);
    const conversion = await sealed(person, audio);
    const [image] = await downloadImages(person, conversion.id);
    const zip = await person.call("GET", `/v1/conversions/${conversion.id}/download-zip`);
    const png = new Blob([image?.bytes ?? ""], { type: "image/png" });
    const bodies = [
      form([
        ["images", png, "part.png"],
        ["outputFileName", "again.wav"],
      ]),
      form([
        ["outputFileName", "again.wav"],
        ["file", new Blob([zip.bytes], { type: "application/zip" }), "all.zip"],
      ]),
      form([
        ["images", png, "part.png"],
        ["images", png, "part.png"],
        ["outputFileName", "again.wav"],
      ]),
    ];
    for (const body of bodies) {
      const answer = await person.call("POST", openPath, { body, headers: patient });
      expect(answer).toMatchObject({
        status: 200,
        body: { conversion: { outputFileName: "again.wav", sha256: await sha256(audio) } },
      });
    }
  });

  it("are refused without a file, with too large a one, and with one that is no audio, and leave nothing behind", async () => {
    const person = await signUp();
    const refused = async (body: BodyInit, headers: Record<string, string> = {}) =>
      person.call("POST", sealPath, { body, headers });
    expect(await refused(form([["compress", "true"]]))).toMatchObject({
      status: 422,
      body: { code: "form-file-missing" },
    });
    expect(await refused(form([["other", audioBlob(wav(500)), "a.wav"]]))).toMatchObject({
      status: 422,
      body: { code: "form-file-missing" },
    });
    expect(await refused(form([["audioFile", new Blob([]), "a.wav"]]))).toMatchObject({
      status: 422,
      body: { code: "file-empty" },
    });
    expect(await refused(form([["audioFile", new Blob(["hello"], { type: "text/plain" }), "a.txt"]]))).toMatchObject({
      status: 415,
      body: { code: "file-type-unsupported" },
    });
    expect(await refused(form([["audioFile", new Blob(["not a wave"]), "a.wav"]]))).toMatchObject({
      status: 415,
      body: { code: "file-type-mismatch" },
    });
    expect(
      await refused(
        form([
          ["audioFile", audioBlob(wav(500)), "a.wav"],
          ["format", "3"],
        ]),
      ),
    ).toMatchObject({ status: 422, body: { code: "validation-failed" } });
    expect(
      await refused(
        form([
          ["audioFile", audioBlob(wav(500)), "a.wav"],
          ["userId", "usr_other"],
        ]),
      ),
    ).toMatchObject({ status: 422, body: { code: "server-owned-member" } });
    expect(await refused("no boundary here", { "content-type": "multipart/form-data" })).toMatchObject({
      status: 400,
      body: { code: "form-invalid" },
    });
    const declared = { "content-type": "multipart/form-data; boundary=x", "content-length": String(97 * mebibyte) };
    expect(await refused("--x", declared)).toMatchObject({ status: 413, body: { code: "use-direct-upload" } });
    expect(await countConversions(person)).toBe(0);
    expect(await countFiles(person)).toBe(0);
    expect(await held(person)).toEqual({ used: 0, reserved: 0 });
  });
});

describe("bodies", () => {
  it("are JSON or forms and nothing else", async () => {
    const person = await signUp();
    for (const path of [sealPath, openPath]) {
      for (const type of ["text/plain", "application/x-www-form-urlencoded", ""]) {
        const answer = await person.call("POST", path, { body: "fileId=1", headers: { "content-type": type } });
        expect(answer).toMatchObject({ status: 415, body: { code: "unsupported-content-type" } });
      }
      expect(
        await person.call("POST", path, { body: "{", headers: { "content-type": "application/json" } }),
      ).toMatchObject({ status: 400, body: { code: "invalid-json" } });
      expect(await person.call("POST", path, { body: [1] })).toMatchObject({
        status: 422,
        body: { code: "validation-failed" },
      });
      const large = JSON.stringify({ fileId: "x".repeat(1_100_000) });
      expect(
        await person.call("POST", path, { body: large, headers: { "content-type": "application/json" } }),
      ).toMatchObject({ status: 413, body: { code: "body-too-large" } });
    }
  });

  it("may hold members of older clients, but none that the server sets", async () => {
    const person = await signUp();
    const fileId = await storeFile(person, "tone.wav", wav(500));
    expect((await seal(person, { fileId, chunkMode: "auto", userId: person.userId })).status).toBe(200);
    expect((await seal(person, { fileId, userId: "default-user" })).status).toBe(200);
    const refused = { status: 422, body: { code: "server-owned-member" } };
    expect(await seal(person, { fileId, plan: "enterprise" })).toMatchObject(refused);
    expect(await seal(person, { fileId, userId: "usr_somebody" })).toMatchObject(refused);
    expect(await open(person, { fileIds: [fileId], role: "admin" })).toMatchObject(refused);
  });

  it("may use the names of the other older interface, but not both for different things", async () => {
    const person = await signUp();
    const fileId = await storeFile(person, "tone.wav", wav(500));
    const masterKeyHex = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");
    const answer = await seal(person, {
      file_id: fileId,
      user_id: "zoe",
      master_key: masterKeyHex,
      max_chunk_bytes: 200,
      userId: "zoe",
    });
    expect(answer.body.conversion).toMatchObject({ format: 1, imageCount: 3 });
    const opened = await open(person, {
      conversion_id: answer.body.conversionId,
      user_id: "zoe",
      master_key: masterKeyHex,
      output_filename: "done.wav",
    });
    expect(opened.body.conversion.outputFileName).toBe("done.wav");
    expect(await seal(person, { fileId, user_id: "zoe", userId: "Zoe", masterKeyHex })).toMatchObject({
      status: 422,
      body: { code: "validation-failed" },
    });
  });

  it("name exactly one source", async () => {
    const person = await signUp();
    const { id } = await sealed(person, wav(500));
    expect(await seal(person, {})).toMatchObject({
      status: 422,
      body: { code: "validation-failed", errors: [{ path: "fileId" }] },
    });
    expect(await open(person, {})).toMatchObject({ status: 422, body: { code: "source-required" } });
    expect(await open(person, { conversionId: id, fileIds: ["file_1"] })).toMatchObject({
      status: 422,
      body: { code: "source-required" },
    });
    expect(await open(person, { fileIds: [] })).toMatchObject({ status: 422, body: { code: "validation-failed" } });
    expect(
      await open(person, { imageDirPath: "/var/images", outputFileName: "a.wav", userId: person.userId }),
    ).toMatchObject({ status: 422, body: { code: "use-conversion-id" } });
    expect((await open(person, { imageDirPath: "", conversionId: id })).status).toBe(200);
    expect(await open(person, { conversionId: id, userId: "usr_somebody" })).toMatchObject({
      status: 422,
      body: { code: "server-owned-member" },
    });
  });
});

describe("sources", () => {
  it("of others, deleted and unknown ones are the same: not there", async () => {
    const [owner, stranger] = [await signUp(), await signUp()];
    const fileId = await storeFile(owner, "tone.wav", wav(500));
    const { id } = await sealed(owner, wav(500));
    const unknown = await seal(stranger, { fileId: "file_00000000000000000000000000" });
    const foreign = await seal(stranger, { fileId });
    expect(foreign).toMatchObject({ status: 404, body: { code: "file-not-found" } });
    expect({ ...foreign.body, requestId: "" }).toEqual({ ...unknown.body, requestId: "" });
    expect(await open(stranger, { fileIds: [fileId] })).toMatchObject({
      status: 404,
      body: { code: "file-not-found" },
    });
    expect(await open(stranger, { conversionId: id })).toMatchObject({
      status: 404,
      body: { code: "conversion-not-found" },
    });
    await owner.call("DELETE", `/v1/files/${fileId}`);
    expect(await seal(owner, { fileId })).toMatchObject({ status: 404, body: { code: "file-not-found" } });
    await owner.call("DELETE", `/v1/conversions/${id}`);
    expect(await open(owner, { conversionId: id })).toMatchObject({
      status: 404,
      body: { code: "conversion-not-found" },
    });
  });

  it("are audio or video to be sealed, and a finished sealing to be opened", async () => {
    const person = await signUp();
    const { id } = await sealed(person, wav(500));
    const [image] = await downloadImages(person, id);
    const png = await storeFile(person, "a.png", image?.bytes ?? new Uint8Array());
    expect(await seal(person, { fileId: png })).toMatchObject({
      status: 415,
      body: { code: "file-type-unsupported", fileName: "a.png" },
    });
    const opened = await open(person, { conversionId: id });
    expect(await open(person, { conversionId: opened.body.conversionId })).toMatchObject({
      status: 404,
      body: { code: "conversion-not-found" },
    });
    await bindings.DB.prepare(
      "update jobs set state = 'failed' where id = (select job_id from conversions where id = ?)",
    )
      .bind(id)
      .run();
    expect(await open(person, { conversionId: id })).toMatchObject({
      status: 409,
      body: { code: "conversion-not-ready" },
    });
  });

  it("need conversions:write, and a person at all", async () => {
    const person = await signUp();
    const key = await person.call("POST", "/v1/api-keys", { body: { name: "reader", scopes: ["conversions:read"] } });
    for (const path of [sealPath, openPath]) {
      expect(await call("POST", path, { body: {} })).toMatchObject({
        status: 401,
        body: { code: "credentials-required" },
      });
      expect(await call("POST", path, { as: key.body.key, body: {} })).toMatchObject({
        status: 403,
        body: { code: "permission-denied", requiredPermission: "conversions:write" },
      });
    }
    expect((await call("GET", "/v1/conversions", { as: key.body.key })).status).toBe(200);
  });
});

describe("repeating", () => {
  it("with the same key answers the first conversion and makes no second", async () => {
    const person = await signUp();
    const fileId = await storeFile(person, "tone.wav", wav(500));
    const headers = { ...patient, "idempotency-key": "once" };
    const first = await seal(person, { fileId }, headers);
    const second = await seal(person, { fileId }, headers);
    expect(second).toMatchObject({ status: 200, body: { conversionId: first.body.conversionId } });
    expect(second.headers.get("idempotency-replayed")).toBe("true");
    expect(await countConversions(person)).toBe(1);
  });

  it("with the same key and another file of the same length is refused, not answered with the first", async () => {
    const person = await signUp();
    const [one, two] = [await storeFile(person, "one.wav", wav(500)), await storeFile(person, "two.wav", wav(600))];
    const headers = { ...patient, "idempotency-key": "reused" };
    expect((await seal(person, { fileId: one }, headers)).status).toBe(200);
    expect(await seal(person, { fileId: two }, headers)).toMatchObject({
      status: 422,
      body: { code: "idempotency-key-reused" },
    });
  });

  it("after a run that died finds what that run made", async () => {
    const person = await signUp();
    const audio = wav(500);
    const fileId = await storeFile(person, "tone.wav", audio);
    const headers = { "idempotency-key": "died" };
    const bodies = [() => ({ fileId }), () => form([["audioFile", audioBlob(audio), "a.wav"]])];
    for (const [index, body] of bodies.entries()) {
      const first = await person.call("POST", sealPath, {
        body: body(),
        headers: { "idempotency-key": `died-${index}` },
      });
      expect(first.status).toBe(202);
      await finishJob(person, first.body.jobId);
      // As the row is when the Worker ends between its work and its answer.
      await bindings.DB.prepare(
        "update idempotency_keys set status = null, body = null, locked_until = 0 where key = ?",
      )
        .bind(`died-${index}`)
        .run();
      const second = await person.call("POST", sealPath, {
        body: body(),
        headers: { "idempotency-key": `died-${index}` },
      });
      expect(second).toMatchObject({
        status: 202,
        body: { conversionId: first.body.conversionId, jobId: first.body.jobId },
      });
      expect(second.headers.get("idempotency-replayed")).toBeNull();
      expect(await countConversions(person)).toBe(index + 1);
    }
    expect(await countFiles(person)).toBe(2);
    const { id } = (await person.call("GET", "/v1/conversions")).body.items[0];
    const opened = await open(person, { conversionId: id }, { ...patient, ...headers });
    await bindings.DB.prepare(
      "update idempotency_keys set status = null, body = null, locked_until = 0 where key = 'died'",
    ).run();
    const again = await open(person, { conversionId: id }, { ...patient, ...headers });
    expect(again.body.conversionId).toBe(opened.body.conversionId);
    expect(await content(person, again.body.conversion.outputFileId)).toEqual(audio);
  });
});

describe("limits", () => {
  it("count conversions an hour of the workspace, and only those that were started", async () => {
    const person = await signUp();
    await overrideLimits(person.workspaceId, { conversionsPerHour: 2 });
    const fileId = await storeFile(person, "tone.wav", wav(500));
    expect((await seal(person, { fileId: "file_none" })).status).toBe(404);
    const { body } = await seal(person, { fileId });
    expect((await open(person, { conversionId: body.conversionId })).status).toBe(200);
    for (const refused of [await seal(person, { fileId }), await open(person, { conversionId: body.conversionId })]) {
      expect(refused).toMatchObject({ status: 429, body: { code: "rate-limited", limit: "conversions", quota: 2 } });
      expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    }
    const posted = await person.call("POST", sealPath, { body: form([["audio", audioBlob(wav(500)), "a.wav"]]) });
    expect(posted.status).toBe(429);
    expect(await countFiles(person)).toBe(2);
    expect(await held(person)).toMatchObject({ reserved: 0 });
  });

  it("refuse what the storage quota has no room for, before any work", async () => {
    const person = await signUp();
    await overrideLimits(person.workspaceId, { storageBytes: 250_000 });
    const fileId = await storeFile(person, "tone.wav", wav(120_000));
    const first = await seal(person, { fileId });
    expect(first.status).toBe(200);
    const refused = await seal(person, { fileId });
    expect(refused).toMatchObject({ status: 413, body: { code: "storage-quota-exceeded", limitBytes: 250_000 } });
    expect(await held(person)).toEqual({ used: 120_000 + first.body.conversion.totalImageBytes, reserved: 0 });
    expect(await countConversions(person)).toBe(1);
    const opened = await open(person, { conversionId: first.body.conversionId });
    expect(opened).toMatchObject({ status: 413, body: { code: "storage-quota-exceeded" } });
    expect(await held(person)).toEqual({ used: 120_000 + first.body.conversion.totalImageBytes, reserved: 0 });
  });
});
