/** The command that sets a bucket's cross-origin rules, against an S3 API of its own: what it sends, prints and refuses. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { AwsV4Signer } from "aws4fetch";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";

interface Received {
  method: string | undefined;
  url: string | undefined;
  headers: IncomingHttpHeaders;
  body: string;
}

const keys = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "SECRETEXAMPLE" };
const received: Received[] = [];
let status = 200;
const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const { method, url, headers } = request;
    received.push({ method, url, headers, body: Buffer.concat(chunks).toString() });
    response.writeHead(status).end(status === 200 ? "" : "<Error><Code>AccessDenied</Code></Error>");
  });
});
let endpoint = "";

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => void server.close());

beforeEach(() => {
  received.length = 0;
  status = 200;
});

function run(env: Record<string, string>, options: string[] = []) {
  const given = {
    PATH: process.env["PATH"] ?? "",
    R2_S3_ENDPOINT: endpoint,
    R2_BUCKET_NAME: "media",
    R2_ACCESS_KEY_ID: keys.accessKeyId,
    R2_SECRET_ACCESS_KEY: keys.secretAccessKey,
    ...env,
  };
  return new Promise<{ code: number; text: string }>((resolve) => {
    execFile(process.execPath, ["src/cli/bucket-cors.ts", ...options], { env: given }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, text: stdout + stderr }),
    );
  });
}

describe("npm run bucket:cors", () => {
  it("sends signed rules for exactly the listed origins, and prints them without a key", async () => {
    const { code, text } = await run({
      ALLOWED_ORIGINS: "https://app.example.com, https://b.example,https://b.example",
    });
    expect([code, received.length]).toEqual([0, 1]);
    const [{ method, url, headers, body }] = received as [Received];
    expect([method, url]).toEqual(["PUT", "/media?cors"]);
    expect(body.match(/<AllowedOrigin>[^<]*/g)).toEqual([
      "<AllowedOrigin>https://app.example.com",
      "<AllowedOrigin>https://b.example",
    ]);
    expect(body).toContain("<ExposeHeader>ETag</ExposeHeader>");
    expect(text).toContain(body.trim());
    expect(text).not.toContain(keys.secretAccessKey);
    expect(headers["content-md5"]).toBe(createHash("md5").update(body).digest("base64"));
    const signed = await new AwsV4Signer({
      ...keys,
      method: "PUT",
      url: `${endpoint}/media?cors`,
      headers: { "content-type": "application/xml", "content-md5": String(headers["content-md5"]) },
      body,
      service: "s3",
      region: "auto",
      datetime: String(headers["x-amz-date"]),
    }).sign();
    expect(headers.authorization).toBe(signed.headers.get("authorization"));
  });

  it("sends nothing on a dry run", async () => {
    const { code, text } = await run({}, ["--dry-run", "--origin", "https://app.example.com"]);
    expect([code, received.length]).toEqual([0, 0]);
    expect(text).toContain("<AllowedOrigin>https://app.example.com</AllowedOrigin>");
  });

  it.each([
    [{ ALLOWED_ORIGINS: "" }, "No origins"],
    [{ ALLOWED_ORIGINS: "*" }, "is not an origin"],
    [{ ALLOWED_ORIGINS: "https://app.example.com/" }, "is not an origin"],
    [{ ALLOWED_ORIGINS: "https://app.example.com", R2_BUCKET_NAME: "" }, "R2_BUCKET_NAME is not set"],
  ])("refuses %j", async (env, words) => {
    const { code, text } = await run(env);
    expect([code, received.length]).toEqual([1, 0]);
    expect(text).toContain(words);
  });

  it("tells what the bucket said when it refuses", async () => {
    status = 403;
    const { code, text } = await run({ ALLOWED_ORIGINS: "https://app.example.com" });
    expect(code).toBe(1);
    expect(text).toContain("403: <Error><Code>AccessDenied");
  });
});
