/** Opening uploaded images, in whatever way they come; and every way in which they can be the wrong ones, named to the client. */
import { crc32 } from "node:zlib";
import { zipSync } from "fflate";
import { beforeAll, describe, expect, it } from "vitest";
import { decodePng } from "#lib/png/decode";
import { encodePng } from "#lib/png/encode";
import { bindings, overrideLimits, type Person, signUp } from "#test/support/harness";
import {
  content,
  downloadImages,
  held,
  mebibyte,
  open,
  sealed,
  sha256,
  storedKeys,
  storeFile,
  wav,
} from "./support.ts";

type Image = { fileName: string; bytes: Uint8Array<ArrayBuffer> };

/** One person with one conversion of two images, shared: the tests below only read them. */
let person: Person;
let conversion: { id: string };
let images: [Image, Image];
/** The second image, uploaded once. */
let secondId: string;
let audioHash: string;

beforeAll(async () => {
  person = await signUp();
  await overrideLimits(person.workspaceId, { conversionsPerHour: null });
  const audio = wav(8 * mebibyte + 70_000);
  audioHash = await sha256(audio);
  conversion = await sealed(person, audio);
  images = (await downloadImages(person, conversion.id)) as [Image, Image];
  secondId = await upload("two.png", images[1].bytes);
});

const upload = (fileName: string, bytes: Uint8Array, by = person) => storeFile(by, fileName, bytes);

/** The same pixels, changed by `change`, in a new PNG. */
function changed(png: Uint8Array, change: (rgb: Uint8Array) => void): Uint8Array<ArrayBuffer> {
  const { width, height, rgb } = decodePng(png, { rgbBytesMax: 64 * mebibyte });
  change(rgb);
  return encodePng({ parts: [rgb], width, height });
}

/** A PNG that claims dimensions and has nothing behind them. */
function claim(width: number, height: number): Uint8Array<ArrayBuffer> {
  const png = encodePng({ parts: [new Uint8Array(3)], width: 1, height: 1 });
  const view = new DataView(png.buffer, png.byteOffset);
  view.setUint32(16, width);
  view.setUint32(20, height);
  view.setUint32(29, crc32(png.subarray(12, 29)));
  return png;
}

describe("opening uploaded images", () => {
  it("takes them in any order, under any name, and doubled", async () => {
    const fileIds = [
      await upload("z.png", images[1].bytes),
      await upload("y.png", images[0].bytes),
      await upload("x.png", images[1].bytes),
    ];
    const opened = await open(person, { fileIds });
    expect(opened.body.conversion).toMatchObject({
      status: "completed",
      imageCount: 2,
      sha256: audioHash,
      inputFileName: "z.png",
      format: 2,
    });
    expect(await sha256(await content(person, opened.body.conversion.outputFileId))).toBe(audioHash);
  });

  it("takes a ZIP of them, and a ZIP beside single files, and passes over what is no image", async () => {
    const packed = zipSync(
      {
        "sealed/two.png": images[1].bytes,
        "one.png": images[0].bytes,
        "metadata.json": new TextEncoder().encode("{}"),
      },
      { level: 0 },
    );
    expect((await open(person, { fileIds: [await upload("all.zip", packed)] })).body).toMatchObject({
      conversion: { sha256: audioHash },
    });
    const half = zipSync({ "two.png": images[1].bytes }, { level: 1 });
    const fileIds = [await upload("half.zip", half), await upload("one.png", images[0].bytes)];
    expect((await open(person, { fileIds })).body).toMatchObject({ conversion: { sha256: audioHash } });
  });

  it("takes the product's own ZIP", async () => {
    const zip = await person.call("GET", `/v1/conversions/${conversion.id}/download-zip`);
    expect((await open(person, { fileIds: [await upload("own.zip", zip.bytes)] })).body.conversion.sha256).toBe(
      audioHash,
    );
  });

  it("takes images that another tool has packed anew without loss", async () => {
    const repacked = changed(images[0].bytes, () => undefined);
    const fileIds = [await upload("one.png", repacked), secondId];
    expect((await open(person, { fileIds })).body.conversion.sha256).toBe(audioHash);
  });

  it("names the file as asked, cleaned, and never loses its type", async () => {
    const names = {
      "result.wav": "result.wav",
      result: "result.wav",
      "../../etc/pass wd": "pass wd.wav",
      "strange.mp3": "strange.mp3",
      'a"b\r\n.wav': "ab.wav",
    };
    const small = await sealed(person, wav(3_000));
    for (const [asked, given] of Object.entries(names)) {
      const opened = await open(person, { conversionId: small.id, outputFileName: asked });
      expect(opened.body.conversion.outputFileName).toBe(given);
      const file = await person.call("GET", `/v1/files/${opened.body.conversion.outputFileId}`);
      expect(file.body).toMatchObject({ name: given, contentType: "audio/wav" });
    }
  });
});

describe("images that cannot be opened", () => {
  /** Opens the two images with the first one replaced. */
  async function withFirst(fileName: string, bytes: Uint8Array) {
    const fileIds = [secondId, await upload(fileName, bytes)];
    return open(person, { fileIds });
  }

  it("are named when they are no sealed images", async () => {
    const jpeg = Uint8Array.from([
      0xff,
      0xd8,
      0xff,
      0xe0,
      0,
      16,
      0x4a,
      0x46,
      0x49,
      0x46,
      0,
      1,
      1,
      0,
      0,
      1,
      0,
      1,
      0,
      0,
      0xff,
      0xdb,
      ...new Uint8Array(60),
      0xff,
      0xd9,
    ]);
    expect(await withFirst("photo.jpg", jpeg)).toMatchObject({
      status: 422,
      body: { code: "lossy-image", fileName: "photo.jpg" },
    });
    const plain = encodePng({ parts: [new Uint8Array(12_288).fill(200)], width: 64, height: 64 });
    expect(await withFirst("plain.png", plain)).toMatchObject({
      status: 422,
      body: { code: "not-sealed", fileName: "plain.png" },
    });
    const noisy = changed(images[0].bytes, (rgb) =>
      rgb.forEach((byte, index) => (rgb[index] = index < 4_000 ? byte ^ 3 : byte)),
    );
    expect(await withFirst("noisy.png", noisy)).toMatchObject({
      status: 422,
      body: { code: "lossy-image", fileName: "noisy.png" },
    });
    const song = await upload("song.wav", wav(1_000));
    expect(await open(person, { fileIds: [song] })).toMatchObject({
      status: 422,
      body: { code: "not-an-image", fileName: "song.wav", fileId: song },
    });
    const letter = zipSync({ "readme.txt": new TextEncoder().encode("hello") });
    expect(await open(person, { fileIds: [await upload("letter.zip", letter)] })).toMatchObject({
      status: 422,
      body: { code: "not-an-image", fileName: "letter.zip" },
    });
  });

  it("are refused by their claimed size before anything is unpacked", async () => {
    expect(await withFirst("bomb.png", claim(60_000, 60_000))).toMatchObject({
      status: 422,
      body: { code: "image-too-large", fileName: "bomb.png" },
    });
    const packed = zipSync({ "bomb.png": claim(60_000, 60_000) });
    expect(await open(person, { fileIds: [await upload("bomb.zip", packed)] })).toMatchObject({
      status: 422,
      body: { code: "image-too-large", fileName: "bomb.png" },
    });
  });

  it("are named when they were damaged, cut or altered", async () => {
    const damaged = images[0].bytes.slice();
    damaged[200_000] = (damaged[200_000] ?? 0) ^ 1;
    expect(await withFirst("damaged.png", damaged)).toMatchObject({
      status: 422,
      body: { code: "image-damaged", fileName: "damaged.png" },
    });
    expect(await withFirst("short.png", images[0].bytes.slice(0, -500))).toMatchObject({
      status: 422,
      body: { code: "image-damaged", fileName: "short.png" },
    });
    const altered = changed(images[0].bytes, (rgb) => (rgb[200_000] = (rgb[200_000] ?? 0) ^ 1));
    expect(await withFirst("altered.png", altered)).toMatchObject({
      status: 422,
      body: { code: "image-altered", fileName: "altered.png", index: 0 },
    });
    const header = changed(images[0].bytes, (rgb) => (rgb[15] = 1));
    expect(await withFirst("header.png", header)).toMatchObject({
      status: 422,
      body: { code: "header-damaged", fileName: "header.png" },
    });
    const bad = zipSync({ "a.png": images[1].bytes }, { level: 0 });
    bad[5_000] = (bad[5_000] ?? 0) ^ 1;
    expect(await open(person, { fileIds: [await upload("bad.zip", bad)] })).toMatchObject({
      status: 422,
      body: { code: "archive-invalid", fileName: "a.png" },
    });
  });

  it("are named when the set is not whole", async () => {
    const one = await upload("one.png", images[0].bytes);
    expect(await open(person, { fileIds: [one] })).toMatchObject({
      status: 422,
      body: { code: "images-missing", missing: [1] },
    });
    const twin = changed(images[1].bytes, (rgb) => (rgb[1_000] = (rgb[1_000] ?? 0) ^ 1));
    const fileIds = [one, secondId, await upload("twin.png", twin)];
    expect(await open(person, { fileIds })).toMatchObject({
      status: 422,
      body: { code: "image-doubled", index: 1, fileName: "twin.png" },
    });
    const other = await sealed(person, wav(3_000));
    const [stranger] = await downloadImages(person, other.id);
    expect(await withFirst("stranger.png", stranger?.bytes ?? new Uint8Array())).toMatchObject({
      status: 422,
      body: { code: "images-mixed", fileName: "stranger.png" },
    });
  });

  it("leave nothing behind: no file, no parts, no quota, and the images as they were", async () => {
    const before = { held: await held(person), opened: (await storedKeys(person, "opened")).length };
    const altered = changed(images[1].bytes, (rgb) => (rgb[5_000] = (rgb[5_000] ?? 0) ^ 1));
    const fileIds = [await upload("one.png", images[0].bytes), await upload("two.png", altered)];
    const stored = await held(person);
    const refused = await open(person, { fileIds });
    expect(refused).toMatchObject({ status: 422, body: { code: "image-altered", fileName: "two.png" } });
    expect(await held(person)).toEqual(stored);
    expect(stored.used).toBeGreaterThan(before.held.used);
    expect(await storedKeys(person, "opened")).toHaveLength(before.opened);
    const row = await bindings.DB.prepare(
      "select output_file_id as fileId, output_upload_id as uploadId from conversions where id = ?",
    )
      .bind(refused.body.conversionId)
      .first<{ fileId: string; uploadId: string | null }>();
    expect(row?.uploadId).toBeNull();
    expect((await person.call("GET", `/v1/files/${row?.fileId}`)).status).toBe(404);
    expect(await sha256(await content(person, fileIds[0] ?? ""))).toBe(await sha256(images[0].bytes));
  });
});

describe("keys of uploaded images", () => {
  it("of another workspace are not found out about", async () => {
    const stranger = await signUp();
    const fileIds = [
      await upload("one.png", images[0].bytes, stranger),
      await upload("two.png", images[1].bytes, stranger),
    ];
    expect(await open(stranger, { fileIds })).toMatchObject({ status: 422, body: { code: "encryption-key-wrong" } });
  });

  it("open no more once deactivated, and once the conversion is deleted", async () => {
    const owner = await signUp();
    const made = await sealed(owner, wav(3_000));
    const [image] = await downloadImages(owner, made.id);
    const fileId = await upload("one.png", image?.bytes ?? new Uint8Array(), owner);
    expect((await open(owner, { fileIds: [fileId] })).status).toBe(200);
    const key = await owner.call("POST", "/v1/encryption-keys/active/rotate");
    expect((await open(owner, { fileIds: [fileId] })).status).toBe(200);
    const second = await sealed(owner, wav(4_000));
    await owner.call("POST", `/v1/encryption-keys/${key.body.key.id}/deactivate`);
    expect(await open(owner, { conversionId: second.id })).toMatchObject({
      status: 409,
      body: { code: "encryption-key-deactivated" },
    });
    expect((await owner.call("DELETE", `/v1/conversions/${made.id}`)).status).toBe(204);
    expect(await open(owner, { fileIds: [fileId] })).toMatchObject({
      status: 410,
      body: { code: "encryption-key-destroyed" },
    });
  });
});
