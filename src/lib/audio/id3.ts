/** ID3v2 tags (id3.org, versions 2.2 to 2.4): how long they are and where their picture lies. Reads no other field. */
import { textAt, viewOf } from "#lib/audio/ranges";
import type { ByteRanges } from "#lib/audio/ranges";

export interface CoverRange {
  contentType: string;
  startByte: number;
  endByte: number;
}

/** Some writers put a second tag behind the first one. */
const tagsMax = 4;
const framesMax = 128;
const zerosMaxBytes = 65_536;

function syncsafe(bytes: Uint8Array, offset: number): number | null {
  const size = bytes.subarray(offset, offset + 4);
  if (size.length < 4 || size.some((byte) => byte > 0x7f)) return null;
  return size.reduce((sum, byte) => sum * 128 + byte, 0);
}

interface Tag {
  version: number;
  flags: number;
  endByte: number;
}

async function readTag(source: ByteRanges, startByte: number): Promise<Tag | null> {
  const head = await source.read(startByte, startByte + 10);
  const sizeBytes = syncsafe(head, 6);
  if (textAt(head, 0, 3) !== "ID3" || sizeBytes === null) return null;
  const flags = head[5] ?? 0;
  return { version: head[3] ?? 0, flags, endByte: startByte + 10 + sizeBytes + ((flags & 0x10) === 0 ? 0 : 10) };
}

/** Behind all tags and the zeros that taggers leave; a tag longer than the file leads to its end. */
export async function findAudioStart(source: ByteRanges): Promise<number> {
  let startByte = 0;
  for (let count = 0; count < tagsMax; count += 1) {
    const tag = await readTag(source, startByte);
    if (!tag) break;
    startByte = tag.endByte;
  }
  if (startByte === 0) return 0;
  const behind = await source.read(startByte, startByte + zerosMaxBytes);
  const zeros = behind.findIndex((byte) => byte !== 0);
  return Math.min(startByte + Math.max(0, zeros), source.sizeBytes);
}

const frameShapes: Record<number, { idBytes: number; headBytes: number; picture: string }> = {
  2: { idBytes: 3, headBytes: 6, picture: "PIC" },
  3: { idBytes: 4, headBytes: 10, picture: "APIC" },
  4: { idBytes: 4, headBytes: 10, picture: "APIC" },
};

function frameSize(head: Uint8Array, version: number): number | null {
  if (version === 4) return syncsafe(head, 4);
  if (version === 3) return viewOf(head).getUint32(4);
  return ((head[3] ?? 0) << 16) | ((head[4] ?? 0) << 8) | (head[5] ?? 0);
}

interface PictureFrame {
  startByte: number;
  endByte: number;
  version: number;
}

async function findPictureFrame(source: ByteRanges, tag: Tag): Promise<PictureFrame | null> {
  const shape = frameShapes[tag.version];
  if (!shape) return null;
  const end = Math.min(tag.endByte, source.sizeBytes);
  let offset = 10;
  for (let count = 0; count < framesMax && offset + shape.headBytes < end; count += 1) {
    const head = await source.read(offset, offset + shape.headBytes);
    const sizeBytes = frameSize(head, tag.version);
    if (sizeBytes === null || sizeBytes === 0) return null;
    const startByte = offset + shape.headBytes;
    offset = startByte + sizeBytes;
    if (textAt(head, 0, shape.idBytes) !== shape.picture) continue;
    // Compressed, encrypted and grouped frames have flags.
    const isPlain = tag.version === 2 || (head[9] ?? 0) === 0;
    return isPlain && offset <= end ? { startByte, endByte: offset, version: tag.version } : null;
  }
  return null;
}

/** The first picture of the tag in front; null when there is none, or its bytes do not stand in the file as they are. */
export async function findId3Cover(source: ByteRanges): Promise<CoverRange | null> {
  const tag = await readTag(source, 0);
  // Unsynchronised tags have bytes between those of the picture; extended headers are not used by any tagger with pictures.
  if (!tag || (tag.flags & 0xc0) !== 0) return null;
  const frame = await findPictureFrame(source, tag);
  return frame && readPicture(source, frame);
}

const shortNames: Record<string, string> = { JPG: "image/jpeg", PNG: "image/png" };

/** Encoding, kind of picture, description, then the picture. */
async function readPicture(source: ByteRanges, frame: PictureFrame): Promise<CoverRange | null> {
  const head = await source.read(frame.startByte, Math.min(frame.startByte + 1_024, frame.endByte));
  const isWide = head[0] === 1 || head[0] === 2;
  let offset = 1;
  let contentType: string | undefined;
  if (frame.version === 2) {
    contentType = shortNames[textAt(head, 1, 3).toUpperCase()];
    offset += 3;
  } else {
    const typeEnd = head.indexOf(0, 1);
    if (typeEnd === -1) return null;
    contentType = textAt(head, 1, typeEnd - 1).toLowerCase();
    offset = typeEnd + 1;
  }
  offset += 1;
  const descriptionEnd = isWide ? wideEnd(head, offset) : head.indexOf(0, offset);
  if (descriptionEnd === -1 || !contentType?.startsWith("image/")) return null;
  const startByte = frame.startByte + descriptionEnd + (isWide ? 2 : 1);
  return startByte < frame.endByte ? { contentType, startByte, endByte: frame.endByte } : null;
}

function wideEnd(bytes: Uint8Array, from: number): number {
  for (let offset = from; offset + 1 < bytes.length; offset += 2) {
    if (bytes[offset] === 0 && bytes[offset + 1] === 0) return offset;
  }
  return -1;
}
