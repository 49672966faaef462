/**
 * Streams of frames that carry their own length (MP3, ADTS): where a frame lies, and cuts between frames. Decodes nothing.
 * The index of a stream is made of every 32nd frame, 16 bytes each, so hours of sound stay small.
 */
import type { ByteRanges } from "#lib/audio/ranges";
import type { ChunkPlan, SplitLimits } from "#lib/audio/split";

export interface FrameHeader {
  lengthBytes: number;
  samples: number;
  sampleRateHz: number;
  channels: number;
  /** What all frames of a stream have in common. */
  stream: number;
}

export interface FrameSyntax {
  headerBytes: number;
  /** null: no frame begins here. */
  parse(bytes: Uint8Array, offset: number): FrameHeader | null;
}

export interface FrameIndex {
  frames: number;
  secondsPerFrame: number;
  startByte: number;
  endByte: number;
  shortestBytes: number;
  /** One read of at most 96 KiB. Throws `IrregularFramesError` when the frame is not where it has to be. */
  offsetOf(frame: number): Promise<number>;
  /** A frame that begins at or before the byte, near it; the number of frames for the end. */
  frameAt(byte: number): number;
}

/** The file is not as regular as was computed: its frames have to be walked. */
export class IrregularFramesError extends Error {}

const windowBytes = 4 * 1024 * 1024;
const framesPerMark = 32;

/** The next place at or after the offset where two frames follow each other, or one ends with the bytes; null when there is none. */
export function findFrame(syntax: FrameSyntax, bytes: Uint8Array, from: number): number | null {
  for (let offset = from; offset + syntax.headerBytes <= bytes.length; offset += 1) {
    if (bytes[offset] !== 0xff) continue;
    const header = syntax.parse(bytes, offset);
    if (!header) continue;
    const next = offset + header.lengthBytes;
    if (next === bytes.length) return offset;
    if (next + syntax.headerBytes <= bytes.length && syntax.parse(bytes, next)?.stream === header.stream) return offset;
  }
  return null;
}

interface Walk {
  /** Pairs of frame number and byte. */
  marks: number[];
  frames: number;
  endByte: number;
  shortestBytes: number;
  first: FrameHeader | null;
}

type FrameVisitor = (bytes: Uint8Array, offset: number, header: FrameHeader) => void;

interface FrameWindow {
  bytes: Uint8Array;
  startByte: number;
  onFrame: FrameVisitor | undefined;
}

/** Takes the frames that lie whole in the window; returns where the next window has to begin. */
function walkWindow(walk: Walk, syntax: FrameSyntax, window: FrameWindow): number {
  const { bytes, startByte, onFrame } = window;
  let offset = 0;
  let isJump = false;
  while (offset + syntax.headerBytes <= bytes.length) {
    const header = syntax.parse(bytes, offset);
    if (!header || header.stream !== (walk.first?.stream ?? header.stream)) {
      const found = findFrame(syntax, bytes, offset + 1);
      if (found === null) return startByte + Math.max(offset + 1, bytes.length - 8_192);
      [offset, isJump] = [found, true];
      continue;
    }
    const end = offset + header.lengthBytes;
    if (end > bytes.length) break;
    walk.first ??= header;
    onFrame?.(bytes, offset, header);
    if (isJump || walk.frames % framesPerMark === 0) walk.marks.push(walk.frames, startByte + offset);
    isJump = false;
    walk.frames += 1;
    walk.shortestBytes = Math.min(walk.shortestBytes, header.lengthBytes);
    walk.endByte = startByte + end;
    offset = end;
  }
  return startByte + offset;
}

export interface WalkOptions {
  startByte: number;
  /** Sees each whole frame in its place. */
  onFrame?: FrameVisitor;
}

/** Reads the stream once, 4 MiB at a time. null when there is no frame in it. */
export async function walkFrames(
  source: ByteRanges,
  syntax: FrameSyntax,
  { startByte, onFrame }: WalkOptions,
): Promise<FrameIndex | null> {
  const walk: Walk = { marks: [], frames: 0, endByte: startByte, shortestBytes: Infinity, first: null };
  for (let from = startByte; from + syntax.headerBytes <= source.sizeBytes;) {
    const bytes = await source.read(from, from + windowBytes);
    const next = walkWindow(walk, syntax, { bytes, startByte: from, onFrame });
    // At the end a frame that was cut off is left over.
    if (next <= from || from + bytes.length >= source.sizeBytes) break;
    from = next;
  }
  const { first, marks, frames, endByte, shortestBytes } = walk;
  if (!first) return null;
  const markBefore = (value: number, column: 0 | 1): number => {
    let [low, high] = [0, marks.length / 2 - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((marks[middle * 2 + column] ?? Infinity) <= value) low = middle;
      else high = middle - 1;
    }
    return low;
  };
  return {
    frames,
    secondsPerFrame: first.samples / first.sampleRateHz,
    startByte: marks[1] ?? startByte,
    endByte,
    shortestBytes,
    async offsetOf(frame) {
      if (frame >= frames) return endByte;
      const mark = markBefore(frame, 0) * 2;
      const [markFrame = 0, markByte = 0] = [marks[mark], marks[mark + 1]];
      const bytes = await source.read(markByte, markByte + 98_304);
      let offset = 0;
      for (let count = markFrame; count < frame; count += 1) {
        const header = syntax.parse(bytes, offset);
        if (!header) throw new IrregularFramesError();
        offset += header.lengthBytes;
      }
      return markByte + offset;
    },
    frameAt: (byte) => (byte >= endByte ? frames : (marks[markBefore(byte, 1) * 2] ?? 0)),
  };
}

export interface FrameCut {
  /** Frames that a decoder needs before the first one that it gives back whole. */
  leadFrames: number;
  contentType: string;
  fileExtension: string;
}

/** Two small reads for each seam. What leads a decoder in is part of the overlap. */
export async function planFrames(index: FrameIndex, cut: FrameCut, limits: SplitLimits): Promise<ChunkPlan[]> {
  const { frames, secondsPerFrame } = index;
  const perChunk = Math.max(cut.leadFrames + 2, Math.floor(limits.chunkSecondsMax / secondsPerFrame));
  const repeated =
    Math.min(Math.ceil(limits.overlapSeconds / secondsPerFrame), Math.floor(perChunk / 4)) + cut.leadFrames;
  const plans: ChunkPlan[] = [];
  for (let [start, done] = [0, 0]; done < frames; start = Math.max(start + 1, done - repeated)) {
    const startByte = await index.offsetOf(start);
    const byBytes = index.frameAt(startByte + limits.chunkBytesMax);
    // At least one new frame each time: limits below a frame cannot be kept.
    const end = Math.max(done + 1, Math.min(frames, start + perChunk, byBytes));
    plans.push({
      index: plans.length,
      startSeconds: start * secondsPerFrame,
      endSeconds: end * secondsPerFrame,
      overlapSeconds: (done - start) * secondsPerFrame,
      contentType: cut.contentType,
      fileExtension: cut.fileExtension,
      how: { kind: "bytes", header: "", startByte, endByte: await index.offsetOf(end) },
    });
    done = end;
  }
  return plans;
}

/** At most 24 bits, from a bit on; beyond the end they are zero. */
export function bitsAt(bytes: Uint8Array, bit: number, count: number): number {
  let value = 0;
  for (let index = bit; index < bit + count; index += 1)
    value = (value << 1) | (((bytes[index >> 3] ?? 0) >> (7 - (index & 7))) & 1);
  return value;
}
