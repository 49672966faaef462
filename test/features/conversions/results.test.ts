/** Reading, downloading, deleting and counting conversions. */
import { unzipSync } from "fflate";
import { describe, expect, it } from "vitest";
import conversions from "#features/conversions/index";
import { zipLength } from "#lib/zip";
import { bindings, overrideLimits, type Person, signUp, systemContext } from "#test/support/harness";
import { newKey } from "./planting.ts";
import {
  conversionRow,
  countRows,
  downloadImages,
  finishJob,
  held,
  open,
  seal,
  sealed,
  sha256,
  storedKeys,
  storeFile,
  wav,
} from "./support.ts";

/** A version 1 conversion of three small images. */
const threeImages = (person: Person, audio = wav(2_500)) =>
  sealed(person, audio, { masterKeyHex: newKey(), userId: "zoe", maxChunkBytes: 1_000 });

describe("the list", () => {
  it("pages newest first by cursor, and by skip for older clients, with filters and a total", async () => {
    const person = await signUp();
    const made: string[] = [];
    for (let index = 0; index < 3; index += 1) made.unshift((await sealed(person, wav(500))).id);
    made.unshift((await open(person, { conversionId: made[0] })).body.conversionId);
    made.unshift((await open(person, { conversionId: made[1] })).body.conversionId);
    const ids = (answer: { body: { items: { id: string }[] } }) => answer.body.items.map((item) => item.id);
    const first = await person.call("GET", "/v1/conversions?limit=2");
    expect(ids(first)).toEqual(made.slice(0, 2));
    expect(first.body.total).toBe(5);
    expect(first.body.items[0].images).toBeUndefined();
    const second = await person.call("GET", `/v1/conversions?limit=2&cursor=${first.body.nextCursor}`);
    expect(ids(second)).toEqual(made.slice(2, 4));
    const last = await person.call("GET", `/v1/conversions?limit=2&cursor=${second.body.nextCursor}`);
    expect(ids(last)).toEqual(made.slice(4));
    expect(last.body).toMatchObject({ nextCursor: null, total: 5 });
    expect(ids(await person.call("GET", "/v1/conversions?limit=2&skip=3"))).toEqual(made.slice(3));
    expect(ids(await person.call("GET", "/v1/conversions?conversionType=image-to-audio"))).toEqual(made.slice(0, 2));
    await bindings.DB.prepare(
      "update jobs set state = 'cancelled' where id = (select job_id from conversions where id = ?)",
    )
      .bind(made[4])
      .run();
    const byStatus = await person.call("GET", "/v1/conversions?status=failed");
    expect(ids(byStatus)).toEqual([made[4]]);
    expect(byStatus.body).toMatchObject({ total: 1, items: [{ status: "failed", state: "cancelled" }] });
    expect((await person.call("GET", "/v1/conversions?status=completed")).body.total).toBe(4);
    expect((await person.call("GET", "/v1/conversions?status=pending")).body.items).toEqual([]);
  });

  it("refuses nonsense and other people", async () => {
    const person = await signUp();
    expect((await person.call("GET", "/v1/conversions?limit=101")).status).toBe(422);
    expect((await person.call("GET", "/v1/conversions?status=done")).status).toBe(422);
    expect((await person.call("GET", "/v1/conversions?cursor=%25")).body.code).toBe("invalid-cursor");
    expect((await person.call("GET", "/v1/conversions?userId=usr_other")).body.code).toBe("user-not-found");
    expect((await person.call("GET", `/v1/conversions?userId=${person.userId}`)).body).toEqual({
      items: [],
      nextCursor: null,
      total: 0,
    });
  });
});

describe("downloads", () => {
  it("give one image by index or by name, with a tag and a safe name", async () => {
    const person = await signUp();
    const { id, images } = await threeImages(person);
    const byIndex = await person.call("GET", `/v1/conversions/${id}/images/2`);
    expect(byIndex.status).toBe(200);
    expect(await sha256(byIndex.bytes)).toBe(images[2]?.sha256);
    expect(byIndex.headers.get("content-type")).toBe("image/png");
    expect(byIndex.headers.get("content-disposition")).toBe(
      `attachment; filename="tone_part0003_of_0003.png"; filename*=UTF-8''tone_part0003_of_0003.png`,
    );
    expect(byIndex.headers.get("x-content-type-options")).toBe("nosniff");
    const byName = await person.call("GET", `/v1/conversions/${id}/images/tone_part0003_of_0003.png`);
    expect(byName.bytes).toEqual(byIndex.bytes);
    const etag = byIndex.headers.get("etag") ?? "";
    expect(etag).toBe(`"${images[2]?.sha256}"`);
    expect(
      (await person.call("GET", `/v1/conversions/${id}/images/2`, { headers: { "if-none-match": `"x", W/${etag}` } }))
        .status,
    ).toBe(304);
    expect(
      (await person.call("GET", `/v1/conversions/${id}/images/2`, { headers: { "if-none-match": '"x"' } })).status,
    ).toBe(200);
    for (const index of ["3", "-1", "none.png", "1.5"])
      expect((await person.call("GET", `/v1/conversions/${id}/images/${index}`)).body.code).toBe("image-not-found");
  });

  it("give all images as a ZIP whose length is said before", async () => {
    const person = await signUp();
    const { id } = await threeImages(person);
    const zip = await person.call("GET", `/v1/conversions/${id}/download-zip`);
    expect(zip.status).toBe(200);
    expect(zip.headers.get("content-type")).toBe("application/zip");
    expect(zip.headers.get("content-disposition")).toContain('filename="tone_sealed.zip"');
    const entries = unzipSync(zip.bytes);
    const images = await downloadImages(person, id);
    // The answer's stream breaks when it has another length than this; the network's Content-Length is made of it.
    expect(zipLength(images.map((image) => ({ name: image.fileName, sizeBytes: image.bytes.length })))).toBe(
      zip.bytes.length,
    );
    expect(Object.keys(entries)).toEqual(images.map((image) => image.fileName));
    for (const image of images) expect(entries[image.fileName]).toEqual(image.bytes);
    const etag = zip.headers.get("etag") ?? "";
    expect(
      (await person.call("GET", `/v1/conversions/${id}/download-zip`, { headers: { "if-none-match": etag } })).status,
    ).toBe(304);
    expect((await person.call("GET", `/v1/conversions/${id}/download-zip?userId=usr_other`)).body.code).toBe(
      "user-not-found",
    );
  });

  it("are refused for strangers, for openings and before the work is done", async () => {
    const [person, stranger] = [await signUp(), await signUp()];
    const { id, jobId } = await sealed(person, wav(500));
    for (const path of [
      `/v1/conversions/${id}`,
      `/v1/conversions/${id}/images/0`,
      `/v1/conversions/${id}/download-zip`,
    ]) {
      const unknown = await stranger.call("GET", path.replace(id, "conv_00000000000000000000000000"));
      const foreign = await stranger.call("GET", path);
      expect(foreign).toMatchObject({ status: 404, body: { code: "conversion-not-found" } });
      expect({ ...foreign.body, requestId: "" }).toEqual({ ...unknown.body, requestId: "" });
    }
    const opened = await open(person, { conversionId: id });
    expect((await person.call("GET", `/v1/conversions/${opened.body.conversionId}/download-zip`)).body.code).toBe(
      "image-not-found",
    );
    await bindings.DB.prepare("update jobs set state = 'running' where id = ?").bind(jobId).run();
    expect((await person.call("GET", `/v1/conversions/${id}/images/0`)).body.code).toBe("conversion-not-ready");
    expect((await person.call("GET", `/v1/conversions/${id}/download-zip`)).body.code).toBe("conversion-not-ready");
    expect((await person.call("GET", `/v1/conversions/${id}`)).body).toMatchObject({
      status: "processing",
      images: [],
    });
  });

  it("say when storage lost an image instead of ending early", async () => {
    const person = await signUp();
    const { id } = await sealed(person, wav(500));
    for (const key of await storedKeys(person, "sealed")) await bindings.FILES.delete(key);
    expect((await person.call("GET", `/v1/conversions/${id}/images/0`)).body.code).toBe("file-damaged");
    expect((await person.call("GET", `/v1/conversions/${id}/download-zip`)).body.code).toBe("file-damaged");
    expect((await open(person, { conversionId: id })).body).toMatchObject({ code: "images-missing", missing: [0] });
  });
});

describe("deleting", () => {
  it("removes images and quota, destroys the key, and may be repeated", async () => {
    const [person, stranger] = [await signUp(), await signUp()];
    const { id } = await sealed(person, wav(500));
    expect((await stranger.call("DELETE", `/v1/conversions/${id}`)).status).toBe(404);
    expect((await person.call("DELETE", `/v1/conversions/${id}?userId=usr_other`)).body.code).toBe("user-not-found");
    expect((await person.call("DELETE", `/v1/conversions/${id}`)).status).toBe(204);
    expect((await person.call("DELETE", `/v1/conversions/${id}`)).status).toBe(204);
    expect((await person.call("GET", `/v1/conversions/${id}`)).status).toBe(404);
    expect(await storedKeys(person, "sealed")).toEqual([]);
    expect(await held(person)).toEqual({ used: 500, reserved: 0 });
    expect(await countRows("conversion_images", "conversion_id = ?", id)).toBe(0);
    expect(await countRows("data_keys", "conversion_id = ? and (destroyed_at is null or wrapped_key <> '')", id)).toBe(
      0,
    );
    expect(await countRows("audit_log", "action = 'conversion.delete' and target = ?", id)).toBe(1);
    expect((await conversionRow(id))["purged_at"]).not.toBeNull();
  });

  it("waits for the work to end, and for those who open the images", async () => {
    const person = await signUp();
    const { id, jobId } = await sealed(person, wav(500));
    const opened = await open(person, { conversionId: id });
    const setState = (job: string, state: string) =>
      bindings.DB.prepare("update jobs set state = ? where id = ?").bind(state, job).run();
    await setState(jobId, "running");
    expect(await person.call("DELETE", `/v1/conversions/${id}`)).toMatchObject({
      status: 409,
      body: { code: "conversion-running", jobId },
    });
    await setState(jobId, "succeeded");
    await setState(opened.body.jobId, "queued");
    expect(await person.call("DELETE", `/v1/conversions/${id}`)).toMatchObject({
      status: 409,
      body: { references: [{ id: opened.body.conversionId }] },
    });
    await setState(opened.body.jobId, "succeeded");
    expect((await person.call("DELETE", `/v1/conversions/${id}`)).status).toBe(204);
    expect((await person.call("DELETE", `/v1/conversions/${opened.body.conversionId}`)).status).toBe(204);
    expect((await person.call("GET", `/v1/files/${opened.body.conversion.outputFileId}`)).status).toBe(200);
  });

  it("is finished by the schedule when its job was lost, and leftover keys of requests are erased", async () => {
    const person = await signUp();
    const { id } = await sealed(person, wav(500));
    const yesterday = Date.now() - 25 * 3_600_000;
    await bindings.DB.prepare("update conversions set deleted_at = ?, request_key = 'left' where id = ?")
      .bind(yesterday, id)
      .run();
    const run = async (name: string) =>
      conversions.schedules?.find((schedule) => schedule.name === name)?.run(systemContext());
    await run("conversions.erase-keys");
    expect((await conversionRow(id))["request_key"]).toBeNull();
    await run("conversions.purge-overdue");
    const job = await bindings.DB.prepare("select id from jobs where name = 'conversions.purge' and workspace_id = ?")
      .bind(person.workspaceId)
      .first<{ id: string }>();
    expect(await finishJob(person, job?.id ?? "")).toBe("succeeded");
    expect(await storedKeys(person, "sealed")).toEqual([]);
    expect(await held(person)).toEqual({ used: 500, reserved: 0 });
  });
});

describe("statistics", () => {
  it("count a person's own conversions", async () => {
    const person = await signUp();
    const none = await person.call("GET", "/v1/stats/user/me");
    expect(none.body).toEqual({
      userId: person.userId,
      totalConversions: 0,
      completedConversions: 0,
      failedConversions: 0,
      audioToImageCount: 0,
      imageToAudioCount: 0,
      totalDataProcessed: 0,
      averageConversionTime: 0,
      successRate: null,
    });
    const first = await sealed(person, wav(700));
    const opened = await open(person, { conversionId: first.id });
    const fileId = await storeFile(person, "tone.wav", wav(900));
    const failed = await seal(person, { fileId }, {});
    await finishJob(person, failed.body.jobId);
    await bindings.DB.prepare("update jobs set state = 'failed' where id = ?").bind(failed.body.jobId).run();
    for (const [index, { jobId }] of [first, opened.body].entries()) {
      await bindings.DB.prepare("update jobs set started_at = 1000, ended_at = ? where id = ?")
        .bind(1_100 + index * 201, jobId)
        .run();
    }
    const { body } = await person.call("GET", `/v1/stats/user/${person.userId}`);
    expect(body).toEqual({
      userId: person.userId,
      totalConversions: 3,
      completedConversions: 2,
      failedConversions: 1,
      audioToImageCount: 2,
      imageToAudioCount: 1,
      totalDataProcessed: 700 + opened.body.conversion.inputFileSize,
      averageConversionTime: 201,
      successRate: 2 / 3,
    });
  });

  it("are nobody else's business", async () => {
    const [person, stranger] = [await signUp(), await signUp()];
    await overrideLimits(person.workspaceId, {});
    expect(await stranger.call("GET", `/v1/stats/user/${person.userId}`)).toMatchObject({
      status: 404,
      body: { code: "user-not-found" },
    });
    expect(await stranger.call("GET", "/v1/stats/user/usr_unknown")).toMatchObject({
      status: 404,
      body: { code: "user-not-found" },
    });
  });
});
