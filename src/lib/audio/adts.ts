/** AAC in ADTS frames (ISO/IEC 13818-7 section 6.2): headers and cuts between frames. Of a frame's inside only the gain is read. */
import { bitsAt, planFrames, walkFrames } from "#lib/audio/frames";
import type { FrameIndex, FrameSyntax } from "#lib/audio/frames";
import { findAudioStart } from "#lib/audio/id3";
import type { ByteRanges } from "#lib/audio/ranges";
import type { ChunkPlan, SplitLimits } from "#lib/audio/split";

const sampleRates = [
  96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
];

/** Channel configuration 7 means eight; 0 puts the number into the frame, and two is the usual one. */
const channelCounts = [2, 1, 2, 3, 4, 5, 6, 8];

export const adtsSyntax: FrameSyntax = {
  headerBytes: 7,
  parse(bytes, offset) {
    const second = bytes[offset + 1] ?? 0;
    if (bytes[offset] !== 0xff || (second & 0xf6) !== 0xf0) return null;
    const [third = 0, fourth = 0, fifth = 0, sixth = 0, seventh = 0] = bytes.subarray(offset + 2, offset + 7);
    const sampleRateHz = sampleRates[(third >> 2) & 15];
    const lengthBytes = ((fourth & 3) << 11) | (fifth << 3) | (sixth >> 5);
    if (sampleRateHz === undefined || lengthBytes < 7) return null;
    return {
      lengthBytes,
      samples: 1_024 * ((seventh & 3) + 1),
      sampleRateHz,
      channels: channelCounts[((third & 1) << 2) | (fourth >> 6)] ?? 2,
      stream: (second << 16) | ((third & 0xfd) << 8) | (fourth & 0xc0),
    };
  },
};

/** Walks all frames, because ADTS has no index: the file is read once. null when there is no frame. */
export async function indexAdts(source: ByteRanges): Promise<FrameIndex | null> {
  return walkFrames(source, adtsSyntax, { startByte: await findAudioStart(source) });
}

/** A decoder of AAC gives back whole what lies behind its first frame. */
export async function planAdts(source: ByteRanges, limits: SplitLimits): Promise<ChunkPlan[]> {
  const index = await indexAdts(source);
  return index ? planFrames(index, { leadFrames: 1, contentType: "audio/aac", fileExtension: "aac" }, limits) : [];
}

const [single, pair, fill, shortWindows] = [0, 1, 6, 2];

/** Where the gain of a pair of channels stands: behind what both share (ISO/IEC 14496-3 tables 4.4 to 4.6). */
function pairGainBit(bytes: Uint8Array, start: number): number {
  if (bitsAt(bytes, start, 1) === 0) return start + 1;
  const isShort = bitsAt(bytes, start + 2, 2) === shortWindows;
  const bandBits = isShort ? 4 : 6;
  const bands = bitsAt(bytes, start + 5, bandBits);
  // Behind the bands: how short windows are grouped, or whether a predictor is used.
  const grouping = isShort ? bitsAt(bytes, start + 9, 7) : 0x7f;
  const groups = 1 + [0, 1, 2, 3, 4, 5, 6].filter((bit) => ((grouping >> bit) & 1) === 0).length;
  const mask = start + 5 + bandBits + (isShort ? 7 : 1);
  return mask + 2 + (bitsAt(bytes, mask, 2) === 1 ? groups * bands : 0);
}

/** `global_gain` of the first channel of an AAC frame, in steps of 1.5 dB; null where another element comes first. */
export function readAacGain(bytes: Uint8Array, startByte: number): number | null {
  let bit = startByte * 8;
  if (bitsAt(bytes, bit, 3) === fill) {
    const count = bitsAt(bytes, bit + 3, 4);
    bit += 7 + 8 * (count === 15 ? 15 + bitsAt(bytes, bit + 7, 8) : count);
  }
  const element = bitsAt(bytes, bit, 3);
  if (element === single) return bitsAt(bytes, bit + 7, 8);
  return element === pair ? bitsAt(bytes, pairGainBit(bytes, bit + 7), 8) : null;
}
