/** Sealing and opening through HTTP, with real storage, queue and database. */
import { describe, expect, it } from "vitest";
import { decodePng } from "#lib/png/decode";
import { bindings, overrideLimits, signUp } from "#test/support/harness";
import {
  content,
  conversionRow,
  countRows,
  downloadImages,
  finishJob,
  held,
  mebibyte,
  open,
  seal,
  sealed,
  sha256,
  storedKeys,
  storeFile,
  wav,
} from "./support.ts";

const rgbBytesMax = 64 * mebibyte;

describe("sealing", () => {
  it("turns audio into images and the images into the same audio", async () => {
    const person = await signUp();
    const audio = wav(100_000);
    const fileId = await storeFile(person, "My Tone.wav", audio);
    const answer = await seal(person, { fileId });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("preference-applied")).toBe("wait=20");
    const { conversion } = answer.body;
    expect(answer.body).toMatchObject({
      success: true,
      conversionId: conversion.id,
      jobId: conversion.jobId,
      status: "completed",
    });
    expect(answer.body.job).toMatchObject({
      kind: "conversions.seal-audio",
      state: "succeeded",
      done: 1,
      total: 1,
      progress: 1,
    });
    expect(conversion).toMatchObject({
      conversionType: "audio-to-image",
      userId: person.userId,
      state: "succeeded",
      format: 2,
      inputFileId: fileId,
      inputFileName: "My Tone.wav",
      inputFileSize: 100_000,
      compress: true,
      deleteSource: false,
      imageCount: 1,
      sha256: await sha256(audio),
      problem: null,
      outputFileId: null,
      images: [{ index: 0, fileName: "My Tone_part0001_of_0001.png", width: 256 }],
    });
    const opened = await open(person, { conversionId: conversion.id });
    expect(opened.status).toBe(200);
    expect(opened.body.conversion).toMatchObject({
      conversionType: "image-to-audio",
      format: 2,
      outputFileName: "My Tone.wav",
      inputFileSize: conversion.totalImageBytes,
      sha256: await sha256(audio),
      imageCount: 1,
    });
    expect(await content(person, opened.body.conversion.outputFileId)).toEqual(audio);
    const file = await person.call("GET", `/v1/files/${opened.body.conversion.outputFileId}`);
    expect(file.body).toMatchObject({
      origin: "opened",
      kind: "audio",
      contentType: "audio/wav",
      name: "My Tone.wav",
      sha256: await sha256(audio),
    });
  });

  it("answers 202 with the job when nobody waits, and the job does the work", async () => {
    const person = await signUp();
    const fileId = await storeFile(person, "tone.wav", wav(5_000));
    const answer = await seal(person, { fileId }, {});
    expect(answer.status).toBe(202);
    expect(answer.headers.get("location")).toBe(`/v1/jobs/${answer.body.jobId}`);
    expect(answer.headers.get("preference-applied")).toBeNull();
    expect(await finishJob(person, answer.body.jobId)).toBe("succeeded");
    const job = await person.call("GET", `/v1/jobs/${answer.body.jobId}`);
    expect(job.body.result).toMatchObject({ conversionId: answer.body.conversionId, imageCount: 1 });
  });

  it("cuts a file at 8 MiB and needs every image to open it", async () => {
    const person = await signUp();
    const audio = wav(8 * mebibyte + 1);
    const conversion = await sealed(person, audio);
    expect(conversion.images.map((image) => image.fileName)).toEqual([
      "tone_part0001_of_0002.png",
      "tone_part0002_of_0002.png",
    ]);
    const [first, second] = await downloadImages(person, conversion.id);
    expect(decodePng(first?.bytes ?? new Uint8Array(), { rgbBytesMax })).toMatchObject({ width: 2048 });
    expect(decodePng(second?.bytes ?? new Uint8Array(), { rgbBytesMax })).toMatchObject({ width: 64, height: 1 });
    const opened = await open(person, { conversionId: conversion.id });
    expect(await sha256(await content(person, opened.body.conversion.outputFileId))).toBe(await sha256(audio));
  });

  it("compresses what gets shorter, unless told not to in any of the ways that clients say it", async () => {
    const person = await signUp();
    const audio = wav(300_000, { packs: true });
    await overrideLimits(person.workspaceId, { conversionsPerHour: null });
    const sizes = new Map<unknown, number>();
    for (const compress of [undefined, true, "true", 1, "1", "True", false, "false", "False", 0, "0"]) {
      const { body } = await person.call("GET", `/v1/conversions/${(await sealed(person, audio, { compress })).id}`);
      sizes.set(compress, body.totalImageBytes);
    }
    for (const compress of [undefined, true, "true", 1, "1", "True"]) expect(sizes.get(compress)).toBeLessThan(250_000);
    for (const compress of [false, "false", "False", 0, "0"]) expect(sizes.get(compress)).toBeGreaterThan(300_000);
  });

  it("holds exactly the images' bytes of the quota", async () => {
    const person = await signUp();
    const audio = wav(400_000, { packs: true });
    const conversion = await sealed(person, audio);
    const { body } = await person.call("GET", `/v1/conversions/${conversion.id}`);
    expect(await held(person)).toEqual({ used: 400_000 + body.totalImageBytes, reserved: 0 });
    expect(body.totalImageBytes).toBe(
      (await downloadImages(person, conversion.id)).reduce((sum, image) => sum + image.bytes.length, 0),
    );
    const opened = await open(person, { conversionId: conversion.id });
    expect(opened.status).toBe(200);
    expect(await held(person)).toEqual({ used: 800_000 + body.totalImageBytes, reserved: 0 });
  });

  it("deletes the source only when asked and only once the images are there", async () => {
    const person = await signUp();
    const fileId = await storeFile(person, "tone.wav", wav(5_000));
    const answer = await seal(person, { fileId, deleteSource: "true" });
    expect(answer.body.conversion).toMatchObject({ deleteSource: true, inputFileId: fileId });
    expect(answer.body.job.result).toMatchObject({ sourceDeleted: true });
    expect((await person.call("GET", `/v1/files/${fileId}`)).status).toBe(404);
    const discard = await bindings.DB.prepare(
      "select id from jobs where workspace_id = ? and name = 'conversions.discard-file'",
    )
      .bind(person.workspaceId)
      .first<{ id: string }>();
    expect(await finishJob(person, discard?.id ?? "")).toBe("succeeded");
    expect(await held(person)).toEqual({ used: answer.body.conversion.totalImageBytes, reserved: 0 });
    const opened = await open(person, { conversionId: answer.body.conversionId });
    expect(await content(person, opened.body.conversion.outputFileId)).toEqual(wav(5_000));
  });

  it("keeps no key in clear and nothing of the audio in the images' headers", async () => {
    const person = await signUp();
    const conversion = await sealed(person, wav(5_000));
    const row = await conversionRow(conversion.id);
    expect(row).toMatchObject({ request_key: null, format: 2 });
    const [image] = await downloadImages(person, conversion.id);
    const { rgb } = decodePng(image?.bytes ?? new Uint8Array(), { rgbBytesMax });
    const text = new TextDecoder("latin1").decode(rgb);
    expect(text.slice(0, 8)).toBe("OVTSEAL2");
    for (const secret of ["tone.wav", person.userId, person.workspaceId, "RIFF"]) expect(text).not.toContain(secret);
    expect(Buffer.from(rgb.subarray(20, 36)).toString("hex")).toBe(row["seal_id"]);
    expect(Buffer.from(rgb.subarray(36, 52)).toString("hex")).toBe(row["data_key_id"]);
    expect(
      await countRows("data_keys", "conversion_id = ? and workspace_id = ?", conversion.id, person.workspaceId),
    ).toBe(1);
    expect(await storedKeys(person, "sealed")).toHaveLength(1);
  });

  it("seals with the key that is asked for", async () => {
    const person = await signUp();
    const session = await person.call("POST", "/v1/encryption-keys", { body: { keyType: "session" } });
    const fileId = await storeFile(person, "tone.wav", wav(5_000));
    const answer = await seal(person, { fileId, encryptionKeyId: session.body.id });
    expect(answer.body.conversion.encryptionKeyId).toBe(session.body.id);
    expect((await open(person, { conversionId: answer.body.conversionId })).status).toBe(200);
    expect(await seal(person, { fileId, encryptionKeyId: "ekey_00000000000000000000000000" })).toMatchObject({
      status: 404,
      body: { code: "encryption-key-not-found" },
    });
  });
});
