/** Downloads: ranges, validators, headers, and storage that does not have what it should. */
import { beforeAll, describe, expect, it } from "vitest";
import { bindings, type Person } from "#test/support/harness";
import { newOwner, sha256, uploadFile, wav } from "./support.ts";

const bytes = wav(100_000);
let person: Person;
let path: string;
let etag: string;

beforeAll(async () => {
  person = await newOwner();
  path = `/v1/files/${(await uploadFile(person, bytes, { fileName: 'Übung "1".wav' })).id}/content`;
  etag = `"${await sha256(bytes)}"`;
});

const get = (headers: Record<string, string> = {}, target = path) => person.call("GET", target, { headers });

describe("a whole file", () => {
  it("comes with its length, its hash as tag, and headers that keep a browser from running it", async () => {
    const answer = await get();
    expect(answer.status).toBe(200);
    expect(await sha256(answer.bytes)).toBe(etag.slice(1, -1));
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      "accept-ranges": "bytes",
      "content-disposition": `attachment; filename="Ubung 1.wav"; filename*=UTF-8''%C3%9Cbung%201.wav`,
      "content-security-policy": "default-src 'none'; sandbox",
      "content-type": "audio/wav",
      "x-content-type-options": "nosniff",
      etag,
    });
    expect(answer.headers.get("x-request-id")).toMatch(/^req_/);
  });

  it("can be shown in place", async () => {
    expect((await get({}, `${path}?disposition=inline`)).headers.get("content-disposition")).toMatch(/^inline; /);
    expect((await get({}, `${path}?disposition=elsewhere`)).status).toBe(422);
  });

  it.each([
    ["the tag", () => etag],
    ["a weak one", () => `W/${etag}`],
    ["a list", () => `"x", ${etag}`],
    ["any", () => "*"],
  ])("is not sent again to a client that has it, by %s", async (_, tag) => {
    const answer = await get({ "if-none-match": tag() });
    expect([answer.status, answer.bytes.length, answer.headers.get("etag")]).toEqual([304, 0, etag]);
  });

  it("is sent to a client that has another version", async () => {
    expect((await get({ "if-none-match": '"other"' })).status).toBe(200);
  });
});

describe("a range", () => {
  it.each([
    ["bytes=0-9", 0, 10],
    ["bytes=99990-", 99_990, 100_000],
    ["bytes=-5", 99_995, 100_000],
    ["bytes=50-999999", 50, 100_000],
    ["bytes=99999-99999", 99_999, 100_000],
  ])("%s is a 206 with exactly these bytes", async (range, start, end) => {
    const answer = await get({ range });
    expect(answer.status).toBe(206);
    expect(answer.headers.get("content-range")).toBe(`bytes ${start}-${end - 1}/100000`);
    expect(answer.bytes).toEqual(bytes.subarray(start, end));
  });

  it.each(["bytes=100000-", "bytes=200000-300000", "bytes=-0"])("%s is a 416 with the size", async (range) => {
    const answer = await get({ range });
    expect(answer).toMatchObject({ status: 416, body: { code: "range-not-satisfiable", sizeBytes: 100_000 } });
    expect(answer.headers.get("content-range")).toBe("bytes */100000");
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
  });

  it.each(["items=0-5", "bytes=5-2", "bytes=a-b", "bytes=0-1,5-6"])("%s is ignored", async (range) => {
    const answer = await get({ range });
    expect([answer.status, answer.bytes.length]).toEqual([200, bytes.length]);
  });

  it("needs the validator of If-Range to be the current one", async () => {
    expect((await get({ range: "bytes=0-9", "if-range": etag })).status).toBe(206);
    expect((await get({ range: "bytes=0-9", "if-range": '"other"' })).status).toBe(200);
    expect((await get({ range: "bytes=0-9", "if-range": `W/${etag}` })).status).toBe(200);
    const modified = (await get()).headers.get("last-modified") ?? "";
    expect((await get({ range: "bytes=0-9", "if-range": modified })).status).toBe(206);
  });
});

describe("storage that lost bytes", () => {
  it.each([
    ["is gone", async (key: string) => bindings.FILES.delete(key)],
    ["was cut", async (key: string) => void (await bindings.FILES.put(key, wav(60)))],
    ["was emptied", async (key: string) => void (await bindings.FILES.put(key, ""))],
    ["grew", async (key: string) => void (await bindings.FILES.put(key, wav(5_000)))],
  ])("an object that %s is a problem, for the whole and for a range", async (_, damage) => {
    const { id, r2Key } = await uploadFile(person, wav(3_000));
    await damage(r2Key);
    for (const headers of [{}, { range: "bytes=0-9" }, { range: "bytes=2000-2009" }]) {
      const answer = await get(headers as Record<string, string>, `/v1/files/${id}/content`);
      expect([answer.status, answer.body.code]).toEqual([500, "file-damaged"]);
      expect(answer.body.requestId).toMatch(/^req_/);
    }
    expect((await person.call("GET", `/v1/files/${id}`)).status).toBe(200);
  });

  it("a stream that ends early breaks instead of looking complete", async () => {
    const { id } = await uploadFile(person, wav(3_000));
    const files = new Proxy(bindings.FILES, {
      get(bucket, name) {
        if (name !== "get") return Reflect.get(bucket, name).bind(bucket);
        return async (key: string) => {
          const object = await bucket.get(key);
          const short = new ReadableStream({
            start(controller) {
              controller.enqueue(new Uint8Array(1_000));
              controller.close();
            },
          });
          return { size: object?.size, body: short };
        };
      },
    });
    await expect(person.call("GET", `/v1/files/${id}/content`, { env: { ...bindings, FILES: files } })).rejects.toThrow(
      "FixedLengthStream",
    );
  });
});
