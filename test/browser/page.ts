/** What the test page does in the browser, with `fetch` and nothing else: sign up, upload in parts, continue after a reload, seal, open, compare. */

interface PartUrl {
  partNumber: number;
  url: string;
  headers: Record<string, string>;
}

interface Upload {
  id: string;
  fileName: string;
  sizeBytes: number;
  partSizeBytes: number;
  partCount: number;
  parts: { partNumber: number }[];
  urls: PartUrl[];
}

interface Session {
  api: string;
  token: string | null;
}

interface Sent {
  uploadId: string;
  /** The parts that this very call has sent. */
  sentParts: number[];
}

const session: Session = { api: "", token: null };

function log(text: string): void {
  const line = document.createElement("li");
  line.textContent = text;
  document.querySelector("#log")?.append(line);
}

async function callApi<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await fetch(`${session.api}${path}`, {
    method,
    headers: {
      ...(session.token === null ? {} : { authorization: `Bearer ${session.token}` }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status} ${await response.text()}`);
  return (await response.json()) as Answer;
}

async function signUp(api: string): Promise<string> {
  session.api = api;
  const email = `browser-${crypto.randomUUID()}@example.com`;
  const password = crypto.randomUUID();
  await callApi("POST", "/v1/auth/register", { email, password, name: "Browser" });
  const { access_token: token } = await callApi<{ access_token: string }>("POST", "/v1/auth/login", {
    email,
    password,
  });
  log("signed in");
  return useToken(api, token);
}

function useToken(api: string, token: string): string {
  Object.assign(session, { api, token });
  return token;
}

function pickedFile(): File {
  const file = document.querySelector<HTMLInputElement>("#file")?.files?.[0];
  if (!file) throw new Error("No file is picked.");
  return file;
}

function createUpload(): Promise<Upload> {
  const file = pickedFile();
  return callApi("POST", "/v1/uploads", { fileName: file.name, contentType: file.type, sizeBytes: file.size });
}

/** Sends what the ledger does not have yet, at most `most` parts. */
async function sendParts(upload: Upload, most: number): Promise<number[]> {
  const file = pickedFile();
  const has = new Set(upload.parts.map((part) => part.partNumber));
  const missing = Array.from({ length: upload.partCount }, (_, index) => index + 1).filter(
    (number) => !has.has(number),
  );
  const { urls } = await callApi<{ urls: PartUrl[] }>("POST", `/v1/uploads/${upload.id}/parts`, {
    partNumbers: missing.slice(0, most),
  });
  for (const { partNumber, url, headers } of urls) {
    const part = file.slice((partNumber - 1) * upload.partSizeBytes, partNumber * upload.partSizeBytes);
    // The browser sets Content-Length itself and lets no page do it.
    const sendable = Object.entries(headers).filter(([name]) => name.toLowerCase() !== "content-length");
    const response = await fetch(url, {
      method: "PUT",
      body: part.slice(0, part.size, ""),
      headers: Object.fromEntries(sendable),
    });
    const etag = response.headers.get("etag");
    if (!response.ok || etag === null) throw new Error(`Part ${partNumber}: ${response.status}, ETag ${etag}`);
    await callApi("POST", `/v1/uploads/${upload.id}/parts`, { uploaded: [{ partNumber, etag, sizeBytes: part.size }] });
    log(`part ${partNumber} of ${upload.partCount}`);
  }
  return urls.map((url) => url.partNumber);
}

async function beginUpload(most: number): Promise<Sent> {
  const upload = await createUpload();
  return { uploadId: upload.id, sentParts: await sendParts(upload, most) };
}

/** Finds the unfinished upload of the picked file and sends the rest. */
async function continueUpload(): Promise<Sent> {
  const file = pickedFile();
  const { items } = await callApi<{ items: Upload[] }>("GET", "/v1/uploads?status=uploading");
  const found = items.find((upload) => upload.fileName === file.name && upload.sizeBytes === file.size);
  if (!found) throw new Error("The unfinished upload is not listed.");
  const upload = await callApi<Upload>("GET", `/v1/uploads/${found.id}`);
  return { uploadId: upload.id, sentParts: await sendParts(upload, upload.partCount) };
}

async function completeUpload(uploadId: string): Promise<{ id: string; sha256: string }> {
  const { file } = await callApi<{ file: { id: string; sha256: string } }>(
    "POST",
    `/v1/uploads/${uploadId}/complete`,
    {},
  );
  log(`complete: SHA-256 ${file.sha256}`);
  return file;
}

interface Started {
  conversionId: string;
  jobId: string;
}

/** Starts a conversion, reads its events to the end, and returns the conversion. */
async function convert(
  operation: string,
  body: unknown,
): Promise<{ id: string; imageCount: number; outputFileId: string; events: string[] }> {
  const { conversionId, jobId } = await callApi<Started>("POST", `/v1/convert/${operation}`, body);
  const response = await fetch(`${session.api}/v1/jobs/${jobId}/events`, {
    headers: { authorization: `Bearer ${session.token}` },
  });
  const text = await response.text();
  const events = [...text.matchAll(/^event: (.+)$/gm)].map(([, name = ""]) => name);
  log(`${operation}: ${events.join(", ")}`);
  const conversion = await callApi<{ id: string; imageCount: number; outputFileId: string }>(
    "GET",
    `/v1/conversions/${conversionId}`,
  );
  return { ...conversion, events };
}

async function sealAndOpen(fileId: string): Promise<{ imageCount: number; events: string[]; sha256: string }> {
  const sealed = await convert("audio-to-image", { fileId, compress: false });
  const opened = await convert("image-to-audio", { conversionId: sealed.id });
  const response = await fetch(`${session.api}/v1/files/${opened.outputFileId}/content`, {
    headers: { authorization: `Bearer ${session.token}` },
  });
  const sha256 = await hashOf(await response.blob());
  log(`opened again: SHA-256 ${sha256}`);
  return { imageCount: sealed.imageCount, events: [...sealed.events, ...opened.events], sha256 };
}

async function hashOf(content: Blob): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await content.arrayBuffer()));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const actions = {
  signUp,
  useToken,
  beginUpload,
  continueUpload,
  completeUpload,
  sealAndOpen,
  hashPicked: () => hashOf(pickedFile()),
};

export type PageActions = typeof actions;
(globalThis as unknown as { actions: PageActions }).actions = actions;
