/** Files streamed through the Worker: nothing is left of what is refused, and a request that runs twice makes one file. */
import { describe, expect, it } from "vitest";
import { storeStream } from "#features/media/service";
import { bindings, type Person } from "#test/support/harness";
import { countRows, held, mebibyte, newOwner, personContext, sha256, storedKeys, wav } from "./support.ts";

async function* inChunks(bytes: Uint8Array, chunkBytes = 100_000): AsyncIterable<Uint8Array> {
  for (let start = 0; start < bytes.length; start += chunkBytes) yield bytes.subarray(start, start + chunkBytes);
}

const maxBytes = 95 * mebibyte;
const form = { fileName: "take.wav", declaredType: "audio/wav" as string | null, maxBytes };
const newFileId = () => `file_${crypto.randomUUID()}`;

async function expectNothingLeft(owner: Person): Promise<void> {
  expect(await storedKeys(owner)).toEqual([]);
  expect(await held(owner)).toEqual({ used: 0, reserved: 0 });
  expect(await countRows("files", owner)).toBe(0);
}

describe("storeStream", () => {
  it.each([
    ["small", 3_000],
    ["of several parts", 17 * mebibyte + 5],
  ])("stores a %s stream and settles what it came to", async (_, sizeBytes) => {
    const owner = await newOwner();
    const bytes = wav(sizeBytes);
    const fileId = newFileId();
    const row = await storeStream(personContext(owner), {
      ...form,
      fileId,
      source: inChunks(bytes),
      declaredBytes: sizeBytes + 300,
    });
    expect(row).toMatchObject({
      id: fileId,
      name: "take.wav",
      contentType: "audio/wav",
      kind: "audio",
      sizeBytes,
      sha256: await sha256(bytes),
      origin: "upload",
    });
    expect(await held(owner)).toEqual({ used: sizeBytes, reserved: 0 });
    expect(await storedKeys(owner)).toEqual([row.r2Key]);
    const content = await owner.call("GET", `/v1/files/${fileId}/content`);
    expect(await sha256(content.bytes)).toBe(row.sha256);
    expect((await owner.call("GET", "/v1/uploads")).body.items).toEqual([]);
  });

  it.each([null, "application/octet-stream"])(
    "takes an undeclared type (%s) when name and bytes agree",
    async (declaredType) => {
      const owner = await newOwner();
      const row = await storeStream(personContext(owner), {
        ...form,
        declaredType,
        fileId: newFileId(),
        source: inChunks(wav(500)),
      });
      expect(row).toMatchObject({ contentType: "audio/wav", kind: "audio" });
    },
  );

  it.each([
    ["an empty stream", new Uint8Array(), {}, "file-empty"],
    ["bytes of another type", new TextEncoder().encode("hello ".repeat(100)), {}, "file-type-mismatch"],
    ["a name of another type", wav(500), { fileName: "take.exe" }, "file-type-unsupported"],
    ["a declared type of another kind", wav(500), { declaredType: "image/png" }, "file-type-mismatch"],
    ["more than the form may have", wav(9 * mebibyte), { maxBytes: 8 * mebibyte + 5 }, "use-direct-upload"],
  ])("refuses %s and leaves nothing", async (_, bytes, change, code) => {
    const owner = await newOwner();
    await expect(
      storeStream(personContext(owner), { ...form, ...change, fileId: newFileId(), source: inChunks(bytes) }),
    ).rejects.toMatchObject({ code });
    await expectNothingLeft(owner);
  });

  it.each([
    ["known", 12 * mebibyte],
    ["unknown", undefined],
  ])("refuses what does not fit the quota when the length is %s, and leaves nothing", async (_, declaredBytes) => {
    const owner = await newOwner();
    const ctx = { ...personContext(owner), overrides: { storageBytes: 9 * mebibyte } };
    const outcome = storeStream(ctx, {
      ...form,
      fileId: newFileId(),
      source: inChunks(wav(12 * mebibyte)),
      ...(declaredBytes ? { declaredBytes } : {}),
    });
    await expect(outcome).rejects.toMatchObject({ code: "storage-quota-exceeded" });
    await expectNothingLeft(owner);
  });

  it("leaves nothing when the client goes away in the middle", async () => {
    const owner = await newOwner();
    async function* broken() {
      yield wav(9 * mebibyte);
      throw new Error("the client went away");
    }
    await expect(storeStream(personContext(owner), { ...form, fileId: newFileId(), source: broken() })).rejects.toThrow(
      "the client went away",
    );
    await expectNothingLeft(owner);
    const { results } = await bindings.DB.prepare("select status from uploads where workspace_id = ?")
      .bind(owner.workspaceId)
      .all();
    expect(results).toEqual([{ status: "aborted" }]);
  });

  it("makes one file of two runs of one request, whole and of one of them", async () => {
    const owner = await newOwner();
    const fileId = newFileId();
    const sources = [wav(9 * mebibyte, 1), wav(9 * mebibyte, 2)];
    const rows = await Promise.all(
      sources.map((bytes) => storeStream(personContext(owner), { ...form, fileId, source: inChunks(bytes) })),
    );
    expect(rows[0]).toEqual(rows[1]);
    expect(await storedKeys(owner)).toEqual([rows[0]?.r2Key]);
    expect(await held(owner)).toEqual({ used: 9 * mebibyte, reserved: 0 });
    const content = await owner.call("GET", `/v1/files/${fileId}/content`);
    expect(await sha256(content.bytes)).toBe(rows[0]?.sha256);
  });

  it("reads nothing when a repeated request finds the file of the first", async () => {
    const owner = await newOwner();
    const fileId = newFileId();
    const first = await storeStream(personContext(owner), { ...form, fileId, source: inChunks(wav(500)) });
    let reads = 0;
    async function* counted(): AsyncGenerator<Uint8Array> {
      reads += 1;
      yield wav(500);
    }
    const again = await storeStream(
      { ...personContext(owner), isReplay: true },
      { ...form, fileId, source: counted() },
    );
    expect(again).toEqual(first);
    expect(reads).toBe(0);
  });
});
