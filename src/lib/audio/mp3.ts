/**
 * MPEG audio layer III: headers, the index frames that encoders put in front, and cuts between frames (ISO/IEC 11172-3, 13818-3).
 * A file of constant bit rate is cut by computing; every other one is walked once. Decodes nothing.
 */
import { bitsAt, findFrame, IrregularFramesError, planFrames, walkFrames } from "#lib/audio/frames";
import type { FrameHeader, FrameIndex, FrameSyntax } from "#lib/audio/frames";
import { findAudioStart } from "#lib/audio/id3";
import { textAt, viewOf } from "#lib/audio/ranges";
import type { ByteRanges } from "#lib/audio/ranges";
import type { ChunkPlan, SplitLimits } from "#lib/audio/split";

const lowKbps = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
/** By the two version bits: MPEG 2.5, reserved, MPEG 2, MPEG 1. `slots`: bytes times hertz per kbit/s and frame. */
const versions = [
  { kbps: lowKbps, hertz: [11_025, 12_000, 8_000], slots: 72_000, samples: 576, reservoirBytes: 255 },
  null,
  { kbps: lowKbps, hertz: [22_050, 24_000, 16_000], slots: 72_000, samples: 576, reservoirBytes: 255 },
  {
    kbps: [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    hertz: [44_100, 48_000, 32_000],
    slots: 144_000,
    samples: 1_152,
    reservoirBytes: 511,
  },
] as const;

export interface Mp3Header extends FrameHeader {
  kbps: number;
  /** Bytes of a frame if they could be broken: padding evens them out. */
  meanBytes: number;
  /** Header, checksum and side information: where the main data begin. */
  sideEndBytes: number;
  /** How far back the main data of a frame may begin. */
  reservoirBytes: number;
}

function sideBytes(isFirstVersion: boolean, isMono: boolean): number {
  if (isFirstVersion) return isMono ? 17 : 32;
  return isMono ? 9 : 17;
}

/** Version, bit rate and sample rate; null when they make no frame. */
function readRates(second: number, third: number) {
  const version = versions[(second >> 3) & 3];
  const kbps = version?.kbps[third >> 4];
  const sampleRateHz = version?.hertz[(third >> 2) & 3];
  return version && kbps && sampleRateHz ? { version, kbps, sampleRateHz } : null;
}

/** null: no frame of layer III begins here. Frames of free bit rate are not told. */
export function parseMp3Header(bytes: Uint8Array, offset: number): Mp3Header | null {
  const second = bytes[offset + 1] ?? 0;
  if (bytes[offset] !== 0xff || (second & 0xe6) !== 0xe2) return null;
  const third = bytes[offset + 2] ?? 0;
  const rates = readRates(second, third);
  if (!rates) return null;
  const { version, kbps, sampleRateHz } = rates;
  const meanBytes = (version.slots * kbps) / sampleRateHz;
  const isMono = (bytes[offset + 3] ?? 0) >> 6 === 3;
  return {
    kbps,
    meanBytes,
    lengthBytes: Math.floor(meanBytes) + ((third >> 1) & 1),
    samples: version.samples,
    sampleRateHz,
    channels: isMono ? 1 : 2,
    // Joint stereo may come and go.
    stream: ((second & 0xfe) << 8) | (third & 0x0c) | (isMono ? 1 : 0),
    sideEndBytes: 4 + ((second & 1) === 0 ? 2 : 0) + sideBytes(version.samples === 1_152, isMono),
    reservoirBytes: version.reservoirBytes,
  };
}

export const mp3Syntax: FrameSyntax = { headerBytes: 4, parse: parseMp3Header };

export interface Mp3Layout {
  header: Mp3Header;
  /** The first frame with sound: behind the tags and the index frame. */
  startByte: number;
  /** From the index frame. */
  frames: number | null;
  /** The index frame counts more bytes than there are. */
  isTruncated: boolean;
}

/** Behind a tag the sound begins at once; more rubbish than this is no MP3. */
const searchBytes = 65_536;

interface IndexFrame {
  frames: number | null;
  sizeBytes: number | null;
}

/** Xing and Info stand behind the side information, VBRI 32 bytes behind the header (Fraunhofer). */
function readIndexFrame(bytes: Uint8Array, offset: number, header: Mp3Header): IndexFrame | null {
  const view = viewOf(bytes);
  // Encoders write these frames without a checksum, whatever the header says.
  for (const at of [offset + header.sideEndBytes, offset + header.sideEndBytes - 2]) {
    if (!["Xing", "Info"].includes(textAt(bytes, at, 4)) || at + 12 > bytes.length) continue;
    const flags = view.getUint32(at + 4);
    const hasBoth = (flags & 3) === 3 && at + 16 <= bytes.length;
    return {
      frames: (flags & 1) === 1 ? view.getUint32(at + 8) : null,
      sizeBytes: hasBoth ? view.getUint32(at + 12) : null,
    };
  }
  if (textAt(bytes, offset + 36, 4) === "VBRI" && offset + 54 <= bytes.length)
    return { frames: view.getUint32(offset + 50), sizeBytes: view.getUint32(offset + 46) };
  return null;
}

/** One read behind the tag. null when there is no frame where one has to be. */
export async function readMp3(source: ByteRanges): Promise<Mp3Layout | null> {
  const from = await findAudioStart(source);
  const bytes = await source.read(from, from + searchBytes);
  const offset = findFrame(mp3Syntax, bytes, 0);
  const header = offset === null ? null : parseMp3Header(bytes, offset);
  if (offset === null || !header) return null;
  const index = readIndexFrame(bytes, offset, header);
  if (!index) return { header, startByte: from + offset, frames: null, isTruncated: false };
  const next = offset + header.lengthBytes;
  const startByte = from + next;
  // Frames take at least 24 bytes; an index that speaks of more than fit is not believed.
  const isPossible = index.frames !== null && index.frames > 0 && index.frames * 24 <= source.sizeBytes - startByte;
  return {
    header: parseMp3Header(bytes, next) ?? header,
    startByte,
    frames: isPossible ? index.frames : null,
    isTruncated: from + offset + (index.sizeBytes ?? 0) > source.sizeBytes + header.lengthBytes,
  };
}

/** Tags behind the sound: ID3v1 is 128 bytes, APEv2 tells its length in its last 32. */
async function findAudioEnd(source: ByteRanges): Promise<number> {
  const { sizeBytes } = source;
  const tail = await source.read(sizeBytes - 160, sizeBytes);
  let tailBytes = textAt(tail, tail.length - 128, 3) === "TAG" ? 128 : 0;
  const footer = tail.length - tailBytes - 32;
  if (footer >= 0 && textAt(tail, footer, 8) === "APETAGEX") {
    const view = viewOf(tail);
    const hasHeader = view.getUint32(footer + 20, true) >= 0x80000000;
    tailBytes += view.getUint32(footer + 12, true) + (hasHeader ? 32 : 0);
  }
  return Math.max(0, sizeBytes - tailBytes);
}

/** As many reads as a Worker has open at once. */
const probes = 6;

/** Where each frame lies is computed, and seen to be so at six places and at each seam. null when the bit rate changes. */
export async function indexConstant(source: ByteRanges, layout: Mp3Layout): Promise<FrameIndex | null> {
  const { header, startByte } = layout;
  const endByte = await findAudioEnd(source);
  const frames = Math.round((endByte - startByte) / header.meanBytes);
  // Padding moves a frame by a byte, and each seam of files that were joined by another one; its number stays certain by far.
  const driftBytes = Math.floor(header.meanBytes / 8);
  if (frames < 1) return null;
  async function offsetOf(frame: number): Promise<number> {
    if (frame >= frames) return endByte;
    if (frame === 0) return startByte;
    const from = startByte + Math.round(frame * header.meanBytes) - driftBytes;
    const bytes = await source.read(from, from + 2 * driftBytes + 2 * Math.ceil(header.meanBytes) + 8);
    for (let drift = 0; drift <= 2 * driftBytes; drift += 1) {
      const here = parseMp3Header(bytes, drift);
      const next = here && (frame + 1 >= frames ? here : parseMp3Header(bytes, drift + here.lengthBytes));
      if (here?.stream === header.stream && here.kbps === header.kbps && next?.kbps === header.kbps)
        return from + drift;
    }
    throw new IrregularFramesError();
  }
  try {
    const places = Array.from({ length: probes }, (_, probe) => Math.floor(((frames - 1) * (probe + 1)) / probes));
    await Promise.all(places.map(offsetOf));
  } catch (cause) {
    if (cause instanceof IrregularFramesError) return null;
    throw cause;
  }
  const secondsPerFrame = header.samples / header.sampleRateHz;
  const frameAt = (byte: number) =>
    byte >= endByte ? frames : Math.max(0, Math.floor((byte - startByte - driftBytes) / header.meanBytes));
  return {
    frames,
    secondsPerFrame,
    startByte,
    endByte,
    shortestBytes: Math.floor(header.meanBytes),
    offsetOf,
    frameAt,
  };
}

/** Computed where the bit rate is constant, else walked. */
export async function indexMp3(source: ByteRanges, layout: Mp3Layout): Promise<FrameIndex | null> {
  return (await indexConstant(source, layout)) ?? walkFrames(source, mp3Syntax, layout);
}

export async function planMp3(source: ByteRanges, layout: Mp3Layout, limits: SplitLimits): Promise<ChunkPlan[]> {
  const constant = await indexConstant(source, layout);
  const cut = (index: FrameIndex) => {
    const { sideEndBytes, reservoirBytes } = layout.header;
    // The main data of a frame may begin in earlier ones: as many as hold what the reservoir reaches back, at most twelve.
    const leadFrames = Math.min(12, Math.ceil(reservoirBytes / Math.max(1, index.shortestBytes - sideEndBytes)));
    return planFrames(index, { leadFrames, contentType: "audio/mpeg", fileExtension: "mp3" }, limits);
  };
  if (constant) {
    try {
      return await cut(constant);
    } catch (cause) {
      if (!(cause instanceof IrregularFramesError)) throw cause;
    }
  }
  const walked = await walkFrames(source, mp3Syntax, layout);
  return walked ? cut(walked) : [];
}

/** The largest `global_gain` of the frame, of both granules and channels: its loudness in steps of 1.5 dB, without decoding it. */
export function readGain(bytes: Uint8Array, offset: number, header: FrameHeader): number {
  const isFirstVersion = header.samples === 1_152;
  const { channels } = header;
  const hasChecksum = ((bytes[offset + 1] ?? 0) & 1) === 0;
  const start = (offset + 4 + (hasChecksum ? 2 : 0)) * 8;
  // What stands before the granules: where the main data begin, private bits, shared scale factors.
  const before = isFirstVersion ? (channels === 1 ? 9 + 5 + 4 : 9 + 3 + 8) : channels === 1 ? 8 + 1 : 8 + 2;
  const [granules, granuleBits] = isFirstVersion ? [2, 59] : [1, 63];
  let gain = 0;
  for (let index = 0; index < granules * channels; index += 1)
    gain = Math.max(gain, bitsAt(bytes, start + before + index * granuleBits + 21, 8));
  return gain;
}
