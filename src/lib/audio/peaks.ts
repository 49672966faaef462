/**
 * Waveforms to look at. Of uncompressed sound the exact extremes of each pixel; of compressed sound, which is not decoded here
 * (docs/decisions/0015-waveforms.md), an outline from what encoders write about loudness, marked as approximate.
 */
import { adtsSyntax, readAacGain } from "#lib/audio/adts";
import { visitPackets } from "#lib/audio/container";
import { walkFrames } from "#lib/audio/frames";
import { findAudioStart } from "#lib/audio/id3";
import { mp3Syntax, readGain, readMp3 } from "#lib/audio/mp3";
import { bytesOfSample, sampleReader } from "#lib/audio/pcm";
import type { MediaFacts } from "#lib/audio/probe";
import type { ByteRanges } from "#lib/audio/ranges";
import { readWav } from "#lib/audio/wav";
import type { WavLayout } from "#lib/audio/wav";

export interface Peaks {
  approximate: boolean;
  sampleRateHz: number;
  samplesPerPixel: number;
  /** Least and greatest sample of each pixel over all channels, -32,768 to 32,767. */
  pairs: Int16Array<ArrayBuffer>;
}

const headerBytes = 24;
/** Four bytes a pixel: a megabyte with the header, whatever the length; 2 hours have 35 pixels a second. */
const pixelsMax = 249_000;
const pixelsPerSecondMax = 100;
const fullScale = 32_767;

function toSample(value: number): number {
  return Math.max(-32_768, Math.min(fullScale, Math.round(value * 32_768)));
}

/** Folds whole frames into pixels. */
function pcmFolder(layout: WavLayout) {
  const { frameBytes, encoding, sampleRateHz } = layout;
  const frames = (layout.dataEndByte - layout.dataStartByte) / frameBytes;
  const samplesPerPixel = Math.max(Math.ceil(sampleRateHz / pixelsPerSecondMax), Math.ceil(frames / pixelsMax));
  const pairs = new Int16Array(2 * Math.ceil(frames / samplesPerPixel));
  const step = bytesOfSample(encoding);
  let [pixel, left, least, greatest] = [0, samplesPerPixel, Infinity, -Infinity];
  const close = () => {
    if (least === Infinity) return;
    pairs[pixel * 2] = toSample(least);
    pairs[pixel * 2 + 1] = toSample(greatest);
    [pixel, left, least, greatest] = [pixel + 1, samplesPerPixel, Infinity, -Infinity];
  };
  function add(bytes: Uint8Array): void {
    const read = sampleReader(bytes, encoding);
    for (let offset = 0; offset < bytes.length;) {
      const end = Math.min(bytes.length, offset + left * frameBytes);
      left -= (end - offset) / frameBytes;
      for (; offset < end; offset += step) {
        const value = read(offset);
        if (value < least) least = value;
        if (value > greatest) greatest = value;
      }
      if (left === 0) close();
    }
  }
  const finish = (): Peaks => {
    close();
    return { approximate: false, sampleRateHz, samplesPerPixel, pairs };
  };
  return { add, finish };
}

/** @param bytes the file from its first byte, in pieces of any size; holds one of them at a time */
export async function wavPeaks(bytes: AsyncIterable<Uint8Array>, layout: WavLayout): Promise<Peaks> {
  const folder = pcmFolder(layout);
  let position = 0;
  let carried: Uint8Array = new Uint8Array(0);
  for await (const piece of bytes) {
    const from = Math.max(0, layout.dataStartByte - position);
    const to = Math.min(piece.length, layout.dataEndByte - position);
    position += piece.length;
    if (to > from) {
      const fresh = piece.subarray(from, to);
      const part = carried.length === 0 ? fresh : joined(carried, fresh);
      const wholeBytes = part.length - (part.length % layout.frameBytes);
      folder.add(part.subarray(0, wholeBytes));
      carried = part.slice(wholeBytes);
    }
    if (position >= layout.dataEndByte) break;
  }
  return folder.finish();
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(first.length + second.length);
  bytes.set(first);
  bytes.set(second, first.length);
  return bytes;
}

const pieceBytes = 4 * 1024 * 1024;

async function* pieces(source: ByteRanges): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < source.sizeBytes; from += pieceBytes) yield source.read(from, from + pieceBytes);
}

/** Levels that come at even times; neighbours are put together whenever there are twice as many as pixels. */
function levelCollector() {
  let levels: number[] = [];
  let [perPixel, pending, count] = [1, 0, 0];
  function add(level: number): void {
    pending = Math.max(pending, level);
    count += 1;
    if (count < perPixel) return;
    levels.push(pending);
    [pending, count] = [0, 0];
    if (levels.length <= pixelsMax) return;
    levels = Array.from({ length: Math.ceil(levels.length / 2) }, (_, index) =>
      Math.max(levels[index * 2] ?? 0, levels[index * 2 + 1] ?? 0),
    );
    perPixel *= 2;
  }
  const finish = () => ({ levels: count === 0 ? levels : [...levels, pending], perPixel });
  return { add, finish };
}

type Collector = ReturnType<typeof levelCollector>;

interface Outline {
  sampleRateHz: number;
  samplesPerLevel: number;
  /** From 0 to 1, of the loudest one. */
  relativeTo(level: number, loudest: number): number;
}

function outlinePeaks(collector: Collector, outline: Outline): Peaks {
  const { levels, perPixel } = collector.finish();
  const loudest = levels.reduce((most, level) => Math.max(most, level), 0);
  const pairs = new Int16Array(levels.length * 2);
  levels.forEach((level, index) => {
    const height = loudest === 0 ? 0 : Math.round(outline.relativeTo(level, loudest) * fullScale);
    pairs[index * 2] = -height;
    pairs[index * 2 + 1] = height;
  });
  const { sampleRateHz, samplesPerLevel } = outline;
  return { approximate: true, sampleRateHz, samplesPerPixel: samplesPerLevel * perPixel, pairs };
}

/** One step of gain is a fourth root of two (ISO/IEC 11172-3 section 2.4.3.4.7, 14496-3 section 4.6.2.3.3). */
const gainStep = 2 ** 0.25;
const byGain = (level: number, loudest: number) => (level === 0 ? 0 : gainStep ** (level - loudest));
/** Encoders spend bytes where something is to be heard. */
const bySize = (level: number, loudest: number) => Math.sqrt(level / loudest);

async function mp3Outline(source: ByteRanges): Promise<Peaks | null> {
  const layout = await readMp3(source);
  if (!layout) return null;
  const collector = levelCollector();
  await walkFrames(source, mp3Syntax, {
    startByte: layout.startByte,
    onFrame: (bytes, offset, header) => collector.add(readGain(bytes, offset, header)),
  });
  return outlinePeaks(collector, {
    sampleRateHz: layout.header.sampleRateHz,
    samplesPerLevel: layout.header.samples,
    relativeTo: byGain,
  });
}

async function adtsOutline(source: ByteRanges): Promise<Peaks | null> {
  const collector = levelCollector();
  const index = await walkFrames(source, adtsSyntax, {
    startByte: await findAudioStart(source),
    onFrame: (bytes, offset) => {
      const headerBytes = ((bytes[offset + 1] ?? 0) & 1) === 0 ? 9 : 7;
      collector.add(readAacGain(bytes, offset + headerBytes) ?? 0);
    },
  });
  const header = index && adtsSyntax.parse(await source.read(index.startByte, index.startByte + 7), 0);
  if (!header) return null;
  return outlinePeaks(collector, {
    sampleRateHz: header.sampleRateHz,
    samplesPerLevel: header.samples,
    relativeTo: byGain,
  });
}

const levelsPerSecond = 50;

/** Packets last differently long: the last of each fiftieth of a second counts, and one that is longer fills all it lasts. */
async function packetOutline(source: ByteRanges, audio: { codec: string; sampleRateHz: number }): Promise<Peaks> {
  const isAac = audio.codec === "aac";
  const collector = levelCollector();
  let [slot, level, lastSeconds] = [0, 0, 0];
  const fillTo = (seconds: number) => {
    // No packet lasts a minute: a gap in the times is not filled beyond that.
    const next = Math.min(Math.floor(seconds * levelsPerSecond), slot + 60 * levelsPerSecond);
    for (; slot < next; slot += 1) collector.add(level);
  };
  await visitPackets(source, { withBytes: isAac }, ({ seconds, endSeconds, sizeBytes, data }) => {
    fillTo(seconds);
    level = isAac ? (readAacGain(data, 0) ?? 0) : sizeBytes;
    lastSeconds = endSeconds;
  });
  fillTo(lastSeconds);
  const { sampleRateHz } = audio;
  const samplesPerLevel = sampleRateHz / levelsPerSecond;
  return outlinePeaks(collector, { sampleRateHz, samplesPerLevel, relativeTo: isAac ? byGain : bySize });
}

/** Reads the file once, 4 MiB at a time. null: no sound, or none that may be read. */
export async function makePeaks(source: ByteRanges, facts: MediaFacts): Promise<Peaks | null> {
  if (facts.audio === null || facts.isEncrypted) return null;
  if (facts.container === "mp3") return mp3Outline(source);
  if (facts.container === "adts") return adtsOutline(source);
  if (facts.container !== "wav") return packetOutline(source, facts.audio);
  const wav = await readWav(source);
  return wav.ok ? wavPeaks(pieces(source), wav.layout) : null;
}

/**
 * The waveform data format of audiowaveform (BBC), version 2, 16 bits, one channel: six 32-bit numbers (version, flags, samples a second,
 * samples a pixel, pixels, channels), then the pairs, all little-endian. wavesurfer.js takes the pairs divided by 32,768.
 */
export function encodePeaks({ sampleRateHz, samplesPerPixel, pairs }: Peaks): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(headerBytes + pairs.byteLength);
  const view = new DataView(bytes.buffer);
  [2, 0, sampleRateHz, Math.round(samplesPerPixel), pairs.length / 2, 1].forEach((value, index) =>
    view.setInt32(index * 4, value, true),
  );
  bytes.set(new Uint8Array(pairs.buffer, pairs.byteOffset, pairs.byteLength), headerBytes);
  return bytes;
}
