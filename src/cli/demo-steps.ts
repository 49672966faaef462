/** The steps of the demo, each one line with its figures. Every step throws when what it sees is not what the product promises. */
import { createHash, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { unzipSync } from "fflate";
import { changePixel, flipBit } from "./alter-image.ts";
import { type DirectUpload, type StoredFile, uploadDirect } from "./direct-upload.ts";
import { type Api, callBytes, callJson } from "./http-client.ts";
import { projectRoot } from "./local-wrangler.ts";
import { lengthOfWav, repeatWav } from "./recording.ts";
import { type Conversion, open, refusalOf, requireSucceeded, seal, type SealedImage } from "./sealing.ts";
import type { ServerEvent } from "./sse.ts";
import { bold, bytes, duration, print, printStep, throughput } from "./terminal.ts";

/** Three images and three parts: the smallest file that shows both. */
const longRecordingBytes = 24 * 1024 * 1024;

export interface Account {
  email: string;
  password: string;
  apiKey: string;
  conversionId: string;
}

interface Recording {
  name: string;
  bytes: Buffer<ArrayBuffer>;
  sha256: string;
}

/** What was downloaded of one sealed image. */
interface Image {
  name: string;
  bytes: Uint8Array<ArrayBuffer>;
}

/** Drives the whole job against the server at `url` with a new account. */
export async function runDemo(url: string): Promise<Account> {
  const account = await makeAccount(url);
  const api = { url, token: account.token };
  const wav = await readFile(join(projectRoot, "test/fixtures/briefing.wav"));

  print(`\n${bold("A long recording, in parts")}`);
  const long = recordingOf("briefing-repeated.wav", repeatWav(wav, longRecordingBytes));
  printStep("recording", `${long.name}: ${minutes(lengthOfWav(long.bytes))} of speech`, bytes(long.bytes.length));
  const { file } = await upload(api, long);
  const sealed = await sealFile(api, file, { compress: false });
  const images = await downloadImages(api, sealed);
  await downloadZip(api, sealed, images);

  print(`\n${bold("Back again, from the images alone")}`);
  const fileIds = await uploadShuffled(api, images);
  await openAndCompare(api, { fileIds }, long);
  await refuseAltered(api, images, fileIds);

  print(`\n${bold("The recording as it is, compressed before sealing")}`);
  const short = recordingOf("briefing.wav", wav);
  const stored = await upload(api, short);
  const compressed = await sealFile(api, stored.file, { compress: true });
  await openAndCompare(api, { conversionId: compressed.id }, short);
  await showStatistics(api);
  return { ...account, conversionId: sealed.id };
}

function recordingOf(name: string, content: Buffer): Recording {
  const own = Buffer.from(new Uint8Array(content));
  return { name, bytes: own, sha256: sha256Of(own) };
}

function minutes(seconds: number): string {
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

function sha256Of(content: Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}

/** Links come as paths or as whole addresses. */
function pathOf(link: string): `/${string}` {
  return new URL(link, "http://api").pathname as `/${string}`;
}

function expect(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}

async function timed<Result>(work: Promise<Result>): Promise<{ result: Result; ms: number }> {
  const begun = performance.now();
  const result = await work;
  return { result, ms: performance.now() - begun };
}

async function makeAccount(url: string): Promise<{ email: string; password: string; apiKey: string; token: string }> {
  const open: Api = { url, token: null };
  const email = `demo-${randomBytes(4).toString("hex")}@example.com`;
  const password = randomBytes(12).toString("base64url");
  print(`\n${bold("An account")}`);
  const registered = await timed(
    callJson<{ workspace: { id: string } }>(open, "POST /v1/auth/register", {
      body: { email, password, name: "Demo" },
    }),
  );
  printStep("register", `${email}, workspace ${registered.result.workspace.id}`, duration(registered.ms));
  const login = await timed(
    callJson<{ access_token: string; expires_in: number }>(open, "POST /v1/auth/login", { body: { email, password } }),
  );
  printStep("sign in", `access token for ${login.result.expires_in / 60} minutes`, duration(login.ms));
  const api = { url, token: login.result.access_token };
  const made = await timed(
    callJson<{ key: string; start: string }>(api, "POST /v1/api-keys", { body: { name: "demo" } }),
  );
  const { key } = made.result;
  await callJson({ url, token: key }, "GET /v1/files?limit=1");
  printStep("API key", `${key.slice(0, 13)}..., accepted`, duration(made.ms));
  return { email, password, apiKey: key, token: api.token };
}

async function upload(api: Api, recording: Recording): Promise<DirectUpload> {
  const { name, bytes: content, sha256 } = recording;
  const done = await uploadDirect(api, { name, type: "audio/wav", bytes: content, sha256 });
  const how =
    done.strategy === "multipart" ? `${done.partCount} parts, straight to storage` : "one PUT, straight to storage";
  printStep("upload", how, throughput(content.length, done.sentMs));
  expect(done.file.sha256 === sha256, `The server computed SHA-256 ${done.file.sha256}, the file has ${sha256}.`);
  printStep("complete", `SHA-256 ${sha256.slice(0, 16)}... verified by the server`, duration(done.completedMs));
  return done;
}

/** Prints a line for each step that a job reports. */
function progressPrinter(): (event: ServerEvent) => void {
  const begun = performance.now();
  return ({ type, data }) => {
    const { step, done, total } = JSON.parse(data) as { step?: string; done?: number; total?: number };
    const count = total ? `${done} of ${total}` : "";
    printStep(
      "  event",
      [type, step, count].filter(Boolean).join("  "),
      `after ${duration(performance.now() - begun)}`,
    );
  };
}

async function sealFile(api: Api, file: StoredFile, { compress }: { compress: boolean }): Promise<Conversion> {
  const converted = await seal(api, { fileId: file.id, compress }, progressPrinter());
  const conversion = requireSucceeded(converted);
  const sizeBytes = conversion.totalImageBytes ?? 0;
  const ratio = `${((sizeBytes / file.sizeBytes) * 100).toFixed(1)} % of the original`;
  printStep(
    "seal",
    `${conversion.imageCount} image${conversion.imageCount === 1 ? "" : "s"}, ${bytes(sizeBytes)}, ${ratio}`,
    throughput(file.sizeBytes, conversion.durationMs ?? converted.ms),
  );
  return conversion;
}

async function downloadImages(api: Api, sealed: Conversion): Promise<Image[]> {
  const list: SealedImage[] = sealed.images ?? [];
  expect(
    list.length > 0 && list.length === sealed.imageCount,
    `The conversion lists ${list.length} images and counts ${sealed.imageCount}.`,
  );
  const { result, ms } = await timed(
    Promise.all(list.map(async (image) => ({ image, content: await callBytes(api, `GET ${pathOf(image.url)}`) }))),
  );
  for (const { image, content } of result)
    expect(sha256Of(content) === image.sha256, `${image.fileName} is not what the conversion lists.`);
  const total = result.reduce((sum, { content }) => sum + content.length, 0);
  printStep("images", `${list.map((image) => image.fileName).join(", ")}`.slice(0, 200));
  printStep("download", `${list.length} images, hashes as listed`, throughput(total, ms));
  return result.map(({ image, content }) => ({ name: image.fileName, bytes: content }));
}

async function downloadZip(api: Api, sealed: Conversion, images: Image[]): Promise<void> {
  const { result, ms } = await timed(callBytes(api, `GET /v1/conversions/${sealed.id}/download-zip`));
  const entries = Object.values(unzipSync(result)).map(sha256Of).toSorted();
  const wanted = images.map((image) => sha256Of(image.bytes)).toSorted();
  expect(entries.join() === wanted.join(), "The ZIP does not hold the same images.");
  printStep("ZIP", "the same images in one file", throughput(result.length, ms));
}

async function uploadShuffled(api: Api, images: Image[]): Promise<string[]> {
  const shuffled = images.toReversed();
  const ids: string[] = [];
  const begun = performance.now();
  for (const image of shuffled) ids.push((await uploadImage(api, image)).id);
  const total = images.reduce((sum, image) => sum + image.bytes.length, 0);
  printStep(
    "upload",
    `the ${images.length} images as new files, last one first`,
    throughput(total, performance.now() - begun),
  );
  return ids;
}

async function uploadImage(api: Api, image: Image): Promise<StoredFile> {
  const { file } = await uploadDirect(api, { name: image.name, type: "image/png", bytes: image.bytes });
  return file;
}

async function openAndCompare(
  api: Api,
  source: { fileIds: string[] } | { conversionId: string },
  original: Recording,
): Promise<void> {
  const converted = await open(api, source, progressPrinter());
  const { outputFileId, outputFileName, durationMs } = requireSucceeded(converted);
  printStep("open", `${outputFileName}`, throughput(original.bytes.length, durationMs ?? converted.ms));
  const { result, ms } = await timed(callBytes(api, `GET /v1/files/${outputFileId}/content`));
  expect(original.bytes.equals(result), "The opened file differs from the original.");
  printStep(
    "compare",
    `all ${result.length.toLocaleString("en-US")} bytes equal the original`,
    throughput(result.length, ms),
  );
}

/** An image that was tampered with in one place: nothing may be opened, and the answer names it. */
async function refuseAltered(api: Api, images: Image[], fileIds: string[]): Promise<void> {
  const [first] = images;
  if (!first) throw new Error("There is no image to alter.");
  const at = Math.floor(first.bytes.length / 2);
  const tampered = [
    { what: `one bit of byte ${at} flipped`, bytes: flipBit(first.bytes, at) },
    { what: "one pixel changed by one, saved as a correct PNG", bytes: changePixel(first.bytes) },
  ];
  for (const { what, bytes: content } of tampered) {
    const { id } = await uploadImage(api, { name: `altered-${first.name}`, bytes: content });
    const opening = open(api, { fileIds: [...fileIds.slice(0, -1), id] }, () => undefined);
    const { result, ms } = await timed(refusalOf(opening));
    if (!result) throw new Error(`An altered image was opened: ${what}.`);
    printStep("altered", `${what}: ${result.code}`, duration(ms));
    printStep("", result.detail);
  }
}

async function showStatistics(api: Api): Promise<void> {
  const statistics = await callJson<Record<string, number | null>>(api, "GET /v1/stats/user/me");
  const { completedConversions, failedConversions, totalDataProcessed, successRate } = statistics;
  expect(
    completedConversions === 4 && failedConversions === 2,
    `The statistics are not those of this run: ${JSON.stringify(statistics)}`,
  );
  printStep(
    "statistics",
    `${completedConversions} conversions completed, ${failedConversions} refused, success rate ${Math.round((successRate ?? 0) * 100)} %`,
    bytes(totalDataProcessed ?? 0),
  );
}
