/**
 * WAVE files: where the samples lie, and cuts between two of them, at the quietest place near the limit. Never changes a sample.
 * Sources: Multimedia Programming Interface 1.0 (RIFF), WAVEFORMATEXTENSIBLE (Microsoft), EBU Tech 3306 (RF64).
 */
import { bytesOfSample, sampleReader } from "#lib/audio/pcm";
import type { PcmEncoding, PcmLayout } from "#lib/audio/pcm";
import { textAt, viewOf } from "#lib/audio/ranges";
import type { ByteRanges } from "#lib/audio/ranges";
import type { ChunkPlan, SplitLimits } from "#lib/audio/split";

export interface WavLayout extends PcmLayout {
  /** The `fmt ` chunk as it stands, without its head. */
  format: Uint8Array<ArrayBuffer>;
  dataStartByte: number;
  /** Whole frames only, inside the file. */
  dataEndByte: number;
  /** The header speaks of more samples than there are. */
  isTruncated: boolean;
}

export type WavOutcome =
  | { ok: true; layout: WavLayout }
  | { ok: false; fault: "not-media" | "truncated" | "unsupported-codec" | "empty"; detail: string };

/** Recorders put notes before the samples; more chunks than this are no recording. */
const chunksMax = 256;
const formatBytesMax = 4_096;
const unknownSize = 0xffffffff;

interface Chunks {
  format: Uint8Array<ArrayBuffer> | null;
  /** Declared size; null when the writer did not know it. */
  data: { startByte: number; sizeBytes: number | null } | null;
}

/** At most one read for each chunk; with a cached source one or two for an ordinary file. */
async function findChunks(source: ByteRanges): Promise<Chunks> {
  const found: Chunks = { format: null, data: null };
  let longDataBytes: number | null = null;
  let offset = 12;
  for (let count = 0; count < chunksMax && offset + 8 <= source.sizeBytes && !found.data; count += 1) {
    const head = await source.read(offset, offset + 8);
    const [tag, sizeBytes] = [textAt(head, 0, 4), viewOf(head).getUint32(4, true)];
    const startByte = offset + 8;
    if (tag === "fmt ") found.format = await source.read(startByte, startByte + Math.min(sizeBytes, formatBytesMax));
    if (tag === "ds64" && sizeBytes >= 16) longDataBytes = await longSize(source, startByte + 8);
    if (tag === "data") {
      const isUnknown = sizeBytes === 0 || sizeBytes === unknownSize;
      found.data = { startByte, sizeBytes: isUnknown ? longDataBytes : sizeBytes };
    }
    offset = startByte + sizeBytes + (sizeBytes & 1);
  }
  return found;
}

async function longSize(source: ByteRanges, offset: number): Promise<number | null> {
  const bytes = await source.read(offset, offset + 8);
  return bytes.length < 8 ? null : Number(viewOf(bytes).getBigUint64(0, true));
}

const encodings: Record<string, PcmEncoding> = {
  "1/8": "u8",
  "1/16": "s16",
  "1/24": "s24",
  "1/32": "s32",
  "3/32": "f32",
  "3/64": "f64",
  "6/8": "alaw",
  "7/8": "ulaw",
};

function readFormat(format: Uint8Array<ArrayBuffer>): PcmLayout | null {
  const view = viewOf(format);
  const channels = view.getUint16(2, true);
  const sampleRateHz = view.getUint32(4, true);
  const frameBytes = view.getUint16(12, true);
  const outer = view.getUint16(0, true);
  // Extensible: the first two bytes of the sub-format are the tag that once stood in front.
  const tag = outer === 0xfffe && format.length >= 26 ? view.getUint16(24, true) : outer;
  const encoding = encodings[`${tag}/${view.getUint16(14, true)}`];
  if (encoding === undefined || channels === 0 || sampleRateHz === 0) return null;
  return frameBytes === channels * bytesOfSample(encoding) ? { encoding, channels, sampleRateHz, frameBytes } : null;
}

/** Where the samples lie and what they are. Reads headers only. */
export async function readWav(source: ByteRanges): Promise<WavOutcome> {
  const head = await source.read(0, 12);
  if (!["RIFF", "RF64", "BW64"].includes(textAt(head, 0, 4)) || textAt(head, 8, 4) !== "WAVE")
    return { ok: false, fault: "not-media", detail: "the file does not begin with a WAVE header" };
  const { format, data } = await findChunks(source);
  if (!format || format.length < 16 || !data)
    return { ok: false, fault: "truncated", detail: "the file ends before its samples begin" };
  const pcm = readFormat(format);
  if (!pcm) {
    const tag = viewOf(format).getUint16(0, true).toString(16).padStart(4, "0");
    return {
      ok: false,
      fault: "unsupported-codec",
      detail: `WAVE format 0x${tag} is not one of PCM, float, A-law, mu-law`,
    };
  }
  const declaredEnd = data.sizeBytes === null ? source.sizeBytes : data.startByte + data.sizeBytes;
  const lengthBytes = Math.min(declaredEnd, source.sizeBytes) - data.startByte;
  const wholeBytes = lengthBytes - (lengthBytes % pcm.frameBytes);
  if (wholeBytes <= 0) return { ok: false, fault: "empty", detail: "the file holds no samples" };
  return {
    ok: true,
    layout: {
      ...pcm,
      format,
      dataStartByte: data.startByte,
      dataEndByte: data.startByte + wholeBytes,
      // A frame too few is a writer's slip and cuts nothing off that can be heard.
      isTruncated: declaredEnd > source.sizeBytes + pcm.frameBytes,
    },
  };
}

/** A header for so many bytes of samples, no longer than what stands in front of those of the source; float and A-law files keep their `fmt ` chunk as it was. */
function headerFor(layout: WavLayout, dataBytes: number): Uint8Array {
  const format = layout.format.length > 40 ? layout.format.subarray(0, 40) : layout.format;
  const padded = format.length + (format.length & 1);
  const header = new Uint8Array(12 + 8 + padded + 8);
  const view = viewOf(header);
  const put = (offset: number, text: string) =>
    header.set(
      Uint8Array.from(text, (letter) => letter.charCodeAt(0)),
      offset,
    );
  put(0, "RIFF");
  view.setUint32(4, header.length - 8 + dataBytes + (dataBytes & 1), true);
  put(8, "WAVEfmt ");
  view.setUint32(16, format.length, true);
  header.set(format, 20);
  put(20 + padded, "data");
  view.setUint32(24 + padded, dataBytes, true);
  return header;
}

const headerBytesMax = 12 + 8 + 40 + 8;
/** Where a quiet place is looked for: the last 10 s of a chunk, and no more than a sixteenth of it, which bounds what is read twice. */
const quietSeconds = 10;
const quietShare = 1 / 16;
const quietBlockSeconds = 0.02;

/** The middle of the quietest 60 ms of the window; the latest of equals, so that silence makes long chunks. */
async function quietFrame(
  source: ByteRanges,
  layout: WavLayout,
  window: { first: number; end: number },
): Promise<number> {
  const blockFrames = Math.max(1, Math.round(layout.sampleRateHz * quietBlockSeconds));
  const blocks = Math.floor((window.end - window.first) / blockFrames);
  if (blocks < 3) return window.end;
  const { dataStartByte, frameBytes } = layout;
  const startByte = dataStartByte + window.first * frameBytes;
  const bytes = await source.read(startByte, startByte + blocks * blockFrames * frameBytes);
  const energies = blockEnergies(bytes, layout, blockFrames);
  let best = { energy: Infinity, block: blocks - 1 };
  for (let block = 1; block + 1 < energies.length; block += 1) {
    const energy = (energies[block - 1] ?? 0) + (energies[block] ?? 0) + (energies[block + 1] ?? 0);
    if (energy <= best.energy) best = { energy, block };
  }
  return window.first + Math.round((best.block + 0.5) * blockFrames);
}

/** Sums of squares: the least of them has the least RMS. */
function blockEnergies(bytes: Uint8Array, layout: WavLayout, blockFrames: number): Float64Array {
  const read = sampleReader(bytes, layout.encoding);
  const step = bytesOfSample(layout.encoding);
  const blockBytes = blockFrames * layout.frameBytes;
  const energies = new Float64Array(Math.floor(bytes.length / blockBytes));
  for (let block = 0; block < energies.length; block += 1) {
    let sum = 0;
    for (let offset = block * blockBytes; offset < (block + 1) * blockBytes; offset += step) {
      const value = read(offset);
      sum += value * value;
    }
    energies[block] = sum;
  }
  return energies;
}

/** One read for each seam. The middle of an overlap is the quiet place. */
export async function planWav(source: ByteRanges, layout: WavLayout, limits: SplitLimits): Promise<ChunkPlan[]> {
  const { dataStartByte, frameBytes, sampleRateHz } = layout;
  const frames = (layout.dataEndByte - dataStartByte) / frameBytes;
  const byBytes = Math.floor((limits.chunkBytesMax - headerBytesMax - 1) / frameBytes);
  const framesMax = Math.max(8, Math.min(byBytes, Math.floor(limits.chunkSecondsMax * sampleRateHz)));
  // An overlap over a quarter of a chunk would make a seam of everything.
  const half = Math.floor(Math.min((limits.overlapSeconds * sampleRateHz) / 2, framesMax / 8));
  const plans: ChunkPlan[] = [];
  let start = 0;
  for (let previousEnd = 0; previousEnd < frames;) {
    let end = frames;
    let next = frames;
    if (frames - start > framesMax) {
      const latest = start + framesMax - half;
      const windowFrames = Math.floor(Math.min(quietSeconds * sampleRateHz, framesMax * quietShare));
      const cut = await quietFrame(source, layout, { first: latest - windowFrames, end: latest });
      [next, end] = [cut - half, cut + half];
    }
    const [startByte, endByte] = [dataStartByte + start * frameBytes, dataStartByte + end * frameBytes];
    plans.push({
      index: plans.length,
      startSeconds: start / sampleRateHz,
      endSeconds: end / sampleRateHz,
      overlapSeconds: (previousEnd - start) / sampleRateHz,
      contentType: "audio/wav",
      fileExtension: "wav",
      how: { kind: "bytes", header: headerFor(layout, endByte - startByte).toBase64(), startByte, endByte },
    });
    [start, previousEnd] = [next, end];
  }
  return plans;
}
