/** What the tests of uploads share: bytes that pass as audio, uploads as a client makes them, and looks behind the API. */
import { runJob } from "#app/run-job";
import type { WorkspaceCtx } from "#core/context";
import { endedStates, type JobState } from "#core/states";
import { readTotals } from "#durable/ledger/client";
import media from "#features/media/index";
import { makeId } from "#core/ids";
import { readMembership } from "#features/workspaces/service";
import { wavHeader, wavHeaderBytes } from "#lib/audio/wav-header";
import { bindings, call, type Called, overrideLimits, type Person, signUp, systemContext } from "#test/support/harness";

export const mebibyte = 1_048_576;

const workspacesEach = 15;
let host: Person | null = null;
let made = 0;

/** A workspace of its own for a test. People are shared by several: signing up is limited a minute and costs a password hash. */
export async function newOwner(): Promise<Person> {
  const person = host !== null && made % workspacesEach > 0 ? host : await signUp();
  host = person;
  made += 1;
  const at = Date.now();
  const workspaceId = makeId("workspace", at, crypto.getRandomValues(new Uint8Array(16)));
  await bindings.DB.batch([
    bindings.DB.prepare(
      "insert into workspaces (id, name, kind, owner_user_id, created_at) values (?1, 'Studio', 'team', ?2, ?3)",
    ).bind(workspaceId, person.userId, at),
    bindings.DB.prepare(
      "insert into workspace_members (workspace_id, user_id, role, created_at) values (?1, ?2, 'owner', ?3)",
    ).bind(workspaceId, person.userId, at),
  ]);
  const headers = { "x-workspace-id": workspaceId };
  return {
    ...person,
    workspaceId,
    call: (method, path, options = {}) =>
      call(method, path, { as: person.token, ...options, headers: { ...headers, ...options.headers } }),
  };
}

/** A WAVE file of exactly this size (at least 44 bytes); the seed makes its samples, which repeat every 64 KiB. */
export function wav(sizeBytes: number, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(sizeBytes);
  const samples = new Uint8Array(Math.min(sizeBytes, 65_536));
  let state = seed;
  for (let index = 0; index < samples.length; index += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    samples[index] = state >>> 24;
  }
  for (let offset = 0; offset < sizeBytes; offset += samples.length)
    bytes.set(samples.subarray(0, sizeBytes - offset), offset);
  const dataBytes = sizeBytes - wavHeaderBytes;
  bytes.set(wavHeader({ channels: 1, sampleRateHz: 8_000, bitsPerSample: 8, dataBytes }));
  return bytes;
}

export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

export function create(person: Person, declared: object = {}, headers: Record<string, string> = {}): Promise<Called> {
  return person.call("POST", "/v1/uploads", {
    body: { fileName: "take.wav", contentType: "audio/wav", sizeBytes: 1_000, ...declared },
    headers,
  });
}

export interface StoredUpload {
  r2Key: string;
  r2UploadId: string | null;
  fileId: string;
  status: string;
  sweepAt: number | null;
}

export async function storedUpload(id: string): Promise<StoredUpload> {
  const row = await bindings.DB.prepare(
    "select r2_key as r2Key, r2_upload_id as r2UploadId, file_id as fileId, status, sweep_at as sweepAt from uploads where id = ?",
  )
    .bind(id)
    .first<StoredUpload>();
  if (!row) throw new Error(`no upload ${id}`);
  return row;
}

/** Puts the bytes where the presigned URLs lead to, which a test cannot reach, and returns the parts as a client knows them. */
export async function sendBytes(
  upload: { id: string; partSizeBytes: number; partCount: number },
  bytes: Uint8Array<ArrayBuffer>,
): Promise<{ partNumber: number; etag: string; sizeBytes: number }[]> {
  const { r2Key, r2UploadId } = await storedUpload(upload.id);
  if (r2UploadId === null) {
    const object = await bindings.FILES.put(r2Key, bytes);
    if (!object) throw new Error("nothing was put");
    return [{ partNumber: 1, etag: object.etag, sizeBytes: bytes.length }];
  }
  const target = bindings.FILES.resumeMultipartUpload(r2Key, r2UploadId);
  const parts = [];
  for (let start = 0; start < bytes.length; start += upload.partSizeBytes) {
    const part = bytes.subarray(start, start + upload.partSizeBytes);
    const { partNumber, etag } = await target.uploadPart(parts.length + 1, part);
    parts.push({ partNumber, etag, sizeBytes: part.length });
  }
  return parts;
}

export function complete(person: Person, id: string, parts?: { partNumber: number; etag: string }[]): Promise<Called> {
  const body = parts === undefined ? {} : { parts: parts.map(({ partNumber, etag }) => ({ partNumber, etag })) };
  return person.call("POST", `/v1/uploads/${id}/complete`, { body });
}

/** A finished upload of these bytes; answers the file. */
export async function uploadFile(
  person: Person,
  bytes: Uint8Array<ArrayBuffer>,
  declared: object = {},
): Promise<{ id: string; r2Key: string; uploadId: string }> {
  const created = await create(person, { sizeBytes: bytes.length, ...declared });
  if (created.status !== 201) throw new Error(JSON.stringify(created.body));
  const parts = await sendBytes(created.body, bytes);
  const completed = await complete(person, created.body.id, parts);
  if (completed.status !== 200) throw new Error(JSON.stringify(completed.body));
  const { r2Key } = await storedUpload(created.body.id);
  return { id: completed.body.file.id, r2Key, uploadId: created.body.id };
}

export function held(person: { workspaceId: string }): Promise<{ used: number; reserved: number }> {
  return readTotals(bindings.LEDGER, { workspaceId: person.workspaceId, meter: "storage" });
}

/** The keys of everything that the workspace has in the bucket. */
export async function storedKeys(person: { workspaceId: string }): Promise<string[]> {
  const { objects } = await bindings.FILES.list({ prefix: `w/${person.workspaceId}/` });
  return objects.map((object) => object.key);
}

export async function countRows(table: "files" | "uploads", person: { workspaceId: string }): Promise<number> {
  const row = await bindings.DB.prepare(`select count(*) as count from ${table} where workspace_id = ?`)
    .bind(person.workspaceId)
    .first<{ count: number }>();
  return row?.count ?? 0;
}

export async function countAudits(action: string, person: { workspaceId: string }): Promise<number> {
  const row = await bindings.DB.prepare("select count(*) as count from audit_log where action = ? and workspace_id = ?")
    .bind(action, person.workspaceId)
    .first<{ count: number }>();
  return row?.count ?? 0;
}

/** A person's context without HTTP around it, for faults between two steps. */
export function personContext(person: Person): WorkspaceCtx {
  const actor = { kind: "user", userId: person.userId, sessionId: "ses_test", role: "owner" } as const;
  return Object.assign(systemContext(), {
    actor,
    userId: person.userId,
    workspaceId: person.workspaceId,
    plan: "free" as const,
    overrides: {},
  });
}

export async function runSchedule(name: string): Promise<void> {
  const schedule = media.schedules?.find((candidate) => candidate.name === name);
  if (!schedule) throw new Error(`no schedule ${name}`);
  await schedule.run(systemContext());
}

interface JobEnd {
  id: string;
  state: JobState;
  result: string | null;
}

/** Runs the workspace's jobs of one name until all have ended; the queue of the test may run some of them itself. */
export async function runJobs(name: string, person: { workspaceId: string }): Promise<JobEnd[]> {
  for (let round = 0; round < 100; round += 1) {
    const { results } = await bindings.DB.prepare(
      "select id, state, result from jobs where name = ? and workspace_id = ? and state <> 'scheduled'",
    )
      .bind(name, person.workspaceId)
      .all<JobEnd>();
    const open = results.filter((job) => !(endedStates as readonly string[]).includes(job.state));
    if (open.length === 0) return results;
    for (const job of open) await runJob(systemContext(), job.id);
    await scheduler.wait(20);
  }
  throw new Error(`${name} does not end`);
}

/** Moves an upload into the past: everything that waits for time is due. */
export async function letExpire(id: string): Promise<void> {
  await bindings.DB.prepare(
    "update uploads set expires_at = 1, sweep_at = case when sweep_at is null then null else 1 end where id = ?",
  )
    .bind(id)
    .run();
}

/** Overrides the storage limit, effective at once: a request before may have had the old one remembered for ten seconds. */
export async function limitStorage(person: Person, storageBytes: number): Promise<void> {
  await overrideLimits(person.workspaceId, { storageBytes });
  await readMembership(systemContext().db, person.userId, person.workspaceId, Date.now());
}
