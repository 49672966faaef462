/** FLAC's blocks in front of the sound (RFC 9639 section 8): the facts of the stream and its picture. Frames belong to the container code. */
import type { CoverRange } from "#lib/audio/id3";
import { findAudioStart } from "#lib/audio/id3";
import { textAt, viewOf } from "#lib/audio/ranges";
import type { ByteRanges } from "#lib/audio/ranges";

export interface FlacLayout {
  sampleRateHz: number;
  channels: number;
  bitsPerSample: number;
  /** null: the encoder did not know. */
  samples: number | null;
  cover: CoverRange | null;
}

const blocksMax = 128;

/** One read for each block; null when this is no FLAC, or ends before its sound. */
export async function readFlac(source: ByteRanges): Promise<FlacLayout | null> {
  const startByte = await findAudioStart(source);
  const head = await source.read(startByte, startByte + 42);
  if (textAt(head, 0, 4) !== "fLaC" || head.length < 42 || ((head[4] ?? 0) & 0x7f) !== 0) return null;
  const view = viewOf(head);
  const packed = view.getUint32(18);
  const samples = (packed & 0x0f) * 0x1_0000_0000 + view.getUint32(22);
  const sampleRateHz = packed >>> 12;
  const blocks = await readBlocks(source, startByte + 4);
  if (sampleRateHz === 0 || !blocks) return null;
  return {
    sampleRateHz,
    channels: ((packed >>> 9) & 7) + 1,
    bitsPerSample: ((packed >>> 4) & 31) + 1,
    samples: samples === 0 ? null : samples,
    cover: blocks.cover,
  };
}

/** null: the blocks lead to the end of the file. */
async function readBlocks(source: ByteRanges, startByte: number): Promise<{ cover: CoverRange | null } | null> {
  let cover: CoverRange | null = null;
  let offset = startByte;
  for (let count = 0; count < blocksMax; count += 1) {
    const block = await source.read(offset, offset + 4);
    if (block.length < 4) return null;
    const [kind = 0] = block;
    const lengthBytes = viewOf(block).getUint32(0) & 0xffffff;
    if ((kind & 0x7f) === 6) cover ??= await readPicture(source, { offset: offset + 4, lengthBytes });
    offset += 4 + lengthBytes;
    if (offset >= source.sizeBytes) return null;
    if (kind >= 0x80) break;
  }
  return { cover };
}

/** Kind, media type, description, four numbers, length, picture; `-->` in place of a type means a link. */
async function readPicture(
  source: ByteRanges,
  block: { offset: number; lengthBytes: number },
): Promise<CoverRange | null> {
  const end = block.offset + block.lengthBytes;
  const head = await source.read(block.offset, Math.min(end, block.offset + 4_096));
  const view = viewOf(head);
  if (head.length < 32) return null;
  const typeBytes = view.getUint32(4);
  if (typeBytes > 255 || 12 + typeBytes > head.length) return null;
  const contentType = textAt(head, 8, typeBytes).toLowerCase();
  const lengthAt = 12 + typeBytes + view.getUint32(8 + typeBytes) + 16;
  if (!contentType.startsWith("image/") || lengthAt + 4 > head.length) return null;
  const startByte = block.offset + lengthAt + 4;
  const endByte = startByte + view.getUint32(lengthAt);
  return endByte > startByte && endByte <= Math.min(end, source.sizeBytes) ? { contentType, startByte, endByte } : null;
}
