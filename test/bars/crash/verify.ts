/** After the storm, through the API: is every acknowledged upload there with its bytes, and does everything that was sealed open again. */
import { sha256Of } from "../random.ts";
import { download, makeGate, TooLate } from "./client.ts";
import { type ConversionRecord, type Office, openOne, Refused, type UploadRecord } from "./work.ts";

const atOnce = 6;

export interface Verified {
  uploadsVerified: number;
  sealsOpened: number;
  violations: string[];
}

/** Without `downloads` only what the clients know already is looked at. */
export async function verifyAll(office: Office, { downloads }: { downloads: boolean }): Promise<Verified> {
  const verified: Verified = { uploadsVerified: 0, sealsOpened: 0, violations: [] };
  const gate = makeGate(atOnce);
  const { uploads, conversions, refused, unfinished } = office.records;
  verified.violations.push(
    ...refused.map((line) => `refused: ${line}`),
    ...unfinished.map((name) => `lost: ${name} was not finished in time`),
  );
  const stored = [...conversions];
  for (const { name, state, problem } of stored) {
    if (state !== "succeeded")
      verified.violations.push(
        `lost: conversion ${name} was acknowledged and is ${state} ${problem ? `(${problem.code}: ${problem.detail})` : ""}`,
      );
  }
  if (!downloads) return verified;
  const succeeded = stored.filter(({ state }) => state === "succeeded");
  await Promise.all([
    ...uploads.filter(({ passes }) => !passes).map((upload) => gate(() => verifyUpload(office, upload, verified))),
    ...succeeded
      .filter(({ type }) => type === "image-to-audio")
      .map((opened) => gate(() => verifyOpened(office, opened, verified))),
    ...succeeded
      .filter(({ type }) => type === "audio-to-image")
      .map((sealed) => gate(() => verifySealed(office, sealed, verified))),
  ]);
  return verified;
}

async function verifyUpload(
  office: Office,
  { name, fileId, person, sha256 }: UploadRecord,
  verified: Verified,
): Promise<void> {
  const bytes = await downloadInTime(office, fileId, person.token);
  if (bytes === null) verified.violations.push(`lost: upload ${name} was acknowledged and its file is not there`);
  else if (sha256Of(bytes) !== sha256) verified.violations.push(`hash: upload ${name} has other bytes than were sent`);
  else verified.uploadsVerified += 1;
}

async function downloadInTime(office: Office, fileId: string, token: string): Promise<Buffer | null> {
  try {
    return await download(office, `/v1/files/${fileId}/content`, token);
  } catch (error) {
    if (error instanceof TooLate) return null;
    throw error;
  }
}

async function verifySealed(office: Office, sealed: ConversionRecord, verified: Verified): Promise<void> {
  try {
    const opened = await openOne(office, `verify-${sealed.name}`, sealed);
    await verifyOpened(office, opened, verified);
  } catch (error) {
    if (!(error instanceof TooLate || error instanceof Refused)) throw error;
    verified.violations.push(`lost: the images of ${sealed.name} could not be opened: ${error.message}`);
  }
}

async function verifyOpened(office: Office, opened: ConversionRecord, verified: Verified): Promise<void> {
  const { name, conversionId, person, sha256, state, problem } = opened;
  if (state !== "succeeded") {
    verified.violations.push(`lost: ${name} is ${state}: ${problem?.code} ${problem?.detail}`);
    return;
  }
  const about = await download(office, `/v1/conversions/${conversionId}`, person.token);
  const fileId =
    about === null ? null : (JSON.parse(about.toString("utf8")) as { outputFileId: string | null }).outputFileId;
  const bytes = fileId === null ? null : await downloadInTime(office, fileId, person.token);
  if (bytes === null) verified.violations.push(`lost: ${name} succeeded and its file is not there`);
  else if (sha256Of(bytes) !== sha256) verified.violations.push(`hash: ${name} opened to other bytes than were sealed`);
  else verified.sealsOpened += 1;
}
