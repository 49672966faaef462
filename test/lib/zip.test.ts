import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cleanFileName } from "#lib/file-name";
import { listZip, readZipEntry, zipLength, zipNames, zipStream, type ZipOutEntry, type ZipSource } from "#lib/zip";
import { ZipError, zipTailBytes } from "#lib/zip-directory";
import bzipped from "../fixtures/zips/bzip.zip.bin";
import encrypted from "../fixtures/zips/encrypted.zip.bin";
import piped from "../fixtures/zips/piped.zip.bin";
import streamed64 from "../fixtures/zips/streamed64.zip.bin";
import tool from "../fixtures/zips/tool.zip.bin";
import { collect, countedStream, cutBytes, joined, noise, present, streamOf } from "./byte-streams.ts";
import { buildZip } from "./zip-builder.ts";

const text = (value: string) => new TextEncoder().encode(value);
const limits = { maxEntryBytes: 1_000_000, maxTotalBytes: 3_000_000 };

function sourceOf(bytes: Uint8Array | ArrayBuffer): ZipSource & { reads: [number, number][] } {
  const archive = new Uint8Array(bytes);
  const reads: [number, number][] = [];
  const read = async (offset: number, lengthBytes: number) => {
    reads.push([offset, lengthBytes]);
    return archive.slice(offset, offset + lengthBytes);
  };
  return { sizeBytes: archive.length, read, reads };
}

async function unpack(bytes: Uint8Array | ArrayBuffer): Promise<[string, Uint8Array][]> {
  const source = sourceOf(bytes);
  const entries = await listZip(source, limits);
  const unpacked: [string, Uint8Array][] = [];
  for (const entry of entries) unpacked.push([entry.name, await readZipEntry(source, entry, { maxBytes: 1_000_000 })]);
  return unpacked;
}

async function reasonOf(work: Promise<unknown>): Promise<unknown> {
  const error = await work.then(
    () => "no error",
    (caught: unknown) => caught,
  );
  return error instanceof ZipError ? error.reason : error;
}

function outEntry(name: string, bytes: Uint8Array, cuts: number[] = []): ZipOutEntry {
  const open = async () => streamOf(cutBytes(bytes, cuts));
  return { name, sizeBytes: bytes.length, modifiedAt: new Date(Date.UTC(2026, 10, 20)), open };
}

describe("zipStream", () => {
  it("makes archives of the announced length that come back byte for byte, whatever the names", async () => {
    const name = fc.oneof(
      fc.string({ unit: "binary", maxLength: 60 }),
      fc.constantFrom("../../etc/passwd", "con", "a.wav", "A.WAV", "‮gpj.exe", "", "/"),
    );
    const files = fc.array(fc.tuple(name, fc.uint8Array({ maxLength: 300 }), fc.array(fc.nat(300), { maxLength: 4 })), {
      maxLength: 8,
    });
    await fc.assert(
      fc.asyncProperty(files, async (wanted) => {
        const names = zipNames(wanted.map(([raw]) => raw));
        const entries = wanted.map(([, bytes, cuts], index) => outEntry(names[index] ?? "", bytes, cuts));
        const archive = await collect(zipStream(entries));
        expect(archive.length).toBe(zipLength(entries));
        const visible = entries
          .map((entry, index) => [entry.name, wanted[index]?.[1]])
          .filter(([visibleName]) => !/^\.[^.]/.test(String(visibleName)));
        expect(await unpack(archive)).toEqual(visible);
      }),
      { numRuns: 60 },
    );
  });

  it("opens one source at a time, when its turn has come, and follows its reader", async () => {
    const opened: number[] = [];
    const sources = [0, 1, 2].map(() => countedStream(Array.from({ length: 10 }, () => noise(1_000))));
    async function* entries(): AsyncGenerator<ZipOutEntry> {
      for (const [index, source] of sources.entries()) {
        const open = async () => {
          opened.push(index);
          return source.stream;
        };
        yield { name: `${index}`, sizeBytes: 10_000, modifiedAt: new Date(0), open };
      }
    }
    const reader = zipStream(entries()).getReader();
    expect(opened).toEqual([]);
    let readBytes = 0;
    while (readBytes < 5_000) readBytes += (await reader.read()).value?.length ?? 0;
    expect(opened).toEqual([0]);
    expect(sources[0]?.pulled()).toBeLessThan(10);
    await reader.cancel();
    expect(sources[0]?.isCancelled()).toBe(true);
    expect(opened).toEqual([0]);
  });

  it.each([9, 11])("fails when a source of 10 bytes is announced with %i, and lets go of it", async (sizeBytes) => {
    const source = countedStream([noise(5), noise(5), noise(1).slice(1)]);
    let isClosed = false;
    async function* entries(): AsyncGenerator<ZipOutEntry> {
      try {
        yield { ...outEntry("a", noise(10)), sizeBytes, open: async () => source.stream };
        yield outEntry("b", noise(10));
      } finally {
        isClosed = true;
      }
    }
    expect(await reasonOf(collect(zipStream(entries())))).toBe("size-mismatch");
    expect(isClosed).toBe(true);
  });

  it("fails with the error of a source that cannot be opened", async () => {
    const open = () => Promise.reject(new Error("the object is gone"));
    await expect(collect(zipStream([{ ...outEntry("a", noise(1)), open }]))).rejects.toThrow("the object is gone");
  });

  it("writes dates that ZIP can hold", async () => {
    const years = async (modifiedAt: Date) => {
      const archive = await collect(zipStream([{ ...outEntry("a", noise(1)), modifiedAt }]));
      return 1_980 + (new DataView(archive.buffer).getUint16(12, true) >> 9);
    };
    expect(await years(new Date(0))).toBe(1_980);
    expect(await years(new Date(Date.UTC(2026, 5, 1)))).toBe(2_026);
    expect(await years(new Date(Date.UTC(2500, 5, 1)))).toBe(2_107);
    expect(await years(new Date(Number.NaN))).toBe(1_980);
  });
});

describe("zipNames", () => {
  it("cleans names and makes each unique, without case", () => {
    expect(zipNames(["a.wav", "x/A.WAV", "a.wav", "b", "b", "../..", ""])).toEqual([
      "a.wav",
      "A (2).WAV",
      "a (3).wav",
      "b",
      "b (2)",
      "file",
      "file (2)",
    ]);
  });

  it("keeps names unique and safe for any input", () => {
    const names = fc.array(
      fc.oneof(
        fc.string({ unit: "binary", maxLength: 300 }),
        fc.constantFrom("a", "a (2)", "A", `${"x".repeat(300)}.wav`),
      ),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(names, (raw) => {
        const clean = zipNames(raw);
        expect(new Set(clean.map((name) => name.toLowerCase())).size).toBe(raw.length);
        for (const name of clean) expect(cleanFileName(name)).toBe(name);
      }),
    );
  });
});

describe("archives of other tools", () => {
  it("are read without folders, links, dotfiles and resource forks", async () => {
    const entries = await unpack(tool);
    expect(entries.map(([name]) => name)).toEqual(["words.json", "größe.txt", "empty.txt"]);
    expect(new TextDecoder().decode(entries[0]?.[1])).toMatch(/^\[\n {2}\{"word": "Question"/);
    expect(entries[1]?.[1]).toEqual(text("hello\n"));
  });

  it("may be piped and may use ZIP64 for small files", async () => {
    const [[, words] = []] = await unpack(piped);
    expect(words?.length).toBe(1_100);
    expect(await unpack(streamed64)).toEqual([["wide.txt", text("wide ".repeat(100))]]);
  });

  it("are refused when encrypted or packed by another method", async () => {
    const refused = await listZip(sourceOf(encrypted), limits).catch((error: unknown) => error);
    expect(refused).toMatchObject({ reason: "encrypted", entryName: "words.json" });
    expect(await reasonOf(listZip(sourceOf(bzipped), limits))).toBe("method-unsupported");
  });
});

describe("listZip and readZipEntry", () => {
  it("read archives of any shape that the format allows", async () => {
    const path = fc.oneof(
      fc.stringMatching(/^[a-z]{1,8}(\/[a-z]{1,8}){0,2}\.png$/),
      fc.constantFrom("../../x.png", "C:\\a\\b.png", "a\u0000b.png"),
    );
    const entry = fc.record({
      path,
      bytes: fc.uint8Array({ maxLength: 500 }),
      method: fc.constantFrom(0, 8),
      localExtra: fc.uint8Array({ maxLength: 700 }),
    });
    const archive = fc.record({ comment: fc.uint8Array({ maxLength: 100 }), isWide: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { maxLength: 6 }), archive, async (entries, shape) => {
        const expected = entries.map(({ path: raw, bytes }) => [cleanFileName(raw), bytes]);
        expect(await unpack(buildZip(entries, shape))).toEqual(expected);
      }),
      { numRuns: 100 },
    );
  });

  it("read only the directory and the entry that is wanted", async () => {
    const archive = buildZip(
      [1, 2, 3].map((seed) => ({ path: `${seed}.png`, bytes: noise(200_000, seed), method: 0 })),
    );
    const source = sourceOf(archive);
    const [, second] = await listZip(source, limits);
    expect(source.reads).toEqual([[archive.length - zipTailBytes, zipTailBytes]]);
    await readZipEntry(source, present(second), { maxBytes: 200_000 });
    expect(source.reads.length).toBe(2);
    expect(source.reads[1]?.[1]).toBeLessThan(200_600);
  });

  it("find a directory that is longer than the tail", async () => {
    const entries = Array.from({ length: 1_500 }, (_, index) => ({
      path: `${index}${"x".repeat(40)}.png`,
      bytes: text(`${index}`),
      method: 0,
    }));
    const source = sourceOf(buildZip(entries));
    const listed = await listZip(source, limits);
    expect([listed.length, source.reads.length]).toEqual([1_500, 2]);
    expect(await readZipEntry(source, present(listed[777]), { maxBytes: 10 })).toEqual(text("777"));
  });

  it("are not led astray by an end record inside the comment", async () => {
    const inner = buildZip([{ path: "inner.png", bytes: text("inner") }]);
    expect(
      (
        await unpack(
          buildZip([{ path: "outer.png", bytes: text("outer") }], { comment: joined([inner.slice(-22), text("x")]) }),
        )
      ).map(([name]) => name),
    ).toEqual(["outer.png"]);
  });
});

describe("hostile archives", () => {
  const file = { path: "a.png", bytes: noise(1_000) };
  const bomb = { path: "a.png", bytes: new Uint8Array(900_000) };

  it.each([
    ["nothing", new Uint8Array(0), "not-a-zip"],
    ["noise", noise(70_000), "not-a-zip"],
    ["a cut archive", buildZip([file]).slice(0, -1), "not-a-zip"],
    ["bytes after the end", joined([buildZip([file]), new Uint8Array(1)]), "not-a-zip"],
    ["bytes before the beginning", joined([noise(10), buildZip([file])]), "malformed"],
    ["several volumes", buildZip([file], { end: { disk: 1 } }), "several-volumes"],
    ["a wrong count", buildZip([file], { end: { count: 2 } }), "malformed"],
    ["a directory elsewhere", buildZip([file], { end: { offset: 3 } }), "malformed"],
    [
      "2,001 files",
      buildZip(Array.from({ length: 2_001 }, (_, index) => ({ path: `${index}`, bytes: text("") }))),
      "too-many-entries",
    ],
    ["60,000 announced records", buildZip([file], { end: { count: 60_000 } }), "too-many-entries"],
    ["an entry above the limit", buildZip([{ ...file, claims: { sizeBytes: 1_000_001 } }]), "entry-too-large"],
    ["a total above the limit", buildZip([1, 2, 3, 4].map(() => bomb)), "total-too-large"],
    [
      "a huge ZIP64 size",
      buildZip([{ ...file, claims: { sizeBytes: Number.MAX_SAFE_INTEGER } }], { isWide: true }),
      "entry-too-large",
    ],
    ["two entries over one body", buildZip([file, { ...file, claims: { headerOffset: 0 } }]), "overlap"],
    ["an entry that runs into the directory", buildZip([{ ...file, claims: { compressedBytes: 5_000 } }]), "overlap"],
    ["an entry beyond the directory", buildZip([{ ...file, claims: { headerOffset: 90_000 } }]), "overlap"],
    ["encryption", buildZip([{ ...file, flags: 0x801 }]), "encrypted"],
    ["strong encryption", buildZip([{ ...file, flags: 0x840 }]), "encrypted"],
    ["an unknown method", buildZip([{ ...file, claims: { method: 93 } }]), "method-unsupported"],
    ["all-ones sizes without ZIP64", buildZip([{ ...file, claims: { sizeBytes: 0xffffffff } }]), "malformed"],
  ])("%s", async (_, archive, reason) => {
    expect(await reasonOf(listZip(sourceOf(archive), limits))).toBe(reason);
  });

  it.each([
    ["more bytes than declared", { ...bomb, claims: { sizeBytes: 1_000 } }, "size-mismatch"],
    ["one byte more than declared", { ...file, claims: { sizeBytes: 999 } }, "size-mismatch"],
    ["bytes where none are declared", { ...file, bytes: text("a"), claims: { sizeBytes: 0 } }, "size-mismatch"],
    ["fewer bytes than declared", { ...file, claims: { sizeBytes: 1_001 } }, "size-mismatch"],
    ["a stored entry of another size", { ...file, method: 0, claims: { sizeBytes: 999 } }, "size-mismatch"],
    ["a wrong checksum", { ...file, claims: { crc32: 1 } }, "crc-mismatch"],
    ["a cut stream", { ...file, claims: { compressedBytes: 500 } }, "malformed"],
    ["a method that the header denies", { ...file, claims: { method: 0 } }, "malformed"],
  ])("%s", async (_, entry, reason) => {
    const source = sourceOf(buildZip([entry]));
    const [listed] = await listZip(source, limits);
    expect(await reasonOf(readZipEntry(source, present(listed), { maxBytes: 1_000_000 }))).toBe(reason);
  });

  it("a header that points past its entry", async () => {
    const archive = buildZip([file]);
    new DataView(archive.buffer).setUint16(28, 60_000, true);
    const source = sourceOf(archive);
    const [listed] = await listZip(source, limits);
    expect(await reasonOf(readZipEntry(source, present(listed), { maxBytes: 1_000_000 }))).toBe("malformed");
  });

  it("an entry above what the reader allows, and a storage that gives too little", async () => {
    const source = sourceOf(buildZip([file]));
    const listed = present((await listZip(source, limits))[0]);
    expect(await reasonOf(readZipEntry(source, listed, { maxBytes: 999 }))).toBe("entry-too-large");
    const short = {
      sizeBytes: source.sizeBytes,
      read: async (offset: number, lengthBytes: number) => (await source.read(offset, lengthBytes)).slice(1),
    };
    expect(await reasonOf(readZipEntry(short, listed, { maxBytes: 1_000 }))).toBe("truncated");
    expect(await reasonOf(listZip(short, limits))).toBe("truncated");
  });

  it("never throw anything but a reason, wherever a byte is changed", async () => {
    const archive = buildZip([file, { path: "b.png", bytes: text("b".repeat(300)) }], { isWide: true });
    await fc.assert(
      fc.asyncProperty(fc.nat(archive.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const altered = archive.slice();
        altered[at] = (altered[at] ?? 0) ^ change;
        const error = await unpack(altered).then(
          () => null,
          (caught: unknown) => caught,
        );
        expect(error === null || error instanceof ZipError).toBe(true);
      }),
      { numRuns: 400 },
    );
  });
});

describe("packed entries of any size", () => {
  it.each([1, 63, 40_960, 40_961, 71_206, 100_000, 999_999])("unpack: %i bytes", async (sizeBytes) => {
    const bytes = noise(sizeBytes);
    const [unpacked] = await unpack(buildZip([{ path: "a.png", bytes }]));
    expect(unpacked?.[0]).toBe("a.png");
    expect(Buffer.from(unpacked?.[1] ?? []).equals(bytes)).toBe(true);
  });

  it("are refused when they unpack to one byte more than the directory says", async () => {
    const archive = buildZip([{ path: "a.png", bytes: noise(50_000), claims: { sizeBytes: 49_999 } }]);
    await expect(unpack(archive)).rejects.toMatchObject({ reason: "size-mismatch" });
  });
});
