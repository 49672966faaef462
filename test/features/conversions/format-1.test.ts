/** Version 1 (EchoCipher): its own images open byte for byte, and what is sealed for it opens again; a request's key leaves no trace. */
import { describe, expect, it } from "vitest";
import { readImage } from "#lib/seal/image";
import { readChunkHeader } from "#lib/seal/v1";
import { bindings, type Person, signUp } from "#test/support/harness";
import briefingUrl from "../../fixtures/briefing.wav?inline";
import part1Url from "../../fixtures/echocipher-v1/briefing_part0001_of_0003.png?inline";
import part2Url from "../../fixtures/echocipher-v1/briefing_part0002_of_0003.png?inline";
import part3Url from "../../fixtures/echocipher-v1/briefing_part0003_of_0003.png?inline";
import { newKey } from "./planting.ts";
import {
  content,
  conversionRow,
  downloadImages,
  finishJob,
  fromDataUrl,
  open,
  seal,
  sealed,
  sha256,
  storeFile,
  wav,
} from "./support.ts";

/** The public key of the sample: the 32 bytes 0 to 31. */
const sampleKey = Uint8Array.from({ length: 32 }, (_, index) => index).toHex();

async function storeSample(person: Person): Promise<string[]> {
  const ids = [];
  for (const [name, url] of [
    ["c.png", part3Url],
    ["a.png", part1Url],
    ["b.png", part2Url],
  ] as const)
    ids.push(await storeFile(person, name, fromDataUrl(url)));
  return ids;
}

/** The pixels as a baseline TIFF of one strip (TIFF 6.0 section 6), little-endian. */
function tiffOf(png: Uint8Array): Uint8Array<ArrayBuffer> {
  const { width, height, rgb } = readImage(png);
  const fields = [
    [256, 4, 1, width],
    [257, 4, 1, height],
    [258, 3, 3, 8],
    [259, 3, 1, 1],
    [262, 3, 1, 2],
    [273, 4, 1, 256],
    [277, 3, 1, 3],
    [278, 4, 1, height],
    [279, 4, 1, rgb.length],
  ] as const;
  const bytes = new Uint8Array(256 + rgb.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x002a_4949, true);
  view.setUint32(4, 16, true);
  // Three times the depth, which does not fit into its field.
  for (const offset of [8, 10, 12]) view.setUint16(offset, 8, true);
  view.setUint16(16, fields.length, true);
  for (const [index, [tag, type, count, value]] of fields.entries()) {
    const offset = 18 + index * 12;
    view.setUint16(offset, tag, true);
    view.setUint16(offset + 2, type, true);
    view.setUint32(offset + 4, count, true);
    view.setUint32(offset + 8, value, true);
  }
  bytes.set(rgb, 256);
  return bytes;
}

function importKey(person: Person, userId: string, keyHex: string) {
  return person.call("POST", "/v1/encryption-keys", { body: { keyType: "master", format: 1, keyHex, userId } });
}

describe("images of EchoCipher", () => {
  it("open byte for byte with the key given with the request", async () => {
    const person = await signUp();
    const fileIds = await storeSample(person);
    const opened = await open(person, { fileIds, masterKeyHex: sampleKey, userId: "alice" });
    expect(opened.status).toBe(200);
    expect(opened.body.conversion).toMatchObject({ format: 1, imageCount: 3, outputFileName: "briefing.wav" });
    const original = fromDataUrl(briefingUrl);
    expect(await content(person, opened.body.conversion.outputFileId)).toEqual(original);
    expect(opened.body.conversion.sha256).toBe(await sha256(original));
    const file = await person.call("GET", `/v1/files/${opened.body.conversion.outputFileId}`);
    expect(file.body).toMatchObject({ contentType: "audio/wav", kind: "audio" });
    expect((await conversionRow(opened.body.conversionId))["request_key"]).toBeNull();
  });

  it("open as the uncompressed TIFF files that other tools make of them", async () => {
    const person = await signUp();
    const fileIds = [];
    for (const [index, url] of [part1Url, part2Url, part3Url].entries())
      fileIds.push(await storeFile(person, `${index}.tiff`, tiffOf(fromDataUrl(url))));
    const opened = await open(person, { fileIds, masterKeyHex: sampleKey, userId: "alice" });
    expect(opened.body).toMatchObject({ conversion: { sha256: await sha256(fromDataUrl(briefingUrl)) } });
  });

  it("open with an imported key, whichever of several it is", async () => {
    const person = await signUp();
    const fileIds = await storeSample(person);
    expect((await importKey(person, "alice", sampleKey)).status).toBe(201);
    expect((await importKey(person, "alice", newKey())).status).toBe(201);
    const opened = await open(person, { fileIds, outputFileName: "again" });
    expect(opened.body.conversion).toMatchObject({ status: "completed", outputFileName: "again.wav" });
    expect((await open(person, { fileIds, userId: "alice" })).status).toBe(200);
  });

  it("stay closed for another key, another user and without a key", async () => {
    const person = await signUp();
    const fileIds = await storeSample(person);
    const wrong = { status: 422, body: { code: "encryption-key-wrong" } };
    expect(await open(person, { fileIds, masterKeyHex: newKey(), userId: "alice" })).toMatchObject(wrong);
    expect(await open(person, { fileIds, masterKeyHex: sampleKey, userId: "Alice" })).toMatchObject(wrong);
    expect(await open(person, { fileIds })).toMatchObject(wrong);
    await importKey(person, "alice", newKey());
    const refused = await open(person, { fileIds });
    expect(refused).toMatchObject(wrong);
    expect(refused.body.fileName).toBe("a.png");
  });

  it("name the missing one", async () => {
    const person = await signUp();
    const [third = "", first = ""] = await storeSample(person);
    expect(await open(person, { fileIds: [third, first], masterKeyHex: sampleKey, userId: "alice" })).toMatchObject({
      status: 422,
      body: { code: "images-missing", missing: [1] },
    });
  });

  it("refuse weak and malformed keys without repeating them", async () => {
    const person = await signUp();
    const fileIds = await storeSample(person);
    const weak = "ab".repeat(32);
    const refused = await open(person, { fileIds, masterKeyHex: weak, userId: "alice" });
    expect(refused).toMatchObject({ status: 422, body: { code: "encryption-key-invalid" } });
    const malformed = await open(person, { fileIds, masterKeyHex: `${weak}zz` });
    expect(malformed).toMatchObject({ status: 422, body: { code: "validation-failed" } });
    for (const answer of [refused, malformed]) expect(JSON.stringify(answer.body)).not.toContain(weak);
    expect(await open(person, { fileIds, masterKeyHex: newKey(), userId: "a/../b" })).toMatchObject({
      status: 422,
      body: { code: "validation-failed" },
    });
  });
});

describe("sealing format 1", () => {
  it("writes EchoCipher's header in as many images as asked and opens again", async () => {
    const person = await signUp();
    const audio = wav(25_000);
    const masterKeyHex = newKey();
    const conversion = await sealed(person, audio, {
      format: "1",
      masterKeyHex,
      userId: "bob",
      maxChunkBytes: "10000",
    });
    expect(conversion.images.map((image) => image.fileName)).toEqual(
      [1, 2, 3].map((part) => `tone_part000${part}_of_0003.png`),
    );
    const images = await downloadImages(person, conversion.id);
    const { header } = readChunkHeader(readImage(images[2]?.bytes ?? new Uint8Array()).rgb);
    expect(header).toMatchObject({
      chunkIndex: 2,
      chunkCount: 3,
      chunkBytes: 5_000,
      fileName: "tone.wav",
      userId: "bob",
    });
    expect(await open(person, { conversionId: conversion.id })).toMatchObject({
      status: 422,
      body: { code: "encryption-key-wrong" },
    });
    const opened = await open(person, { conversionId: conversion.id, masterKeyHex, userId: "bob" });
    expect(await content(person, opened.body.conversion.outputFileId)).toEqual(audio);
    const uploaded = [];
    for (const image of images.reverse()) uploaded.push(await storeFile(person, image.fileName, image.bytes));
    expect((await open(person, { fileIds: uploaded, masterKeyHex, userId: "bob" })).body.conversion.sha256).toBe(
      await sha256(audio),
    );
  });

  it("seals with an imported key and opens without naming it", async () => {
    const person = await signUp();
    const imported = await importKey(person, "carol", newKey());
    const audio = wav(9_000);
    const conversion = await sealed(person, audio, { format: 1, userId: "carol" });
    const { body } = await person.call("GET", `/v1/conversions/${conversion.id}`);
    expect(body).toMatchObject({ format: 1, encryptionKeyId: imported.body.id });
    const opened = await open(person, { conversionId: conversion.id });
    expect(await content(person, opened.body.conversion.outputFileId)).toEqual(audio);
    const named = await sealed(person, audio, { format: 1, encryptionKeyId: imported.body.id });
    expect((await open(person, { conversionId: named.id })).status).toBe(200);
  });

  it("asks for a key that it can use", async () => {
    const person = await signUp();
    const fileId = await storeFile(person, "tone.wav", wav(5_000));
    const missing = { status: 404, body: { code: "encryption-key-not-found" } };
    expect(await seal(person, { fileId, format: 1 })).toMatchObject(missing);
    const imported = await importKey(person, "carol", newKey());
    expect(await seal(person, { fileId, format: 1, userId: "dave" })).toMatchObject(missing);
    expect(await seal(person, { fileId, format: 1, encryptionKeyId: imported.body.id, userId: "dave" })).toMatchObject(
      missing,
    );
    expect(await seal(person, { fileId, format: 2, encryptionKeyId: imported.body.id })).toMatchObject(missing);
    const refused = await seal(person, { fileId, format: 2, masterKeyHex: newKey() });
    expect(refused).toMatchObject({ status: 422, body: { code: "validation-failed" } });
  });

  it("holds a request's key only in a wrapped form, only until the job ends, and asks for it again on a retry", async () => {
    const person = await signUp();
    const fileId = await storeFile(person, "tone.wav", wav(5_000));
    const masterKeyHex = newKey();
    const started = await seal(person, { fileId, masterKeyHex, userId: "erin" }, {});
    const jobId = started.body.jobId as string;
    expect(started.body.conversion.format).toBe(1);
    await finishJob(person, jobId);
    for (const table of ["conversions", "jobs", "job_events", "audit_log", "idempotency_keys"]) {
      const { results } = await bindings.DB.prepare(`select * from ${table}`).all();
      expect(JSON.stringify(results).toLowerCase()).not.toContain(masterKeyHex);
    }
    expect((await conversionRow(started.body.conversionId))["request_key"]).toBeNull();
    await bindings.DB.prepare("update jobs set state = 'failed' where id = ?").bind(jobId).run();
    expect((await person.call("POST", `/v1/jobs/${jobId}/retry`)).status).toBe(202);
    expect(await finishJob(person, jobId)).toBe("failed");
    expect((await person.call("GET", `/v1/jobs/${jobId}`)).body.problem.code).toBe("request-key-erased");
  });

  it("fits long and foreign names into the header", async () => {
    const person = await signUp();
    const fileId = await storeFile(person, `${"ж".repeat(100)}..tone.wav`, wav(5_000));
    const masterKeyHex = newKey();
    const answer = await seal(person, { fileId, masterKeyHex, userId: "erin" });
    expect(answer.status).toBe(200);
    const opened = await open(person, { conversionId: answer.body.conversionId, masterKeyHex, userId: "erin" });
    expect(opened.body.conversion.outputFileName).toMatch(/^ж{50,100}.*\.wav$/);
    expect(await seal(person, { fileId, masterKeyHex, userId: "ж".repeat(200) })).toMatchObject({
      status: 422,
      body: { code: "validation-failed" },
    });
  });
});
