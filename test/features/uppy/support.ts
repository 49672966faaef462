/** What the tests of tickets share: a ticket, Companion's calls with it, and parts put where presigned URLs lead to. */
import { bindings, call, type Called, type Person } from "#test/support/harness";
import { storedUpload } from "../media/support.ts";

export interface Ticket {
  ticket: string;
  path: string;
}

export async function newTicket(person: Person, asked: object = {}): Promise<Ticket> {
  const { status, body } = await person.call("POST", "/v1/upload-tickets", { body: asked });
  if (status !== 201) throw new Error(JSON.stringify(body));
  return { ticket: body.ticket, path: `/v1/uppy/${body.ticket}` };
}

export function begin({ path }: Ticket, file: object = {}): Promise<Called> {
  const body = { filename: "take.wav", type: "audio/wav", metadata: { name: "take.wav" }, ...file };
  return call("POST", `${path}/s3/multipart`, { body });
}

export interface Begun {
  uploadId: string;
  key: string;
}

export function on({ path }: Ticket, method: string, { uploadId, key }: Begun, rest = "", body?: object) {
  const url = `${path}/s3/multipart/${uploadId}${rest}${rest.includes("?") ? "&" : "?"}key=${encodeURIComponent(key)}`;
  return call(method, url, body === undefined ? {} : { body });
}

/** Sends parts of the given lengths and returns them as Uppy tells of them. */
export async function sendParts({ uploadId }: Begun, bytes: Uint8Array, partBytes: number) {
  const { r2Key, r2UploadId } = await storedUpload(uploadId);
  const target = bindings.FILES.resumeMultipartUpload(r2Key, r2UploadId ?? "");
  const parts: { PartNumber: number; ETag: string }[] = [];
  for (let start = 0; start < bytes.length; start += partBytes) {
    const { partNumber, etag } = await target.uploadPart(parts.length + 1, bytes.subarray(start, start + partBytes));
    parts.push({ PartNumber: partNumber, ETag: etag });
  }
  return parts;
}
