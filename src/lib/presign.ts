/**
 * Presigned S3 URLs (AWS Signature Version 4 in the query, unsigned payload) for R2 and its local stand-in.
 * Signs the exact size of every upload: R2 has no other way to hold a client to what it announced. Sends nothing.
 */
import { AwsV4Signer } from "aws4fetch";

/** One week, the longest that R2 accepts. */
const maxExpiresInSeconds = 604_800;

export interface SigningOptions {
  /** Origin of the S3 API; may have a path, e.g. `https://<account>.r2.cloudflarestorage.com`. */
  endpoint: string;
  /** Null when the endpoint's host names the bucket already. */
  bucket: string | null;
  key: string;
  /** 1 to 604,800. */
  expiresInSeconds: number;
  accessKeyId: string;
  secretAccessKey: string;
  /** Time of signing; the URL is valid from here. */
  nowMs: number;
  /** `auto` for R2. */
  region?: string;
  /** Keeps derived signing keys between calls that sign many URLs at once. It holds secrets: never share or store it. */
  signingKeys?: Map<string, ArrayBuffer>;
}

export interface PartSigningOptions extends SigningOptions {
  uploadId: string;
  /** 1 to 10,000. */
  partNumber: number;
  /** Bytes of this part, exactly; null: any number, which then has to be checked when the parts are one object. */
  contentLength: number | null;
}

export interface PutSigningOptions extends SigningOptions {
  contentLength: number;
  contentType: string;
}

export interface GetSigningOptions extends SigningOptions {
  /** Sent back as the answer's own headers, e.g. `response-content-disposition`. */
  query?: Record<string, string>;
}

export interface PresignedRequest {
  url: string;
  /** Exactly these must be sent, or storage answers 403. Browsers set `content-length` themselves from the body. */
  headers: Record<string, string>;
}

/** `PUT` of one part of a multipart upload. */
export async function presignPart(options: PartSigningOptions): Promise<PresignedRequest> {
  if (!Number.isInteger(options.partNumber) || options.partNumber < 1 || options.partNumber > 10_000)
    throw new RangeError("part numbers go from 1 to 10,000");
  return await presign(options, {
    method: "PUT",
    query: { partNumber: String(options.partNumber), uploadId: options.uploadId },
    headers: options.contentLength === null ? {} : { "content-length": lengthHeader(options.contentLength) },
  });
}

/** `PUT` of a whole object, once: it fails with 412 when the key is taken. */
export async function presignPut(options: PutSigningOptions): Promise<PresignedRequest> {
  return await presign(options, {
    method: "PUT",
    query: {},
    headers: {
      "content-length": lengthHeader(options.contentLength),
      "content-type": options.contentType,
      "if-none-match": "*",
    },
  });
}

/** `GET` of an object. */
export async function presignGet(options: GetSigningOptions): Promise<PresignedRequest> {
  return await presign(options, { method: "GET", query: options.query ?? {}, headers: {} });
}

interface Call {
  method: "GET" | "PUT";
  query: Record<string, string>;
  headers: Record<string, string>;
}

async function presign(options: SigningOptions, call: Call): Promise<PresignedRequest> {
  const { expiresInSeconds, accessKeyId, secretAccessKey, region = "auto", signingKeys } = options;
  if (!Number.isInteger(expiresInSeconds) || expiresInSeconds < 1 || expiresInSeconds > maxExpiresInSeconds)
    throw new RangeError("a URL is valid for 1 to 604,800 seconds");
  const url = objectUrl(options);
  for (const [name, value] of Object.entries(call.query)) url.searchParams.set(name, value);
  url.searchParams.set("X-Amz-Expires", String(expiresInSeconds));
  const signer = new AwsV4Signer({
    method: call.method,
    url: url.href,
    headers: call.headers,
    accessKeyId,
    secretAccessKey,
    region,
    service: "s3",
    datetime: new Date(options.nowMs).toISOString().replace(/[:-]|\.\d{3}/g, ""),
    signQuery: true,
    // Without this content-length and content-type are left out of the signature.
    allHeaders: true,
    ...(signingKeys ? { cache: signingKeys } : {}),
  });
  const signed = await signer.sign();
  // The signature counts a space as %20; URLSearchParams writes it as +, which storage may take for a plus sign.
  return { url: signed.url.href.replace(/\?.*$/, (query) => query.replaceAll("+", "%20")), headers: call.headers };
}

function objectUrl(options: Pick<SigningOptions, "endpoint" | "bucket" | "key">): URL {
  const segments = [...(options.bucket === null ? [] : [options.bucket]), ...options.key.split("/")];
  // URL parsers resolve dots and some servers merge slashes, so the signed path would name another object.
  if (segments.some((segment) => segment === "" || segment === "." || segment === ".."))
    throw new RangeError("bucket and key must not have empty or dot segments");
  return new URL(`${options.endpoint.replace(/\/+$/, "")}/${segments.map(encodeSegment).join("/")}`);
}

/** RFC 3986: unlike `encodeURIComponent`, also `!'()*`. */
function encodeSegment(segment: string): string {
  return encodeURIComponent(segment).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function lengthHeader(contentLength: number): string {
  if (!Number.isSafeInteger(contentLength) || contentLength < 0)
    throw new RangeError("content-length must be a whole number of bytes");
  return String(contentLength);
}
