/**
 * `npm run bucket:cors`: lets pages of the origins of ALLOWED_ORIGINS send parts straight to the bucket, and read the tags that they get.
 * Speaks to the bucket's S3 API; replaces the rules that the bucket has. Prints what it sets, and never a key.
 */
import { createHash } from "node:crypto";
import { parseArgs } from "node:util";
import { AwsClient } from "aws4fetch";
import { print, printError } from "./terminal.ts";

const usage = `npm run bucket:cors [-- --origin <origin> ...] [--dry-run]

Sets the cross-origin rules of a real bucket. Reads R2_S3_ENDPOINT, R2_BUCKET_NAME, R2_ACCESS_KEY_ID, R2_SECRET_ACCESS_KEY and
ALLOWED_ORIGINS from the environment. The key needs the permission to edit the bucket ("Admin Read & Write").

--origin   instead of those of ALLOWED_ORIGINS
--dry-run  prints the rules and sends nothing`;

const timeoutMs = 30_000;
/** S3 takes a hundred rules; one rule holds all origins, and a longer list is a mistake. */
const maxOrigins = 100;

interface Bucket {
  endpoint: string;
  name: string;
  accessKeyId: string;
  secretAccessKey: string;
}

/** Exact origins, each once. Throws at the first that is none: a bucket with a typing error refuses every upload. */
function readOrigins(given: readonly string[]): string[] {
  const origins = [...new Set(given.map((text) => text.trim()).filter((text) => text !== ""))];
  if (origins.length === 0) throw new Error("No origins: set ALLOWED_ORIGINS or give --origin.");
  if (origins.length > maxOrigins) throw new Error(`More than ${maxOrigins} origins.`);
  const wrong = origins.find((text) => !URL.canParse(text) || new URL(text).origin !== text);
  if (wrong !== undefined) throw new Error(`"${wrong}" is not an origin such as https://app.example.com`);
  return origins;
}

/** One rule: what presigned uploads and downloads of a page need, and nothing else. */
function corsRules(origins: readonly string[]): string {
  const lines = (name: string, values: readonly string[]) =>
    values.map((value) => `    <${name}>${value.replaceAll("&", "&amp;").replaceAll("<", "&lt;")}</${name}>`);
  return [
    `<?xml version="1.0" encoding="UTF-8"?>`,
    `<CORSConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`,
    "  <CORSRule>",
    ...lines("AllowedOrigin", origins),
    ...lines("AllowedMethod", ["GET", "HEAD", "PUT"]),
    ...lines("AllowedHeader", ["content-type", "if-none-match", "range"]),
    ...lines("ExposeHeader", ["ETag", "Content-Range"]),
    ...lines("MaxAgeSeconds", ["7200"]),
    "  </CORSRule>",
    "</CORSConfiguration>",
    "",
  ].join("\n");
}

/** S3's PutBucketCors. Throws with what the bucket answered. */
async function putCors({ endpoint, name, ...keys }: Bucket, rules: string): Promise<void> {
  const client = new AwsClient({ ...keys, service: "s3", region: "auto", retries: 0 });
  const answer = await client.fetch(`${endpoint.replace(/\/+$/, "")}/${encodeURIComponent(name)}?cors`, {
    method: "PUT",
    headers: { "content-type": "application/xml", "content-md5": createHash("md5").update(rules).digest("base64") },
    body: rules,
    redirect: "manual",
    signal: AbortSignal.timeout(timeoutMs),
  });
  if (!answer.ok) throw new Error(`The bucket answered ${answer.status}: ${(await answer.text()).slice(0, 500)}`);
}

function readBucket(env: NodeJS.ProcessEnv): Bucket {
  const read = (name: string) => {
    const value = env[name]?.trim();
    if (!value) throw new Error(`${name} is not set.`);
    return value;
  };
  return {
    endpoint: read("R2_S3_ENDPOINT"),
    name: read("R2_BUCKET_NAME"),
    accessKeyId: read("R2_ACCESS_KEY_ID"),
    secretAccessKey: read("R2_SECRET_ACCESS_KEY"),
  };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      origin: { type: "string", multiple: true },
      "dry-run": { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return print(usage);
  const rules = corsRules(readOrigins(values.origin ?? (process.env["ALLOWED_ORIGINS"] ?? "").split(",")));
  print(rules);
  if (values["dry-run"]) return;
  const bucket = readBucket(process.env);
  await putCors(bucket, rules);
  print(`Set on the bucket ${bucket.name}.`);
}

await main().catch((error: Error) => {
  printError(error.message);
  process.exitCode = 1;
});
