/** What the tests of conversions share: audio and images as files of a workspace, conversions through HTTP, and looks behind the API. */
import { runJob } from "#app/run-job";
import type { AppCtx } from "#app/app-context";
import type { WorkspaceCtx } from "#core/context";
import { readTotals } from "#durable/ledger/client";
import { storeStream } from "#features/media/service";
import { wavHeader, wavHeaderBytes } from "#lib/audio/wav-header";
import { bindings, type Called, type Person, systemContext } from "#test/support/harness";

export const mebibyte = 1_048_576;

/** A WAVE file of exactly this size; `packs` tells whether zstd can make it shorter. */
export function wav(sizeBytes: number, options: { seed?: number; packs?: boolean } = {}): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(sizeBytes);
  let state = options.seed ?? 1;
  const noise = new Uint32Array(bytes.buffer, 0, Math.floor(sizeBytes / 4));
  for (let index = 0; index < noise.length; index += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    noise[index] = options.packs ? (state >>> 28) * 0x01010101 : state ^ (state >>> 15);
  }
  const dataBytes = sizeBytes - wavHeaderBytes;
  bytes.set(wavHeader({ channels: 1, sampleRateHz: 8_000, bitsPerSample: 8, dataBytes }));
  return bytes;
}

export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

/** The context of a request of this person; hints to the queue are dropped, so that jobs run only where a test runs them. */
export function quietContext(person: Person): AppCtx & WorkspaceCtx {
  const ctx = systemContext();
  ctx.offer = async () => undefined;
  const actor = { kind: "user", userId: person.userId, sessionId: "ses_test", role: "owner" } as const;
  return Object.assign(ctx, {
    actor,
    userId: person.userId,
    workspaceId: person.workspaceId,
    plan: "free" as const,
    overrides: {},
  });
}

/** Stores bytes as a file of the person's workspace and returns its id. */
export async function storeFile(person: Person, fileName: string, bytes: Uint8Array): Promise<string> {
  const ctx = quietContext(person);
  const source = (async function* () {
    yield bytes;
  })();
  const file = await storeStream(ctx, {
    source,
    fileName,
    declaredType: null,
    maxBytes: 200 * mebibyte,
    fileId: ctx.newId("file"),
  });
  return file.id;
}

export const patient = { prefer: "wait=20" };

export function seal(
  person: Person,
  body: Record<string, unknown>,
  headers: Record<string, string> = patient,
): Promise<Called> {
  return person.call("POST", "/v1/convert/audio-to-image", { body, headers });
}

export function open(
  person: Person,
  body: Record<string, unknown>,
  headers: Record<string, string> = patient,
): Promise<Called> {
  return person.call("POST", "/v1/convert/image-to-audio", { body, headers });
}

/** Seals these bytes and returns the finished conversion. */
export async function sealed(person: Person, bytes: Uint8Array, options: Record<string, unknown> = {}) {
  const fileId = await storeFile(person, "tone.wav", bytes);
  const answer = await seal(person, { fileId, ...options });
  if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
  return answer.body.conversion as {
    id: string;
    jobId: string;
    imageCount: number;
    images: { fileName: string; sha256: string; url: string }[];
  };
}

/** The images of a conversion as a client downloads them. */
export async function downloadImages(
  person: Person,
  id: string,
): Promise<{ fileName: string; bytes: Uint8Array<ArrayBuffer> }[]> {
  const { body } = await person.call("GET", `/v1/conversions/${id}`);
  const images = [];
  for (const image of body.images as { fileName: string; url: string }[]) {
    images.push({ fileName: image.fileName, bytes: (await person.call("GET", image.url)).bytes });
  }
  return images;
}

export async function content(person: Person, fileId: string): Promise<Uint8Array<ArrayBuffer>> {
  return (await person.call("GET", `/v1/files/${fileId}/content`)).bytes;
}

/** Keys of the workspace's objects below a folder of derived data, e.g. `sealed`. */
export async function storedKeys(person: Person, kind: string): Promise<string[]> {
  const { objects } = await bindings.FILES.list({ prefix: `w/${person.workspaceId}/d/${kind}/` });
  return objects.map((object) => object.key);
}

export function held(person: Person): Promise<{ used: number; reserved: number }> {
  return readTotals(bindings.LEDGER, { workspaceId: person.workspaceId, meter: "storage" });
}

export async function conversionRow(id: string) {
  const row = await bindings.DB.prepare("select * from conversions where id = ?")
    .bind(id)
    .first<Record<string, string | number | null>>();
  if (!row) throw new Error(`no conversion ${id}`);
  return row;
}

export async function countRows(table: string, where: string, ...values: unknown[]): Promise<number> {
  const row = await bindings.DB.prepare(`select count(*) as count from ${table} where ${where}`)
    .bind(...values)
    .first<{ count: number }>();
  return row?.count ?? 0;
}

export async function jobState(id: string): Promise<string> {
  const row = await bindings.DB.prepare("select state from jobs where id = ?").bind(id).first<{ state: string }>();
  return row?.state ?? "none";
}

/** Runs a job until it has ended; the queue of the test may run it as well. */
export async function finishJob(person: Person, jobId: string): Promise<string> {
  for (let turn = 0; turn < 200; turn += 1) {
    const state = await jobState(jobId);
    if (["succeeded", "failed", "cancelled"].includes(state)) return state;
    if ((await runJob(quietContext(person), jobId)) === "not-claimed") await scheduler.wait(25);
  }
  throw new Error("the job does not end");
}

export function fromDataUrl(url: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromBase64(url.slice(url.indexOf(",") + 1));
}
