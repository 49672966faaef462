/** Two ways to tamper with a sealed image: a bit of the file, and a pixel of a picture that is a correct PNG again afterwards. */
import { crc32, deflateSync, inflateSync } from "node:zlib";

const signatureBytes = 8;

/** Flips the lowest bit of one byte of the file. */
export function flipBit(file: Uint8Array, at: number): Uint8Array<ArrayBuffer> {
  const altered = new Uint8Array(file);
  altered[at] = (altered[at] ?? 0) ^ 1;
  return altered;
}

/** Changes one colour of the middle pixel by one and saves the picture anew with right checksums (PNG, W3C third edition, section 5). */
export function changePixel(png: Uint8Array): Uint8Array<ArrayBuffer> {
  const file = Buffer.from(png);
  const parts: Buffer[] = [];
  let header: Buffer | null = null;
  for (let at = signatureBytes; at + 12 <= file.length;) {
    const sizeBytes = file.readUInt32BE(at);
    const name = file.toString("latin1", at + 4, at + 8);
    const content = file.subarray(at + 8, at + 8 + sizeBytes);
    if (name === "IHDR") header = content;
    if (name === "IDAT") parts.push(content);
    at += 12 + sizeBytes;
  }
  if (!header || parts.length === 0) throw new Error("Not a PNG.");
  const rows = inflateSync(Buffer.concat(parts));
  const rowBytes = rows.length / header.readUInt32BE(4);
  // Not the first byte of a row: that one names the filter.
  const at = Math.floor(rows.length / 2 / rowBytes) * rowBytes + Math.floor(rowBytes / 2) + 1;
  const changed = Buffer.from(flipBit(rows, at));
  const altered = [
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(changed, { level: 0 })),
    chunk("IEND", Buffer.alloc(0)),
  ];
  return new Uint8Array(Buffer.concat([file.subarray(0, signatureBytes), ...altered]));
}

function chunk(name: string, content: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(name, "latin1"), content]);
  const framed = Buffer.alloc(4 + named.length + 4);
  framed.writeUInt32BE(content.length, 0);
  named.copy(framed, 4);
  framed.writeUInt32BE(crc32(named), 4 + named.length);
  return framed;
}
