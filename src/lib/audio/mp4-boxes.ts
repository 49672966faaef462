/**
 * What an MP4 or MOV says about itself before a demuxer is let near it (ISO/IEC 14496-12): is it whole, is it encrypted, where is its
 * cover, and are its tables small enough to be expanded. Every walk is bounded, and a box always lies inside the one around it.
 */
import type { CoverRange } from "#lib/audio/id3";
import { textAt, viewOf } from "#lib/audio/ranges";
import type { ByteRanges } from "#lib/audio/ranges";

export interface Mp4Layout {
  isEncrypted: boolean;
  cover: CoverRange | null;
}

export type Mp4Outcome =
  | { ok: true; layout: Mp4Layout }
  | { ok: false; fault: "truncated" | "not-media"; detail: string };

interface Box {
  name: string;
  contentByte: number;
  endByte: number;
}

const topBoxesMax = 64;
const boxesMax = 2_048;
/** A demuxer makes an object of each sample that a table counts: 18 hours of 60 pictures a second. */
const samplesMax = 4_000_000;
const tableBytesMax = 32 * 1024 * 1024;

async function readBox(source: ByteRanges, offset: number, limitByte: number): Promise<Box | null> {
  const head = await source.read(offset, Math.min(offset + 16, limitByte));
  if (head.length < 8) return null;
  const view = viewOf(head);
  const short = view.getUint32(0);
  const name = textAt(head, 4, 4);
  if (short === 0) return { name, contentByte: offset + 8, endByte: limitByte };
  if (short === 1 && head.length < 16) return null;
  const [headBytes, sizeBytes] = short === 1 ? [16, Number(view.getBigUint64(8))] : [8, short];
  return sizeBytes < headBytes ? null : { name, contentByte: offset + headBytes, endByte: offset + sizeBytes };
}

/** Boxes that hold boxes on the way to what is looked for, and how far in they begin. */
const parents: Record<string, number> = {
  moov: 0,
  trak: 0,
  mdia: 0,
  minf: 0,
  stbl: 0,
  udta: 0,
  ilst: 0,
  covr: 0,
  stsd: 8,
};
const pictureTypes: Record<number, string> = { 13: "image/jpeg", 14: "image/png", 27: "image/bmp" };

interface Finding {
  isEncrypted: boolean;
  cover: CoverRange | null;
  /** A table counts more samples than any recording has. */
  isTooLong: boolean;
  boxes: number;
}

/** `meta` has a version in front in MP4 and none in QuickTime. */
async function contentOf(source: ByteRanges, box: Box): Promise<number> {
  if (box.name !== "meta") return box.contentByte + (parents[box.name] ?? 0);
  const head = await source.read(box.contentByte + 4, box.contentByte + 8);
  return box.contentByte + (textAt(head, 0, 4) === "hdlr" ? 0 : 4);
}

/** The tree is known, and no box is its own parent in it: how deep it goes is bounded by the names. */
function isOnTheWay(box: Box, parent: Box): boolean {
  return box.name === "meta" ? parent.name === "udta" : box.name in parents && box.name !== parent.name;
}

async function visit(source: ByteRanges, { box, parent }: { box: Box; parent: Box }, found: Finding): Promise<void> {
  if (box.name === "encv" || box.name === "enca") found.isEncrypted = true;
  else if (box.name === "data" && parent.name === "covr") found.cover ??= await readCover(source, box);
  else if (box.name === "stts" || box.name === "ctts") found.isTooLong ||= !(await isCountable(source, box));
  else if (isOnTheWay(box, parent)) await visitChildren(source, box, found);
}

async function visitChildren(source: ByteRanges, parent: Box, found: Finding): Promise<void> {
  let offset = await contentOf(source, parent);
  while (offset + 8 <= parent.endByte && found.boxes < boxesMax) {
    found.boxes += 1;
    const box = await readBox(source, offset, parent.endByte);
    if (!box || box.endByte > parent.endByte) return;
    await visit(source, { box, parent }, found);
    offset = box.endByte;
  }
}

async function readCover(source: ByteRanges, box: Box): Promise<CoverRange | null> {
  const head = await source.read(box.contentByte, box.contentByte + 8);
  const contentType = head.length === 8 ? pictureTypes[viewOf(head).getUint32(0)] : undefined;
  const startByte = box.contentByte + 8;
  return contentType && startByte < box.endByte ? { contentType, startByte, endByte: box.endByte } : null;
}

/** Runs of samples with equal times: uncompressed sound in MOV has one run with all its samples, and is never expanded. */
async function isCountable(source: ByteRanges, box: Box): Promise<boolean> {
  const lengthBytes = box.endByte - box.contentByte;
  if (lengthBytes > tableBytesMax) return false;
  const table = await source.read(box.contentByte, box.endByte);
  const view = viewOf(table);
  let samples = 0;
  for (let offset = 8; offset + 8 <= table.length; offset += 8) samples += view.getUint32(offset);
  return box.name === "stts" ? samples <= 0xffffffff : samples <= samplesMax;
}

/** Two to six reads through a cache; cyclic, empty and outsized boxes end the walk. */
export async function readMp4(source: ByteRanges): Promise<Mp4Outcome> {
  const found: Finding = { isEncrypted: false, cover: null, isTooLong: false, boxes: 0 };
  let [offset, isFound] = [0, false];
  for (let count = 0; count < topBoxesMax && offset < source.sizeBytes; count += 1) {
    const box = await readBox(source, offset, source.sizeBytes);
    if (!box) return { ok: false, fault: "not-media", detail: "a box has no valid size" };
    if (box.endByte > source.sizeBytes)
      return { ok: false, fault: "truncated", detail: `the file ends inside its box "${box.name.trim()}"` };
    if (box.name === "moov") {
      isFound = true;
      await visitChildren(source, box, found);
    }
    offset = box.endByte;
  }
  if (!isFound) return { ok: false, fault: "truncated", detail: "the file has no description of its tracks (moov)" };
  if (found.isTooLong)
    return { ok: false, fault: "not-media", detail: "a table counts more samples than fit into a file" };
  return { ok: true, layout: { isEncrypted: found.isEncrypted, cover: found.cover } };
}

const runHeadBytes = 16;

/**
 * Refuses fragments that count more samples than they can hold: a run (`trun`) may count four thousand million without a byte for any of
 * them, and a demuxer would make an object of each. Looks at what passes through.
 */
export function refuseEndlessRuns(source: ByteRanges): ByteRanges {
  return {
    sizeBytes: source.sizeBytes,
    async read(startByte, endByte) {
      const bytes = await source.read(startByte, endByte);
      const view = viewOf(bytes);
      const text = [0x74, 0x72, 0x75, 0x6e];
      for (let at = bytes.indexOf(0x74, 4); at !== -1 && at + 12 <= bytes.length; at = bytes.indexOf(0x74, at + 1)) {
        if (text.some((letter, index) => bytes[at + index] !== letter)) continue;
        const isRun = view.getUint32(at - 4) >= runHeadBytes && (view.getUint32(at + 4) & 0xfefff0fa) === 0;
        if (isRun && view.getUint32(at + 8) > samplesMax) throw new RangeError("a fragment counts too many samples");
      }
      return bytes;
    },
  };
}
