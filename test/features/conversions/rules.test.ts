/** Decisions about conversions on plain data. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Problem } from "#core/problem";
import { v1FileName, v1Nonce } from "#features/conversions/format-1";
import {
  estimateImageBytes,
  imageFileName,
  maxChunkBytes,
  openedFileName,
  openedTypeOf,
  planImages,
  toProblem,
  toStats,
  waitSecondsOf,
} from "#features/conversions/rules";
import { runtimeTag } from "#features/conversions/seal-identity";
import { PngError } from "#lib/png/error";
import { SealError, type SealReason } from "#lib/seal/error";
import { chunkImageSize, readFileName } from "#lib/seal/v1";
import { pngSizeBytes } from "#lib/png/encode";
import { shardImageSize } from "#lib/seal/v2";
import { writeChunkHeader } from "#lib/seal/v1-header";
import { ZipError } from "#lib/zip-directory";
import { wav } from "./support.ts";

const codeOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    return error instanceof Problem ? error.code : String(error);
  }
  return "none";
};

describe("planning images", () => {
  it("cuts version 2 at 8 MiB whatever is asked, and version 1 at what is asked below that", () => {
    const maxImages = 1_000;
    expect(planImages(524_288_000, { format: 2, maxChunkBytes: 1_000, maxImages })).toEqual({
      chunkSizeBytes: maxChunkBytes,
      imageCount: 63,
    });
    expect(planImages(maxChunkBytes, { format: 2, maxChunkBytes: undefined, maxImages }).imageCount).toBe(1);
    expect(planImages(maxChunkBytes + 1, { format: 2, maxChunkBytes: undefined, maxImages }).imageCount).toBe(2);
    expect(planImages(25_000, { format: 1, maxChunkBytes: 10_000, maxImages })).toEqual({
      chunkSizeBytes: 10_000,
      imageCount: 3,
    });
    expect(planImages(52_428_800, { format: 1, maxChunkBytes: 52_428_800, maxImages }).imageCount).toBe(7);
    expect(codeOf(() => planImages(100_000, { format: 1, maxChunkBytes: 99, maxImages }))).toBe("too-many-images");
  });

  it("never estimates less than images of either version come to", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3 * maxChunkBytes }),
        fc.integer({ min: 65_536, max: maxChunkBytes }),
        (sizeBytes, chunk) => {
          const estimate = estimateImageBytes(sizeBytes, chunk);
          let exact = 0;
          for (let offset = 0; offset < sizeBytes; offset += chunk) {
            const bytes = Math.min(chunk, sizeBytes - offset);
            // Header, tag, the longest metadata and the hash; and what version 1 puts around its ciphertext.
            exact += Math.max(
              pngSizeBytes(shardImageSize(bytes + 128 + 16 + 4_096 + 32)),
              pngSizeBytes(chunkImageSize(bytes + 1_036 + 16 + 8)),
            );
          }
          expect(estimate).toBeGreaterThanOrEqual(exact);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe("names", () => {
  it("of images carry part and count and survive any input", () => {
    expect(imageFileName("a.b.wav", 0, 12)).toBe("a.b_part0001_of_0012.png");
    expect(imageFileName("noextension", 9_998, 9_999)).toBe("noextension_part9999_of_9999.png");
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 300 }), (name) => {
        const given = imageFileName(`${name}.wav`, 4, 7);
        expect(given).toMatch(/_part0005_of_0007\.png$/);
        expect(new TextEncoder().encode(given).length).toBeLessThanOrEqual(255);
      }),
    );
  });

  it("of opened files keep the extension of the original", () => {
    expect(openedFileName(null, "a.wav")).toBe("a.wav");
    expect(openedFileName("b", "a.wav")).toBe("b.wav");
    expect(openedFileName("b.mp3", "a.wav")).toBe("b.mp3");
    expect(openedFileName("b", "a")).toBe("b");
    expect(openedFileName(null, "../x/\u0000y.wav")).toBe("y.wav");
  });

  it("fit the header of version 1 and its rules", () => {
    expect(v1FileName("tone.wav", "alice")).toBe("tone.wav");
    expect(v1FileName("a..b...wav", "alice")).toBe("a.b.wav");
    const header = {
      compressed: true,
      chunkIndex: 9_998,
      chunkCount: 9_999,
      chunkBytes: 8_388_608,
      sha256: "0".repeat(64),
      createdAtSeconds: 99_999_999_999,
    };
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 1, maxLength: 250 }), (stem) => {
        const name = stem.replaceAll(/[\p{C}/\\<>:"|?*]/gu, "").trim();
        fc.pre(name !== "");
        const fitted = v1FileName(`${name}.wav`, "alice");
        expect(readFileName(fitted)).toBe(fitted);
        expect(writeChunkHeader({ ...header, fileName: fitted, userId: "alice" }).length).toBeLessThanOrEqual(1_020);
      }),
    );
  });
});

describe("waiting", () => {
  it("is read from Prefer and bounded", () => {
    const seconds = (prefer: string | null) => waitSecondsOf(new Headers(prefer === null ? {} : { prefer }));
    expect(
      [null, "wait=5", "respond-async, wait=7", 'wait="9"', "WAIT = 3", "wait=3600", "wait=0"].map(seconds),
    ).toEqual([0, 5, 7, 9, 3, 30, 0]);
    expect(["await=5", "wait=-1", "wait=x", "wait", "wait=1.5"].map(seconds)).toEqual([0, 0, 0, 0, 0]);
  });
});

describe("faults", () => {
  it("of format, image and archive become problems that a client can mend", () => {
    const reasons: SealReason[] = [
      "not-an-image",
      "lossy-image",
      "image-too-large",
      "image-unsupported",
      "image-damaged",
      "tiff-unsupported",
      "not-sealed",
      "header-damaged",
      "altered",
      "wrong-key",
      "shards-mixed",
      "shards-missing",
      "shard-doubled",
      "hash-mismatch",
      "decompression-failed",
      "input-invalid",
    ];
    const problems = reasons.map((reason) =>
      toProblem(new SealError(reason, { index: 2, missing: [1, 3] }), { fileName: "a.png" }),
    );
    for (const problem of problems) {
      expect(problem).toBeInstanceOf(Problem);
      expect((problem as Problem).status).toBeLessThan(500);
      expect((problem as Problem).options.members).toEqual({ fileName: "a.png", index: 2, missing: [1, 3] });
    }
    expect(toProblem(new PngError("not-png", "signature"))).toMatchObject({ code: "not-an-image" });
    expect(toProblem(new ZipError("encrypted", "an entry is encrypted", "a.png"), { fileName: "x.zip" })).toMatchObject(
      { code: "archive-invalid", message: "x.zip: an entry is encrypted." },
    );
    expect(toProblem(new ZipError("too-many-entries", "more"))).toMatchObject({ code: "too-many-images" });
    const other = new Error("disk");
    expect(toProblem(other)).toBe(other);
  });
});

describe("types of opened files", () => {
  it("are believed only where name, declared type and bytes agree", () => {
    const head = wav(100);
    expect(openedTypeOf({ names: ["a.wav"], declaredType: "audio/wav", head })).toEqual({
      contentType: "audio/wav",
      kind: "audio",
    });
    expect(openedTypeOf({ names: ["a.mp3", "a.wav"], declaredType: "audio/wav", head })).toEqual({
      contentType: "audio/wav",
      kind: "audio",
    });
    expect(openedTypeOf({ names: ["a.html"], declaredType: "text/html", head })).toEqual({
      contentType: "audio/wav",
      kind: "audio",
    });
    const text = new TextEncoder().encode("<script>alert(1)</script>");
    expect(openedTypeOf({ names: ["a.html"], declaredType: "text/html", head: text })).toEqual({
      contentType: "application/octet-stream",
      kind: "document",
    });
  });
});

describe("version 1 nonces", () => {
  it("are found again by the same conversion and by no other, and differ by image and key", () => {
    const key = new Uint8Array(32).fill(7);
    const nonce = (sealId: string, index: number, by = key) => v1Nonce(by, { sealId, index }).toHex();
    const [one, other] = ["00".repeat(16), "01".repeat(16)];
    expect(nonce(one, 0)).toBe(nonce(one, 0));
    expect(nonce(one, 0)).toHaveLength(24);
    const all = [nonce(one, 0), nonce(one, 1), nonce(one, 10), nonce(other, 0), nonce(one, 0, new Uint8Array(32))];
    expect(new Set(all).size).toBe(all.length);
  });
});

describe("the runtime's tag", () => {
  it("is stable and says what packs", () => {
    expect(runtimeTag()).toMatch(/^zstd-[0-9a-f]{16}$/);
    expect(runtimeTag()).toBe(runtimeTag());
  });
});

describe("statistics", () => {
  it("count ended and open conversions apart", () => {
    const group = { conversionType: "audio-to-image", inputBytes: 10, durationMs: 100 } as const;
    const stats = toStats("usr_1", [
      { ...group, state: "succeeded", conversions: 3 },
      { ...group, state: "failed", conversions: 1 },
      { ...group, state: "cancelled", conversions: 1 },
      { ...group, state: "queued", conversions: 4 },
      { ...group, conversionType: "image-to-audio", state: "succeeded", conversions: 2, durationMs: 151 },
    ]);
    expect(stats).toMatchObject({
      totalConversions: 11,
      completedConversions: 5,
      failedConversions: 2,
      audioToImageCount: 9,
      imageToAudioCount: 2,
    });
    expect(stats).toMatchObject({ totalDataProcessed: 20, averageConversionTime: 50, successRate: 5 / 7 });
  });
});
