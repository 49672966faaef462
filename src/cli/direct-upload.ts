/** Uploads bytes straight to object storage by presigned URLs: create, PUT each part, report it to the ledger, complete. */
import { randomUUID } from "node:crypto";
import { type Api, callJson } from "./http-client.ts";

export interface StoredFile {
  id: string;
  name: string;
  sizeBytes: number;
  sha256: string;
  links: { content: string };
}

interface PartUrl {
  partNumber: number;
  url: string;
  headers: Record<string, string>;
}

interface Upload {
  id: string;
  strategy: "multipart" | "single";
  partSizeBytes: number;
  partCount: number;
  urls: PartUrl[];
}

export interface DirectUpload {
  file: StoredFile;
  strategy: Upload["strategy"];
  partCount: number;
  /** What each phase took, in milliseconds. */
  createdMs: number;
  sentMs: number;
  completedMs: number;
}

export interface Content {
  name: string;
  type: string;
  bytes: Uint8Array<ArrayBuffer>;
  /** Hex; the server compares it with what it received. */
  sha256?: string;
}

const partsAtOnce = 2;
const triesPerPart = 4;
const urlsPerCall = 20;

export async function uploadDirect(api: Api, content: Content): Promise<DirectUpload> {
  const begun = performance.now();
  const { name, type, bytes, sha256 } = content;
  const body = { fileName: name, contentType: type, sizeBytes: bytes.length, ...(sha256 ? { sha256 } : {}) };
  const upload = await callJson<Upload>(api, "POST /v1/uploads", { body, idempotencyKey: randomUUID() });
  const created = performance.now();
  await sendParts(api, upload, bytes);
  const sent = performance.now();
  const { file } = await callJson<{ file: StoredFile }>(api, `POST /v1/uploads/${upload.id}/complete`, { body: {} });
  const times = { createdMs: created - begun, sentMs: sent - created, completedMs: performance.now() - sent };
  return { file, strategy: upload.strategy, partCount: upload.partCount, ...times };
}

async function sendParts(api: Api, upload: Upload, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  const [first] = upload.urls;
  if (upload.strategy === "single" && first) return void (await putPart(first, bytes));
  const waiting = Array.from({ length: upload.partCount }, (_, index) => index + 1);
  const known = new Map(upload.urls.map((url) => [url.partNumber, url]));
  const work = async () => {
    for (let partNumber = waiting.shift(); partNumber !== undefined; partNumber = waiting.shift()) {
      const target = known.get(partNumber) ?? (await signMore(api, upload, { known, partNumber }));
      const from = (partNumber - 1) * upload.partSizeBytes;
      const part = bytes.subarray(from, from + upload.partSizeBytes);
      const etag = await putPart(target, part);
      await callJson(api, `POST /v1/uploads/${upload.id}/parts`, {
        body: { uploaded: [{ partNumber, etag, sizeBytes: part.length }] },
      });
    }
  };
  await Promise.all(Array.from({ length: partsAtOnce }, work));
}

async function signMore(
  api: Api,
  upload: Upload,
  { known, partNumber }: { known: Map<number, PartUrl>; partNumber: number },
): Promise<PartUrl> {
  const last = Math.min(upload.partCount, partNumber + urlsPerCall - 1);
  const partNumbers = Array.from({ length: last - partNumber + 1 }, (_, index) => partNumber + index);
  const { urls } = await callJson<{ urls: PartUrl[] }>(api, `POST /v1/uploads/${upload.id}/parts`, {
    body: { partNumbers },
  });
  for (const url of urls) known.set(url.partNumber, url);
  const wanted = known.get(partNumber);
  if (!wanted) throw new Error(`No URL came back for part ${partNumber}.`);
  return wanted;
}

/**
 * Sends one part and returns its ETag. Storage may fail for a moment, so the same part is sent again and replaces itself; a single PUT
 * that had arrived after all is refused the second time with 412, and its bytes are checked when the upload is completed.
 */
async function putPart({ url, headers }: PartUrl, part: Uint8Array<ArrayBuffer>): Promise<string> {
  let last = "";
  for (let tries = 0; tries < triesPerPart; tries += 1) {
    const answer = await fetch(url, { method: "PUT", headers, body: part, signal: AbortSignal.timeout(300_000) }).catch(
      (error: Error) => error,
    );
    if (answer instanceof Error) {
      last = answer.message;
      continue;
    }
    const text = await answer.text();
    if (answer.ok || (answer.status === 412 && tries > 0)) return answer.headers.get("etag") ?? "";
    last = `${answer.status} ${text.slice(0, 1_000)}`;
    if (answer.status < 500) break;
  }
  throw new Error(`Storage refused a part: ${last}`);
}
