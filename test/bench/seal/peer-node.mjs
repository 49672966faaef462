/**
 * Node peers: node:crypto plus sharp or pngjs at level 0, sealing and opening the same version 2 shards from memory to
 * memory. They skip HTTP and may keep everything; they are told nothing that the Worker is not told.
 */
import { createCipheriv, createDecipheriv, createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(new URL("../package.json", import.meta.url));
const sharp = require("sharp");
const { PNG } = require("pngjs");
sharp.cache(false);

const SHARD_BYTES = 8_388_608;
const WIDTH = 2_048;
const METADATA = Buffer.from('{"createdAt":"2026-11-20T00:00:00.000Z","name":"tone.wav","type":"audio/wav"}');
const range = (first, count) => Buffer.from(Array.from({ length: count }, (_, index) => first + index));
const KEY = range(0, 32);

function writeHeader({ index, count, fileBytes, originalBytes, ciphertextBytes, last }) {
  const header = Buffer.alloc(128);
  header.write("OVTSEAL2", 0, "latin1");
  header[8] = 2;
  header[9] = (last ? 2 : 0) | (index === 0 ? 4 : 0);
  header.writeUInt32BE(index, 12);
  header.writeUInt32BE(count, 16);
  range(0xa0, 16).copy(header, 20);
  range(0xb0, 16).copy(header, 36);
  header.writeBigUInt64BE(BigInt(fileBytes), 52);
  header.writeUInt32BE(originalBytes, 60);
  header.writeUInt32BE(ciphertextBytes, 64);
  header.writeUInt32BE(index === 0 ? METADATA.byteLength : 0, 68);
  range(0xc0, 7).copy(header, 72);
  header.writeUInt32BE(index, 79);
  header[83] = last ? 1 : 0;
  return header;
}

/** Memory for the pixels of the image before, for the variant that uses it again. */
let before = Buffer.alloc(0);

function sealPixels(parts, facts) {
  const ciphertextBytes = parts.reduce((sum, part) => sum + part.byteLength, 0) + 16;
  const header = writeHeader({ ...facts, ciphertextBytes });
  const payloadBytes = 128 + ciphertextBytes;
  let width = 64;
  while (width < WIDTH && width * width < Math.ceil(payloadBytes / 3)) width *= 2;
  const height = Math.ceil(payloadBytes / 3 / width);
  const canReuse = facts.reuse && before.byteLength === width * height * 3;
  const pixels = canReuse ? before : Buffer.allocUnsafe(width * height * 3);
  before = pixels;
  header.copy(pixels);
  const cipher = createCipheriv("aes-256-gcm", KEY, header.subarray(72, 84)).setAAD(header);
  let offset = 128;
  for (const part of parts) offset += cipher.update(part).copy(pixels, offset);
  offset += cipher.final().copy(pixels, offset);
  cipher.getAuthTag().copy(pixels, offset);
  pixels.fill(0, payloadBytes);
  return { pixels, width, height };
}

const encoders = {
  sharp: ({ pixels, width, height }) =>
    sharp(pixels, { raw: { width, height, channels: 3 } })
      .png({ compressionLevel: 0, adaptiveFiltering: false })
      .toBuffer(),
  pngjs: ({ pixels, width, height }) => {
    const options = { colorType: 2, inputColorType: 2, inputHasAlpha: false, deflateLevel: 0, filterType: 0 };
    return PNG.sync.write({ width, height, data: pixels }, options);
  },
};

const decoders = {
  sharp: async (png) => (await sharp(png).raw().toBuffer({ resolveWithObject: true })).data,
  pngjs: (png) => {
    // pngjs always gives RGBA.
    const { data } = PNG.sync.read(png);
    const rgb = Buffer.allocUnsafe((data.byteLength / 4) * 3);
    for (let from = 0, to = 0; from < data.byteLength; from += 4, to += 3) {
      rgb[to] = data[from];
      rgb[to + 1] = data[from + 1];
      rgb[to + 2] = data[from + 2];
    }
    return rgb;
  },
};

async function seal(file, { encoder, sha256, reuse }) {
  const known = sha256 === undefined ? undefined : Buffer.from(sha256, "hex");
  const hash = createHash("sha256");
  const count = Math.ceil(file.byteLength / SHARD_BYTES);
  const images = [];
  for (let index = 0; index < count; index++) {
    const bytes = file.subarray(index * SHARD_BYTES, (index + 1) * SHARD_BYTES);
    if (known === undefined) hash.update(bytes);
    const last = index === count - 1;
    const parts = [...(index === 0 ? [METADATA] : []), bytes, ...(last ? [known ?? hash.digest()] : [])];
    const facts = { index, count, fileBytes: file.byteLength, originalBytes: bytes.byteLength, last, reuse };
    images.push(await encoders[encoder](sealPixels(parts, facts)));
  }
  return images;
}

async function open(images, { encoder }) {
  const hash = createHash("sha256");
  const pieces = [];
  for (const image of images) {
    const rgb = await decoders[encoder](image);
    const header = rgb.subarray(0, 128);
    const end = 128 + header.readUInt32BE(64);
    const decipher = createDecipheriv("aes-256-gcm", KEY, header.subarray(72, 84)).setAAD(header);
    decipher.setAuthTag(rgb.subarray(end - 16, end));
    const plaintext = decipher.update(rgb.subarray(128, end - 16));
    decipher.final();
    const start = header.readUInt32BE(68);
    const bytes = plaintext.subarray(start, start + header.readUInt32BE(60));
    hash.update(bytes);
    pieces.push(bytes);
    if ((header[9] & 2) !== 0 && !hash.digest().equals(plaintext.subarray(-32))) throw new Error("hash");
  }
  return pieces;
}

/** Splits images that follow one another, each with one IDAT as Overtone writes them. */
function split(bytes) {
  const images = [];
  for (let offset = 0; offset < bytes.byteLength;) {
    const end = offset + 41 + bytes.readUInt32BE(offset + 33) + 16;
    images.push(bytes.subarray(offset, end));
    offset = end;
  }
  return images;
}

const inputs = new Map();
const load = (path) => {
  if (!inputs.has(path)) inputs.set(path, readFileSync(path));
  return inputs.get(path);
};

/**
 * Message in: `{ action, path, encoder, sha256, reuse, write }`, `sha256` being the file's hash where it is known, `reuse`
 * whether one pixel buffer serves all images, and `write` where to store the result. Out: `{ milliseconds }`.
 */
process.on("message", async ({ action, path, encoder, sha256, reuse, write }) => {
  const input = action === "open" ? split(load(path)) : load(path);
  const start = performance.now();
  const output = await (action === "open" ? open : seal)(input, { encoder, sha256, reuse });
  const milliseconds = performance.now() - start;
  if (write !== undefined) writeFileSync(write, Buffer.concat(output));
  process.send({ milliseconds });
});
