import { describe, expect, it } from "vitest";
import { presignGet, presignPart, presignPut } from "#lib/presign";

const account = {
  endpoint: "https://acct.r2.cloudflarestorage.com",
  bucket: "media",
  key: "w/1/u/2/a.wav",
  expiresInSeconds: 900,
  accessKeyId: "AKIDEXAMPLE",
  secretAccessKey: "SECRETEXAMPLE",
  nowMs: Date.UTC(2026, 10, 20),
};
const signatureOf = (url: string) => new URL(url).searchParams.get("X-Amz-Signature");

describe("presignGet", () => {
  it("matches the public AWS example", async () => {
    const { url, headers } = await presignGet({
      endpoint: "https://examplebucket.s3.amazonaws.com",
      bucket: null,
      key: "test.txt",
      expiresInSeconds: 86_400,
      accessKeyId: "AKIAIOSFODNN7EXAMPLE",
      secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
      nowMs: Date.UTC(2013, 4, 24),
      region: "us-east-1",
    });
    expect(signatureOf(url)).toBe("aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
    expect(headers).toEqual({});
  });

  it("writes spaces of the query as %20", async () => {
    const query = { "response-content-disposition": `attachment; filename="a b+c.wav"` };
    const { url } = await presignGet({ ...account, query });
    expect(new URL(url).search).not.toContain("+");
    expect(url).toContain("response-content-disposition=attachment%3B%20filename%3D%22a%20b%2Bc.wav%22");
  });
});

describe("presignPart", () => {
  it("matches the vector with a signed length", async () => {
    const { url, headers } = await presignPart({
      ...account,
      uploadId: "UPLOAD1",
      partNumber: 1,
      contentLength: 5_242_880,
    });
    expect(signatureOf(url)).toBe("8fc687b32164b1d156269a3f9da419e56d6e213c79bfc51d366b437f4e25d51e");
    expect(headers).toEqual({ "content-length": "5242880" });
    const { origin, pathname, searchParams } = new URL(url);
    expect(origin + pathname).toBe("https://acct.r2.cloudflarestorage.com/media/w/1/u/2/a.wav");
    expect(Object.fromEntries(searchParams)).toEqual({
      partNumber: "1",
      uploadId: "UPLOAD1",
      "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
      "X-Amz-Credential": "AKIDEXAMPLE/20261120/auto/s3/aws4_request",
      "X-Amz-Date": "20261120T000000Z",
      "X-Amz-Expires": "900",
      "X-Amz-SignedHeaders": "content-length;host",
      "X-Amz-Signature": "8fc687b32164b1d156269a3f9da419e56d6e213c79bfc51d366b437f4e25d51e",
    });
  });

  it("signs every detail: another size, part, upload, key, time or secret gives another signature", async () => {
    const base = { ...account, uploadId: "U", partNumber: 1, contentLength: 10 };
    const variants = [
      base,
      { ...base, contentLength: 11 },
      { ...base, partNumber: 2 },
      { ...base, uploadId: "V" },
      { ...base, key: "w/1/u/2/b.wav" },
      { ...base, bucket: "other" },
      { ...base, expiresInSeconds: 901 },
      { ...base, nowMs: base.nowMs + 1_000 },
      { ...base, secretAccessKey: "OTHER" },
    ];
    const signatures = await Promise.all(
      variants.map(async (variant) => signatureOf((await presignPart(variant)).url)),
    );
    expect(new Set(signatures).size).toBe(variants.length);
  });

  it("gives the same with kept signing keys", async () => {
    const signingKeys = new Map<string, ArrayBuffer>();
    const options = { ...account, uploadId: "UPLOAD1", partNumber: 1, contentLength: 5_242_880, signingKeys };
    const [first, second] = [await presignPart(options), await presignPart(options)];
    expect(signingKeys.size).toBe(1);
    expect([first, second].map(({ url }) => signatureOf(url)?.slice(0, 8))).toEqual(["8fc687b3", "8fc687b3"]);
  });

  it("keeps the path of a local endpoint", async () => {
    const endpoint = "http://127.0.0.1:8787/cdn-cgi/local/r2/s3/";
    const { url } = await presignPart({ ...account, endpoint, uploadId: "U", partNumber: 10_000, contentLength: 0 });
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:8787\/cdn-cgi\/local\/r2\/s3\/media\/w\/1\/u\/2\/a\.wav\?/);
  });

  it("encodes keys once and refuses those that a URL would change", async () => {
    const options = { ...account, uploadId: "a+b/c=", partNumber: 1, contentLength: 1 };
    const { url } = await presignPart({ ...options, key: "w/it's (1)+é%2F*.wav" });
    expect(new URL(url).pathname).toBe("/media/w/it%27s%20%281%29%2B%C3%A9%252F%2A.wav");
    expect(new URL(url).searchParams.get("uploadId")).toBe("a+b/c=");
    for (const key of ["", "/a", "a/", "a//b", "../a", "a/./b", "a/.."]) {
      await expect(presignPart({ ...options, key })).rejects.toThrow(RangeError);
    }
  });

  it.each([
    { partNumber: 0 },
    { partNumber: 10_001 },
    { partNumber: 1.5 },
    { contentLength: -1 },
    { contentLength: Number.NaN },
    { expiresInSeconds: 0 },
    { expiresInSeconds: 604_801 },
  ])("refuses %o", async (wrong) => {
    const options = { ...account, uploadId: "U", partNumber: 1, contentLength: 1, ...wrong };
    await expect(presignPart(options)).rejects.toThrow(RangeError);
  });
});

describe("presignPut", () => {
  it("signs length, type and write-once", async () => {
    const options = { ...account, contentLength: 123, contentType: "audio/wav" };
    const { url, headers } = await presignPut(options);
    expect(new URL(url).searchParams.get("X-Amz-SignedHeaders")).toBe("content-length;content-type;host;if-none-match");
    expect(headers).toEqual({ "content-length": "123", "content-type": "audio/wav", "if-none-match": "*" });
    const other = await presignPut({ ...options, contentType: "text/html" });
    expect(signatureOf(other.url)).not.toBe(signatureOf(url));
  });

  it("agrees with a signature worked out by the rules of SigV4", async () => {
    const { url } = await presignPut({ ...account, contentLength: 123, contentType: "audio/wav" });
    const query =
      "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20261120%2Fauto%2Fs3%2Faws4_request&X-Amz-Date=20261120T000000Z&X-Amz-Expires=900&X-Amz-SignedHeaders=content-length%3Bcontent-type%3Bhost%3Bif-none-match";
    const canonical = [
      "PUT",
      "/media/w/1/u/2/a.wav",
      query,
      "content-length:123",
      "content-type:audio/wav",
      "host:acct.r2.cloudflarestorage.com",
      "if-none-match:*",
      "",
      "content-length;content-type;host;if-none-match",
      "UNSIGNED-PAYLOAD",
    ].join("\n");
    const bytes = (text: string) => new Uint8Array(new TextEncoder().encode(text));
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes(canonical))).toHex();
    let key = bytes("AWS4SECRETEXAMPLE");
    const chain = [
      "20261120",
      "auto",
      "s3",
      "aws4_request",
      `AWS4-HMAC-SHA256\n20261120T000000Z\n20261120/auto/s3/aws4_request\n${hash}`,
    ];
    for (const step of chain) {
      const imported = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
      key = new Uint8Array(await crypto.subtle.sign("HMAC", imported, bytes(step)));
    }
    expect(signatureOf(url)).toBe(key.toHex());
  });
});
