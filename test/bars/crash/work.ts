/** What the clients do: upload in parts with a resume from the server's ledger, seal, open, and follow the job by polling. */
import { setTimeout as pause } from "node:timers/promises";
import type { Person } from "../people.ts";
import { sha256Of, soundOf } from "../random.ts";
import { type Answer, call, checkTime, type Crew, makeGate, TooLate, underWay } from "./client.ts";
import type { OpenWork, SealLargeWork, SealWork, Sealing, UploadWork, Work } from "./plan.ts";

export interface UploadRecord {
  name: string;
  person: Person;
  uploadId: string;
  fileId: string;
  sha256: string;
  /** Its conversion deletes it once it is sealed. */
  passes: boolean;
}

/** A conversion that the server has taken on. */
export interface ConversionRecord {
  name: string;
  person: Person;
  type: "audio-to-image" | "image-to-audio";
  conversionId: string;
  jobId: string;
  /** Of the original recording. */
  sha256: string;
  masterKeyHex: string | null;
  /** How it ended, as far as the client knows. */
  state: string;
  problem: { code: string; detail: string } | null;
}

export interface Records {
  uploads: UploadRecord[];
  conversions: ConversionRecord[];
  /** Work that was refused, or that the run's end overtook before it was acknowledged. */
  refused: string[];
  unfinished: string[];
}

export interface Office extends Crew {
  people: readonly Person[];
  /** An imported format 1 key of each person, by workspace id. */
  importedKeys: ReadonlyMap<string, string>;
  records: Records;
  /** Called when a conversion is acknowledged. */
  onPromise: (() => void) | null;
}

export class Refused extends Error {}

const pollMs = 1_200;
const partsAtOnce = 2;
const maxRounds = 60;
const transfer = makeGate(3);
const conversing = makeGate(10);

export async function doWork(office: Office, work: Work): Promise<void> {
  try {
    if (work.kind === "upload") await transfer(() => uploadLarge(office, work));
    else if (work.kind === "seal") await seal(office, work);
    else if (work.kind === "seal-large") await sealLarge(office, work);
    else await openEarlier(office, work);
  } catch (error) {
    if (error instanceof TooLate) office.records.unfinished.push(work.name);
    else if (error instanceof Refused) office.records.refused.push(`${work.name}: ${error.message}`);
    else throw error;
  }
}

function personOf(office: Office, work: { person: number }): Person {
  const person = office.people[work.person % office.people.length];
  if (!person) throw new RangeError("No such account.");
  return person;
}

function accepted({ status, body }: Answer, what: string): void {
  if (status >= 300)
    throw new Refused(`${what} answered ${status} ${String(body?.code)}: ${String(body?.detail).slice(0, 300)}`);
}

async function uploadLarge(office: Office, work: UploadWork): Promise<void> {
  const record = await upload(office, {
    name: work.name,
    person: personOf(office, work),
    bytes: soundOf(work.sound),
    declaresHash: work.declaresHash,
    passes: false,
  });
  office.records.uploads.push(record);
}

interface Sending {
  name: string;
  person: Person;
  bytes: Buffer<ArrayBuffer>;
  declaresHash: boolean;
  passes: boolean;
}

interface UploadShape {
  id: string;
  status: string;
  strategy: "single" | "multipart";
  partSizeBytes: number;
  partCount: number;
  parts: { partNumber: number }[];
}

async function upload(office: Office, sending: Sending): Promise<UploadRecord> {
  const { name, person, bytes } = sending;
  const sha256 = sha256Of(bytes);
  const body = {
    fileName: `${name}.wav`,
    contentType: "audio/wav",
    sizeBytes: bytes.length,
    ...(sending.declaresHash ? { sha256 } : {}),
  };
  const created = await call(office, { method: "POST", path: "/v1/uploads", token: person.token, body, key: name });
  accepted(created, "create upload");
  const { id } = created.body as UploadShape;
  for (let round = 0; round < maxRounds; round += 1) {
    if (round > 0) office.tally.resumedUploads += 1;
    if (!(await sendMissing(office, sending, { id, all: round > 0 && round % 5 === 0 }))) continue;
    const completed = await call(office, {
      method: "POST",
      path: `/v1/uploads/${id}/complete`,
      token: person.token,
      body: {},
      key: `${name}-complete-${round}`,
    });
    if (completed.status === 409 || completed.body?.code === "part-invalid") continue;
    accepted(completed, "complete upload");
    return { name, person, uploadId: id, fileId: completed.body.file.id, sha256, passes: sending.passes };
  }
  throw new Refused(`upload ${id} was not complete after ${maxRounds} rounds`);
}

/** Sends what the server's ledger does not list. False: a connection broke, so the ledger has to be asked again. */
async function sendMissing(
  office: Office,
  { person, bytes }: Sending,
  { id, all }: { id: string; all: boolean },
): Promise<boolean> {
  const known = await call(office, { method: "GET", path: `/v1/uploads/${id}`, token: person.token });
  accepted(known, "read upload");
  const state = known.body as UploadShape;
  if (state.status === "ready" || state.status === "completing") return true;
  const there = new Set(all ? [] : state.parts.map((part) => part.partNumber));
  const missing = Array.from({ length: state.partCount }, (_, index) => index + 1).filter(
    (partNumber) => !there.has(partNumber),
  );
  if (missing.length === 0) return true;
  const signed = await call(office, {
    method: "POST",
    path: `/v1/uploads/${id}/parts`,
    token: person.token,
    body: { partNumbers: missing },
  });
  accepted(signed, "sign parts");
  const waiting = [...(signed.body.urls as PartUrl[])];
  let whole = true;
  const sender = async () => {
    for (let part = waiting.shift(); part && whole; part = waiting.shift()) {
      const from = (part.partNumber - 1) * state.partSizeBytes;
      whole &&= await sendPart(office, { id, person, part, content: bytes.subarray(from, from + state.partSizeBytes) });
    }
  };
  await Promise.all(Array.from({ length: partsAtOnce }, sender));
  return whole;
}

interface PartUrl {
  partNumber: number;
  url: string;
  headers: Record<string, string>;
}

interface PartSending {
  id: string;
  person: Person;
  part: PartUrl;
  content: Buffer<ArrayBuffer>;
}

async function sendPart(office: Office, { id, person, part, content }: PartSending): Promise<boolean> {
  await office.stage.whenUp();
  const { partNumber, url, headers } = part;
  const answer = await underWay(office, async () => {
    const response = await fetch(url, { method: "PUT", headers, body: content, signal: AbortSignal.timeout(60_000) });
    return { status: response.status, etag: response.headers.get("etag"), text: await response.text() };
  });
  // 412: the single PUT had arrived before, and its URL makes the object only once.
  if (answer?.status === 412) return true;
  if (answer === null || answer.status >= 500) {
    office.tally.partsSentAgain += 1;
    return false;
  }
  if (answer.status !== 200 || answer.etag === null)
    throw new Refused(`storage answered part ${partNumber} with ${answer.status} ${answer.text.slice(0, 200)}`);
  office.tally.partsSent += 1;
  const uploaded = [{ partNumber, etag: answer.etag, sizeBytes: content.length }];
  const noted = await call(office, {
    method: "POST",
    path: `/v1/uploads/${id}/parts`,
    token: person.token,
    body: { uploaded },
  });
  if (noted.body?.code === "upload-ended") return true;
  accepted(noted, "record part");
  return true;
}

async function seal(office: Office, work: SealWork): Promise<void> {
  const person = personOf(office, work);
  const bytes = soundOf(work.sound);
  const given = keyMembers(office, person, work.sealing);
  const common = {
    format: work.sealing.format,
    compress: work.sealing.compress,
    deleteSource: work.sealing.deleteSource,
    ...given,
  };
  const record = await conversing(async () => {
    if (work.how === "form")
      return start(office, work.name, {
        person,
        path: "audio-to-image",
        body: formOf(work.name, bytes, common),
        sha256: sha256Of(bytes),
        masterKeyHex: given.masterKeyHex ?? null,
      });
    const stored = await upload(office, {
      name: `${work.name}-source`,
      person,
      bytes,
      declaresHash: false,
      passes: work.sealing.deleteSource,
    });
    office.records.uploads.push(stored);
    const body = { fileId: stored.fileId, ...common };
    return start(office, work.name, {
      person,
      path: "audio-to-image",
      body,
      sha256: stored.sha256,
      masterKeyHex: given.masterKeyHex ?? null,
    });
  });
  await follow(office, record);
}

function formOf(name: string, bytes: Buffer<ArrayBuffer>, fields: Record<string, unknown>): FormData {
  const form = new FormData();
  for (const [field, value] of Object.entries(fields)) form.set(field, String(value));
  form.set("audioFile", new Blob([bytes], { type: "audio/wav" }), `${name}.wav`);
  return form;
}

/** The name under which format 1 derives its keys here. */
export const nameOfFormatOne = "alice";

function keyMembers(
  office: Office,
  person: Person,
  sealing: Sealing,
): { masterKeyHex?: string; userId?: string; encryptionKeyId?: string } {
  if (sealing.format === 2) return {};
  if (sealing.givesKey) return { masterKeyHex: hexKey(person.workspaceId), userId: nameOfFormatOne };
  const encryptionKeyId = office.importedKeys.get(person.workspaceId);
  return encryptionKeyId === undefined ? {} : { encryptionKeyId };
}

/** Any 32 bytes that differ do; this is a test's key and protects nothing. */
export function hexKey(seed: string): string {
  return sha256Of(Buffer.from(`key of ${seed}`));
}

interface Starting {
  person: Person;
  path: "audio-to-image" | "image-to-audio";
  body: object;
  sha256: string;
  masterKeyHex: string | null;
}

async function start(
  office: Office,
  name: string,
  { person, path, body, sha256, masterKeyHex }: Starting,
): Promise<ConversionRecord> {
  const answer = await call(office, {
    method: "POST",
    path: `/v1/convert/${path}`,
    token: person.token,
    body,
    key: name,
  });
  accepted(answer, path);
  const { conversionId, jobId } = answer.body as { conversionId: string; jobId: string };
  const record: ConversionRecord = {
    name,
    person,
    type: path,
    conversionId,
    jobId,
    sha256,
    masterKeyHex,
    state: "acknowledged",
    problem: null,
  };
  office.records.conversions.push(record);
  office.onPromise?.();
  return record;
}

/** Polls until the job has ended. */
async function follow(office: Office, record: ConversionRecord): Promise<void> {
  for (;;) {
    const { status, body } = await call(office, {
      method: "GET",
      path: `/v1/jobs/${record.jobId}`,
      token: record.person.token,
    });
    if (status !== 200) throw new Refused(`job ${record.jobId} answered ${status}`);
    record.state = body.state;
    record.problem = body.problem;
    if (body.endedAt !== null) return;
    await pause(pollMs + office.chance.between(0, 400));
  }
}

/** Waits for somebody else's result. */
async function someOf<Item>(office: Office, items: () => readonly Item[]): Promise<Item> {
  for (;;) {
    checkTime(office);
    const found = items();
    if (found.length > 0) return office.chance.pick(found);
    await pause(500);
  }
}

async function sealLarge(office: Office, work: SealLargeWork): Promise<void> {
  const source = await someOf(office, () => office.records.uploads.filter(({ name }) => name.startsWith("upload-")));
  const { person } = source;
  const given = keyMembers(office, person, work.sealing);
  const body = { fileId: source.fileId, format: work.sealing.format, compress: work.sealing.compress, ...given };
  const record = await conversing(() =>
    start(office, work.name, {
      person,
      path: "audio-to-image",
      body,
      sha256: source.sha256,
      masterKeyHex: given.masterKeyHex ?? null,
    }),
  );
  await follow(office, record);
}

async function openEarlier(office: Office, work: OpenWork): Promise<void> {
  const source = await someOf(office, () =>
    office.records.conversions.filter(({ type, state }) => type === "audio-to-image" && state === "succeeded"),
  );
  await openOne(office, work.name, source);
}

/** Opens what a conversion sealed and follows it to its end. */
export async function openOne(office: Office, name: string, source: ConversionRecord): Promise<ConversionRecord> {
  const { person, sha256, masterKeyHex } = source;
  const body = {
    conversionId: source.conversionId,
    ...(masterKeyHex === null ? {} : { masterKeyHex, userId: nameOfFormatOne }),
  };
  const record = await conversing(() =>
    start(office, name, { person, path: "image-to-audio", body, sha256, masterKeyHex }),
  );
  await follow(office, record);
  return record;
}
