import { createHash } from "node:crypto";
import { env } from "cloudflare:workers";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createPartWriter, defaultPartSizeBytes, PartWriterError, writeParts } from "#lib/part-writer";
import { countedStream, cutBytes, joined, noise, streamOf } from "./byte-streams.ts";

const bucket = (env as unknown as { FILES: R2Bucket }).FILES;
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** Remembers copies of what was put; each put takes a turn of the event loop. */
function memory() {
  const stored: Uint8Array[] = [];
  const seen = { underway: 0, most: 0, buffers: new Set<ArrayBufferLike>() };
  async function put(partNumber: number, bytes: Uint8Array<ArrayBuffer>): Promise<number> {
    seen.underway += 1;
    seen.most = Math.max(seen.most, seen.underway);
    seen.buffers.add(bytes.buffer);
    await new Promise((resolve) => setTimeout(resolve, 0));
    // Copied only now: a buffer that is written to before its put settles would show here.
    stored[partNumber - 1] = bytes.slice();
    seen.underway -= 1;
    return partNumber;
  }
  return { stored, seen, put };
}

describe("writeParts", () => {
  it("cuts any stream into equal parts and measures it", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(300),
        fc.array(fc.nat(300), { maxLength: 12 }),
        fc.integer({ min: 1, max: 64 }),
        async (sizeBytes, cuts, partSizeBytes) => {
          const bytes = noise(sizeBytes);
          const { stored, seen, put } = memory();
          const written = await writeParts(streamOf(cutBytes(bytes, cuts)), { partSizeBytes, maxBytes: 300, put });
          expect(joined(stored)).toEqual(bytes);
          expect(stored.slice(0, -1).every((part) => part.length === partSizeBytes)).toBe(true);
          expect(written.parts).toEqual(stored.map((_, index) => index + 1));
          expect(written).toMatchObject({ sizeBytes, sha256: sha256(bytes), head: bytes });
          expect(seen.most).toBeLessThanOrEqual(1);
          expect(seen.buffers.size).toBeLessThanOrEqual(2);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("fills the next part while one is on its way, and no more than that", async () => {
    const pieces = Array.from({ length: 12 }, () => noise(10));
    const { stream, pulled } = countedStream(pieces);
    const releases: (() => void)[] = [];
    const put = () => new Promise<number>((resolve) => releases.push(() => resolve(1)));
    const writing = writeParts(stream, { partSizeBytes: 20, maxBytes: 1_000, put });
    const idle = () => new Promise((resolve) => setTimeout(resolve, 5));
    await idle();
    expect([releases.length, pulled()]).toEqual([1, 4]);
    await idle();
    expect([releases.length, pulled()]).toEqual([1, 4]);
    releases[0]?.();
    await idle();
    expect([releases.length, pulled()]).toEqual([2, 6]);
    for (let turn = 1; turn < 6; turn += 1) {
      releases[turn]?.();
      await idle();
    }
    expect((await writing).parts.length).toBe(6);
  });

  it("keeps the first 64 KiB as the head", async () => {
    const bytes = noise(200_000);
    const { put } = memory();
    const written = await writeParts(streamOf(cutBytes(bytes, [10, 60_000, 70_000])), { maxBytes: 1_000_000, put });
    expect(written.head).toEqual(bytes.slice(0, 65_536));
    expect(written.parts).toEqual([1]);
  });

  it("writes nothing for a stream without bytes", async () => {
    const { stored, put } = memory();
    const written = await writeParts(streamOf([new Uint8Array(0)]), { maxBytes: 10, put });
    expect(written).toEqual({ parts: [], sizeBytes: 0, sha256: sha256(new Uint8Array(0)), head: new Uint8Array(0) });
    expect(stored).toEqual([]);
  });

  it("stops at the limit, cancels the source and stores nothing beyond", async () => {
    const { stored, put } = memory();
    const source = countedStream(Array.from({ length: 100 }, () => noise(10)));
    const error = await writeParts(source.stream, { partSizeBytes: 20, maxBytes: 55, put }).catch(
      (caught: unknown) => caught,
    );
    expect(error).toBeInstanceOf(PartWriterError);
    expect(error).toMatchObject({ reason: "file-too-large" });
    expect(joined(stored).length).toBe(40);
    expect(source.isCancelled()).toBe(true);
    expect(source.pulled()).toBe(6);
  });

  it("takes exactly the limit", async () => {
    const { put } = memory();
    expect((await writeParts(streamOf([noise(55)]), { partSizeBytes: 20, maxBytes: 55, put })).sizeBytes).toBe(55);
  });

  it("passes on a failed put after the part on its way has settled", async () => {
    let isSettled = false;
    const put = async (partNumber: number) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (partNumber === 2) {
        isSettled = true;
        throw new Error("storage is away");
      }
      return partNumber;
    };
    const source = countedStream(Array.from({ length: 100 }, () => noise(10)));
    await expect(writeParts(source.stream, { partSizeBytes: 20, maxBytes: 2_000, put })).rejects.toThrow(
      "storage is away",
    );
    expect(isSettled).toBe(true);
    expect(source.pulled()).toBeLessThan(10);
    expect(source.isCancelled()).toBe(true);
  });

  it("passes on a failed source after the part on its way has settled", async () => {
    let settled = 0;
    const put = async (partNumber: number) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      settled += 1;
      return partNumber;
    };
    async function* source() {
      yield noise(30);
      throw new Error("the client went away");
    }
    await expect(writeParts(source(), { partSizeBytes: 20, maxBytes: 2_000, put })).rejects.toThrow(
      "the client went away",
    );
    expect(settled).toBe(1);
  });
});

describe("createPartWriter", () => {
  it("refuses two calls at once, and every call after the end or a failure", async () => {
    const { put } = memory();
    const writer = createPartWriter({ partSizeBytes: 4, maxBytes: 100, put });
    const first = writer.write(noise(20));
    await expect(writer.write(noise(1))).rejects.toMatchObject({ reason: "misuse" });
    await first;
    expect((await writer.finish()).sizeBytes).toBe(20);
    await expect(writer.finish()).rejects.toMatchObject({ reason: "misuse" });
    const limited = createPartWriter({ partSizeBytes: 4, maxBytes: 5, put });
    await expect(limited.write(noise(6))).rejects.toMatchObject({ reason: "file-too-large" });
    await expect(limited.finish()).rejects.toMatchObject({ reason: "file-too-large" });
  });

  it("refuses a limit that 10,000 parts cannot hold", () => {
    expect(() => createPartWriter({ partSizeBytes: 10, maxBytes: 100_001, put: async () => 1 })).toThrow(RangeError);
  });

  it("makes an object that R2 accepts", async () => {
    const bytes = noise(defaultPartSizeBytes * 2 + 12_345);
    const upload = await bucket.createMultipartUpload("lib/part-writer");
    const writer = createPartWriter({
      maxBytes: 524_288_000,
      put: (partNumber, part) => upload.uploadPart(partNumber, part),
    });
    for (let offset = 0; offset < bytes.length; offset += 3_000_001)
      await writer.write(bytes.subarray(offset, offset + 3_000_001));
    const { parts, sizeBytes, sha256: digest } = await writer.finish();
    const stored = await upload.complete(parts);
    expect([parts.length, sizeBytes, stored.size]).toEqual([3, bytes.length, bytes.length]);
    const body = new Uint8Array((await (await bucket.get("lib/part-writer"))?.arrayBuffer()) ?? new ArrayBuffer(0));
    expect([sha256(body), digest]).toEqual([sha256(bytes), sha256(bytes)]);
  });
});
