/** Sealing and opening through HTTP, with real storage, queue and database. */
import { describe, expect, it } from "vitest";
import { bindings, signUp } from "#test/support/harness";
import { content, conversionRow, downloadImages, held, open, seal, sealed, sha256, storedKeys, storeFile, wav } from "./support.ts";

describe("sealing", () => {
  it("turns audio into images and the images into the same audio", async () => {
    const person = await signUp();
    const audio = wav(100_000);
    const fileId = await storeFile(person, "My Tone.wav", audio);
    const answer = await seal(person, { fileId });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("preference-applied")).toBe("wait=20");
    const { conversion } = answer.body;
    expect(answer.body).toMatchObject({ success: true, conversionId: conversion.id, jobId: conversion.jobId, status: "completed" });
    expect(conversion).toMatchObject({
      conversionType: "audio-to-image",
      state: "succeeded",
      format: 2,
      inputFileId: fileId,
      inputFileName: "My Tone.wav",
      inputFileSize: 100_000,
      compress: true,
      imageCount: 1,
      sha256: await sha256(audio),
      problem: null,
      images: [{ index: 0, fileName: "My Tone_part0001_of_0001.png", width: 256 }],
    });
    const opened = await open(person, { conversionId: conversion.id });
    expect(opened.status).toBe(200);
    expect(opened.body.conversion).toMatchObject({ conversionType: "image-to-audio", format: 2, outputFileName: "My Tone.wav", sha256: await sha256(audio), imageCount: 1 });
    expect(await content(person, opened.body.conversion.outputFileId)).toEqual(audio);
    const file = await person.call("GET", `/v1/files/${opened.body.conversion.outputFileId}`);
    expect(file.body).toMatchObject({ origin: "opened", kind: "audio", contentType: "audio/wav", name: "My Tone.wav" });
  });
});
