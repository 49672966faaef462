/** Seals a stored file into images and opens images again, as a client of the HTTP API does it. */
import { randomUUID } from "node:crypto";
import { type Api, ApiFailure, callJson } from "./http-client.ts";
import { type EndedJob, followJob, type ServerEvent } from "./sse.ts";

export interface SealedImage {
  index: number;
  fileName: string;
  sizeBytes: number;
  sha256: string;
  url: string;
}

export interface Conversion {
  id: string;
  jobId: string;
  status: string;
  imageCount: number | null;
  totalImageBytes: number | null;
  outputFileId: string | null;
  outputFileName: string | null;
  /** From start to end at the server, without the way there and back. */
  durationMs: number | null;
  problem: { code: string; detail: string } | null;
  links: { self: string; job: string; zip: string | null };
  images?: SealedImage[];
}

export interface Converted {
  conversion: Conversion;
  job: EndedJob;
  ms: number;
}

interface Started {
  conversionId: string;
  jobId: string;
}

export type OnEvent = (event: ServerEvent) => void;

export function seal(api: Api, body: { fileId: string; compress: boolean }, onEvent: OnEvent): Promise<Converted> {
  return convert(api, { operation: "POST /v1/convert/audio-to-image", body }, onEvent);
}

export function open(
  api: Api,
  body: { conversionId: string } | { fileIds: string[] },
  onEvent: OnEvent,
): Promise<Converted> {
  return convert(api, { operation: "POST /v1/convert/image-to-audio", body }, onEvent);
}

interface Request {
  operation: "POST /v1/convert/audio-to-image" | "POST /v1/convert/image-to-audio";
  body: object;
}

/** Starts a conversion and follows it to its end. Returns failed conversions too: their problem is the answer. */
async function convert(api: Api, { operation, body }: Request, onEvent: OnEvent): Promise<Converted> {
  const begun = performance.now();
  const { conversionId, jobId } = await callJson<Started>(api, operation, { body, idempotencyKey: randomUUID() });
  const job = await followJob(api, jobId, onEvent);
  const conversion = await callJson<Conversion>(api, `GET /v1/conversions/${conversionId}`);
  return { conversion, job, ms: performance.now() - begun };
}

/** The conversion if it succeeded; else throws with the problem of its job. */
export function requireSucceeded({ conversion, job }: Converted): Conversion {
  if (job.state === "succeeded") return conversion;
  throw new Error(`The conversion ${job.state}: ${JSON.stringify(job.problem ?? conversion.problem)}`);
}

/** The problem that a conversion was refused with, at once or by its job; null when it was not refused. */
export async function refusalOf(converting: Promise<Converted>): Promise<{ code: string; detail: string } | null> {
  try {
    const { job } = await converting;
    return job.problem;
  } catch (error) {
    if (!(error instanceof ApiFailure) || !error.problem.code) throw error;
    return { code: error.problem.code, detail: error.problem.detail ?? "" };
  }
}
